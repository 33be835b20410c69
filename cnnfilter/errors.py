"""The errors that `cnnfilter` raises on purpose.

Each message says what was wrong, what was given and what is allowed, in one line, so that the command
line can print it as it is.
"""

from collections.abc import Iterable


class CnnFilterError(Exception):
    """The base class of all errors that are about what was given, and not about a bug.

    All that it is made of is kept as attributes.

    Parameters
    ----------
    reason : str
        What was wrong, what was given and what is allowed. The message is the path, the place and the reason.
    path : str or path, optional
        The file that it is about.
    line, column : int, optional
        The place in the file, from 1.
    """

    def __init__(
        self, reason: object = "", *, path: object = None, line: int | None = None, column: int | None = None
    ) -> None:
        place = "" if line is None else f"line {line}: " if column is None else f"line {line}, column {column}: "
        super().__init__(f"{'' if path is None else f'{path}: '}{place}{reason}")
        self.reason, self.path = f"{reason}", None if path is None else f"{path}"
        self.line, self.column = line, column


class KernelError(CnnFilterError, ValueError):
    """A kernel that is unknown, cannot be read, or does not fit its image."""


class ShapeError(CnnFilterError, ValueError):
    """Sizes, strides, paddings or channels that do not go together."""


class LanguageError(CnnFilterError, ValueError):
    """A word that the layer language, or an option, does not know."""


class ImageFileError(CnnFilterError, OSError):
    """An image or matrix file that cannot be read or written."""


class TextError(CnnFilterError, ValueError):
    """A text that is not a table of numbers; the message names the place."""


class DivergenceError(CnnFilterError, ArithmeticError):
    """Training in which the loss is no longer a finite number."""


class ModelError(LanguageError):
    """A model of another program that cannot be read: damaged, or with operators that are not known here."""


class MissingLibraryError(CnnFilterError, ImportError):
    """A library is missing, or what it needs of the system."""


class ClusterError(CnnFilterError, ConnectionError):
    """A Dask cluster that cannot be reached, or that has gone."""


class OutputError(CnnFilterError, ValueError):
    """Outputs that cannot be named or written, would overwrite each other, or would overwrite an input."""


LONGEST_MESSAGE = 6000
"""Room for any path that the system allows, and a reason."""


def one_line(text: str) -> str:
    r"""Return a text with its control characters written out, so that a message is a line whatever a name holds.

    The middle of a very long text is left out.

    Examples
    --------
    >>> print(one_line("a\nb.png"))
    a\nb.png
    """
    if len(text) > LONGEST_MESSAGE:
        text = f"{text[: LONGEST_MESSAGE - 1000]} ... {text[-900:]}"
    return "".join(sign if sign.isprintable() or "\ud800" <= sign <= "\udfff" else repr(sign)[1:-1] for sign in text)


def ask_for_report(error: Exception) -> str:
    """Return a line about an error that nobody expected; its traceback becomes details of the log.

    Examples
    --------
    >>> ask_for_report(KeyError("a"))
    "KeyError: 'a'; this is a mistake in cnnfilter, please report it with the command (-v shows where it came about)"
    """
    from traceback import format_exception  # noqa: PLC0415  only a bug needs it

    from cnnfilter.log import tell  # noqa: PLC0415

    for line in "".join(format_exception(error)).splitlines():
        tell("%s", line)
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return f"{what}; this is a mistake in cnnfilter, please report it with the command (-v shows where it came about)"


LONGEST_NAME = 100
"""Longer words are like no name, and would take long to compare."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `; nearest: a, b` for the known words most like `word`, or the empty string.

    Examples
    --------
    >>> nearest("sobelx", ["sobel-x", "sharpen"])
    '; nearest: sobel-x'
    """
    if len(word) > LONGEST_NAME:
        return ""
    from difflib import get_close_matches  # noqa: PLC0415  only a mistake needs it

    close = get_close_matches(word, list(known), n=3, cutoff=0.6)
    return f"; nearest: {', '.join(close)}" if close else ""
