"""Traces as text: windows, products, sums."""

import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.compute.forward import as_volume, run_program
from cnnfilter.explain.text import explain_trace
from cnnfilter.explain.trace import trace
from tests.explain.test_traces import program

PATCH = np.array([[105.0, 102, 100], [103, 99, 103], [101, 98, 104]])[:, :, None]


def text(words: str, volume: Array, place: tuple[int, int]) -> str:
    """Return the explanation of a value of a run."""
    traced = trace(program(words), volume, place)
    outcome = as_volume(run_program(program(words), volume))[place]
    return explain_trace(traced, np.atleast_1d(outcome), "input, kernel")


def test_a_convolution_in_full() -> None:
    assert text("conv:sharpen,same,bias=2 relu", PATCH, (0, 0)) == (
        "input, kernel: output [0,0], 3x3x1 -> 3x3x1\n"
        "formula   o[y,x] = sum over r < 3, c < 3 of i[sy*y + dy*r - top, sx*x + dx*c - left] * f[r,c] + b\n"
        "here      o[0,0] = sum over r < 3, c < 3 of i[1*0 + 1*r - 1, 1*0 + 1*c - 1] * f[r,c] + b\n"
        "with      stride sy = 1, sx = 1; dilation dy = 1, dx = 1; padding top = 1, left = 1, border zero\n"
        "window    rows -1 to 1 (1*0 - 1 = -1), columns -1 to 1 (1*0 - 1 = -1) of the 3x3 input; "
        "5 of its 9 places are padding\n"
        "\n"
        "  i                f\n"
        "  (0)  (0)  (0)     0 -1  0\n"
        "  (0) 105  102     -1  5 -1\n"
        "  (0) 103   99      0 -1  0\n"
        "  i[-1,-1]*f[0,0] = 0*0 = 0          padding, zero\n"
        "  i[-1,0]*f[0,1]  = 0*(-1) = 0       padding, zero\n"
        "  i[-1,1]*f[0,2]  = 0*0 = 0          padding, zero\n"
        "  i[0,-1]*f[1,0]  = 0*(-1) = 0       padding, zero\n"
        "  i[0,0]*f[1,1]   = 105*5 = 525\n"
        "  i[0,1]*f[1,2]   = 102*(-1) = -102\n"
        "  i[1,-1]*f[2,0]  = 0*0 = 0          padding, zero\n"
        "  i[1,0]*f[2,1]   = 103*(-1) = -103\n"
        "  i[1,1]*f[2,2]   = 99*0 = 0\n"
        "  sum       0 + 0 + 0 + 0 + 525 - 102 + 0 - 103 + 0 = 320\n"
        "  bias      320 + 2 = 322\n"
        "\n"
        "then      relu(322) = 322\n"
        "\n"
        "result    o[0,0] = 322\n"
    )


def test_a_border_that_repeats_pixels_names_them() -> None:
    shown = text("conv:sharpen,same,border=reflect", PATCH, (0, 0))
    assert "i[-1,0]*f[0,1]  = 103*(-1) = -103  padding, reflect: i[1,0]\n" in shown


def test_rows_end_one_below_the_other_where_padding_lies_on_the_left_alone() -> None:
    assert "  i           f\n  (0) 105     1 2\n  (0) 103     3 4\n" in text("conv:[1 2; 3 4],p1", PATCH, (1, 0))


def test_a_normalized_kernel_names_its_divisor() -> None:
    shown = text("conv:[1 2; 3 2],normalize=sum", PATCH, (1, 1))
    assert "the kernel's weights are divided by their sum, 8\n" in shown
    assert "i[1,1]*f[0,0] = 99*0.125 = 12.375\n" in shown


def test_a_turned_kernel_is_shown_as_it_is_laid() -> None:
    shown = text("conv:[1 2; 3 4],flip", PATCH, (0, 0))
    assert "turned by 180 degrees" in shown
    assert "105 102    4 3\n" in shown
    assert "i[0,0]*f[0,0] = 105*4 = 420\n" in shown


def test_a_volume_goes_channel_by_channel() -> None:
    volume = np.dstack([PATCH, PATCH - 100])
    shown = text("conv:[1 0; 0 -1]", volume, (0, 1))
    assert "i[0,1,1]*f[0,0,1] = 2*1 = 2\n" in shown
    assert "sums      channel 0: -1, channel 1: -1\n" in shown
    assert "sum       -1 - 1 = -2\n" in shown


def test_a_large_kernel_lists_the_weights_that_are_not_0() -> None:
    shown = text("conv:line-vertical:7,same", PATCH, (1, 1))
    assert shown.count("]*f[") == 7
    assert "42 products with weight 0 add nothing\n" in shown
    assert "49 products add up to 299\n" in shown


def test_pools_name_what_they_take() -> None:
    assert "max(105, 102, 103, 99) = 105 = i[0,0]\n" in text("maxpool:2,s1", PATCH, (0, 0))
    assert "min(105, 102, 103, 99) = 99 = i[1,1]\n" in text("minpool:2,s1", PATCH, (0, 0))
    assert "(105 + 102 + 103 + 99)/4 = 409/4 = 102.25\n" in text("avgpool:2,s1", PATCH, (0, 0))
    assert "sqrt(105^2 + 102^2 + 103^2 + 99^2) = sqrt(41839) = 204.5458\n" in text("l2pool:2,s1", PATCH, (0, 0))
    assert "in order 99, 102, 103, 105; in the middle (102 + 103)/2 = 102.5\n" in text("medianpool:2,s1", PATCH, (0, 0))


def test_padding_is_no_pixel_to_a_pool_unless_it_is_counted() -> None:
    alone = text("avgpool:2,p1", PATCH, (0, 0))
    assert "  (.)  (.)\n  (.) 105\n" in alone
    assert "(105)/1 = 105/1 = 105\n" in alone
    assert "(105)/4 = 105/4 = 26.25\n" in text("avgpool:2,p1,countpad", PATCH, (0, 0))


def test_a_pool_of_nan_says_that_nan_comes_out() -> None:
    patch = PATCH.copy()
    patch[0, 1] = np.nan
    assert "max(105, nan, 103, 99) = nan = i[0,1]\n" in text("maxpool:2,s1", patch, (0, 0))
    assert "min(105, nan, 103, 99) = nan = i[0,1]\n" in text("minpool:2,s1", patch, (0, 0))
    assert "median(105, nan, 103, 99) = nan\n" in text("medianpool:2,s1", patch, (0, 0))
    assert "median" not in text("medianpool:2,s1", patch, (1, 0)).partition("\n\n")[2]


def test_a_pool_says_what_padding_counts_where_its_window_has_some() -> None:
    assert "\npadding   does not count\n" in text("maxpool:2,p1", PATCH, (0, 0))
    assert "\npadding   counts as 0, also in the number of values\n" in text("avgpool:2,p1,countpad", PATCH, (0, 0))
    assert "\npadding   " not in text("maxpool:2", PATCH, (0, 0))
