"""Messages for whoever listens: a command's user, else Python's warnings and logging.

`logging` is not loaded for this: where the process has not loaded it, nobody can have asked for details. Each thread
has its own listeners, those of the context that it runs in.
"""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

Level = Literal["detail", "plan", "once", "hint", "warning"]
"""A detail, an engine and why it was chosen, a detail that is written once, advice, or a warning."""

Listener = Callable[..., None]
"""Gets the level of a message, the message, and its values: `message % values` is the text."""

_LISTENER: ContextVar[Listener | None] = ContextVar("_LISTENER", default=None)


def tell(message: str, *values: object, level: Level = "detail") -> None:
    """Send a message, `message % values`; it is made into a text only if somebody listens."""
    if listener := _LISTENER.get():
        listener(level, message, *values)
    elif level == "warning":
        import warnings  # noqa: PLC0415  seldom needed

        warnings.warn(in_words_of_python(message % values), stacklevel=_depth_in_package())
    elif "logging" in sys.modules:
        sys.modules["logging"].getLogger("cnnfilter").debug(message, *values)


def warn(message: str) -> None:
    """Warn that something was lost, or is probably not meant."""
    tell("%s", message, level="warning")


def hint(message: str) -> None:
    """Give advice, which is shown on a terminal alone."""
    tell("%s", message, level="hint")


def _depth_in_package() -> int:
    """Return the `stacklevel` with which a warning of `tell` points at the line outside the package."""
    frame, depth = sys._getframe(1), 1
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == "cnnfilter":
        frame, depth = frame.f_back, depth + 1
    return depth


PHRASES = {
    " (a folder ends in /, standard output is -o -)": "",
    "; --format png writes into a pipe or a device": "; encode_image gives the bytes for a pipe or a device",
    "; --background flattens it": "",
    "--plot draws them, and --save all, of pipeline, writes an image for each map": "`image[:, :, 0]` is the first",
    "`gray`, a layer or --channels gray, makes one": "`network('gray').run(image)` makes one",
    "--weights FILE brings some, --init he random ones": "`run(image, weights=...)` brings some",
    " (`cnnfilter shape`)": " (`summary(shape)`)",
    ": --resize HxW": "; resize it first",
    "; PNG, WebP, TIFF and AVIF do": "; PNG, WebP, TIFF and AVIF do, and `image[:, :, :3]` has none",
    "in PyTorch, numpy.savez(path, **{name: tensor.numpy() for name, tensor in model.state_dict().items()}) writes "
    "the first": "a mapping such as `model.state_dict()` of PyTorch can be given itself",
    "-v lists the pairs": "names of layers, as in conv:3x3,8@conv1, decide",
    "--json prints": "`cnnfilter shape --json` prints",
    "`cnnfilter kernels` lists all": "`cnnfilter.kernel_names()` lists all",
}
"""What messages say about options that the library does not have, and what a caller in Python reads instead."""

_POOL_OF_PIXELS = re.compile(r"`cnnfilter pool -m (\w+) --size (\d+) -s 1 -p same`")
"""The command that is named for a kernel such as `median`."""

_WORDS = "clip|abs|scale|max|offset|none|sum|mean|ncc|phase|full|same|valid|gray"

_OPTION = re.compile(
    r"--(allow-truncated|max-pixels|page|range|quality|compression|mode|normalize|channels|size|stride|ridge)\b"
    rf"(?: (?:(N|\d+(?:e-\d+)?)|({_WORDS}))\b)?"
)
"""An option that is a parameter of the library too, with its value, a number or a word, if there is one."""


def in_words_of_python(text: str) -> str:
    """Return a message with the names of parameters in place of options.

    Examples
    --------
    >>> in_words_of_python("--range abs shows them, --page N reads one, --allow-truncated takes what is there")
    'range="abs" shows them, page=N reads one, allow_truncated=True takes what is there'
    """
    for phrase, words in PHRASES.items():
        text = text.replace(phrase, words)
    text = _POOL_OF_PIXELS.sub(r'`pool(image, \2, mode="\1", stride=1, padding="same")`', text)
    return _OPTION.sub(_name_parameter, text)


def _name_parameter(option: re.Match[str]) -> str:
    name, number, word = option[1].replace("-", "_"), option[2], option[3]
    if word:
        return f'{name}="{word}"'
    return f"{name}={number or ('True' if name == 'allow_truncated' else '...')}"


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Send all messages to a listener while the block runs."""
    before = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(before)


class Progress:
    """The stage of the work on an image, and how much of it is done, for a line on a terminal."""

    stage = "reading"  # what comes first
    done = total = 0

    def begin(self, stage: str, total: int = 0) -> None:
        """Begin a stage of `total` parts; 0 if their number is not known."""
        self.stage, self.done, self.total = stage, 0, total

    def advance(self) -> None:
        """Count a part as done."""
        self.done += 1


PROGRESS = Progress()
"""The progress of the image that this process works on."""
