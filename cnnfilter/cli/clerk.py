"""Who hears what came of the inputs: tells it to a person, counts, reports, and notes make's rules."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

from cnnfilter.cli.base import Console, say

if TYPE_CHECKING:
    from cnnfilter.accounts import Account
    from cnnfilter.cli.progress import Progress
    from cnnfilter.files.images import Encoded


_SAID = 3
"""Of so many inputs the same is remarked; of more the number is said at the end."""

_NUMBER = re.compile(r"\d[\d.,]*")


class Clerk:
    """Tells a person what came of a batch, and keeps count.

    Parameters
    ----------
    console
        Who tells it.
    total
        How many inputs there are.
    progress
        The bar, or None.
    report
        An open file into which a line of JSON goes for each input, or None.
    says_all
        Whether remarks are said of each input, however many there are.

    Attributes
    ----------
    total, done, failed
        How many inputs there are, how many were done, well or not, and how many of these failed.
    rules
        For each input that went well its files, and itself.
    troubles
        How many of the files about the batch could not be written.
    """

    def __init__(
        self,
        console: Console,
        total: int,
        *,
        progress: Progress | None = None,
        report: BinaryIO | None = None,
        says_all: bool = False,
    ) -> None:
        self.total, self.done, self.failed = total, 0, 0
        self.troubles = 0
        self.rules: list[tuple[list[str], str]] = []
        self._console, self._progress, self._report = console, progress, report
        self._remarks: dict[str, tuple[int, str, str]] = {}
        self._says_all = says_all

    def remark(self, source: str, note: str) -> None:
        """Say what is right but perhaps not meant so; what is said of many inputs is counted after a few of them."""
        text, kind = f"{source}: {note}", _NUMBER.sub("", note)
        inputs, last, _ = self._remarks.get(kind, (0, "", ""))
        inputs += source != last
        self._remarks[kind] = inputs, source, text
        if inputs <= _SAID or self._says_all:
            self.make_room()
            self._console.remark(text)

    def failure(self, text: str) -> None:
        """Say which input failed, and why."""
        self.make_room()
        self._console.failure(text)

    def output(self, data: Encoded) -> None:
        """Write data to standard output."""
        self.make_room()
        self._console.output(data)

    def finish(self, account: Account) -> None:
        """Count an input, and report on it."""
        self.done += 1
        self.failed += bool(account.errors)
        self._add_to_report(account)
        if not account.errors:
            made = [output.path for output in account.outputs if output.path]
            self.rules.append(([*made, *account.passed_over], account.source))
        if self._progress:
            self._progress.advance(self.done)

    def make_room(self) -> None:
        """Wipe away the bar, before anything else is said."""
        if self._progress:
            self._progress.clear()

    def trouble(self, reason: object) -> None:
        """Say that a file about the batch could not be written."""
        self.troubles += 1
        self.failure(str(reason))

    def close(self) -> None:
        """Say what was only counted, and how many inputs failed, if there are several."""
        self.make_room()
        if self._report:
            self._report.close()
        for inputs, _, last in self._remarks.values():
            if inputs > _SAID and not self._says_all:
                more = f"{inputs - _SAID} more input{'s' * (inputs > _SAID + 1)}"
                self._console.remark(f"{more} like these (-v says all), the last {last}")
        if self.failed and self.total > 1:
            left = self.total - self.done
            rest = f"; {left} {'was' if left == 1 else 'were'} not begun" if left else ""
            say(f"{self.failed} of {self.total} inputs failed{rest}")

    def _add_to_report(self, account: Account) -> None:
        """Add a line to the report at once; where that fails, the inputs are done all the same."""
        if not self._report:
            return
        import json  # noqa: PLC0415  a report alone needs it

        try:
            self._report.write(json.dumps(account.as_record()).encode() + b"\n")
            self._report.flush()
        except OSError as error:
            self.trouble(f"{self._report.name}: {error.strerror or error}")
            with suppress(OSError):
                self._report.close()
            self._report = None
