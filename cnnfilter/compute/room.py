"""Whether there is memory for what a network makes, asked before it makes anything."""

from collections.abc import Sequence
from math import prod

from cnnfilter.compute.programs import Program
from cnnfilter.compute.strips import cut_program
from cnnfilter.errors import ShapeError
from cnnfilter.files.limits import lacks_memory
from cnnfilter.spec.layers import show_shape
from cnnfilter.spec.network import Visit

_VALUE = 4
"""Bytes of a value, float32."""

_COPIES = 2
"""Results are rounded: they are held twice for a moment."""


def check_layers(program: Program, visits: Sequence[Visit], *, whole: bool) -> None:
    """Raise a `ShapeError` if a network gives, or holds at a time, more than memory does.

    Parameters
    ----------
    program, visits
        The network, and its layers at work.
    whole
        Whether what lies between the layers is wanted too, so that nothing can be made strip by strip.
    """
    for visit in visits[-1:]:
        if lack := lacks_memory(_COPIES * _VALUE * prod(visit.outputs.shape)):
            raise ShapeError(f"a result of {show_shape(visit.outputs.shape)} values would {lack}")
    largest = max(visits, key=lambda visit: visit.live, default=None)
    lack = lacks_memory(_VALUE * largest.live) if largest else ""
    if largest and lack and (whole or len(cut_program(program, visits[0].inputs.shape)) == 1):
        raise ShapeError(f"the {largest.live} values that live beside {largest.node.name} {lack}")
