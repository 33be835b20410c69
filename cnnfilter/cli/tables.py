"""Plain tables for a terminal."""

from collections.abc import Sequence


def align(rows: Sequence[Sequence[str]], flush_right: tuple[int, ...] = ()) -> list[str]:
    """Return each row as a line, two spaces between columns.

    Examples
    --------
    >>> align([("a", "bb"), ("ccc", "d")], flush_right=(1,))
    ['a    bb', 'ccc   d']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if place in flush_right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
