"""Blocks: branches of layers that take the same input, and whose outputs are added or laid side by side."""

from collections.abc import Sequence
from functools import reduce

from cnnfilter.errors import ShapeError
from cnnfilter.spec.fields import Field, unite
from cnnfilter.spec.layers import Flow, Layer, Shape, show_shape

Branch = tuple[Layer, ...]


class Block(Layer):
    """What `Residual` and `Concatenation` have in common; a branch without layers hands its input on."""

    ROWS = "whole"
    ALPHA = "none"

    branches: tuple[Branch, ...]

    def __post_init__(self) -> None:
        if self.branches in {(), ((),)}:
            raise ShapeError(f"{self.op} has no layer in its only branch")

    def join(self, ends: Sequence[Flow]) -> Flow:
        """Return what comes of the branches' outputs; `ShapeError` where they do not fit."""
        raise NotImplementedError

    def ends(self, flow: Flow) -> list[Flow]:
        """Return what goes into the join, branch after branch."""
        return [reduce(lambda state, layer: layer.follow(state), branch, flow) for branch in self.branches]

    def follow(self, flow: Flow) -> Flow:
        """Return what is known of the block's outputs."""
        return self.join(self.ends(flow))

    def output(self, shape: Shape) -> Shape:
        """Return the shape that comes out when `shape` goes into each branch."""
        return self.follow(Flow(shape)).shape

    def sees(self, field: Field | None, shape: Shape) -> Field | None:
        """Return the union of what the branches see."""
        return self.follow(Flow(shape, field)).field


class Residual(Block):
    """The sum of its branches; a single one is added to the block's input.

    He et al., "Deep residual learning for image recognition" (2015).
    """

    op = "res"

    def ends(self, flow: Flow) -> list[Flow]:
        """Return the branches' outputs, and the input beside a single one."""
        return [*super().ends(flow), flow] if self.adds_input else super().ends(flow)

    @property
    def adds_input(self) -> bool:
        """Whether the block's own input is a summand."""
        return len(self.branches) == 1

    def join(self, ends: Sequence[Flow]) -> Flow:
        """Return the shape that all summands have."""
        if len({end.shape for end in ends}) > 1:
            given = _list_shapes(ends)
            raise ShapeError(
                f"its input of {show_shape(ends[-1].shape)} and its branch's {show_shape(ends[0].shape)} cannot be "
                "added; a second branch, such as conv:1x1 with the same stride and outputs, makes them fit"
                if self.adds_input
                else f"branches of {given} cannot be added; strides, paddings and outputs must lead to one size"
            )
        return Flow(ends[0].shape, unite(end.field for end in ends), ends[0].parts)


class Concatenation(Block):
    """The channels of all branches side by side.

    Szegedy et al., "Going deeper with convolutions" (2014).
    """

    op = "cat"

    def join(self, ends: Sequence[Flow]) -> Flow:
        """Return (height, width, all channels), or the length of all vectors together."""
        if len({end.shape[:-1] for end in ends}) > 1:
            raise ShapeError(
                f"branches of {_list_shapes(ends)} do not fit side by side; strides and paddings must lead to one "
                "height and width"
            )
        shape = *ends[0].shape[:-1], sum(end.shape[-1] for end in ends)
        parts = tuple(part for end in ends for part in end.parts)
        return Flow(shape, unite(end.field for end in ends), parts)


def _list_shapes(ends: Sequence[Flow]) -> str:
    *first, last = [show_shape(end.shape) for end in ends]
    return f"{', '.join(first)} and {last}"
