"""What happens below, told to whoever listens: a command's user, else Python's logging.

`logging` is not loaded to tell nobody: without it in the process nobody can have asked to hear. Each thread has
listeners of its own, those of the context that it runs in.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from enum import StrEnum


class Level(StrEnum):
    """What kind of message it is: a detail, one of which it is enough to hear once, or a warning."""

    DETAIL = "detail"
    ONCE = "once"
    WARNING = "warning"


Listener = Callable[[Level, str], None]
"""Hears of what kind a message is, and the message."""

_LISTENER: ContextVar[Listener | None] = ContextVar("_LISTENER", default=None)


def tell(message: str, *values: object, level: Level = Level.DETAIL) -> None:
    """Tell a detail, `message % values`; made only if somebody listens."""
    if listener := _LISTENER.get():
        listener(level, message % values)
    elif "logging" in sys.modules:
        sys.modules["logging"].getLogger("cnnfilter").debug(message, *values)


class PlanLine(str):
    """What is told of a kernel's plan; `method` is its engine and arithmetic."""

    method = ""


def tell_plan(method: str, reason: str) -> None:
    """Tell with which engine and arithmetic a kernel is laid, and why."""
    if listener := _LISTENER.get():
        line = PlanLine(f"{method}: {reason}")
        line.method = method
        listener(Level.DETAIL, line)
    else:
        tell("%s: %s", method, reason)


def warn(message: str) -> None:
    """Tell what is right but perhaps not meant so."""
    if listener := _LISTENER.get():
        listener(Level.WARNING, message)
        return
    import logging  # noqa: PLC0415  seldom needed

    logging.getLogger("cnnfilter").warning(message)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Tell everything to a listener while the block runs."""
    before = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(before)


def hushed() -> AbstractContextManager[None]:
    """Tell nobody while the block runs: what is done is done again."""
    return listening(lambda _level, _message: None)
