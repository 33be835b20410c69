"""The layer language: from words to layers."""

import re
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

from cnnfilter.errors import CnnFilterError, LanguageError, nearest
from cnnfilter.nn.frozen import fields_of, replace
from cnnfilter.nn.geometry import Border, Pair, Window, default_padding
from cnnfilter.nn.layer_options import KernelShape, Options, Token, looks_like_option, read_options, split, tokenize
from cnnfilter.nn.layers import Block, Branch, Conv, Convolution, DepthwiseConv, Function, Layer, common_size
from cnnfilter.nn.network import Network
from cnnfilter.nn.norms import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, LocalResponseNorm, Norm
from cnnfilter.nn.other_layers import (
    SLOPES,
    Activation,
    ChannelMode,
    ChannelPool,
    Concatenation,
    Dropout,
    Equalize,
    Flatten,
    GlobalPool,
    Gray,
    Linear,
    Pool,
    PoolMode,
    PRelu,
    Residual,
    Softmax,
)
from cnnfilter.nn.resampling import AdaptivePool, Deconv, Upsample
from cnnfilter.numbers import show_number

LARGEST_COUNT = 10**9
"""Of outputs, windows and channels; whole numbers to 2**53 are read exactly."""


class Op(NamedTuple):
    """A word for a layer: its class, the options it takes, the fields that the word sets, and what it may need."""

    kind: type[Layer]
    options: AbstractSet[str] = frozenset()
    fields: Mapping[str, Any] = MappingProxyType({})
    example: str = ""
    """The options without which it is no layer."""


_WINDOW = frozenset({"size", "number", "stride", "padding", "dilation"})
_CONVOLUTION = _WINDOW | {"nobias", "bias", "flip", "normalize", "border", "kernels"}
_NUMBER = frozenset({"number"})
_NORM = frozenset({*Norm.KEYS, "noaffine"})

OPS = {
    "conv": Op(Conv, _CONVOLUTION | {"groups"}),
    "dwconv": Op(DepthwiseConv, _CONVOLUTION),
    "deconv": Op(Deconv, _WINDOW | {"groups", "output_padding", "nobias"}),
    "batchnorm": Op(BatchNorm, _NORM),
    "groupnorm": Op(GroupNorm, _NORM | _NUMBER, example="8"),
    "instancenorm": Op(InstanceNorm, {*InstanceNorm.KEYS}),
    "layernorm": Op(LayerNorm, _NORM),
    "lrn": Op(LocalResponseNorm, {"number", *LocalResponseNorm.KEYS}),
    "softmax": Op(Softmax),
    "flatten": Op(Flatten),
    "linear": Op(Linear, {"number", "nobias"}, example="10"),
    "upsample": Op(Upsample, {"size", "number", "interpolation"}, example="2"),
    **{function.value: Op(Activation, fields={"function": function}) for function in Function},
    **{name.value: Op(Activation, _NUMBER, {"function": name, "slope": slope}) for name, slope in SLOPES.items()},
    "prelu": Op(PRelu, {"each"}),
    "dropout": Op(Dropout, _NUMBER),
    "gray": Op(Gray),
    "equalize": Op(Equalize),
    **{f"global{mode}pool": Op(GlobalPool, fields={"mode": mode}) for mode in PoolMode if mode.row.unbounded},
    **{
        f"adaptive{mode}pool": Op(AdaptivePool, {"size", "number"}, {"mode": mode}, example="7")
        for mode in PoolMode
        if mode.row.unbounded
    },
    **{mode.op: Op(ChannelPool, _NUMBER, {"mode": mode}) for mode in ChannelMode},
    **{
        f"{mode}pool": Op(Pool, _WINDOW | ({"ceil", "countpad"} if mode.row.averages else {"ceil"}), {"mode": mode})
        for mode in PoolMode
    },
}
"""Every word for a layer; what it computes is a row of `compute.operations.RUN`."""


def build_layer(word: str, options: Options) -> Layer:
    """Return the layer that a word of `OPS` and its options write."""
    kind = OPS[word].kind
    fields = {**OPS[word].fields} | {name: value for name, value in options.items() if name in fields_of(kind)}
    if kind is Pool:
        return kind(**fields, window=_pool_window(options), count_include_pad="countpad" in options)
    if issubclass(kind, Convolution) and "nobias" in options and "bias" in options:
        raise LanguageError("bias= and nobias contradict each other")
    if "number" in options or OPS[word].example:
        fields[kind.BARE] = _read_bare(word, options)
    if issubclass(kind, Convolution):
        padding = default_padding(options.get("border", Border()))
        fields["window"] = _window({"padding": padding} | options, _kernel_size(word, options), stride=(1, 1))
        fields["learned_bias"] = not options.keys() & {"kernels", "nobias", "bias"}
    elif kind is Deconv:
        fields["window"] = _window(options, _kernel_size(word, options), stride=(1, 1))
    if kind in {Linear, Deconv}:
        fields["bias"] = "nobias" not in options
    if "noaffine" in options:
        fields["affine"] = False
    return kind(**fields)


def _read_bare(word: str, options: Options) -> object:
    """Return what the option without a key says; a `LanguageError` where it is needed and not given."""
    kind, example = OPS[word].kind, f"{word}:{OPS[word].example}"
    if not kind.PAIR:
        if "number" not in options:
            raise LanguageError(f"the {kind.COUNTS} is needed, as in {example}")
        return _as_count(options["number"], kind.COUNTS) if kind.COUNTS else options["number"]
    if ("size" in options) == ("number" in options):
        raise LanguageError(f"one {kind.COUNTS} is needed, as in {example} or {example}x3")
    return options["size"] if "size" in options else (_as_count(options["number"], kind.COUNTS),) * 2


def _as_count(number: float, subject: str) -> int:
    if not number.is_integer() or number > LARGEST_COUNT:
        raise LanguageError(f"{subject} {show_number(number)} is not a whole number up to {LARGEST_COUNT}")
    return int(number)


def _kernel_size(word: str, options: Options) -> Pair:
    """Return the size of a convolution's kernels, given or by themselves."""
    size: Pair | None = options.get("size")
    if "kernels" not in options:
        if size is not None:
            return size
        if "number" in options:
            number = show_number(options["number"])
            readings = f"{word}:{number}x{number} is a window, {word}:3x3,{number} has {number} outputs"
            raise LanguageError(f"{number} is not a window; {readings}")
        kernel = ", or a kernel such as sobel-x," if "kernels" in OPS[word].options else ""
        raise LanguageError(f"a kernel size such as 3x3{kernel} is needed")
    own = common_size(options["kernels"])
    if size not in {None, own}:
        raise LanguageError(f"the size given is not the {own[0]}x{own[1]} of kernel {options['kernels'][0].text}")
    if "number" in options:
        several = "; several biases are written in brackets, as in bias=[1 0]" if "bias" in options else ""
        raise LanguageError(f"the number of outputs follows from the kernels; leave it out{several}")
    return own


def _pool_window(options: Options) -> Window:
    if ("size" in options) == ("number" in options):
        raise LanguageError("one window is needed, as in maxpool:2 or maxpool:3x2")
    size = options["size"] if "size" in options else (_as_count(options["number"], "window"),) * 2
    return _window(options, size, stride=size)


def _window(options: Options, size: Pair, stride: Pair) -> Window:
    """Return a window as it was asked for; `stride` unless another is given."""
    given = {name: value for name, value in options.items() if name in {"stride", "padding", "dilation", "ceil"}}
    return Window(**{"size": size, "stride": stride} | given)


SHORT = {"bn": "batchnorm", "fc": "linear", "dense": "linear", "gap": "globalavgpool", "gmp": "globalmaxpool"}

MOST_LAYERS = 10_000
"""More layers than any network has; a larger number is a slip or an attack."""

DEEPEST = 50
"""Blocks in blocks; none of the published networks goes below 3."""

BLOCKS: dict[str, type[Block]] = {"res": Residual, "cat": Concatenation}

LAYER_WORDS = (*OPS, *SHORT, *BLOCKS)
"""All words with which a layer or a block begins."""

NAME = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
"""What a layer can be called."""

_REPEAT = re.compile(r"\d+x", re.ASCII)
_REPEAT_AND_WORD = re.compile(r"(\d+x)([a-z].*)", re.DOTALL)


def parse_network(
    text: str | Sequence[str], kernel_shape: KernelShape, *, lines: bool = False, missing_size: Pair | None = None
) -> Network:
    """Return the network that a text, or a list of words, writes; errors name the line if `lines`.

    Windows without a size have `missing_size`; None refuses them.

    Examples
    --------
    >>> network = parse_network("2x relu res(maxpool:3,s1,p1)", kernel_shape=len)
    >>> network.names
    ('relu1', 'relu2', 'maxpool1', 'res1')
    """
    written = text if isinstance(text, str) else "\n".join(text)
    reader = _Reader(written, partial(_layer, kernel_shape, missing_size), lines=lines)
    layers = reader.network()
    if token := reader.next():
        raise reader.error(f"{token.text!r} is outside of a block, as in res(relu | tanh)", token)
    return Network(layers)


class _Reader:
    """Reads tokens one after the other, and counts the layers."""

    def __init__(self, text: str, read_layer: Callable[[str], Layer], *, lines: bool) -> None:
        self.tokens = tokenize(text, lines=lines)
        self.read_layer = read_layer
        self.lines = lines
        self.place = 0
        self.count = 0
        self.depth = 0

    def next(self) -> Token | None:
        """Return the token to be read, or None at the end."""
        return self.tokens[self.place] if self.place < len(self.tokens) else None

    def take(self, sign: str, *, close: bool = False) -> Token | None:
        """Read a token if it is the sign, and without white space before it if `close`."""
        token = self.next()
        if token is None or token.text != sign or (close and token.spaced):
            return None
        self.place += 1
        return token

    def network(self) -> Branch:
        """Read items up to the end, or to a sign that ends a branch."""
        layers: list[Layer] = []
        repeat: Token | None = None
        while (token := self.next()) and token.text not in {")", "|"}:
            if not token.spaced and self.place and (before := self.tokens[self.place - 1].text) not in {"(", "|"}:
                raise self.error(
                    f"{token.text!r} directly follows {before!r}; layers are separated by white space or +", token
                )
            if not _REPEAT.fullmatch(token.text):
                layers += self.repeated(repeat) if repeat else self.unit()
                repeat = None
            elif repeat:
                raise self.error(f"{token.text!r} follows another repeat; one number of repeats is enough", token)
            else:
                repeat = self.take(token.text)
        if repeat:
            raise self.error(f"nothing follows {repeat.text!r}; a layer to repeat is needed after it", repeat)
        return tuple(layers)

    def repeated(self, repeat: Token) -> Branch:
        """Read a unit, and return it as often as the word before it says."""
        before = self.count
        unit = self.unit()
        digits = repeat.text[:-1].lstrip("0")
        if not digits:
            raise self.error(f"{repeat.text!r} repeats nothing; 1x is the least", repeat)
        # A number of too many digits is read as one that is just too large.
        times = int(digits) if len(digits) <= len(str(MOST_LAYERS)) else MOST_LAYERS + 1
        self.add((self.count - before) * (times - 1), repeat)
        return tuple(_number_names(layer, number) for number in range(1, times + 1) for layer in unit)

    def add(self, count: int, token: Token) -> None:
        """Count layers; `LanguageError` if there are too many."""
        self.count += count
        if self.count > MOST_LAYERS:
            raise self.error(f"{token.text!r}: more than {MOST_LAYERS} layers in all are not allowed", token)

    def unit(self) -> Branch:
        """Read layers and blocks that `+` holds together."""
        layers = [self.part()]
        while plus := self.take("+", close=True):
            layers.append(self.part(plus))
        return tuple(layers)

    def part(self, plus: Token | None = None) -> Layer:
        """Read a layer, or a block; after a `+` it must follow without white space."""
        token = self.next()
        if token is None or token.text in set("|+)") or (plus and token.spaced):
            message = "a layer is missing beside '+', which joins two layers without white space"
            raise self.error(f"layer {self.count + 1}: {message}", plus or token)
        self.place += 1
        if token.text in BLOCKS and (opening := self.take("(", close=True)):
            return self.block(token, opening)
        self.add(1, token)
        opening = self.next()
        try:
            if token.text == "(" or (opening and opening.text == "("):
                raise LanguageError(_unexpected_opening(token.text, self.call()))
            return self.read_layer(token.text)
        except CnnFilterError as error:
            raise self.error(f"layer {self.count}, {token.text!r}: {error}", token) from error

    def call(self) -> str:
        """Return the text from the last token on to the end of the brackets that follow it."""
        text, depth = "", 0
        for token in self.tokens[self.place - 1 :]:
            text += " " * (token.spaced and bool(text)) + token.text
            depth += (token.text == "(") - (token.text == ")")
            if token.text == ")" and depth <= 0:
                break
        return text

    def block(self, token: Token, opening: Token) -> Layer:
        """Read the branches of a block, and its name."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.error(f"more than {DEEPEST} blocks within each other are not allowed", token)
        branches = [self.network()]
        while self.take("|"):
            branches.append(self.network())
        if not self.take(")"):
            raise self.error(f"'{token.text}(' is never closed; ')' ends a block", opening)
        self.depth -= 1
        self.add(1, token)
        try:
            name, behind = "", self.next()
            if behind and behind.text.startswith("@") and not behind.spaced:
                self.place += 1
                name = _check_name(behind.text[1:])
            return BLOCKS[token.text](branches=tuple(branches), name=name)
        except CnnFilterError as error:
            raise self.error(f"layer {self.count}, '{token.text}(...)': {error}", token) from error

    def error(self, message: str, token: Token | None) -> LanguageError:
        """Return an error that names the line if lines are to be named."""
        if not self.lines or token is None:
            return LanguageError(message)
        error = LanguageError(f"line {token.line}, {message}")
        error.line = token.line
        return error


def _number_names(layer: Layer, number: int) -> Layer:
    """Return the layer as it is in a repeat: names get the repeat's number."""
    if isinstance(layer, Block):
        branches = tuple(tuple(_number_names(inner, number) for inner in branch) for branch in layer.branches)
        layer = replace(layer, branches=branches)
    return replace(layer, name=f"{layer.name}.{number}") if layer.name else layer


def _layer(kernel_shape: KernelShape, missing_size: Pair | None, text: str) -> Layer:
    body, *names = split(text, "@")
    word, colon, rest = body.partition(":")
    found = SHORT.get(word, word)
    if found not in OPS:
        raise LanguageError(_explain_unknown(body, kernel_shape))
    taken = OPS[found].options
    words = split(rest, ",") if colon else []
    try:
        options = read_options(words, kernel_shape=kernel_shape if "kernels" in taken else None)
    except LanguageError:
        if found == "deconv" and any(
            _is_kernel(part.strip("[]"), kernel_shape) for part in words if part[:1] not in "-.0123456789"
        ):
            raise LanguageError(f"{word} takes no kernels by name; conv and dwconv do") from None
        raise
    for option in options:
        if option not in taken:
            raise LanguageError(f"{word} has no {option.replace('_', ' ')}")
    sizes = {"size", "number"} if issubclass(OPS[found].kind, Pool) else {"size", "kernels"}
    if missing_size and "stride" in taken and not options.keys() & sizes:
        options["size"] = missing_size
    return replace(build_layer(found, options), name=_check_name("@".join(names)) if names else "")


def _check_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise LanguageError(f"'@{name}' is not a name of letters, digits, '_', '.' and '-', as in @conv1")
    return name


def _explain_unknown(body: str, kernel_shape: KernelShape) -> str:
    """Return what is wrong with a word that begins with none of the layers, and what was probably meant."""
    word, kernel = body.partition(":")[0], split(body, ",")[0]
    if match := _REPEAT_AND_WORD.fullmatch(word):
        return f"a repeat is a word of its own: '{match[1]} {match[2]}'"
    if word in BLOCKS:
        return f"{word} needs its branches directly after it, as in {word}(conv:3x3,p1 | conv:1x1)"
    if re.fullmatch(r"\d+(x\d+){1,2}", word, re.ASCII):
        return f"{word!r} is a size; it comes before all layers, or after the colon of one"
    if looks_like_option(word):
        return f"{word!r} is an option; options follow their layer after a comma, without white space"
    if written := _translate(word):
        return written
    if re.match("[A-Za-z]", kernel) and _is_kernel(kernel, kernel_shape):
        return f"{kernel} is a kernel; dwconv:{body} filters each channel with it, conv:{body} sums the channels"
    return f"unknown layer {word!r}{nearest(word, LAYER_WORDS)}"


def _is_kernel(word: str, kernel_shape: KernelShape) -> bool:
    try:
        return bool(kernel_shape(word))
    except CnnFilterError:
        return False


def _translate(call: str) -> str:
    """Return how a layer in PyTorch's spelling is written here, or the empty string."""
    from cnnfilter.nn.pytorch import translate  # noqa: PLC0415  only a mistake needs it

    written = translate(call)
    return f"{call} is written {written}" if written else ""


def _unexpected_opening(word: str, call: str) -> str:
    """Return what is wrong with a '(' that opens no block; `call` is the text up to its ')'."""
    if match := _REPEAT_AND_WORD.fullmatch(word):
        return f"a repeat is a word of its own: '{match[1]} {match[2]}('"
    if word in BLOCKS:
        return f"'(' follows {word} directly, without white space"
    opening = "'(' begins the branches of res or cat; elsewhere it must be inside [...]"
    return _translate(call) or f"{opening}{nearest(word, BLOCKS)}"
