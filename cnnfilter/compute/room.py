"""Whether there is memory for what a network makes, asked before it makes anything."""

from collections.abc import Sequence
from math import prod

from cnnfilter.compute.programs import Program
from cnnfilter.compute.strips import cut_program
from cnnfilter.errors import ShapeError
from cnnfilter.files.limits import lacks_memory
from cnnfilter.spec.layers import Shape, show_shape
from cnnfilter.spec.network import Visit

_VALUE = 4
"""Bytes of a value, float32."""

_COPIES = 2
"""Results are rounded: they are held twice for a moment."""


def check_result(shape: Shape) -> None:
    """Raise a `ShapeError` if a network's result, of which the shape is known before any weight, is too large."""
    if lack := lacks_memory(_COPIES * _VALUE * prod(shape)):
        raise ShapeError(f"a result of {show_shape(shape)} values would {lack}")


def check_layers(program: Program, visits: Sequence[Visit], *, whole: bool) -> None:
    """Raise a `ShapeError` if a network holds more at a time than memory does.

    Parameters
    ----------
    program, visits
        The network, and its layers at work.
    whole
        Whether what lies between the layers is wanted too, so that nothing can be made strip by strip.
    """
    largest = max(visits, key=lambda visit: visit.live, default=None)
    lack = lacks_memory(_VALUE * largest.live) if largest else ""
    if largest and lack and (whole or len(cut_program(program, visits[0].inputs.shape)) == 1):
        raise ShapeError(f"the {largest.live} values that live beside {largest.node.name} {lack}")
