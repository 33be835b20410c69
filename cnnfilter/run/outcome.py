"""What became of each input."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from cnnfilter.errors import OutputError
from cnnfilter.io.paths import STANDARD, name_input
from cnnfilter.log import Level, PlanLine, tell, warn

if TYPE_CHECKING:
    from cnnfilter.io.encode import Encoded
    from cnnfilter.nn.layers import Shape


class Listener(Protocol):
    """Hears what happens to the inputs of a batch."""

    def remark(self, source: str, note: str) -> None:
        """Hear what is right but perhaps not meant so, and of which input."""

    def failure(self, text: str) -> None:
        """Hear which input failed, and why."""

    def output(self, data: Encoded) -> None:
        """Take what goes to standard output."""

    def finish(self, account: Account) -> None:
        """Hear that an input is done, or has failed."""


class Output(NamedTuple):
    """A file, None for standard output; the shape of what it holds, () for an explanation; the share clipped."""

    path: str | None
    shape: Shape
    clipped: float


class Account:
    """What came of one input: its shape once it has been read, its outputs, and those that were there already.

    `engines` names what laid the kernels, and in which arithmetic; `errors` says why it or one of its outputs failed.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.shape: Shape = ()
        self.outputs: list[Output] = []
        self.passed_over: list[str] = []
        self.engines: list[str] = []
        self.errors: list[str] = []
        self.seconds = 0.0
        self._begun = perf_counter()
        self._events: list[tuple[str, Any]] = []

    def hear(self, level: Level, text: str) -> None:
        """Keep what the floors below tell."""
        self._events.append((level, str(text)))
        if isinstance(text, PlanLine) and text.method not in self.engines:
            self.engines.append(text.method)

    def remark(self, notes: Iterable[str]) -> None:
        """Keep what is right but perhaps not meant so, each note once."""
        self._events += [("remark", note) for note in dict.fromkeys(notes)]

    def failure(self, text: str) -> None:
        """Keep why the input failed, each reason once: several of its outputs may fail for the same."""
        if text in self.errors:
            return
        self.errors.append(text)
        self._events.append(("failure", text))

    def output(self, data: Encoded) -> None:
        """Keep what goes to standard output."""
        self._events.append(("output", data))

    def close(self) -> Account:
        """Take the time, and return the account."""
        self.seconds = perf_counter() - self._begun
        return self

    def tell_to(self, listener: Listener) -> None:
        """Tell all that was kept, once, in the order in which it happened."""
        for kind, content in self._events:
            match kind:
                case Level.WARNING:
                    warn(content)
                case Level.DETAIL | Level.ONCE:
                    tell("%s", content, level=Level(kind))
                case "remark":
                    listener.remark(name_input(self.source), content)
                case "failure":
                    listener.failure(content)
                case _:
                    listener.output(content)
        self._events.clear()
        listener.finish(self)

    def as_record(self) -> dict[str, Any]:
        """Return what a report says of the input: the same keys for each."""
        return {
            "input": self.source,
            "size": list(self.shape) or None,
            "outputs": [
                {"path": output.path, "size": list(output.shape) or None, "clipped": round(output.clipped, 6)}
                for output in self.outputs
            ],
            "passed_over": self.passed_over,
            "engines": self.engines,
            "seconds": round(self.seconds, 6),
            "error": "; ".join(self.errors) or None,
        }


def is_up_to_date(outputs: Sequence[Path], source: str, prerequisites: Iterable[Path]) -> bool:
    """Return whether no output is missing, or older than its input or another file that it hangs on, as make has it.

    What cannot be looked at is taken for changed, and so is standard input.
    """
    if source == STANDARD:
        return False
    try:
        oldest = min(output.stat().st_mtime_ns for output in outputs)
        return all(path.stat().st_mtime_ns <= oldest for path in (Path(source), *prerequisites))
    except OSError:
        return False


def write_rule(outputs: Iterable[str], source: str, prerequisites: Iterable[Path]) -> str:
    r"""Return a rule of a makefile: outputs hang on an input and other files.

    Examples
    --------
    >>> write_rule(["out/a b.png"], "a b.png", [Path("k#1.txt")])
    'out/a\\ b.png: a\\ b.png k\\#1.txt\n'
    """
    needed = [*([] if source == STANDARD else [source]), *map(str, prerequisites)]
    return f"{' '.join(map(_quote_target, outputs))}: {' '.join(map(_quote, needed))}\n"


def check_names(names: Iterable[str]) -> None:
    """Raise an `OutputError` if a name cannot stand in rules for make."""
    for name in names:
        _quote(name)


def write_empty_rules(prerequisites: Iterable[Path]) -> str:
    """Return rules by which a kernel or a network that is gone is no reason for make to give up."""
    return "".join(f"{_quote_target(os.fspath(path))}:\n" for path in dict.fromkeys(prerequisites))


def _quote(name: str) -> str:
    """Return a name as make reads it back, or raise an `OutputError` if it has no way to."""
    for sign, word in _UNSPEAKABLE.items():
        if sign in name:
            raise OutputError(f"a name with {word} cannot stand in rules for make", path=name)
    marked = re.sub(r"(\\*)([ #:*?\[])", r"\1\1\\\2", name)
    return marked.replace("$", "$$")


_UNSPEAKABLE = {"\n": "a line end", "\t": "a tab", "=": "'='", ";": "';'", "|": "'|'"}
"""What makes a variable, a recipe or something else of a rule, whatever stands before it: `a!=b` runs b."""


def _quote_target(name: str) -> str:
    """Return a name left of the colon, where a percent sign would make a pattern of it."""
    return _quote(name).replace("%", r"\%")
