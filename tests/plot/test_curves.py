"""Curves of activations: what is drawn are their values, in one scale."""

import numpy as np
import pytest

from cnnfilter.compute.activations import activate, differentiate
from cnnfilter.nn.layers import Function
from cnnfilter.nn.other_layers import SLOPES, Activation
from cnnfilter.plot.curves import draw_curves
from cnnfilter.plot.sheet import Paper, Sheet, open_canvas

ALL = [Activation(function=function, slope=SLOPES.get(function)) for function in Function]


def test_each_panel_has_the_values_and_the_derivatives_of_its_activation() -> None:
    sheet = Sheet("a.png")
    with open_canvas(sheet) as figure:
        draw_curves(Paper(figure, sheet), ALL, derivative=True)
        assert len(figure.axes) == len(ALL)
        for layer, axes in zip(ALL, figure.axes, strict=True):
            assert axes.get_title(loc="left").startswith(layer.text)
            curve, slopes = (np.asarray(line.get_xydata()) for line in axes.lines[-2:])
            assert np.array_equal(curve[:, 1], activate(curve[:, 0], layer))
            shown = np.isfinite(slopes[:, 1])
            assert shown.sum() >= len(slopes) - 2
            assert np.array_equal(slopes[shown, 1], differentiate(slopes[shown, 0], layer))
        assert len({(axes.get_xlim(), axes.get_ylim()) for axes in figure.axes}) == 1


@pytest.mark.parametrize("layers", [ALL[:1], ALL[1:2], ALL[-2:], [Activation(function=Function.ELU, slope=100.0)]])
@pytest.mark.parametrize("size", [None, (3.0, 4.0), (20.0, 15.0)])
def test_all_of_a_curve_is_within_its_panel_and_no_text_is_cut(
    layers: list[Activation], size: tuple[float, float] | None
) -> None:
    sheet = Sheet("a.png", size)
    with open_canvas(sheet) as figure:
        draw_curves(Paper(figure, sheet), layers, derivative=True)
        figure.canvas.draw()
        for axes in figure.axes:
            (bottom, top), values = (
                axes.get_ylim(),
                np.concatenate([np.asarray(line.get_ydata()) for line in axes.lines[-2:]]),
            )
            assert bottom < np.nanmin(values) <= np.nanmax(values) < top
            tight = axes.get_tightbbox()
            assert tight is not None
            assert figure.bbox.x0 <= tight.x0 < tight.x1 <= figure.bbox.x1
            assert figure.bbox.y0 <= tight.y0 < tight.y1 <= figure.bbox.y1
