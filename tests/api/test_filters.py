"""`convolve`, `pool` and `kernel`: what they take, what they return, and what they refuse."""

import itertools
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from scipy import ndimage  # type: ignore[import-untyped]

from cnnfilter import convolve, kernel, network, pool, read_image
from cnnfilter.arrays import Array, float_type
from cnnfilter.errors import CnnFilterError, KernelError, LanguageError, ShapeError
from cnnfilter.nn.geometry import Border, BorderMode
from tests.reference.worked_examples import ARITHMETIC, Arithmetic

DTYPES = ("bool", "uint8", "int16", "uint16", "int64", "float16", "float32", "float64")


@pytest.mark.parametrize("example", ARITHMETIC, ids=lambda example: example.id)
def test_a_worked_example_comes_out_as_it_was_worked_out(example: Arithmetic) -> None:
    image, stride = np.array(example.image), example.stride
    match example.op:
        case "convolve":
            result = convolve(
                image,
                np.array(example.kernel),
                stride=1 if stride is None else stride,
                padding=cast(Any, example.padding),
                flip=example.flip,
                bias=example.bias,
            )
        case "pool":
            result = pool(image, example.size, mode=example.mode, stride=stride)
        case "pipeline":
            result = network(example.network).run(image)
    expected = np.array(example.expected)
    assert result.shape == expected.shape
    assert np.abs(result - expected).max() <= example.tolerance


def counted(*shape: int) -> Array:
    """Return an image of the whole numbers from 0 on."""
    return np.arange(np.prod(shape)).reshape(shape)


class TestConvolve:
    @pytest.mark.parametrize(
        ("image", "weights", "result"),
        [
            ((6, 7), (3, 2), (4, 6)),
            ((6, 7), (3, 2, 1), (4, 6)),
            ((6, 7), (3, 2, 1, 5), (4, 6, 5)),
            ((6, 7), (3, 2, 1, 1), (4, 6, 1)),
            ((6, 7, 1), (3, 2), (4, 6, 1)),
            ((6, 7, 1), (3, 2, 1), (4, 6)),
            ((6, 7, 3), (3, 2), (4, 6, 3)),
            ((6, 7, 3), (3, 2, 3), (4, 6)),
            ((6, 7, 3), (3, 2, 3, 5), (4, 6, 5)),
            ((6, 7, 3), (3, 2, 3, 1), (4, 6, 1)),
            ((1, 1), (1, 1), (1, 1)),
        ],
        ids=str,
    )
    @pytest.mark.filterwarnings("ignore:kernel of shape .* is read as windows")
    def test_the_shape_follows_from_those_of_image_and_kernel(
        self, image: tuple[int, ...], weights: tuple[int, ...], result: tuple[int, ...]
    ) -> None:
        assert convolve(counted(*image), np.ones(weights)).shape == result

    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize("kind", ["int64", "float32", "float64", "bool"])
    def test_small_types_give_float32_and_the_rest_float64_whatever_the_kernels_type(
        self, dtype: str, kind: str
    ) -> None:
        result = convolve(np.ones((3, 3), dtype), np.ones((2, 2), kind))
        assert result.dtype == ("float32" if dtype in {"uint8", "uint16", "float32"} else "float64")
        assert (result == 4).all()

    def test_whole_numbers_beyond_2_to_24_make_it_float64(self) -> None:
        result = convolve(np.array([[255]], np.uint8), np.array([[2**24 + 1]]))
        assert result.dtype == np.float64
        assert result.item() == 255 * (2**24 + 1)

    def test_the_kernel_is_laid_on_as_it_is_drawn_unless_it_is_flipped(self) -> None:
        image, weights = np.array([[1, 2, 4]]), np.array([[1, 10, 100]])
        assert convolve(image, weights).tolist() == [[421]]
        assert convolve(image, weights, flip=True).tolist() == [[124]]

    @pytest.mark.parametrize("shape", [(2, 3, 4), (2, 3, 4, 5), (2, 3, 2, 6)], ids=str)
    def test_flip_leaves_channels_and_maps_in_their_order(self, shape: tuple[int, ...]) -> None:
        volume, weights, groups = counted(5, 6, 4), counted(*shape), 4 // shape[2]
        turned = convolve(volume, weights[::-1, ::-1], groups=groups)
        assert np.array_equal(convolve(volume, weights, flip=True, groups=groups), turned)

    def test_a_flat_kernel_filters_each_channel_by_itself(self) -> None:
        volume = counted(5, 6, 3)
        result = convolve(volume, np.array([[1, 2], [3, 4]]))
        for channel in range(3):
            assert np.array_equal(result[:, :, channel], convolve(volume[:, :, channel], np.array([[1, 2], [3, 4]])))

    def test_a_deep_kernel_sums_over_the_channels(self) -> None:
        volume, weights = counted(5, 6, 3), counted(2, 2, 3)
        expected = sum(convolve(volume[:, :, c], weights[:, :, c]) for c in range(3))
        assert np.array_equal(convolve(volume, weights), expected)

    def test_groups_give_each_output_the_channels_of_its_group(self) -> None:
        volume, bank = counted(4, 5, 4), counted(2, 2, 2, 6)
        result = convolve(volume, bank, groups=2)
        assert np.array_equal(result[:, :, :3], convolve(volume[:, :, :2], bank[..., :3]))
        assert np.array_equal(result[:, :, 3:], convolve(volume[:, :, 2:], bank[..., 3:]))

    def test_the_bias_is_added_to_every_output(self) -> None:
        volume = counted(4, 5, 2)
        assert np.array_equal(convolve(volume, np.ones((2, 2)), bias=-3.5), convolve(volume, np.ones((2, 2))) - 3.5)

    @pytest.mark.parametrize(
        ("padding", "sides"),
        [
            (0, (0, 0, 0, 0)),
            (2, (2, 2, 2, 2)),
            ("2", (2, 2, 2, 2)),
            ((1, 2), (1, 2, 1, 2)),
            ([1, 2], (1, 2, 1, 2)),
            ((3,), (3, 3, 3, 3)),
            ("1x2", (1, 2, 1, 2)),
            ((1, 2, 3, 4), (1, 2, 3, 4)),
            (np.array([1, 2, 3, 4]), (1, 2, 3, 4)),
            ("1/2/3/4", (1, 2, 3, 4)),
            ("valid", (0, 0, 0, 0)),
            ("half", (1, 2, 1, 2)),
            ("full", (3, 5, 3, 5)),
            ("same", (1, 2, 2, 3)),
            ("same-lower", (2, 3, 1, 2)),
        ],
        ids=str,
    )
    def test_every_form_of_padding_is_pixels_on_the_four_sides(
        self, padding: Any, sides: tuple[int, int, int, int]
    ) -> None:
        image, weights = counted(7, 8), counted(4, 6)
        top, left, bottom, right = sides
        padded = np.pad(image, ((top, bottom), (left, right)))
        assert np.array_equal(convolve(image, weights, padding=padding), convolve(padded, weights))

    @pytest.mark.parametrize("stride", [1, 2, 3, 5])
    @pytest.mark.parametrize("padding", ["same", "same-lower"])
    @pytest.mark.parametrize("size", range(1, 9))
    def test_same_gives_the_size_over_the_stride_rounded_up(self, stride: int, padding: Any, size: int) -> None:
        for side in range(1, 6):
            result = convolve(np.ones((size, 9)), np.ones((side, 1)), stride=stride, padding=padding)
            assert result.shape == (-(-size // stride), -(-9 // stride))

    @pytest.mark.parametrize(
        ("stride", "pair"),
        [(2, (2, 2)), ("2", (2, 2)), ((2, 3), (2, 3)), ([2, 3], (2, 3)), ("2x3", (2, 3)), ((2,), (2, 2))],
        ids=str,
    )
    def test_every_form_of_stride_and_dilation_is_height_first(self, stride: Any, pair: tuple[int, int]) -> None:
        image, weights = counted(8, 9), counted(2, 2)
        stepped = convolve(image, weights, stride=stride)
        assert np.array_equal(stepped, convolve(image, weights)[:: pair[0], :: pair[1]])
        spread = np.zeros((pair[0] + 1, pair[1] + 1))
        spread[:: pair[0], :: pair[1]] = weights
        assert np.array_equal(convolve(image, weights, dilation=stride), convolve(image, spread))

    @pytest.mark.parametrize("number", [np.int64(2), np.uint8(2)], ids=repr)
    def test_numbers_of_numpy_are_numbers(self, number: Any) -> None:
        image, weights = counted(9, 9), counted(2, 2)
        expected = convolve(image, weights, stride=2, padding=2, dilation=2)
        assert np.array_equal(convolve(image, weights, stride=number, padding=number, dilation=number), expected)
        assert np.array_equal(pool(image, number, stride=number), pool(image, 2))

    @pytest.mark.parametrize(("border", "mode"), [("edge", "nearest"), ("symmetric", "reflect"), ("wrap", "wrap")])
    def test_a_border_keeps_the_size_where_no_padding_is_given(self, border: Any, mode: str) -> None:
        image, weights = np.random.default_rng(5).random((7, 9)), kernel("gaussian:5:1")
        expected = ndimage.correlate(image, weights, mode=mode)
        assert np.allclose(convolve(image, weights, border=border), expected, rtol=1e-12, atol=0)
        with pytest.warns(UserWarning, match="has no effect with padding 0"):
            assert convolve(image, weights, border=border, padding=0).shape == (3, 5)
        assert convolve(image, weights, border="zero").shape == (3, 5)

    @pytest.mark.parametrize(
        ("border", "row"),
        [
            ("zero", [0, 0, 1, 2, 4, 0, 0]),
            ("constant:-7.5", [-7.5, -7.5, 1, 2, 4, -7.5, -7.5]),
            ("constant:1/4", [0.25, 0.25, 1, 2, 4, 0.25, 0.25]),
            ("edge", [1, 1, 1, 2, 4, 4, 4]),
            ("reflect", [4, 2, 1, 2, 4, 2, 1]),
            ("symmetric", [2, 1, 1, 2, 4, 4, 2]),
            ("wrap", [2, 4, 1, 2, 4, 1, 2]),
            (Border(BorderMode.EDGE), [1, 1, 1, 2, 4, 4, 4]),
            (Border(BorderMode.CONSTANT, 9), [9, 9, 1, 2, 4, 9, 9]),
        ],
        ids=str,
    )
    def test_every_form_of_border_fills_the_padding(self, border: Any, row: list[float]) -> None:
        image = np.array([[1, 2, 4]], np.uint8)
        assert convolve(image, np.ones((1, 1)), padding=(0, 2), border=border).tolist() == [row]

    @pytest.mark.parametrize("given", [[[1, 2], [3, 4]], ((1, 2), (3, 4))], ids=["lists", "tuples"])
    def test_nested_sequences_do_for_arrays(self, given: Any) -> None:
        assert convolve(given, [[1, 1]]).tolist() == [[3], [7]]

    def test_image_and_kernel_stay_as_they_are(self) -> None:
        image, weights = counted(5, 5).astype(np.uint8), counted(3, 3).astype(float)
        image.flags.writeable = weights.flags.writeable = False
        convolve(image, weights, flip=True, padding="same", bias=3)
        assert image.tolist() == counted(5, 5).tolist()
        assert weights.tolist() == counted(3, 3).tolist()

    @pytest.mark.parametrize("flip", [False, True])
    def test_it_is_what_the_language_says(self, flip: bool) -> None:
        volume = counted(7, 8, 3).astype(np.uint8)
        text = f"dwconv:[1 2 3; 4 5 6],s2x1,p1,d1x2,border=reflect,bias=2{',flip' if flip else ''}"
        result = convolve(
            volume,
            np.array([[1, 2, 3], [4, 5, 6]]),
            stride=(2, 1),
            padding=1,
            dilation="1x2",
            border="reflect",
            bias=2,
            flip=flip,
        )
        assert np.array_equal(result, network(text).run(volume))

    def test_a_real_photo_keeps_its_size_and_its_mean_under_a_blur(self, photo: Path) -> None:
        image = read_image(photo)
        result = convolve(image, kernel("gaussian:15:2.5"), padding="same", border="reflect")
        assert result.shape == (600, 512, 3)
        assert result.dtype == np.float32
        assert np.abs(result.mean(axis=(0, 1)) - image.mean(axis=(0, 1))).max() < 0.5


IMAGE, ONES = np.ones((5, 6, 4)), np.ones((3, 3))

REFUSED: dict[str, tuple[tuple[Any, Any, dict[str, Any]], type[CnnFilterError], str]] = {
    "a kernel of one axis": (
        (IMAGE, np.ones(3), {}),
        KernelError,
        r"kernel has the shape \(3,\); a kernel is \(kh, kw\), ",
    ),
    "a kernel of five axes": ((IMAGE, np.ones((1,) * 5), {}), KernelError, r"kernel has the shape \(1, 1, 1, 1, 1\)"),
    "an empty kernel": ((IMAGE, np.ones((0, 3)), {}), KernelError, r"kernel is empty: its shape is \(0, 3\)"),
    "a complex kernel": (
        (IMAGE, np.ones((3, 3), complex), {}),
        KernelError,
        r"kernel, of type ndarray, holds complex numbers \(complex128\); `kernel\.real`",
    ),
    "a kernel of words": (
        (IMAGE, np.array([["a"]]), {}),
        KernelError,
        "kernel, of type ndarray, holds text, not numbers",
    ),
    "nan in the kernel": ((IMAGE, ONES * np.nan, {}), KernelError, "kernel holds nan or infinity"),
    "infinity in the kernel": ((IMAGE, ONES * np.inf, {}), KernelError, "kernel holds nan or infinity"),
    "an image of one axis": ((np.ones(5), ONES, {}), ShapeError, r"image has the shape \(5,\); \(H, W\) and"),
    "an image of four axes": (
        (np.ones((1, 5, 5, 1)), ONES, {}),
        ShapeError,
        r"image has 4 dimensions, \(1, 5, 5, 1\), and convolve takes one image",
    ),
    "an empty image": ((np.ones((0, 5)), ONES, {}), ShapeError, r"image is empty: its shape is \(0, 5\)"),
    "a complex image": (
        (np.ones((5, 5), complex), ONES, {}),
        ShapeError,
        "image, of type ndarray, holds complex numbers",
    ),
    "other slices": ((IMAGE, np.ones((3, 3, 3)), {}), ShapeError, "has 3 slices for 4 channels"),
    "slices for a flat image": ((np.ones((5, 6)), np.ones((3, 3, 3)), {}), ShapeError, "has 3 slices for 1 channels"),
    "a kernel larger than the image": ((IMAGE, np.ones((6, 1)), {}), ShapeError, "6x1 is larger than the input of 5x6"),
    "a dilated kernel larger than the image": (
        (IMAGE, ONES, {"dilation": 3}),
        ShapeError,
        r"\(spanning 7x7 by its dilation\) is larger than the input of 5x6",
    ),
    "larger than the padded image": (
        (IMAGE, np.ones((9, 1)), {"padding": 1}),
        ShapeError,
        "input of 5x6 padded to 7x8; a smaller one, or padding such as `same`, would fit",
    ),
    "stride 0": ((IMAGE, ONES, {"stride": 0}), ShapeError, "stride 0 is below 1, the least that is allowed"),
    "stride -2": ((IMAGE, ONES, {"stride": (1, -2)}), ShapeError, "stride -2 is below 1"),
    "three strides": ((IMAGE, ONES, {"stride": (1, 2, 3)}), ShapeError, r"stride \[1, 2, 3\] has 3 numbers"),
    "half a stride": ((IMAGE, ONES, {"stride": 1.5}), CnnFilterError, "stride"),
    "half a stride in a pair": ((IMAGE, ONES, {"stride": (1.5, 2)}), CnnFilterError, "stride"),
    "a stride in words": ((IMAGE, ONES, {"stride": "two"}), LanguageError, "stride 'two' is neither a number nor HxW"),
    "dilation 0": ((IMAGE, ONES, {"dilation": "1x0"}), ShapeError, "dilation 0 is below 1"),
    "padding -1": ((IMAGE, ONES, {"padding": -1}), ShapeError, "padding -1 is below 0"),
    "padding -1 on one side": ((IMAGE, ONES, {"padding": "0/0/-1/0"}), ShapeError, "padding -1 is below 0"),
    "three paddings": ((IMAGE, ONES, {"padding": (1, 2, 3)}), ShapeError, r"padding \[1, 2, 3\] has 3 numbers"),
    "an enormous padding": ((IMAGE, ONES, {"padding": 10**6}), ShapeError, "padding 1000000 is above 100000"),
    "an unknown padding": ((IMAGE, ONES, {"padding": "smae"}), LanguageError, "'smae' is unknown: .*; nearest: same"),
    "an unknown border": ((IMAGE, ONES, {"border": "mirror"}), LanguageError, "border 'mirror' is unknown"),
    "a border nearly known": ((IMAGE, ONES, {"border": "reflct"}), LanguageError, "nearest: reflect"),
    "a constant without value": (
        (IMAGE, ONES, {"border": "constant"}),
        LanguageError,
        "or constant:V; constant:V is meant",
    ),
    "a constant that is no number": ((IMAGE, ONES, {"border": "constant:x"}), LanguageError, "'x' is not a number"),
    "an edge with a value": ((IMAGE, ONES, {"border": "edge:3"}), LanguageError, "border 'edge:3' is unknown"),
    "groups of a flat kernel": ((IMAGE, ONES, {"groups": 2}), ShapeError, "2 groups need a bank of shape"),
    "groups that do not divide the channels": (
        (IMAGE, np.ones((1, 1, 1, 3)), {"groups": 3}),
        ShapeError,
        "4 channels cannot be divided into 3 groups",
    ),
    "groups that do not divide the outputs": (
        (IMAGE, np.ones((1, 1, 2, 3)), {"groups": 2}),
        ShapeError,
        "3 outputs cannot be divided into 2 groups",
    ),
    "no groups": ((IMAGE, np.ones((1, 1, 4, 1)), {"groups": 0}), ShapeError, "number of groups 0 is below 1"),
}


@pytest.mark.parametrize(("arguments", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_convolve_refuses(
    arguments: tuple[Any, Any, dict[str, Any]], error: type[CnnFilterError], message: str
) -> None:
    image, weights, options = arguments
    with pytest.raises(error, match=message) as raised:
        convolve(image, weights, **options)
    assert isinstance(raised.value, CnnFilterError)
    assert isinstance(raised.value, ValueError)
    assert "\n" not in str(raised.value)


class TestPool:
    def test_a_window_that_sees_no_pixel_gives_0(self) -> None:
        assert pool(np.full((1, 1), 9, np.uint8), (1, 2), stride=1, padding=(0, 3), dilation=5).tolist() == [[0, 0]]

    def test_the_window_is_2x2_and_the_stride_its_size_unless_told_otherwise(self) -> None:
        assert pool(counted(4, 4)).tolist() == [[5, 7], [13, 15]]
        assert pool(counted(6, 6), 3).tolist() == [[14, 17], [32, 35]]
        assert pool(counted(4, 6), "2x3").tolist() == [[8, 11], [20, 23]]
        assert pool(counted(4, 4), (1, 4)).tolist() == [[3], [7], [11], [15]]

    @pytest.mark.parametrize(
        ("mode", "result"), [("max", 9), ("min", 1), ("avg", 4.5), ("median", 4), ("l2", (4 + 36 + 81 + 1) ** 0.5)]
    )
    def test_each_mode_makes_one_value_of_a_window(self, mode: Any, result: float) -> None:
        assert pool(np.array([[2.0, 6.0], [9.0, 1.0]]), mode=mode).tolist() == [[result]]

    @pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 3)], ids=str)
    @pytest.mark.parametrize("mode", ["max", "avg", "l2", "min", "median"])
    def test_the_axes_of_the_image_are_kept(self, shape: tuple[int, ...], mode: Any) -> None:
        assert pool(np.ones(shape), 3, mode=mode, stride=2).shape == (2, 3, *shape[2:])

    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize("mode", ["max", "min", "median"])
    def test_max_min_and_median_keep_the_type(self, dtype: str, mode: Any) -> None:
        assert pool(np.ones((4, 4), dtype), mode=mode).dtype == dtype

    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize("mode", ["avg", "l2"])
    def test_avg_and_l2_are_floats(self, dtype: str, mode: Any) -> None:
        image = np.ones((4, 4), dtype)
        result = pool(image, mode=mode)
        assert result.dtype == float_type(image.dtype)
        assert (result == (1 if mode == "avg" else 2)).all()

    def test_a_median_of_integers_between_two_is_rounded_half_to_even(self) -> None:
        assert pool(np.array([[1, 2, 2, 3, 4, 7]], np.uint8), (1, 2), mode="median").tolist() == [[2, 2, 6]]
        assert pool(np.array([[-1, 0, -3, -2]], np.int16), (1, 2), mode="median").tolist() == [[0, -2]]
        assert pool(np.array([[1, 2]], np.float16), (1, 2), mode="median").tolist() == [[1.5]]

    @pytest.mark.parametrize(
        ("mode", "dtype"),
        [
            *itertools.product(["max", "min", "median"], ["uint8", "int8", "uint16", "int16", "int32", "uint32"]),
            *itertools.product(["max", "min"], ["int64", "uint64"]),  # their medians are taken in float64
        ],
    )
    def test_equal_pixels_stay_what_they_are_to_the_end_of_the_type(self, dtype: str, mode: Any) -> None:
        for extreme in (np.iinfo(dtype).min, np.iinfo(dtype).max):
            image = np.full((3, 3), extreme, dtype)
            assert (pool(image, 3, mode=mode, padding=1, stride=1) == extreme).all()

    def test_padding_is_no_pixel_unless_it_is_counted(self) -> None:
        image = np.full((2, 2), -4)
        assert pool(image, padding=1).tolist() == [[-4, -4], [-4, -4]]
        assert pool(image, padding=1, mode="avg").tolist() == [[-4, -4], [-4, -4]]
        assert pool(image, padding=1, mode="avg", count_include_pad=True).tolist() == [[-1, -1], [-1, -1]]

    def test_ceil_lets_the_last_window_hang_over(self) -> None:
        assert pool(counted(1, 5), (1, 2)).tolist() == [[1, 3]]
        assert pool(counted(1, 5), (1, 2), ceil=True).tolist() == [[1, 3, 4]]

    def test_dilation_leaves_pixels_out(self) -> None:
        assert pool(counted(1, 6), (1, 2), mode="avg", stride=1, dilation=(1, 3)).tolist() == [[1.5, 2.5, 3.5]]

    @pytest.mark.parametrize("padding", [1, "1", (1, 1), "1x1", (1, 1, 1, 1), "1/1/1/1", "half"], ids=str)
    def test_every_form_of_padding_is_taken(self, padding: Any) -> None:
        assert pool(counted(3, 3), 3, stride=3, padding=padding).tolist() == [[4]]
        assert pool(counted(4, 4), 3, stride=2, padding=padding).shape == (2, 2)

    def test_it_is_what_the_language_says(self) -> None:
        image = counted(7, 8, 2).astype(np.uint8)
        result = pool(
            image, "3x2", mode="avg", stride=2, padding=(1, 0), dilation="1x2", ceil=True, count_include_pad=True
        )
        assert np.array_equal(result, network("avgpool:3x2,s2,p1x0,d1x2,ceil,countpad").run(image))

    @pytest.mark.parametrize(
        ("options", "error", "message"),
        [
            ({"mode": "mean"}, LanguageError, "mode 'mean' is unknown: max, avg, l2, min, median; nearest: avg"),
            ({"mode": "maxx"}, LanguageError, "nearest: max"),
            ({"size": 6}, ShapeError, "a window of 6x6 is larger than the input of 5x5"),
            ({"size": 0}, ShapeError, "size 0 is below 1"),
            ({"size": "big"}, LanguageError, "size 'big' is neither a number nor HxW"),
            ({"size": 2.5}, CnnFilterError, "size"),
            ({"stride": 0}, ShapeError, "stride 0 is below 1"),
            ({"padding": 2}, ShapeError, "padding 2 is more than half of a pooling window that spans 2"),
            ({"padding": "full", "size": 4}, ShapeError, "padding 3 is more than half"),
            ({"padding": "middle"}, LanguageError, "padding 'middle' is unknown"),
            ({"dilation": 0}, ShapeError, "dilation 0 is below 1"),
            ({"count_include_pad": True}, ShapeError, "maxpool never counts padding; only avgpool and l2pool can"),
            ({"mode": "median", "count_include_pad": True}, ShapeError, "medianpool never counts padding"),
        ],
        ids=str,
    )
    def test_it_refuses(self, options: dict[str, Any], error: type[CnnFilterError], message: str) -> None:
        with pytest.raises(error, match=message):
            pool(np.ones((5, 5)), **options)

    @pytest.mark.parametrize("image", [np.ones(3), np.ones((0, 3)), np.ones((1, 2, 3, 4)), np.array([["a"]])], ids=str)
    def test_it_refuses_what_is_no_image(self, image: Array) -> None:
        with pytest.raises(ShapeError, match=r"^image"):
            pool(image)


class TestKernel:
    @pytest.mark.parametrize(
        ("word", "weights"),
        [
            ("sobel-x", [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]),
            ("sharpen", [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
            ("line-horizontal:3", [[0, 0, 0], [1, 1, 1], [0, 0, 0]]),
            ("box:2", [[0.25, 0.25], [0.25, 0.25]]),
            ("0 -1 0; -1 5 -1; 0 -1 0", [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
            ("1/4 1/2 1/4", [[0.25, 0.5, 0.25]]),
            ("0.997", [[0.997]]),
        ],
    )
    def test_a_word_is_its_matrix(self, word: str, weights: list[list[float]]) -> None:
        result = kernel(word)
        assert result.dtype == np.float64
        assert result.tolist() == weights

    @pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4), (2, 3, 4, 5)], ids=str)
    def test_a_numpy_file_is_its_array(self, shape: tuple[int, ...], tmp_path: Path) -> None:
        weights = np.random.default_rng(0).normal(size=shape)
        np.save(tmp_path / "mine.npy", weights)
        result = kernel(str(tmp_path / "mine.npy"))
        assert result.dtype == np.float64
        assert np.array_equal(result, weights)

    def test_a_text_file_is_its_rows_and_a_blank_line_begins_the_next_channel(self, tmp_path: Path) -> None:
        (tmp_path / "mine.txt").write_text("# mine\n1 2\n3 4\n\n5 6\n7 8\n")
        result = kernel(str(tmp_path / "mine.txt"))
        assert result.shape == (2, 2, 2)
        assert result[:, :, 0].tolist() == [[1, 2], [3, 4]]
        assert result[:, :, 1].tolist() == [[5, 6], [7, 8]]

    def test_a_libvips_matrix_is_divided_by_its_scale_and_leaves_its_offset_out(self, tmp_path: Path) -> None:
        (tmp_path / "vips.mat").write_text("3 1 4 128\n1 2 1\n")
        assert kernel(str(tmp_path / "vips.mat")).tolist() == [[0.25, 0.5, 0.25]]

    def test_each_call_gives_an_array_of_its_own(self) -> None:
        first = kernel("sobel-x")
        first[:] = 0
        assert kernel("sobel-x").any()

    @pytest.mark.parametrize(
        ("word", "message"),
        [
            ("sobelx", "unknown kernel 'sobelx'; nearest: sobel-x"),
            ("nowhere.txt", r"nowhere\.txt: No such file"),
            ("mine.png", r"kernel files are \.txt"),
            ("1 2; 3", "kernel '1 2; 3': "),
            ("box", "box:N; N is missing"),
            ("sobel-x:3", "kernel sobel-x is fixed, and 'sobel-x:3' gives it an argument"),
        ],
    )
    def test_what_is_no_kernel_is_refused(self, word: str, message: str) -> None:
        with pytest.raises(KernelError, match=message):
            kernel(word)
