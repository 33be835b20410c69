"""Numbers as people write them: decimals and fractions in, the shortest exact text out."""

import math
import re

DECIMAL = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
"""A decimal number, as a regular expression."""

_NUMBER = re.compile(rf"({DECIMAL})(?:/({DECIMAL}))?", re.ASCII)


def parse_number(text: str) -> float:
    """Return the finite number that `text` writes as a decimal or as a fraction.

    Raises
    ------
    ValueError
        If it is neither, or not finite; `nan` and `inf` are not numbers here.

    Examples
    --------
    >>> parse_number("-1/4")
    -0.25
    """
    match = _NUMBER.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is no number")
    numerator, denominator = float(match[1]), float(match[2] or 1)
    if denominator == 0:
        raise ValueError(f"{text!r} divides by zero")
    number = numerator / denominator
    if not math.isfinite(number):
        raise ValueError(f"{text!r} is beyond the largest number that can be held")
    return number


def show_number(number: float) -> str:
    """Return the shortest text that reads back as the same number, whole numbers without a point.

    Examples
    --------
    >>> show_number(3.0), show_number(0.1), show_number(-0.0), show_number(1e300)
    ('3', '0.1', '0', '1e300')
    """
    if float(number).is_integer() and abs(number) < 2**63:
        return str(int(number))
    return repr(float(number)).replace("e+", "e").replace("e-0", "e-")


def join_rows(text: str) -> str:
    r"""Return a matrix whose rows stand on lines of their own in a single line: rows end in `;`, slices in `;;`.

    Examples
    --------
    >>> join_rows("1 2\n3 4\n\n5 6\n7 8\n")
    '1 2; 3 4;; 5 6; 7 8'
    """
    joined = ""
    blank = False
    for row in map(str.strip, text.strip().splitlines()):
        if row and joined:
            wanted = 2 if blank else 1
            joined += ";" * max(0, wanted - (len(joined) - len(joined.rstrip(";")))) + " "
        joined += row
        blank = not row
    return joined
