"""A network: layers one after the other, their names, and the shapes between them."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from cnnfilter.errors import LanguageError, ShapeError
from cnnfilter.spec.layers import Layer, Shape
from cnnfilter.spec.printing import show_layer


@dataclass(frozen=True)
class Network:
    """Layers in the order in which they are applied.

    Raises
    ------
    LanguageError
        If two layers have the same name, given as `@name` or by their count.
    """

    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        for name, count in Counter(self.names).items():
            if count > 1 and any(layer.name == name for layer in self.layers):
                raise LanguageError(f"{count} layers have the name @{name}; names must differ")

    def __str__(self) -> str:
        return " ".join(show_layer(layer) + (f"@{layer.name}" if layer.name else "") for layer in self.layers)

    @property
    def names(self) -> tuple[str, ...]:
        """Each layer's `@name`, or its op and the count of that op from 1: `conv1`, `relu1`, `conv2`."""
        counts: Counter[str] = Counter()
        names = []
        for layer in self.layers:
            counts[layer.op] += 1
            names.append(layer.name or f"{layer.op}{counts[layer.op]}")
        return tuple(names)

    def shapes(self, shape: Shape) -> Iterator[Shape]:
        """Yield what comes out of each layer when `shape` goes into the first.

        Raises
        ------
        ShapeError
            If a layer cannot take what the one before it gives; the message names the layer.
        """
        for number, layer in enumerate(self.layers, 1):
            try:
                shape = layer.output(shape)
            except ShapeError as error:
                place = f"layer {number}, " if len(self.layers) > 1 else ""
                raise ShapeError(f"{place}{show_layer(layer)}: {error}") from error
            yield shape

    def output(self, shape: Shape) -> Shape:
        """Return what comes out of the last layer."""
        *_, last = shape, *self.shapes(shape)
        return last
