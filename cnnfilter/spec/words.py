"""A text of the layer language taken apart: words, and the signs between them."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from cnnfilter.errors import LanguageError

SIGNS = "()|+"
"""What parts words without white space; inside `[...]` nothing does."""


LONGEST_SHOWN = 60
"""So much of a text a message repeats."""


class Token(NamedTuple):
    """A word or a sign; `spaced` tells whether white space, or nothing at all, stands before it."""

    text: str
    line: int
    spaced: bool


def tokenize(text: str, *, lines: bool = False) -> list[Token]:
    """Return the words and signs of a text, comments left out; errors name the line if `lines`.

    Raises
    ------
    LanguageError
        If a square bracket has no partner.

    Examples
    --------
    >>> [token.text for token in tokenize("res(conv:[1 -1],same)+relu  # a comment")]
    ['res', '(', 'conv:[1 -1],same', ')', '+', 'relu']
    """
    tokens: list[Token] = []
    position, line, spaced = 0, 1, True
    while position < len(text):
        sign = text[position]
        if sign == "#" and (spaced or tokens[-1].text in set("(|")):
            position = (text + "\n").index("\n", position)
        elif sign.isspace():
            line += sign == "\n"
            position, spaced = position + 1, True
        else:
            try:
                end = position + 1 if sign in SIGNS else _end_of_word(text, position)
            except LanguageError as error:
                raise LanguageError(f"line {line}, {error}" if lines else str(error)) from error
            tokens.append(Token(text[position:end], line, spaced))
            line += text.count("\n", position, end)
            position, spaced = end, False
    return tokens


def _end_of_word(text: str, start: int) -> int:
    return next(_separators(text, start, lambda sign: sign.isspace() or sign in SIGNS), len(text))


def split(text: str, separator: str) -> list[str]:
    """Return the parts of a word between separators that stand outside square brackets.

    Examples
    --------
    >>> split("[1,2],same", ",")
    ['[1,2]', 'same']
    """
    start, parts = 0, []
    for end in (*_separators(text, 0, separator.__eq__), len(text)):
        parts.append(text[start:end])
        start = end + 1
    return parts


def _separators(text: str, start: int, separates: Callable[[str], bool]) -> Iterator[int]:
    """Yield where separators stand outside square brackets, from `start` on."""
    depth = 0
    for position in range(start, len(text)):
        sign = text[position]
        depth += (sign == "[") - (sign == "]")
        if depth < 0:
            raise LanguageError(f"{_begin(text, start)}: {sign!r} at place {position - start + 1} has no partner")
        if depth == 0 and separates(sign):
            yield position
    if depth:
        raise LanguageError(f"{_begin(text, start)}: '[' is never closed")


def _begin(text: str, start: int) -> str:
    """Return the beginning of what is wrong, for a message."""
    first = text[start:].splitlines()[0]
    return repr(first if len(first) <= LONGEST_SHOWN else f"{first[:LONGEST_SHOWN]}...")
