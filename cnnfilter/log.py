"""What happens below, told to whoever listens: a command's user, else Python's logging.

`logging` is not loaded to tell nobody: without it in the process nobody can have asked to hear. Each thread has
listeners of its own, those of the context that it runs in.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

Level = Literal["detail", "plan", "once", "hint", "warning"]
"""A detail, one that names an engine and why it was taken, one to be heard once, advice, or a warning."""

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
    """Tell that something was lost, or is probably not meant."""
    tell("%s", message, level="warning")


def hint(message: str) -> None:
    """Give advice, which a person at a terminal reads."""
    tell("%s", message, level="hint")


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Tell everything to a listener while the block runs."""
    before = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(before)
