"""The words of a layer: tokens, and options by their form."""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

from cnnfilter.errors import CnnFilterError, KernelError, LanguageError, TextError, nearest
from cnnfilter.nn.geometry import PaddingWord, as_border, as_padding, as_pair
from cnnfilter.nn.layers import KernelWord, Normalization
from cnnfilter.nn.resampling import Interpolation
from cnnfilter.numbers import join_rows, parse_number, parse_row

SIGNS = "()|+"
"""What separates words without white space; inside `[...]` nothing does."""

LONGEST_SHOWN = 60
"""Number of characters of a text that a message repeats."""


class Token(NamedTuple):
    """A word or a sign; `spaced` is whether white space, or nothing at all, is before it."""

    text: str
    line: int
    spaced: bool


def tokenize(text: str, *, lines: bool = False) -> list[Token]:
    """Return the words and signs of a text, comments left out; errors name the line if `lines`.

    Examples
    --------
    >>> [token.text for token in tokenize("res(conv:[1 -1],same)+relu  # a comment")]
    ['res', '(', 'conv:[1 -1],same', ')', '+', 'relu']
    """
    tokens: list[Token] = []
    position, line, spaced = 0, 1, True
    while position < len(text):
        sign = text[position]
        if sign == "#" and (spaced or tokens[-1].text in set("(|")):
            position = (text + "\n").index("\n", position)
        elif sign.isspace():
            line += sign == "\n"
            position, spaced = position + 1, True
        else:
            try:
                ends = _separators(text, position, lambda sign: sign.isspace() or sign in SIGNS)
                end = position + 1 if sign in SIGNS else next(ends, len(text))
            except LanguageError as error:
                raise LanguageError(f"line {line}, {error}" if lines else str(error)) from error
            tokens.append(Token(text[position:end], line, spaced))
            line += text.count("\n", position, end)
            position, spaced = end, False
    return tokens


def split(text: str, separator: str) -> list[str]:
    """Return the parts of a word between separators outside square brackets: `[1,2]` and `same` of `[1,2],same`."""
    start, parts = 0, []
    for end in (*_separators(text, 0, separator.__eq__), len(text)):
        parts.append(text[start:end])
        start = end + 1
    return parts


def _separators(text: str, start: int, separates: Callable[[str], bool]) -> Iterator[int]:
    """Yield the positions of separators outside square brackets, from `start` on."""
    depth = 0
    for position in range(start, len(text)):
        sign = text[position]
        depth += (sign == "[") - (sign == "]")
        if depth < 0:
            raise LanguageError(
                f"{_begin(text, start)}: {sign!r} at position {position - start + 1} has no '[' before it"
            )
        if depth == 0 and separates(sign):
            yield position
    if depth:
        raise LanguageError(f"{_begin(text, start)}: '[' is never closed")


def _begin(text: str, start: int) -> str:
    """Return the beginning of a wrong text, for a message."""
    first = text[start:].splitlines()[0]
    return repr(first if len(first) <= LONGEST_SHOWN else f"{first[:LONGEST_SHOWN]}...")


KernelShape = Callable[[str], tuple[int, ...]]
"""Returns the shape of the kernel that a word names, or raises a `KernelError`."""


Options = dict[str, Any]
"""What the options of one layer say: `size`, `number` (one without a key), `kernels`, flags, and those in `READ`."""

FLAGS = ("nobias", "flip", "ceil", "countpad", "noaffine", "each")
NUMBERS = ("eps", "alpha", "beta", "k")
LETTERS = {"s": "stride", "p": "padding", "d": "dilation", "g": "groups", "op": "output_padding"}
KEYS = {"p": "padding"} | {name: name for name in ("border", "normalize", "bias", *NUMBERS)}
KNOWN_WORDS = [*FLAGS, *PaddingWord, *Interpolation, *(f"{key}=" for key in KEYS)]
"""The words that are options by themselves, or with a value behind them."""

SPELLED_OUT = {"stride": "s", "padding": "p", "pad": "p", "dilation": "d", "groups": "g", "output_padding": "op"}
SPELLED_OUT |= {letter: letter for letter in LETTERS if letter != "p"}
"""The words of other tools for options, and their letters here."""


def _as_number(text: str, subject: str = "") -> float:
    try:
        return parse_number(text)
    except ValueError as error:
        raise LanguageError(f"{subject}{error}") from error


def _as_bias(text: str) -> float | tuple[float, ...]:
    """Return one number, or those of a list in brackets."""
    if not (text.startswith("[") and text.endswith("]")):
        return _as_number(text, "bias: ")
    try:
        return tuple(parse_row(text[1:-1]))
    except TextError as error:
        raise LanguageError(f"bias={text}: {error.reason}; a bias for each output is written bias=[1 0]") from error


def _as_groups(text: str) -> int:
    rows, columns = as_pair(text, "groups")
    if rows != columns:
        raise LanguageError(f"groups {text!r} is not one number")
    return rows


def _as_normalization(text: str) -> Normalization:
    if text not in list(Normalization):
        raise LanguageError(f"normalize={text} is unknown: {', '.join(Normalization)}")
    return Normalization(text)


READ: dict[str, Callable[[str], object]] = {
    "stride": partial(as_pair, subject="stride"),
    "padding": as_padding,
    "dilation": partial(as_pair, subject="dilation"),
    "groups": _as_groups,
    "output_padding": partial(as_pair, subject="output padding", least=0),
    "border": as_border,
    "normalize": _as_normalization,
    "bias": _as_bias,
    **{name: partial(_as_number, subject=f"{name}: ") for name in NUMBERS},
}
"""How the value of an option with a letter or a key is read."""

_WORDS: dict[str, tuple[str, object]] = {
    **{flag: (flag, True) for flag in FLAGS},
    **{word.value: ("padding", as_padding(word)) for word in PaddingWord},
    **{word.value: ("interpolation", word) for word in Interpolation},
}
"""The words that are options by themselves, what they set, and to what."""

_LETTER = re.compile(r"(op|[spdg])([-+.\dx].*)", re.DOTALL)
_PLAIN_NUMBER = re.compile(r"-?(\d+\.?\d*|\.\d+)(e-?\d+)?", re.ASCII)


def read_options(words: Iterable[str], *, kernel_shape: KernelShape | None) -> Options:
    """Return what the option words of one layer say; without `kernel_shape` no word is a kernel.

    Examples
    --------
    >>> read_options(["3x3", "16", "s2"], kernel_shape=None)
    {'size': (3, 3), 'number': 16.0, 'stride': (2, 2)}
    """
    options: Options = {}
    for word in words:
        name, value = _read_option(word, kernel_shape)
        if name == "kernels":
            options[name] = (*options.get(name, ()), value)
        elif name not in options:
            options[name] = value
        elif name == "number":
            meant = (
                "several biases are written bias=[1 0]"
                if "bias" in options
                else "a kernel or window size is written 3x3"
            )
            raise LanguageError(f"{word!r} is a second bare number; {meant}")
        else:
            raise LanguageError(f"{word!r} sets the {name} a second time")
    return options


def _read_option(word: str, kernel_shape: KernelShape | None) -> tuple[str, object]:
    """Return which option a word sets, and to what."""
    if word in _WORDS:
        return _WORDS[word]
    if re.fullmatch(r"\d+x\d+", word, re.ASCII):
        return "size", as_pair(word, "size")
    if _PLAIN_NUMBER.fullmatch(word):
        return "number", _as_number(word)
    if match := _LETTER.fullmatch(word):
        return LETTERS[match[1]], READ[LETTERS[match[1]]](match[2])
    key, equals, value = word.partition("=")
    if equals and key in KEYS:
        return KEYS[key], READ[KEYS[key]](value)
    if equals and key in SPELLED_OUT:
        written = value if value in list(PaddingWord) else f"{SPELLED_OUT[key]}{value}"
        raise LanguageError(f"{word!r} is written {written}")
    bare = word[1:-1] if word.startswith("[") and word.endswith("]") and not is_json(word) else word
    if "\n" in bare:
        bare = join_rows(bare)
    if not word:
        raise LanguageError("an option is missing; there is no blank after a comma, as in conv:sobel-x,same")
    if kernel_shape is None or not bare:
        raise LanguageError(f"unknown option {word!r}{nearest(_key_of(word), KNOWN_WORDS)}")
    try:
        return "kernels", KernelWord(bare, kernel_shape(bare))
    except KernelError as error:
        if hint := nearest(_key_of(word), KNOWN_WORDS):
            raise LanguageError(f"neither an option nor a kernel: {word!r}{hint}") from error
        raise


_JSON_ROW = r"\[[-+\d\s,./eE]*\d[-+\d\s,./eE]*\]"
_JSON = re.compile(rf"\[\s*{_JSON_ROW}\s*(,\s*{_JSON_ROW}\s*)*\]")


def is_json(word: str) -> bool:
    """Return whether a word is a matrix in two pairs of brackets, which needs no third."""
    return bool(_JSON.fullmatch(word))


def _key_of(word: str) -> str:
    """Return a word up to its `=`, as it is in `KNOWN_WORDS` if it is an option."""
    return "".join(word.partition("=")[:2])


def reads_as_kernel(word: str) -> bool:
    """Return whether a bare word of a conv is taken for a kernel rather than for an option."""
    try:
        return _read_option(word, lambda _: (1, 1))[0] == "kernels"
    except CnnFilterError:
        return False


def looks_like_option(word: str) -> bool:
    """Return whether a word is an option of some layer, or means to be one."""
    return _key_of(word) in KNOWN_WORDS or bool(_LETTER.fullmatch(word))
