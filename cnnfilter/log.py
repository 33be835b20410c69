"""What happens below, told to whoever listens: a command's user, else Python's logging.

`logging` is not loaded to tell nobody: without it in the process nobody can have asked to hear. Each thread has
listeners of its own, those of the context that it runs in.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

Level = Literal["detail", "plan", "once", "warning"]
"""A detail, one that names an engine with its arithmetic and why it was taken, one to be heard once, or a warning."""

Listener = Callable[..., None]
"""Hears the level of a message, the message, and its values: `message % values` is the text."""

_LISTENER: ContextVar[Listener | None] = ContextVar("_LISTENER", default=None)


def tell(message: str, *values: object, level: Level = "detail") -> None:
    """Tell what happens, `message % values`; made into a text only if somebody listens."""
    if listener := _LISTENER.get():
        listener(level, message, *values)
    elif level == "warning":
        import logging  # noqa: PLC0415  seldom needed

        logging.getLogger("cnnfilter").warning(message, *values)
    elif "logging" in sys.modules:
        sys.modules["logging"].getLogger("cnnfilter").debug(message, *values)


def warn(message: str) -> None:
    """Tell what is right but perhaps not meant so."""
    tell("%s", message, level="warning")


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Tell everything to a listener while the block runs."""
    before = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(before)
