"""Networks that run: their kernels as loaded, normalised and turned, and layer after layer."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cnnfilter.arrays import Array, Doubles
from cnnfilter.compute.forward import (
    Program,
    as_volume,
    build_bank,
    drop_single_channel,
    load_program,
    normalize,
    run_program,
)
from cnnfilter.compute.operations import Setting, run_steps, to_gray
from cnnfilter.errors import KernelError, ShapeError
from cnnfilter.kernels.spec import kernel_shape
from cnnfilter.nn.language import parse_network
from cnnfilter.nn.layers import Convolution, Normalization
from tests.compute.plain import Beyond, Move, convolve_plainly


def program_of(text: str) -> Program:
    """Return the program that a text writes."""
    return load_program(parse_network(text, kernel_shape))


def run(text: str, image: Array) -> Array:
    """Return what the network of a text makes of an image."""
    return run_program(program_of(text), image)


def weights_of(text: str) -> list[Doubles]:
    """Return the kernels of a network's first layer as they are laid on the image."""
    return [kernel.weights for kernel in program_of(text).steps[0].kernels]


def volume_of(height: int, width: int, channels: int) -> Array:
    """Return a volume of small whole numbers, each its own."""
    return np.random.default_rng(0).permutation(height * width * channels).reshape(height, width, channels)


class TestLoading:
    def test_each_layer_has_its_kernels_and_layers_without_kernels_have_none(self) -> None:
        program = program_of("conv:[1 2],[3 4] relu maxpool:2 dwconv:[5]")
        assert [[kernel.weights.tolist() for kernel in step.kernels] for step in program.steps] == [
            [[[1, 2]], [[3, 4]]],
            [],
            [],
            [[[5]]],
        ]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("conv:3x3,16", r"conv1 \(conv:3x3,16\) has no weights"),
            ("relu dwconv:5x5", r"dwconv1 \(dwconv:5x5\) has no weights"),
            ("conv:sobel-x conv:3x3@last", r"last \(conv:3x3\) has no weights"),
            ("relu batchnorm", r"batchnorm1 \(batchnorm\) has no weights"),
            ("flatten fc:10", r"linear1 \(linear:10\) has no weights"),
        ],
    )
    def test_a_layer_without_weights_is_refused_by_its_name(self, text: str, message: str) -> None:
        with pytest.raises(KernelError, match=message):
            program_of(text)

    def test_a_kernel_file_that_went_away_is_an_error_about_the_file(self, tmp_path: Path) -> None:
        path = tmp_path / "mine.txt"
        path.write_text("1 2 3\n")
        network = parse_network(f"conv:{path}", kernel_shape)
        path.unlink()
        with pytest.raises(KernelError, match=r"mine\.txt: No such file"):
            load_program(network)


class TestNormalization:
    def test_without_it_the_weights_are_as_drawn(self) -> None:
        assert weights_of("conv:[1 2; 3 4]")[0].tolist() == [[1, 2], [3, 4]]
        assert weights_of("conv:[1 2; 3 4],normalize=none")[0].tolist() == [[1, 2], [3, 4]]

    def test_sum_divides_by_the_sum(self) -> None:
        assert weights_of("conv:[1 2; 3 4],normalize=sum")[0].tolist() == [[0.1, 0.2], [0.3, 0.4]]
        assert weights_of("conv:[1 -3],normalize=sum")[0].tolist() == [[-0.5, 1.5]]

    def test_abs_divides_by_the_sum_of_magnitudes(self) -> None:
        assert weights_of("conv:[1 -3; 0 4],normalize=abs")[0].tolist() == [[0.125, -0.375], [0, 0.5]]

    def test_each_kernel_of_a_layer_is_divided_by_its_own_sum(self) -> None:
        first, second = weights_of("dwconv:[1 1],[1 3],normalize=sum")
        assert (first.tolist(), second.tolist()) == ([[0.5, 0.5]], [[0.25, 0.75]])

    @pytest.mark.parametrize("text", ["sobel-x", "laplacian-8", "[1 -1]", "[1e9 -1e9 100]"])
    def test_a_kernel_that_sums_to_zero_is_refused_and_abs_is_named(self, text: str) -> None:
        with pytest.raises(KernelError, match=r"sums to zero .*; `abs` divides by the sum of magnitudes"):
            program_of(f"conv:{text},normalize=sum")

    def test_a_sum_of_more_than_a_millionth_of_the_magnitudes_is_no_zero(self) -> None:
        weights = weights_of("conv:[1000000 -999990],normalize=sum")[0]
        assert weights.sum() == pytest.approx(1)

    @pytest.mark.parametrize("how", ["sum", "abs"])
    def test_a_kernel_of_zeros_is_refused(self, how: str) -> None:
        with pytest.raises(KernelError, match=r"0 0 sums to zero .*; all its weights are 0"):
            program_of(f"conv:[0 0],normalize={how}")

    def test_a_volume_is_divided_by_the_sum_over_all_its_slices(self) -> None:
        weights = np.arange(1.0, 9.0).reshape(2, 2, 2)
        assert np.array_equal(normalize(weights, Normalization.SUM), weights / 36)

    def test_a_bank_is_divided_map_by_map(self, tmp_path: Path) -> None:
        bank = np.random.default_rng(0).integers(1, 9, (3, 2, 4, 5)).astype(float)
        bank[0, 0, 0, 2] = -1
        np.save(tmp_path / "bank.npy", bank)
        by_sum = weights_of(f"conv:{tmp_path / 'bank.npy'},normalize=sum")[0]
        by_abs = weights_of(f"conv:{tmp_path / 'bank.npy'},normalize=abs")[0]
        for m in range(5):
            assert np.array_equal(by_sum[..., m], bank[..., m] / bank[..., m].sum())
            assert np.array_equal(by_abs[..., m], bank[..., m] / np.abs(bank[..., m]).sum())

    def test_a_bank_with_one_map_that_sums_to_zero_is_refused(self) -> None:
        bank = np.ones((1, 2, 1, 3))
        bank[0, 0, 0, 1] = -1
        with pytest.raises(KernelError, match="my bank sums to zero"):
            normalize(bank, Normalization.SUM, "my bank")
        assert np.abs(normalize(bank, Normalization.ABS)).sum() == 3


class TestFlip:
    def test_it_turns_a_kernel_by_180_degrees(self) -> None:
        assert weights_of("conv:[1 2; 3 4; 5 6],flip")[0].tolist() == [[6, 5], [4, 3], [2, 1]]

    @pytest.mark.parametrize("shape", [(3, 2, 4), (3, 2, 4, 5)], ids=str)
    def test_it_leaves_channels_and_maps_in_their_order(self, shape: tuple[int, ...], tmp_path: Path) -> None:
        weights = np.random.default_rng(0).normal(size=shape)
        np.save(tmp_path / "kernel.npy", weights)
        assert np.array_equal(weights_of(f"conv:{tmp_path / 'kernel.npy'},flip")[0], weights[::-1, ::-1])

    def test_it_goes_together_with_normalization(self) -> None:
        assert weights_of("conv:[1 3],flip,normalize=sum")[0].tolist() == [[0.75, 0.25]]

    def test_a_flipped_line_of_pixels_is_the_mathematical_convolution(self) -> None:
        image = np.array([[1.0, 2.0, 4.0]])
        assert (
            run("conv:[1 10 100],flip", image).tolist() == np.convolve([1, 2, 4], [1, 10, 100], "valid")[None].tolist()
        )


class TestOffsets:
    @pytest.fixture
    def offset(self, tmp_path: Path) -> Path:
        """Return a libvips matrix of 1 x 3, scale 2, offset 10."""
        path = tmp_path / "vips.mat"
        path.write_text("3 1 2 10\n2 4 2\n")
        return path

    def test_the_offset_of_a_libvips_matrix_is_added(self, offset: Path) -> None:
        assert run(f"conv:{offset}", np.array([[1.0, 2.0, 3.0]])).tolist() == [[1 + 4 + 3 + 10]]

    def test_each_kernel_adds_its_own_and_the_bias_comes_on_top(self, offset: Path) -> None:
        result = run(f"conv:{offset},[0 1 0],bias=0.5", np.array([[1.0, 2.0, 3.0]]))
        assert result.tolist() == [[[18.5, 2.5]]]

    def test_each_channel_gets_it(self, offset: Path) -> None:
        image = np.array([[[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]]])
        assert run(f"dwconv:[0 1 0],{offset}", image).tolist() == [[[2, 18, 20, 90]]]

    def test_normalization_leaves_it_as_it_is(self, offset: Path) -> None:
        assert run(f"conv:{offset},normalize=sum", np.array([[1.0, 2.0, 3.0]])).tolist() == [[12]]

    def test_it_is_added_to_every_map_of_its_kernel_and_to_no_other(self, offset: Path, tmp_path: Path) -> None:
        np.save(tmp_path / "bank.npy", np.ones((1, 3, 1, 2)))
        program = program_of(f"conv:{tmp_path / 'bank.npy'},{offset}")
        layer = program.network.layers[0]
        assert isinstance(layer, Convolution)
        assert build_bank(layer, program.steps[0].kernels, 1)[1].tolist() == [0, 0, 10]


class TestBanks:
    def test_a_flat_kernel_under_conv_is_laid_on_every_channel_and_summed(self) -> None:
        volume = volume_of(4, 5, 3)
        single = run("conv:[1 2; 3 4]", volume.sum(axis=2))
        assert np.array_equal(run("conv:[1 2; 3 4]", volume), single)

    def test_several_kernels_under_conv_give_a_map_each_in_their_order(self) -> None:
        volume = volume_of(4, 5, 3)
        result = run("conv:[1 2],[3 4],[5 6]", volume)
        assert result.shape == (4, 4, 3)
        for m, word in enumerate(["1 2", "3 4", "5 6"]):
            assert np.array_equal(result[:, :, m], run(f"conv:[{word}]", volume))

    def test_a_kernel_of_three_dimensions_sums_channel_by_channel(self, tmp_path: Path) -> None:
        volume, weights = volume_of(4, 5, 3), np.random.default_rng(1).integers(-5, 6, (2, 2, 3))
        np.save(tmp_path / "kernel.npy", weights)
        expected = convolve_plainly(volume, weights[..., None], Move(), Beyond())
        assert run(f"conv:{tmp_path / 'kernel.npy'}", volume)[:, :, None].tolist() == expected

    def test_flat_and_deep_kernels_go_together_in_one_layer(self, tmp_path: Path) -> None:
        volume, deep = volume_of(4, 5, 3), np.random.default_rng(1).integers(-5, 6, (1, 2, 3))
        bank = np.random.default_rng(2).integers(-5, 6, (1, 2, 3, 2))
        np.save(tmp_path / "deep.npy", deep)
        np.save(tmp_path / "bank.npy", bank)
        result = run(f"conv:[1 2],{tmp_path / 'deep.npy'},{tmp_path / 'bank.npy'}", volume)
        assert result.shape == (4, 4, 4)
        assert np.array_equal(result[:, :, 0], run("conv:[1 2]", volume))
        assert np.array_equal(result[:, :, 1], run(f"conv:{tmp_path / 'deep.npy'}", volume))
        assert np.array_equal(result[:, :, 2:], run(f"conv:{tmp_path / 'bank.npy'}", volume))

    def test_groups_sum_their_own_channels_only(self) -> None:
        volume = volume_of(3, 4, 4)
        result = run("conv:[1 2],[3 4],g2", volume)
        assert np.array_equal(result[:, :, 0], run("conv:[1 2]", volume[:, :, :2]))
        assert np.array_equal(result[:, :, 1], run("conv:[3 4]", volume[:, :, 2:]))

    def test_a_bank_in_groups_is_that_of_the_loop(self, tmp_path: Path) -> None:
        volume, bank = volume_of(4, 5, 6), np.random.default_rng(2).integers(-5, 6, (2, 3, 2, 9))
        np.save(tmp_path / "bank.npy", bank)
        expected = convolve_plainly(volume, bank, Move(), Beyond(), groups=3)
        assert run(f"conv:{tmp_path / 'bank.npy'},g3", volume).tolist() == expected

    def test_dwconv_filters_each_channel_and_keeps_a_channels_outputs_together(self) -> None:
        volume = volume_of(3, 4, 3)
        result = run("dwconv:[1 2],[3 4]", volume)
        assert result.shape == (3, 3, 6)
        for channel in range(3):
            for number, word in enumerate(["1 2", "3 4"]):
                alone = run(f"conv:[{word}]", volume[:, :, channel])
                assert np.array_equal(result[:, :, 2 * channel + number], alone)

    def test_the_bank_of_a_dwconv_has_one_slice_and_the_kernels_in_turn(self) -> None:
        program = program_of("dwconv:[1 2],[3 4]")
        layer = program.network.layers[0]
        assert isinstance(layer, Convolution)
        bank, _ = build_bank(layer, program.steps[0].kernels, 3)
        assert bank.shape == layer.bank(3) == (1, 2, 1, 6)
        assert bank[0, 0, 0].tolist() == [1, 3, 1, 3, 1, 3]

    @pytest.mark.parametrize(
        ("text", "channels", "message"),
        [
            ("conv:[1 1],g2", 4, "1 output cannot be divided into 2 groups"),
            ("conv:[1 1],[1 1],g2", 3, "3 channels cannot be divided into 2 groups"),
            ("relu conv:[1 1 1 1 1 1 1 1 1 1]", 1, "layer 2, conv:.*: a window of 1x10 is larger than the input"),
        ],
    )
    def test_what_does_not_go_together_is_refused(self, text: str, channels: int, message: str) -> None:
        with pytest.raises(ShapeError, match=message):
            run(text, np.zeros((4, 5, channels)))

    def test_a_deep_kernel_on_other_channels_is_refused(self, tmp_path: Path) -> None:
        np.save(tmp_path / "kernel.npy", np.ones((2, 2, 3)))
        with pytest.raises(ShapeError, match=r"kernel\.npy has 3 slices for 4 channels"):
            run(f"conv:{tmp_path / 'kernel.npy'}", np.zeros((4, 5, 4)))


class TestRunning:
    def test_no_layers_give_the_image(self) -> None:
        image = volume_of(3, 4, 2)
        assert np.array_equal(run("", image), image)

    def test_a_single_channel_has_no_axis_and_several_have(self) -> None:
        assert run("relu", np.ones((3, 4))).shape == (3, 4)
        assert run("relu", np.ones((3, 4, 1))).shape == (3, 4)
        assert run("relu", np.ones((3, 4, 2))).shape == (3, 4, 2)
        assert drop_single_channel(np.ones(5)).shape == (5,)

    def test_nothing_is_rounded_or_cut_off_between_layers(self) -> None:
        image = np.array([[200, 255]], np.uint8)
        assert run("conv:[-1] conv:[1/4] conv:[-4]", image).tolist() == [[200, 255]]
        assert run("conv:[3] conv:[1/3]", image).tolist() == [[200, 255]]

    def test_each_layer_takes_what_the_one_before_it_gives(self) -> None:
        image = np.array([[35, 20, 20, 3], [1, -1, 21, -3], [21, 7, 15, 22], [-2, 22, 22, 29]])
        assert run("relu maxpool:2,s1", image).tolist() == [[35, 21, 21], [21, 21, 22], [22, 22, 29]]

    def test_flatten_goes_row_by_row_and_channel_after_channel_within_a_pixel(self) -> None:
        volume = np.arange(12).reshape(2, 3, 2)
        assert run("flatten", volume).tolist() == list(range(12))

    @pytest.mark.parametrize("text", ["flatten relu", "flatten softmax", "relu flatten abs softmax"])
    def test_functions_and_softmax_take_vectors(self, text: str) -> None:
        result = run(text, np.array([[-1.0, 2.0], [3.0, -4.0]]))
        assert result.shape == (4,)
        assert (result >= 0).all()

    def test_softmax_on_a_vector_is_over_all_of_it(self) -> None:
        assert run("flatten softmax", np.zeros((2, 2))).tolist() == [0.25] * 4

    @pytest.mark.parametrize("text", ["maxpool:2", "conv:[1 1]", "gray", "channelmax", "globalavgpool", "dwconv:[1]"])
    def test_layers_of_images_refuse_vectors(self, text: str) -> None:
        with pytest.raises(ShapeError, match=r"layer 2, .* needs height, width and channels, but gets a vector of 12"):
            run(f"flatten {text}", np.zeros((2, 3, 2)))

    @pytest.mark.parametrize("text", ["relu", "dwconv:sharpen,same", "maxpool:2", "gray", "flatten", "softmax", ""])
    def test_the_image_stays_as_it_is(self, text: str) -> None:
        image = volume_of(6, 5, 3).astype(np.uint8)
        before = image.copy()
        image.flags.writeable = False
        run(text, image)
        assert np.array_equal(image, before)

    @pytest.mark.parametrize(
        ("image", "message"),
        [
            (np.zeros(3), r"an image is .*, not \(3,\)"),
            (np.zeros((1, 2, 3, 4)), r"an image is .*, not \(1, 2, 3, 4\)"),
            (np.zeros((0, 4)), r"the image is empty: its shape is \(0, 4\)"),
            (np.zeros((2, 2, 0)), r"the image is empty: its shape is \(2, 2, 0\)"),
            (np.zeros((2, 2), complex), "an image holds real numbers, not complex128"),
            (np.array([["a"]]), "an image holds real numbers, not <U1"),
        ],
        ids=["a line", "four axes", "no rows", "no channels", "complex", "text"],
    )
    def test_what_is_no_image_is_refused(self, image: Array, message: str) -> None:
        with pytest.raises(ShapeError, match=message):
            as_volume(image)


class TestGray:
    def test_it_weighs_red_green_and_blue_by_rec_601(self) -> None:
        volume = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [10, 20, 30]]], np.uint8)
        expected = np.array([[0.299 * 255, 0.587 * 255, 0.114 * 255, 2.99 + 11.74 + 3.42]], np.float32)
        result = to_gray(volume)
        assert result.shape == (1, 4, 1)
        assert result.dtype == np.float32
        assert np.allclose(result[:, :, 0], expected, rtol=1e-7)

    def test_equal_colours_are_their_own_gray(self) -> None:
        levels = np.arange(256, dtype=np.uint8)
        assert to_gray(np.stack([levels] * 3, axis=-1)[None])[0, :, 0].tolist() == levels.tolist()

    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "float64"])
    def test_a_single_channel_passes_unchanged(self, dtype: str) -> None:
        volume = volume_of(3, 4, 1).astype(dtype)
        result = to_gray(volume)
        assert result.dtype == dtype
        assert np.array_equal(result, volume)

    @pytest.mark.parametrize("channels", [2, 4])
    def test_other_numbers_of_channels_are_refused(self, channels: int) -> None:
        with pytest.raises(ShapeError, match=f"gray needs 3 channels .* but gets {channels}"):
            run("gray", np.zeros((2, 2, channels)))


WORDS = (
    "conv:[1 -2; 0 3]",
    "conv:[1 1 1],[2 0 2],same,border=edge",
    "conv:[1 0; 0 -1],full,d2",
    "conv:[1 2; 3 4],s2,half",
    "dwconv:[1 2 1],p0x1",
    "dwconv:[1 0 -1],[1 1 1],same-lower,s1x2",
    "dwconv:[1 2; 3 4],p=0/1/2/0,border=wrap",
    "maxpool:2",
    "maxpool:3,s2,p1,ceil",
    "minpool:2x1,s1",
    "medianpool:3,s1,p1",
    "avgpool:2,ceil,countpad",
    "l2pool:3x2,s2x1,same",
    "globalmaxpool",
    "globalavgpool",
    "channelmax",
    "channelsum:2",
    "channelavg",
    "channelmin",
    "magnitude",
    "gray",
    "relu",
    "tanh",
    "softmax",
    "flatten",
)


def runs_through(text: str, shape: tuple[int, ...]) -> bool:
    """Return whether a volume of a shape goes through a network."""
    try:
        parse_network(text, kernel_shape).output(shape)
    except ShapeError:
        return False
    return True


@st.composite
def networks(draw: st.DrawFn) -> tuple[str, tuple[int, ...]]:
    """Draw a network and the shape of a volume that goes through it."""
    shape = draw(st.tuples(st.integers(1, 12), st.integers(1, 12), st.integers(1, 4)))
    text = ""
    for _ in range(draw(st.integers(1, 5))):
        longer = f"{text} {draw(st.sampled_from(WORDS))}"
        text = longer if runs_through(longer, shape) else text
    assume(text)
    return text, shape


class TestShapes:
    @given(drawn=networks(), dtype=st.sampled_from(["uint8", "float32", "float64"]))
    def test_what_runs_has_the_shape_that_was_predicted(self, drawn: tuple[str, tuple[int, ...]], dtype: str) -> None:
        text, shape = drawn
        program = program_of(text)
        values: Array = np.random.default_rng(0).integers(0, 256, shape).astype(dtype)
        for step, visit in zip(program.steps, program.network.visits(shape), strict=True):
            values = run_steps((step,), values, Setting())
            assert values.shape == visit.outputs.shape, step.node.layer
        assert np.isfinite(values).all()

    @pytest.mark.parametrize("word", WORDS)
    def test_each_layer_has_the_shape_that_was_predicted(self, word: str) -> None:
        shapes = [shape for shape in [(7, 9, 1), (8, 8, 3), (5, 6, 4)] if runs_through(word, shape)]
        assert shapes
        for shape in shapes:
            *rest, last = parse_network(word, kernel_shape).output(shape)
            predicted = tuple(rest) if rest and last == 1 else (*rest, last)
            assert run(word, np.ones(shape, np.uint8)).shape == predicted
