"""A line on the terminal that says how far the work is, its rate, and the time left."""

import os
import sys
from contextlib import suppress
from time import monotonic

_PAUSE = 0.1
"""Seconds between two pictures of the line."""

_USUAL_COLUMNS = 80

_WIDTH, _NARROWEST = 24, 5
"""Signs of the bar, at most and at least."""


class Progress:
    """A bar, drawn on standard error, and wiped away before anything else is said there.

    Parameters
    ----------
    total
        How many inputs there are.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._begun = monotonic()
        self._drawn = 0.0
        self._shown = False

    def advance(self, done: int) -> None:
        """Draw the line anew, unless it was drawn just now."""
        now = monotonic()
        if now - self._drawn < _PAUSE and done < self._total:
            return
        self._drawn, self._shown = now, True
        columns = _count_columns()
        _write(f"\r\x1b[K{show_progress(done, self._total, now - self._begun, columns)}")

    def clear(self) -> None:
        """Wipe the line away."""
        if self._shown:
            self._shown, self._drawn = False, 0.0
            _write("\r\x1b[K")


def show_progress(done: int, total: int, seconds: float, columns: int = 80) -> str:
    """Return the line, in fewer columns than there are: a full line would go on in the next.

    Examples
    --------
    >>> show_progress(30, 120, 10.0)
    '[######------------------] 30 of 120, 3.0/s, 0:30 left'
    >>> show_progress(30, 120, 10.0, columns=41), show_progress(30, 120, 10.0, columns=16)
    ('[##--------] 30 of 120, 3.0/s, 0:30 left', '30 of 120, 3.0/')
    """
    rate = done / seconds if seconds else 0.0
    left = f", {show_time((total - done) / rate)} left" if rate else ""
    text = f"{done} of {total}, {rate:.1f}/s{left}"
    width = min(_WIDTH, columns - len(text) - len("[] ") - 1)
    filled = width * done // total
    bar = f"[{'#' * filled}{'-' * (width - filled)}] " if width >= _NARROWEST else ""
    return f"{bar}{text}"[: columns - 1]


def _count_columns() -> int:
    """Return the width of the terminal that standard error is."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or _USUAL_COLUMNS
    except (OSError, ValueError):
        return _USUAL_COLUMNS


def show_time(seconds: float) -> str:
    """Return hours, minutes and seconds.

    Examples
    --------
    >>> show_time(29.6), show_time(3725)
    ('0:30', '1:02:05')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _write(text: str) -> None:
    with suppress(OSError):
        sys.stderr.write(text)
        sys.stderr.flush()
