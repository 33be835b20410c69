"""Networks run strip by strip, against the same networks run at once."""

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cnnfilter.arrays import Array
from cnnfilter.compute import tiles as strips
from cnnfilter.compute.alpha import plan_visible, run_visible
from cnnfilter.compute.exact import find_facts
from cnnfilter.compute.forward import Program, load_program, plan_program, run_program
from cnnfilter.compute.state_dict import RandomWeights
from cnnfilter.compute.tiles import FeatureMaps, Model, Part, cut_program
from cnnfilter.io.decode import Picture
from cnnfilter.io.formats import Depth
from cnnfilter.kernels.spec import kernel_shape
from cnnfilter.log import listening
from cnnfilter.nn.language import parse_network
from cnnfilter.nn.layers import Shape

CUT = {
    "a small kernel": "dwconv:sharpen,half",
    "two reflected borders": "dwconv:sharpen,p1,border=reflect dwconv:box:3,p1,border=reflect",
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
    "two wrapped borders": "dwconv:sharpen,p1,border=wrap dwconv:box:3,p1,border=wrap",
    "all pixels at once": "dwconv:box:3 globalavgpool",
    "a vector": "maxpool:4 flatten",
    "levels by rank": "equalize",
    "a residual block": "res(dwconv:box:3,p1)",
}
"""Networks that need the whole picture."""

SHAPE = (61, 33, 3)


def planned(text: str, shape: Shape, dtype: str = "uint8") -> Program:
    """Return the program of a network for a picture of a shape and a type."""
    return plan_program(program_of(text), shape, find_facts(np.zeros(1, dtype)))


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
    program = plan_program(program, picture.shape, find_facts(picture))
    program = program if alpha is None else plan_visible(program, picture.shape)
    cut = strips.cut_program(program, picture.shape)
    return join(FeatureMaps(Picture(picture, Depth.EIGHT), 255.0, picture, alpha, cut))


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
    picture, cut = picture_of(SHAPE), strips.cut_program(planned("dwconv:sharpen,half", SHAPE), SHAPE)
    return FeatureMaps(Picture(picture, Depth.EIGHT), 255.0, picture, strips=cut)


@pytest.fixture(params=[1, 600, 2500])
def small_strips(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Have strips of so few numbers that small pictures are cut."""
    cut = cut_program
    monkeypatch.setattr(
        strips, "cut_program", lambda program, shape, region=None: cut(program, shape, request.param, region)
    )
    return int(request.param)


def assert_alike(part: Part, whole: Part) -> None:
    """Assert that two results are alike to the bit."""
    assert part.rows == whole.rows
    assert part.values.dtype == whole.values.dtype
    assert part.values.shape == whole.values.shape
    assert np.array_equal(part.values, whole.values)
    assert (part.alpha is None) == (whole.alpha is None)
    if part.alpha is not None and whole.alpha is not None:
        assert np.array_equal(part.alpha, whole.alpha)


class TestCutting:
    @pytest.mark.parametrize("text", [*CUT.values(), *COLOURED.values()], ids=[*CUT, *COLOURED])
    def test_strips_cover_the_rows_of_the_result_one_after_the_other(self, text: str) -> None:
        program = planned(text, SHAPE)
        cut = cut_program(program, SHAPE, 1)
        assert len(cut) > 1
        ends = [0, *(strip.rows.stop for strip in cut)]
        assert [strip.rows.start for strip in cut] == ends[:-1]
        assert ends[-1] == program.network.output(SHAPE)[0]

    @pytest.mark.parametrize("text", WHOLE.values(), ids=WHOLE)
    def test_what_needs_the_whole_picture_is_not_cut(self, text: str) -> None:
        (only,) = cut_program(planned(text, SHAPE), SHAPE, 1)
        assert only.source == (slice(None), slice(None))

    def test_one_strip_of_a_vector_has_as_many_rows_as_it_has_values(self) -> None:
        model = Model(parse_network("maxpool:4 flatten fc:8 relu fc:3", kernel_shape), RandomWeights("he"))
        (only,) = model.strips(SHAPE, find_facts(np.zeros(1, np.uint8)))
        assert only.rows == slice(0, 3)
        picture = picture_of(SHAPE)
        assert FeatureMaps(Picture(picture, Depth.EIGHT), 255.0, picture, strips=[only]).height == 3

    def test_a_ceil_that_leaves_nothing_over_is_cut(self) -> None:
        assert len(cut_program(planned("maxpool:2,ceil", (60, 32, 3)), (60, 32, 3), 1)) > 1

    def test_a_small_picture_is_one_strip(self) -> None:
        assert len(cut_program(planned("dwconv:sharpen,half", (600, 500, 3)), (600, 500, 3))) == 1

    def test_a_photo_is_cut_so_that_no_layer_gives_more_than_a_million_numbers(self) -> None:
        program = planned("conv:sobel-x,sobel-y,p1 magnitude", (4000, 6000, 1))
        strips = cut_program(program, (4000, 6000, 1))
        assert strips[-1].rows.stop == program.network.output((4000, 6000, 1))[0]
        for strip in strips:
            assert (strip.rows.stop - strip.rows.start) * 6000 * 2 <= 1.05 * 2**20

    def test_a_kernel_as_tall_as_the_strip_makes_strips_taller(self) -> None:
        first = cut_program(planned("dwconv:box:301", (4000, 6000, 3)), (4000, 6000, 3))[0]
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
            run_program(strip.program, strip.read(picture))
            for strip in cut_program(plan_program(program, picture.shape, find_facts(picture)), picture.shape, largest)
        ]
        assert np.array_equal(np.concatenate(parts), run_program(program, picture))
