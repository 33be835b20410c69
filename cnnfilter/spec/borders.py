"""What lies beyond the edge of an image: the values that padding is filled with."""

from enum import StrEnum

from cnnfilter.errors import LanguageError, nearest
from cnnfilter.numbers import parse_number, show_number
from cnnfilter.spec.values import Value


class BorderMode(StrEnum):
    """How the pixels beyond the edge follow from those within."""

    ZERO = "zero"
    EDGE = "edge"
    REFLECT = "reflect"
    SYMMETRIC = "symmetric"
    WRAP = "wrap"
    CONSTANT = "constant"


class Border(Value):
    """A border's mode, and its value where the mode is `constant`.

    Examples
    --------
    >>> str(Border(BorderMode.CONSTANT, 255.0))
    'constant:255'
    """

    mode: BorderMode = BorderMode.ZERO
    value: float = 0.0

    def __str__(self) -> str:
        return f"constant:{show_number(self.value)}" if self.mode is BorderMode.CONSTANT else str(self.mode)


def as_border(value: str | Border) -> Border:
    """Return the border named `zero`, `edge`, `reflect`, `symmetric`, `wrap` or `constant:V`.

    Raises
    ------
    LanguageError
        If the word is unknown, or V is not a finite number.

    Examples
    --------
    >>> as_border("constant:0.5").value
    0.5
    """
    if isinstance(value, Border):
        return value
    word, colon, number = value.partition(":")
    if word not in list(BorderMode) or bool(colon) != (word == BorderMode.CONSTANT):
        names = ", ".join(mode for mode in BorderMode if mode is not BorderMode.CONSTANT)
        raise LanguageError(f"border {value!r} is unknown: {names} or constant:V{nearest(word, BorderMode)}")
    try:
        return Border(BorderMode(word), parse_number(number) if colon else 0.0)
    except ValueError as error:
        raise LanguageError(f"border {value!r}: {error}; a number is needed, as in constant:255") from error
