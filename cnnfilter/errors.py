"""The errors that `cnnfilter` raises on purpose.

Each message says what was wrong, what was given and what is allowed, in one line, so that the command
line can print it as it is.
"""

from collections.abc import Iterable


class CnnFilterError(Exception):
    """The root of all errors that are about what was given, not about a bug.

    Parameters
    ----------
    reason
        What was wrong, what was given and what is allowed; the message, behind the path and the place if given.
    path
        The file that it is about.
    line, column
        The place in it, from 1.
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
    """A text that holds no table of numbers; the message names the place."""


class MissingLibraryError(CnnFilterError, ImportError):
    """A library is installed, and what it needs of the system is not."""


class OutputError(CnnFilterError, ValueError):
    """Outputs that cannot be named, would fall together, or would destroy an input."""


LONGEST_MESSAGE = 6000
"""Room for any path that the system allows, and a reason."""


def one_line(text: str) -> str:
    r"""Return a text with its control characters written out, so that a message is a line whatever a name holds.

    Of a text beyond all measure the middle is left out.

    Examples
    --------
    >>> print(one_line("a\nb.png"))
    a\nb.png
    """
    if len(text) > LONGEST_MESSAGE:
        text = f"{text[: LONGEST_MESSAGE - 1000]} ... {text[-900:]}"
    return "".join(sign if sign.isprintable() or "\ud800" <= sign <= "\udfff" else repr(sign)[1:-1] for sign in text)


def ask_for_report(error: Exception) -> str:
    """Return a line about an error that nobody foresaw; where it came about is told as a detail.

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
