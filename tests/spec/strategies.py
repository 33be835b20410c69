"""Random layers and networks, as the language can write them, and kernels of which only the shape is known."""

from hypothesis import strategies as st

from cnnfilter.errors import ShapeError
from cnnfilter.spec.borders import Border, BorderMode
from cnnfilter.spec.convolutions import Conv, Convolution, DepthwiseConv, KernelWord, Normalization
from cnnfilter.spec.geometry import PaddingWord, Window
from cnnfilter.spec.layers import SLOPES, Activation, BatchNorm, Flatten, Function, Gray, Layer, Linear, Shape, Softmax
from cnnfilter.spec.network import Network
from cnnfilter.spec.pools import ChannelMode, ChannelPool, GlobalPool, Pool, PoolMode

NAMES = (
    *("sobel-x", "gaussian:5:1.5", "folder/kernel.txt", "0 -1 0; -1 5 -1; 0 -1 0", "1,2;3,4", "a+b", "a@b", "a#b"),
    *("#a", "a b", " a ", "3x3", "16", "-1", "0.5", "1/2", "1e5", "s2", "p1", "d2.txt", "g4", "s-", "px", "s.5"),
    *("same", "valid", "full", "nobias", "flip", "ceil", "countpad", "p=1", "bias=2", "border=edge", "normalize=sum"),
    *("bias", "=", "a=b", "p=", "x", ":", "a:b,c", "[a]", "[a][b]", "[[]]", "é", "□", "tab\tin it", "2x"),
)
"""Kernel words that the language would take apart, or for an option, if it were not told that they are kernels."""


def kernel_shape(word: str) -> tuple[int, ...]:
    """Return the shape of a kernel, the same for every word."""
    return 3, 2


def pairs(least: int, most: int) -> st.SearchStrategy[tuple[int, int]]:
    """Return pairs of which both numbers are often equal."""
    return st.tuples(st.integers(least, most), st.integers(least, most)) | st.integers(least, most).map(
        lambda number: (number, number)
    )


PADDINGS = st.one_of(
    st.sampled_from([word for word in PaddingWord if word is not PaddingWord.VALID]),
    st.just((0, 0, 0, 0)),
    pairs(0, 3).map(lambda pair: pair * 2),
    st.tuples(*[st.integers(0, 4)] * 4),
)

FINITE = st.floats(allow_nan=False, allow_infinity=False)

BORDERS = st.sampled_from([mode for mode in BorderMode if mode is not BorderMode.CONSTANT]).map(Border) | FINITE.map(
    lambda value: Border(BorderMode.CONSTANT, value)
)

KERNELS = st.lists(st.sampled_from(NAMES).map(lambda name: KernelWord(name, kernel_shape(name))), max_size=3).map(tuple)


@st.composite
def convolutions(draw: st.DrawFn) -> Convolution:
    """Return a conv or a dwconv with kernels by name or by size."""
    kernels = draw(KERNELS)
    bias = draw(st.just(0.0) | FINITE)
    window = Window(
        size=(3, 2) if kernels else draw(pairs(1, 7)),
        stride=draw(pairs(1, 4)),
        padding=draw(PADDINGS),
        dilation=draw(pairs(1, 3)),
    )
    number = 1 if kernels else draw(st.integers(1, 64))
    groups = draw(st.none() | st.integers(1, 4))
    kind = DepthwiseConv(window=window) if groups is None else Conv(window=window, groups=groups)
    fields: dict[str, object] = {
        "multiplier" if groups is None else "outputs": number,
        "kernels": kernels,
        "bias": bias,
        "learned_bias": not kernels and not bias and draw(st.booleans()),
        "border": draw(BORDERS),
        "flip": draw(st.booleans()),
        "normalize": draw(st.sampled_from(Normalization)),
    }
    return type(kind)(**{**vars(kind), **fields})


@st.composite
def pools(draw: st.DrawFn) -> Pool:
    """Return a pool over windows, whether or not an image fits it."""
    mode = draw(st.sampled_from(PoolMode))
    size = draw(pairs(1, 5))
    window = Window(
        size=size,
        stride=draw(st.just(size) | pairs(1, 4)),
        padding=draw(PADDINGS),
        dilation=draw(pairs(1, 3)),
        ceil=draw(st.booleans()),
    )
    counts = mode in {PoolMode.AVG, PoolMode.L2} and draw(st.booleans())
    return Pool(mode=mode, window=window, count_include_pad=counts)


@st.composite
def activations(draw: st.DrawFn) -> Activation:
    """Return an activation, with a slope where it takes one."""
    function = draw(st.sampled_from(Function))
    return Activation(function=function, slope=draw(FINITE) if function in SLOPES else None)


LAYERS: st.SearchStrategy[Layer] = st.one_of(
    convolutions(),
    pools(),
    activations(),
    st.builds(ChannelPool, mode=st.sampled_from(ChannelMode), size=st.none() | st.integers(1, 9)),
    st.builds(GlobalPool, mode=st.sampled_from([PoolMode.MAX, PoolMode.AVG])),
    st.builds(Linear, outputs=st.integers(1, 99), bias=st.booleans()),
    st.sampled_from([BatchNorm(), Flatten(), Gray(), Softmax()]),
)


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Return a network of up to six layers, some of them with names, no two of them equal."""
    layers = draw(st.lists(LAYERS, max_size=6))
    words = st.none() | st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,5}", fullmatch=True)
    names = draw(st.lists(words, min_size=len(layers), max_size=len(layers)))
    return Network(
        tuple(
            type(layer)(**{**vars(layer), "name": name if name and name not in names[:place] else ""})
            for place, (layer, name) in enumerate(zip(layers, names, strict=True))
        )
    )


@st.composite
def networks_for(draw: st.DrawFn, shape: Shape) -> Network:
    """Return a network of the drawn layers that can take what the ones before them give."""
    layers = []
    for layer in draw(networks()).layers:
        try:
            shape = layer.output(shape)
        except ShapeError:
            continue
        layers.append(layer)
    return Network(tuple(layers))
