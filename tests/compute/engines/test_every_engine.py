"""Every engine that could lay a kernel, in turn, against the plain loop and against each other."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnfilter.arrays import Array, Doubles
from cnnfilter.compute import threads as tiles
from cnnfilter.compute.borders import Padded
from cnnfilter.compute.convolve import convolve_volume
from cnnfilter.compute.engines import Finish
from cnnfilter.compute.exact import find_facts, settle_numbers
from cnnfilter.compute.plan import Engine
from cnnfilter.nn.geometry import Border, BorderMode, Pair, Sides, Window, as_border, as_padding
from tests.compute.laying import (
    FAST,
    KINDS,
    LARGE,
    LAYOUTS,
    Laid,
    allowed_error,
    correlate_by_numpy,
    lay_by_every_plan,
    plans_of,
    random,
    random_image,
)
from tests.compute.plain import Beyond, Move, convolve_plainly

KERNELS = pytest.mark.parametrize("kernel", LARGE.values(), ids=LARGE)

TYPES = ("bool", "uint8", "int8", "uint16", "int16", "uint32", "int64", "float16", "float32", "float64", ">f4", ">i2")


@dataclass(frozen=True)
class Plane:
    """A volume, and a kernel that is laid on each of its channels."""

    volume: Array
    kernel: Doubles
    window: Window
    border: Border

    def lay(self) -> Iterator[Laid]:
        """Yield what each engine makes of it."""
        return lay_by_every_plan(self.volume, self.kernel, self.window, self.border)

    def lay_plainly(self) -> Array:
        """Return what the plain loop makes of it."""
        channels = self.volume.shape[2]
        bank = np.repeat(self.kernel[:, :, None, None], channels, axis=3)
        if (bank == np.rint(bank)).all():
            bank = bank.astype(np.int64)
        sides = self.window.pads(*self.volume.shape[:2])
        move = Move(self.window.stride, sides, self.window.dilation)
        value = self.border.value
        beyond = Beyond(self.border.mode, int(value) if value.is_integer() else value)
        return np.array(convolve_plainly(self.volume, bank, move, beyond, groups=channels), np.float64)


@st.composite
def planes(draw: st.DrawFn, *, most: int = 9) -> Plane:
    """Draw a kernel of any kind on a volume of any kind, down to images that are as large as the kernel."""
    numbers = random(draw(st.integers(0, 2**32)))
    size = draw(st.integers(1, most)), draw(st.integers(1, most))
    kernel = KINDS[draw(st.sampled_from(list(KINDS)))](size, numbers)
    stride = draw(st.just((1, 1)) | st.tuples(st.integers(1, 3), st.integers(1, 3)))
    dilation = draw(st.just((1, 1)) | st.tuples(st.integers(1, 3), st.integers(1, 3)))
    padding = draw(
        st.sampled_from(["valid", "same", "half", "full"]).map(as_padding) | st.tuples(*[st.integers(0, 5)] * 4)
    )
    window = Window((kernel.shape[0], kernel.shape[1]), stride, padding, dilation)
    sides: Sides = (0, 0, 0, 0) if isinstance(padding, str) else padding
    more = draw(st.just((0, 0)) | st.tuples(st.integers(0, 9), st.integers(0, 9)))
    least = [1, 1] if padding in {"same", "full"} else list(window.extent)
    rows = max(1, least[0] - sides[0] - sides[2]) + more[0]
    columns = max(1, least[1] - sides[1] - sides[3]) + more[1]
    dtype = draw(st.sampled_from(["uint8", "uint16", "int16", "float32", "float64"]))
    volume = random_image(
        dtype, (rows, columns, draw(st.sampled_from([1, 1, 2, 3, 4, 5, 6]))), draw(st.integers(0, 99))
    )
    if draw(st.booleans()):
        volume = np.rint(volume).astype(volume.dtype)
    volume = LAYOUTS[draw(st.sampled_from(list(LAYOUTS)))](volume)
    mode = draw(st.sampled_from(list(BorderMode)))
    value = draw(st.sampled_from([-5.0, 260.0, 0.25])) if mode is BorderMode.CONSTANT else 0.0
    return Plane(volume, kernel, window, Border(mode, value))


class TestEveryEngine:
    @settings(max_examples=250)
    @given(plane=planes())
    def test_all_engines_give_what_the_loop_gives(self, plane: Plane) -> None:
        expected = plane.lay_plainly()
        for plan, maps in plane.lay():
            assert maps.shape == expected.shape, plan
            assert maps.dtype == plan.dtype, plan
            largest = allowed_error(plan, plane.volume, plane.kernel, plane.border)
            assert np.abs(maps - expected).max() <= largest, plan

    @given(plane=planes())
    def test_whichever_the_package_takes_gives_what_the_loop_gives(self, plane: Plane) -> None:
        channels = plane.volume.shape[2]
        bank = np.repeat(plane.kernel[:, :, None, None], channels, axis=3)
        result = convolve_volume(plane.volume, bank, plane.window, border=plane.border)
        expected = plane.lay_plainly()
        assert result.shape == expected.shape
        largest = max(float(np.abs(plane.volume.astype(np.float64)).max()), abs(plane.border.value))
        allowed = (2e-6 if result.dtype == np.float32 else 1e-14) * float(np.abs(plane.kernel).sum()) * largest
        whole = settle_numbers(find_facts(plane.volume), plane.kernel[:, :, None, None], plane.border).whole
        assert np.abs(result - expected.astype(result.dtype)).max() <= (0 if whole else allowed)

    def test_each_of_them_lays_some_of_the_kernels(self) -> None:
        volume = random_image("float32", (270, 70, 1))
        windows = [Window((kernel.shape[0], kernel.shape[1])) for kernel in LARGE.values()]
        engines = {
            plan.engine
            for kernel, window in zip(LARGE.values(), windows, strict=True)
            for plan in plans_of(volume, kernel, window, Border())
        }
        assert engines == set(Engine) - {Engine.PATCHES}

    @pytest.mark.parametrize("stride", [(1, 1), (2, 3)], ids=str)
    @pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
    @KERNELS
    def test_all_engines_agree_from_tile_to_tile(self, kernel: Doubles, dtype: str, stride: Pair) -> None:
        volume = random_image(dtype, (270, 70, 2))
        window = Window((kernel.shape[0], kernel.shape[1]), stride)
        expected = correlate_by_numpy(volume, kernel, window)
        for plan, maps in lay_by_every_plan(volume, kernel, window, Border()):
            assert np.abs(maps - expected).max() <= allowed_error(plan, volume, kernel, Border()), plan

    @pytest.mark.parametrize("border", [*list(BorderMode)[:-1], "constant:-2.5"])
    @KERNELS
    def test_all_engines_see_the_same_border(self, kernel: Doubles, border: str) -> None:
        word = as_border(border)
        volume = random_image("float64", (45, 90, 1))
        window = Window((kernel.shape[0], kernel.shape[1]), padding=as_padding("same"))
        padded = Padded(volume, window.pads(45, 90), word, "float64").whole()
        expected = correlate_by_numpy(padded, kernel, Window(window.size))
        for plan, maps in lay_by_every_plan(volume, kernel, window, word):
            assert np.abs(maps - expected).max() <= allowed_error(plan, volume, kernel, word), plan

    @pytest.mark.parametrize("dtype", TYPES)
    @pytest.mark.parametrize("name", ["11x11", "a wide box", "rising weights", "a Gaussian"])
    def test_all_engines_read_pixels_of_any_type(self, name: str, dtype: str) -> None:
        kernel = LARGE[name]
        volume, window = random().integers(0, 2, (50, 90, 3)).astype(dtype), Window((kernel.shape[0], kernel.shape[1]))
        expected = correlate_by_numpy(volume, kernel, window)
        for plan, maps in lay_by_every_plan(volume, kernel, window, Border()):
            assert np.abs(maps - expected).max() <= allowed_error(plan, volume, kernel, Border()), plan

    @pytest.mark.parametrize(
        ("dtype", "level"), [("uint16", 65535), ("int16", -(2**15)), ("int32", 2**20), ("uint8", 255)]
    )
    @pytest.mark.parametrize("side", [181, 201])
    def test_all_engines_add_up_the_brightest_pixels_of_a_large_box_exactly(
        self, dtype: str, level: int, side: int
    ) -> None:
        volume, window = np.full((side + 3, side + 1, 1), level, dtype), Window((side, side))
        for plan, maps in lay_by_every_plan(volume, np.ones((side, side)), window, Border(), engines=FAST):
            assert (maps == float(level) * side**2).all(), plan

    @pytest.mark.parametrize("cores", [1, 3])
    @KERNELS
    def test_the_number_of_cores_changes_nothing(
        self, monkeypatch: pytest.MonkeyPatch, kernel: Doubles, cores: int
    ) -> None:
        volume, window = random_image("float32", (270, 70, 1)), Window((kernel.shape[0], kernel.shape[1]))
        before = list(lay_by_every_plan(volume, kernel, window, Border()))
        monkeypatch.setattr(tiles, "count_cores", lambda: cores)
        for (plan, maps), (_, expected) in zip(
            lay_by_every_plan(volume, kernel, window, Border()), before, strict=True
        ):
            assert np.array_equal(maps, expected), plan

    @KERNELS
    def test_all_engines_divide_and_add_the_bias_of_each_channel_last(self, kernel: Doubles) -> None:
        kernel = np.rint(kernel * 1000)
        volume, window = random_image("uint8", (60, 90, 3)), Window((kernel.shape[0], kernel.shape[1]))
        bias = np.array([0.5, -7.0, 0.1])
        exact = correlate_by_numpy(volume, kernel, window)
        for plan, maps in lay_by_every_plan(volume, kernel, window, Border(), Finish(bias, 3)):
            number = np.dtype(plan.dtype).type
            expected = (exact / 3).astype(number) + bias.astype(number)
            assert np.array_equal(maps, expected), plan

    @KERNELS
    def test_all_engines_leave_the_volume_as_it_is(self, kernel: Doubles) -> None:
        for dtype in ("uint8", "float32", "float64"):
            volume, window = random_image(dtype, (60, 90, 2)), Window((kernel.shape[0], kernel.shape[1]))
            before = volume.copy()
            volume.flags.writeable = False
            for laid in lay_by_every_plan(volume, kernel, window, Border()):
                laid.maps[...] = 7
                assert np.array_equal(volume, before), laid.plan

    @pytest.mark.parametrize("bound", [2**18, 2**24, 2**40])
    @pytest.mark.parametrize("name", ["11x11", "25x25", "a mean", "a frame", "rising weights", "two products"])
    def test_all_engines_are_exact_just_below_the_limits_of_whole_numbers(self, name: str, bound: int) -> None:
        kernel = KINDS[name]((12, 14), random(3)) if name in KINDS else LARGE[name]
        kernel = np.rint(kernel * (9 / np.abs(kernel).max()))
        largest = int((bound - 1) // np.abs(kernel).sum())
        dark = random(2).integers(0, 2, (70, 80, 1))
        for volume in (largest - dark, (largest - dark) * random(4).choice([-1, 1], dark.shape)):
            floats = volume.astype(np.float32 if bound <= 2**24 else np.float64)
            window = Window((kernel.shape[0], kernel.shape[1]))
            expected = correlate_by_numpy(floats, kernel, window)
            for plan, maps in lay_by_every_plan(floats, kernel, window, Border()):
                assert np.array_equal(maps, expected), plan
