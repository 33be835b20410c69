"""Networks run strip by strip, against the same networks run at once."""

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cnnfilter.arrays import Array
from cnnfilter.compute import tiles as strips
from cnnfilter.compute.alpha import run_visible
from cnnfilter.compute.forward import Program, load_program, run_program
from cnnfilter.compute.state_dict import RandomWeights
from cnnfilter.compute.tiles import FeatureMaps, Model, Part, cut_program
from cnnfilter.io.decode import Picture
from cnnfilter.io.formats import Depth
from cnnfilter.kernels.spec import kernel_shape
from cnnfilter.log import listening
from cnnfilter.nn.language import parse_network

CUT = {
    "a small kernel": "dwconv:sharpen,half",
    "a reflected border": "dwconv:gaussian:9,border=reflect,same",
    "a wrapped border": "dwconv:box:5,full,border=wrap",
    "a symmetric border, then a pool": "dwconv:gaussian:5,border=symmetric,full relu maxpool:3,s2,p1",
    "two borders of zeros": "conv:sobel-x,sobel-y,p1 magnitude",
    "gray, then a tall kernel": "gray conv:line-vertical:7 relu maxpool:4",
    "strides and edges": "dwconv:box:3,s2,same,border=edge dwconv:sharpen,p1,border=edge avgpool:3,s2,p1,countpad",
    "pools of pools": "maxpool:2 maxpool:3,s1,p1 tanh",
    "pools with gaps": "medianpool:3 minpool:2,s3",
    "a dilated kernel": "dwconv:box:3,d2,p=3/1/0/2,border=constant:9 relu",
    "more padding than kernel": "dwconv:box:5,border=edge,p=9/3/7/0",
}
"""Networks that can be cut."""

COLOURED = {"norms of channels": "lrn:3 dwconv:box:3,p1", "softmax": "dwconv:box:3 softmax"}
"""Those that do not keep alpha."""

WHOLE = {
    "a window that hangs over": "maxpool:3,s3,ceil relu",
    "two reflected borders": "dwconv:sharpen,p1,border=reflect dwconv:box:3,p1,border=reflect",
    "all pixels at once": "dwconv:box:3 globalavgpool",
    "a vector": "maxpool:4 flatten",
    "levels by rank": "equalize",
    "a residual block": "res(dwconv:box:3,p1)",
}
"""Networks that need the whole picture."""

SHAPE = (61, 33, 3)


def program_of(text: str) -> Program:
    """Return the program of a network without weights of its own."""
    return load_program(parse_network(text, kernel_shape))


def picture_of(shape: tuple[int, ...], seed: int = 0) -> Array:
    """Return random pixels."""
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def alpha_of(shape: tuple[int, ...]) -> Array:
    """Return alpha that is 0 or full."""
    return (np.random.default_rng(9).integers(0, 2, (*shape[:2], 1)) * 255).astype(np.uint8)


def run(program: Program, picture: Array, alpha: Array | None = None) -> Part:
    """Return the joined result."""
    return join(FeatureMaps(Picture(picture, Depth.EIGHT), 255.0, picture, alpha, cut_program(program, picture.shape)))


def join(parts: Iterable[Part]) -> Part:
    """Return all parts as one."""
    several = list(parts)
    alphas = [part.alpha for part in several if part.alpha is not None]
    return Part(
        slice(0, several[-1].rows.stop),
        np.concatenate([part.values for part in several]),
        np.concatenate(alphas) if alphas else None,
    )


def sharpened() -> FeatureMaps:
    """Return what a sharpening network makes of a picture."""
    picture, strips = picture_of(SHAPE), cut_program(program_of("dwconv:sharpen,half"), SHAPE)
    return FeatureMaps(Picture(picture, Depth.EIGHT), 255.0, picture, strips=strips)


@pytest.fixture(params=[1, 600, 2500])
def small_strips(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Have strips of so few numbers that small pictures are cut."""
    cut = cut_program
    monkeypatch.setattr(strips, "cut_program", lambda program, shape: cut(program, shape, request.param))
    return int(request.param)


def assert_alike(part: Part, whole: Part) -> None:
    """Assert that two results differ by rounding at most."""
    assert part.rows == whole.rows
    assert part.values.dtype == whole.values.dtype
    assert part.values.shape == whole.values.shape
    assert np.allclose(part.values, whole.values, rtol=1e-6, atol=1e-4)
    assert (part.alpha is None) == (whole.alpha is None)
    if part.alpha is not None and whole.alpha is not None:
        assert np.allclose(part.alpha, whole.alpha, atol=1e-6)


class TestCutting:
    @pytest.mark.parametrize("text", [*CUT.values(), *COLOURED.values()], ids=[*CUT, *COLOURED])
    def test_strips_cover_the_rows_of_the_result_one_after_the_other(self, text: str) -> None:
        program = program_of(text)
        cut = cut_program(program, SHAPE, 1)
        assert len(cut) > 1
        ends = [0, *(strip.rows.stop for strip in cut)]
        assert [strip.rows.start for strip in cut] == ends[:-1]
        assert ends[-1] == program.network.output(SHAPE)[0]

    @pytest.mark.parametrize("text", WHOLE.values(), ids=WHOLE)
    def test_what_needs_the_whole_picture_is_not_cut(self, text: str) -> None:
        (only,) = cut_program(program_of(text), SHAPE, 1)
        assert only.source == slice(None)

    def test_one_strip_of_a_vector_has_as_many_rows_as_it_has_values(self) -> None:
        model = Model(parse_network("maxpool:4 flatten fc:8 relu fc:3", kernel_shape), RandomWeights("he"))
        (only,) = model.strips(SHAPE)
        assert only.rows == slice(0, 3)
        picture = picture_of(SHAPE)
        assert FeatureMaps(Picture(picture, Depth.EIGHT), 255.0, picture, strips=[only]).height == 3

    def test_a_ceil_that_leaves_nothing_over_is_cut(self) -> None:
        assert len(cut_program(program_of("maxpool:2,ceil"), (60, 32, 3), 1)) > 1

    def test_a_small_picture_is_one_strip(self) -> None:
        assert len(cut_program(program_of("dwconv:sharpen,half"), (600, 500, 3))) == 1

    def test_a_photo_is_cut_so_that_no_layer_gives_more_than_a_million_numbers(self) -> None:
        program = program_of("conv:sobel-x,sobel-y,p1 magnitude")
        strips = cut_program(program, (4000, 6000, 1))
        assert strips[-1].rows.stop == program.network.output((4000, 6000, 1))[0]
        for strip in strips:
            assert (strip.rows.stop - strip.rows.start) * 6000 * 2 <= 1.05 * 2**20

    def test_a_kernel_as_tall_as_the_strip_makes_strips_taller(self) -> None:
        first = cut_program(program_of("dwconv:box:301"), (4000, 6000, 3))[0]
        assert first.rows.stop - first.rows.start >= 2 * 300


class TestResults:
    @pytest.mark.usefixtures("small_strips")
    @pytest.mark.parametrize("shape", [(23, 17, 3), (40, 19, 3), SHAPE], ids=str)
    @pytest.mark.parametrize("text", [*CUT.values(), *COLOURED.values()], ids=[*CUT, *COLOURED])
    def test_strips_give_what_the_whole_gives(self, text: str, shape: tuple[int, ...]) -> None:
        program, picture = program_of(text), picture_of(shape)
        whole = Part(slice(0, program.network.output(shape)[0]), run_program(program, picture), None)
        assert_alike(run(program, picture), whole)

    @pytest.mark.usefixtures("small_strips")
    @pytest.mark.parametrize("text", CUT.values(), ids=CUT)
    def test_strips_of_colours_and_alpha_give_what_the_whole_gives(self, text: str) -> None:
        program, picture, alpha = program_of(text), picture_of(SHAPE), alpha_of(SHAPE)
        visible = run_visible(program, picture, alpha.astype(np.float32) / np.float32(255))
        whole = Part(slice(0, program.network.output(SHAPE)[0]), *visible)
        assert_alike(run(program, picture, alpha), whole)

    @pytest.mark.usefixtures("small_strips")
    def test_visitors_get_each_row_once_and_the_first_rows_first(self) -> None:
        parts = sharpened()
        found: list[Part] = []
        parts.visit(found.append)
        assert found[0].rows.start == 0
        ordered = sorted(found, key=lambda part: part.rows.start)
        assert_alike(join(ordered), join(parts))

    def test_one_part_is_made_once(self) -> None:
        parts = sharpened()
        assert next(iter(parts)) is next(iter(parts))

    @pytest.mark.usefixtures("small_strips")
    def test_a_plan_is_told_once_and_not_for_each_strip(self) -> None:
        heard: list[str] = []
        with listening(lambda _level, message, *values: heard.append(message % values)):
            parts = sharpened()
            parts.visit(lambda _part: None)
        assert len(heard) == 1
        assert heard[0].startswith("direct in float32")

    @given(
        rows=st.integers(1, 40),
        size=st.integers(1, 7),
        stride=st.integers(1, 4),
        pad=st.integers(0, 6),
        border=st.sampled_from(["zero", "edge", "reflect", "symmetric", "wrap"]),
        largest=st.integers(1, 400),
    )
    def test_any_kernel_in_any_strips_gives_what_it_gives_at_once(
        self, rows: int, size: int, stride: int, pad: int, border: str, largest: int
    ) -> None:
        assume(rows + 2 * pad >= size)
        program = program_of(f"dwconv:box:{size},s{stride},p={pad},border={border}")
        picture = picture_of((rows, 9, 1), rows)
        parts = [
            run_program(strip.program, picture[strip.source]) for strip in cut_program(program, picture.shape, largest)
        ]
        assert np.allclose(np.concatenate(parts), run_program(program, picture), atol=1e-4)
