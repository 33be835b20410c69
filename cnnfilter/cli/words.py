"""The types of options: words that a function of the floors below understands."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnnfilter.errors import CnnFilterError, LanguageError
from cnnfilter.numbers import parse_number
from cnnfilter.spec.geometry import PaddingWord, as_padding, as_pair

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class Word(click.ParamType):  # type: ignore[type-arg]
    """A word that a function of the floors below understands; its errors become usage errors."""

    def __init__(self, name: str, understand: Callable[[str], object], words: tuple[str, ...] = ()) -> None:
        self.name = name
        self.understand = understand
        self.words = words

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        """Return what the word means."""
        if not isinstance(value, str):
            return value
        try:
            return self.understand(value)
        except (CnnFilterError, ValueError) as error:
            self.fail(str(error), param, ctx)

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,
        incomplete: str,
    ) -> list[CompletionItem]:
        """Return the known words that begin as the incomplete one does."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415  only shells ask

        return [CompletionItem(word) for word in self.words if word.startswith(incomplete)]


class KernelWordType(click.ParamType):  # type: ignore[type-arg]
    """A kernel: a name, a file, or the matrix itself. It is looked up when the network is made."""

    name = "kernel"

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,
        incomplete: str,
    ) -> list[CompletionItem]:
        """Return the names that begin as the incomplete one does, or files for a path."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415  only shells ask

        from cnnfilter.kernels import describe, names  # noqa: PLC0415

        if "/" in incomplete or incomplete.startswith("."):
            return [CompletionItem(incomplete, type="file")]
        return [CompletionItem(name, help=describe(name)) for name in names() if name.startswith(incomplete)]


def pair(subject: str) -> Word:
    """Return the type of a number or HxW."""
    return Word(subject, lambda text: as_pair(text, subject))


def parse_numbers(text: str) -> tuple[float, ...]:
    """Return numbers parted by commas.

    Examples
    --------
    >>> parse_numbers("0.485,0.456,1/2")
    (0.485, 0.456, 0.5)
    """
    return tuple(parse_number(word.strip()) for word in text.split(","))


def parse_place(text: str) -> tuple[int, int]:
    """Return (row, column) from `Y,X`, both counted from 0.

    Examples
    --------
    >>> parse_place("2,31")
    (2, 31)
    """
    match = re.fullmatch(r"(\d{1,9}),(\d{1,9})", text, re.ASCII)
    if not match:
        raise LanguageError(f"position {text!r} is not Y,X, a row and a column from 0 on, such as 2,31")
    return int(match[1]), int(match[2])


class FileName(click.Path):
    """The name of a file, completed as one; whether it can be read is found out later."""

    def __init__(self) -> None:
        super().__init__(readable=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path; an empty name is a mistake."""
        if value == "":
            self.fail("the name is empty; a variable of the shell may be unset", param, ctx)
        return super().convert(value, param, ctx)


PATH = FileName()
PADDING = Word("padding", as_padding, tuple(PaddingWord))
NUMBER = Word("number", parse_number)
PLACE = Word("position", parse_place)
