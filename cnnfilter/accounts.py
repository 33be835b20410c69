"""What came of an input: kept while it is worked on, and told when its turn has come."""

from __future__ import annotations

from collections.abc import Iterable
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from cnnfilter.files.outputs import spoken
from cnnfilter.telling import Level, PlanLine, tell, warn

if TYPE_CHECKING:
    from cnnfilter.files.images import Encoded
    from cnnfilter.spec.layers import Shape


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
                    listener.remark(spoken(self.source), content)
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
