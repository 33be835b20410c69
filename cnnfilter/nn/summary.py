"""What comes out of each layer, and what it costs."""

from math import prod
from typing import Literal, NamedTuple

from cnnfilter.errors import LanguageError, ShapeError
from cnnfilter.nn.geometry import Pair, Sides
from cnnfilter.nn.layers import Convolution, Shape, WindowLayer, show_shape
from cnnfilter.nn.network import Network, Visit
from cnnfilter.nn.resampling import Deconv
from cnnfilter.numbers import count

COUNTING_RULE = (
    "MACs are multiplications by weights, of conv and linear: out elements x (in / groups) x kh x kw, of deconv: "
    "in elements x (out / groups) x kh x kw; biases, norms, pools and activations count none. FLOPs are 2 x MACs."
)
"""What is counted, in a sentence."""


class LayerCosts(NamedTuple):
    """What is known of one layer; sizes are (height, width, channels) or (length,).

    `padding` is (top, left, bottom, right), None for a layer without a window. `receptive_field` is
    (height, width) in pixels of the input, the largest of any value, `jump` their distance from one value to the next,
    None where that is not constant, `first` the (row, column) where the first value's begins; "all" and None where the
    whole input is seen. `depth` counts the blocks around the layer, and `branch` is its branch in the innermost, from
    1, or 0.
    """

    name: str
    op: str
    text: str
    output: Shape
    activations: int
    parameters: int
    statistics: int
    macs: int
    padding: Sides | None
    receptive_field: Pair | Literal["all"]
    jump: Pair | None
    first: Pair | None
    depth: int = 0
    branch: int = 0


FloatName = Literal["float32", "float16"]
FLOAT_BYTES: dict[FloatName, int] = {"float32": 4, "float16": 2}
"""The bytes of a number in the types that a network runs in."""


class Memory(NamedTuple):
    """The bytes of all parameters, of all activations of a batch, and of the most values that are live at a time."""

    batch: int
    dtype: FloatName
    parameters: int
    activations: int
    live: int


class Totals(NamedTuple):
    """Sums over the layers, those that blocks add included; `flops` is 2 x `macs`, `bytes` what they take in memory."""

    parameters: int
    statistics: int
    macs: int
    flops: int
    activations: int
    bytes: Memory


class Summary(NamedTuple):
    """The table of a network for an input of one shape; `print` shows it.

    `peak` is the largest number of values that are held at one time, where each layer's input, its output
    and what blocks still need are held, and nothing else. `visits` are the layers that the rows are about.
    """

    input: Shape
    network: str
    rows: tuple[LayerCosts, ...]
    totals: Totals
    peak: int
    visits: tuple[Visit, ...] = ()

    def __str__(self) -> str:
        from cnnfilter.nn.tables import write_report  # noqa: PLC0415  sizes alone need no table

        return write_report(self)

    def __repr__(self) -> str:
        counts = f"{self.totals.parameters:,} parameters, {self.totals.macs:,} MACs"
        rows = count(len(self.rows), "row")
        return f"<Summary: {rows} for an input of {show_shape(self.input)}, {counts}; print shows it>"


def summarize(network: Network, shape: Shape, *, batch: int = 1, dtype: FloatName = "float32") -> Summary:
    """Return sizes, parameters, multiplications and receptive fields of each layer for an input of `shape`.

    Multiplications (MACs) are those by weights, see `COUNTING_RULE`. Counts are those of one input; bytes are those of
    a batch.
    """
    if len(shape) != 3 or not all(size >= 1 for size in shape):
        raise ShapeError(f"an input is (height, width, channels), each at least 1, not {shape}")
    visits = network.visits(shape)
    rows = tuple(map(_row, visits))
    if batch < 1:
        raise ShapeError(f"a batch has at least 1 input, not {batch}")
    if dtype not in FLOAT_BYTES:
        raise LanguageError(f"dtype {dtype!r} is not known; {' and '.join(FLOAT_BYTES)} are")
    counts = ("parameters", "statistics", "macs", "activations")
    sums = {name: sum(getattr(row, name) for row in rows) for name in counts}
    peak = max((visit.live for visit in visits), default=prod(shape))
    size = FLOAT_BYTES[dtype]
    taken = [size * number for number in (sums["parameters"], batch * sums["activations"], batch * peak)]
    totals = Totals(**sums, flops=2 * sums["macs"], bytes=Memory(batch, dtype, *taken))
    return Summary(shape, str(network), rows, totals, peak, visits)


def _row(visit: Visit) -> LayerCosts:
    layer, shape, field = visit.node.layer, visit.inputs.shape, visit.outputs.field
    return LayerCosts(
        name=visit.node.name,
        op=layer.op,
        text=layer.text,
        output=visit.outputs.shape,
        activations=prod(visit.outputs.shape),
        parameters=layer.parameters(shape),
        statistics=layer.statistics(shape),
        macs=layer.macs(shape),
        padding=layer.window.pads(*shape[:2]) if isinstance(layer, WindowLayer | Deconv) else None,
        receptive_field=field.size if field else "all",
        jump=field.jump if field else None,
        first=field.first if field else None,
        depth=visit.node.depth,
        branch=visit.node.branch,
    )


class Cost(NamedTuple):
    """How many numbers would be learned, and how many multiplications done."""

    parameters: int
    macs: int


class Comparison(NamedTuple):
    """What layers of the sizes of a convolution would cost without its sharing."""

    fully_connected: Cost
    locally_connected: Cost


def compare(visit: Visit) -> Comparison | None:
    """Return what a conv's sizes would cost fully connected, and with filters of their own for each place.

    A bias, where the conv has any, is one for each output. None for a layer that is no convolution.

    Examples
    --------
    >>> from cnnfilter.nn.language import parse_network
    >>> (visit,) = parse_network("conv:5x5", kernel_shape=len).visits((28, 28, 1))
    >>> compare(visit).locally_connected.parameters
    14976
    """
    layer, inputs, outputs = visit.node.layer, visit.inputs.shape, visit.outputs.shape
    if not isinstance(layer, Convolution | Deconv):
        return None
    has_bias = layer.bias or (isinstance(layer, Convolution) and layer.learned_bias)
    biases = prod(outputs) if has_bias else 0
    every, near = prod(inputs) * prod(outputs), layer.macs(inputs)
    return Comparison(Cost(every + biases, every), Cost(near + biases, near))
