"""The line on a terminal that shows how far a command is."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic
from typing import TYPE_CHECKING

from cnnfilter.cli import STATUS
from cnnfilter.errors import one_line
from cnnfilter.io.paths import name_input
from cnnfilter.log import PROGRESS

if TYPE_CHECKING:
    from cnnfilter.nn.geometry import Pair

_PAUSE = 0.1  # seconds between two states of the line
_PATIENCE = 1.0  # seconds after which the progress of a single image is shown
_USUAL_COLUMNS = 80
_WIDTH, _NARROWEST = 24, 5  # characters of the bar, at most and at least


class ProgressLine:
    """Shows how many inputs of several are done, or after a second how far the work on a single one is."""

    def __init__(self, sources: Sequence[str]) -> None:
        self._sources, self._done = sources, 0
        self._begun, self._drawn = monotonic(), 0.0
        self._ends, self._watcher = Event(), Thread(target=self._watch_image, daemon=True)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the line while a block runs."""
        if len(self._sources) == 1:
            self._watcher.start()
        elif self._sources:
            self._draw_batch()
        try:
            yield
        finally:
            self.pause()
            STATUS.clear()

    def pause(self) -> None:
        """Draw nothing until an input is done: something else is written."""
        self._ends.set()
        if self._watcher.is_alive():
            self._watcher.join()

    def advance(self) -> None:
        """Count an input as done."""
        self._done += 1
        is_due = not STATUS.shown or monotonic() - self._drawn >= _PAUSE or self._done == len(self._sources)
        if len(self._sources) > 1 and is_due:
            self._draw_batch()

    def _watch_image(self) -> None:
        """Show how far the work on the only input is, until it ends."""
        if self._ends.wait(_PATIENCE):
            return
        while not self._ends.wait(_PAUSE):
            done, seconds = (PROGRESS.done, PROGRESS.total), monotonic() - self._begun
            STATUS.draw(show_stage(PROGRESS.stage, done, seconds, _count_columns(), name_input(self._sources[0])))

    def _draw_batch(self) -> None:
        """Show how many inputs are done, and the first one that is not."""
        self._drawn = monotonic()
        done, seconds = (self._done, len(self._sources)), self._drawn - self._begun
        at_work = self._sources[self._done : self._done + 1]
        STATUS.draw(show_progress(done, seconds, _count_columns(), "".join(map(name_input, at_work))))


def show_progress(done: Pair, seconds: float, columns: int = 80, name: str = "") -> str:
    """Return the line of a batch: how many inputs are done of how many, and the name of one at work.

    Examples
    --------
    >>> show_progress((30, 120), 10.0, name="photo31.jpg")
    '[######------------------] 30 of 120, 3.0/s, 0:30 left: photo31.jpg'
    >>> show_progress((30, 120), 10.0, columns=41), show_progress((30, 120), 10.0, columns=16)
    ('[##--------] 30 of 120, 3.0/s, 0:30 left', '30 of 120, 3.0/')
    """
    count, total = done
    rate = count / seconds if seconds else 0.0
    left = f", {rate:.1f}/s, {show_time((total - count) / rate)} left" if rate else ""
    return _show_line(f"{count} of {total}{left}", done, columns, name)


def show_stage(stage: str, done: Pair, seconds: float, columns: int = 80, name: str = "") -> str:
    """Return the line of a single image: its stage, how much of that is done if that is known, and the time until now.

    Examples
    --------
    >>> show_stage("filtering", (3, 12), 2.0, name="photo.jpg"), show_stage("writing", (0, 0), 5.0)
    ('[######------------------] filtering, 0:02: photo.jpg', 'writing, 0:05')
    """
    return _show_line(f"{stage}, {show_time(seconds)}", done, columns, name)


def _show_line(text: str, done: Pair, columns: int, name: str) -> str:
    """Return a bar, if there are several parts, a text and a name, or its end, in fewer columns than there are.

    A full line would go on in the next.
    """
    count, total = done
    width = min(_WIDTH, columns - len(text) - len("[] ") - 1)
    filled = width * count // max(total, 1)
    bar = f"[{'#' * filled}{'-' * (width - filled)}] " if total > 1 and width >= _NARROWEST else ""
    room = columns - len(bar) - len(text) - len(": ") - 1
    shown = one_line(name)
    if len(shown) > room:
        shown = f"...{shown[3 - room :]}" if room > len("...") + _NARROWEST else ""
    return f"{bar}{text}{': ' if shown else ''}{shown}"[: columns - 1]


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


def _count_columns() -> int:
    """Return the width of the terminal that standard error is."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or _USUAL_COLUMNS
    except (OSError, ValueError):
        return _USUAL_COLUMNS


def show_duration(seconds: float) -> str:
    """Return seconds with a decimal, or from a minute on minutes and seconds.

    Examples
    --------
    >>> show_duration(3.14), show_duration(3725)
    ('3.1 s', '1:02:05')
    """
    return f"{seconds:.1f} s" if seconds < 60 else show_time(seconds)
