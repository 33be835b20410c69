"""What a network makes of one picture, and the files that hold it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays

from cnnfilter.arrays import Array
from cnnfilter.compute.classes import Ranking
from cnnfilter.compute.state_dict import RandomWeights
from cnnfilter.compute.tiles import FeatureMaps, Model
from cnnfilter.errors import CnnFilterError, ImageFileError, ShapeError
from cnnfilter.io.decode import Picture
from cnnfilter.io.formats import Depth, Range
from cnnfilter.io.levels import to_levels
from cnnfilter.io.paths import Job
from cnnfilter.kernels.spec import kernel_shape
from cnnfilter.network_files import Preparation
from cnnfilter.nn.language import parse_network
from cnnfilter.run.result import encode, lay_out, run, run_layers
from cnnfilter.run.settings import Settings
from tests.cli.pictures import decode, rows

GENERATOR = np.random.default_rng(4)
COLOURS = GENERATOR.integers(0, 256, (6, 8, 3)).astype(np.uint8)
CLEAR = np.dstack([COLOURS, np.zeros((6, 8), np.uint8)])
PIPELINE = Settings(pipeline=True)


def model(text: str) -> Model:
    """Return a network without weights."""
    return Model(parse_network(text, kernel_shape))


def picture(pixels: Array) -> Picture:
    """Return a picture of 8 bits."""
    return Picture(pixels, Depth.EIGHT)


def job(name: str, layer: str = "") -> Job:
    """Return a job whose result, or whose layer, goes into a file."""
    return Job("in.png", 0, Path(name), name, layer)


def encoded(
    values: Array, name: str, settings: Settings = PIPELINE, layer: str = ""
) -> tuple[dict[str, bytes], list[str]]:
    """Return the files of a result of 8 bits, and the warnings."""
    results = run(FeatureMaps(picture(values), 255.0, values), job(name, layer), settings)
    files = [encode(result, settings) for result in results]
    return {file.name: bytes(file.data) for file in files}, [note for file in files for note in file.notes]


def test_the_result_of_the_network_is_in_the_units_of_the_picture() -> None:
    maps = lay_out(picture(COLOURS), model("relu maxpool:2@pool"), PIPELINE)
    assert np.array_equal(maps.values, COLOURS.reshape(3, 2, 4, 2, 3).max(axis=(1, 3)))
    assert (maps.white, maps.picture.depth, maps.picture.matrix) == (255.0, Depth.EIGHT, False)
    assert maps.notes == ()


def test_layers_are_kept_under_their_names_in_the_order_that_was_asked_for() -> None:
    network = model("relu@first res(abs@inner dwconv:[2] | relu)@sum flatten@last")
    results = run_layers(picture(COLOURS), network, PIPELINE, ["last", "inner", "sum"])
    assert list(results) == ["last", "inner", "sum"]
    assert np.array_equal(results["inner"].values, COLOURS)
    assert np.array_equal(results["sum"].values, 3.0 * COLOURS)
    assert np.array_equal(results["last"].values, 3.0 * COLOURS.ravel())


def test_a_layer_that_is_kept_is_not_changed_by_those_behind_it() -> None:
    network = model("dwconv:[1]@a relu@b dwconv:[-1] relu")
    results = run_layers(picture(COLOURS), network, PIPELINE, ["a", "b"])
    assert np.array_equal(results["a"].values, COLOURS)
    assert np.array_equal(results["b"].values, COLOURS)


def test_a_network_sees_colours_alone_and_a_filter_sees_alpha() -> None:
    maps = lay_out(picture(CLEAR), model("dwconv:box:3"), PIPELINE)
    assert next(iter(maps)).alpha is None
    assert np.allclose(maps.values.mean(), COLOURS.mean(), atol=40)
    assert maps.notes == ("the image has alpha, and only its colours are used; --background flattens it",)
    maps = lay_out(picture(CLEAR), model("dwconv:box:3"), Settings())
    assert next(iter(maps)).alpha is not None
    assert not maps.values.any()
    assert maps.notes == ()


def test_white_is_scaled_as_the_picture_is() -> None:
    settings = Settings(pipeline=True, preparation=Preparation(scale=1 / 255))
    maps = lay_out(picture(COLOURS), model("relu"), settings)
    assert maps.white == pytest.approx(1)
    (result,) = run(maps, job("x.png"), settings)
    file = encode(result, settings)
    assert np.array_equal(decode(bytes(file.data)), COLOURS)
    assert (file.name, file.shape, file.clipped) == ("x.png", COLOURS.shape, 0)


def test_what_equalize_takes_for_white_is_scaled_too() -> None:
    plain = lay_out(picture(COLOURS[:, :, :1]), model("equalize"), PIPELINE)
    settings = Settings(pipeline=True, preparation=Preparation(scale=1 / 255))
    scaled = lay_out(picture(COLOURS[:, :, :1]), model("equalize"), settings)
    assert scaled.values.max() == pytest.approx(1)
    assert plain.values.max() == pytest.approx(255)


def test_weights_are_those_for_the_size_after_preparation() -> None:
    network = Model(parse_network("flatten fc:2", kernel_shape), RandomWeights("he"))
    settings = Settings(pipeline=True, preparation=Preparation(size=(3, 4)))
    for pixels in (COLOURS, COLOURS[:5], COLOURS):
        maps = lay_out(picture(pixels), network, settings)
        assert maps.values.shape == (2,)


def test_a_network_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(ShapeError, match="maxpool:9"):
        lay_out(picture(COLOURS), model("maxpool:9"), PIPELINE)


def test_a_layer_of_one_or_three_maps_is_one_picture() -> None:
    files, notes = encoded(COLOURS, "x.png", layer="a")
    assert (list(files), notes) == (["x.png"], [])
    assert np.array_equal(decode(files["x.png"]), COLOURS)
    files, _ = encoded(COLOURS[:, :, 0].astype(np.float32), "x.png", layer="a")
    assert np.array_equal(decode(files["x.png"]), COLOURS[:, :, 0])


@pytest.mark.parametrize(
    ("maps", "names"), [(2, ["x-01.png", "x-02.png"]), (4, ["x-01.png", "x-02.png", "x-03.png", "x-04.png"])]
)
def test_a_layer_of_other_maps_is_a_picture_for_each(maps: int, names: list[str]) -> None:
    values = np.tile(COLOURS, 2)[:, :, :maps].astype(np.float32)
    files, _ = encoded(values, "x.png", layer="a")
    assert list(files) == names
    for number, data in enumerate(files.values()):
        assert np.array_equal(decode(data), values[:, :, number])


def test_numbers_are_as_long_as_the_largest() -> None:
    files, _ = encoded(np.zeros((1, 1, 120)), "folder.d/x.y.png", layer="a")
    assert list(files)[0::119] == ["folder.d/x.y-001.png", "folder.d/x.y-120.png"]


def test_each_map_has_its_own_range_and_all_have_one_warning() -> None:
    values = np.dstack([COLOURS[:, :, 0] * 4.0, COLOURS[:, :, 1] / 4.0])
    files, notes = encoded(values, "x.png", Settings(range_=Range.SCALE, pipeline=True), layer="a")
    assert notes == []
    assert [int(decode(data).max()) for data in files.values()] == [255, 255]
    files, notes = encoded(values, "x.png", layer="a")
    assert len(files) == 2
    (note,) = notes
    share = 100 * (values > 255.5).mean()
    assert note.startswith(f"{share:.1f} % of the values")


@pytest.mark.parametrize(("name", "vector"), [("x.png", "x.txt"), ("a.b/x.y.png", "a.b/x.y.txt")])
def test_a_vector_of_a_layer_is_a_text_where_a_picture_cannot_hold_it(name: str, vector: str) -> None:
    files, notes = encoded(np.array([1.5, -2.0, 3.0]), name, layer="a")
    assert (list(files), notes) == ([vector], [])
    assert rows(files[vector].decode()).tolist() == [[1.5, -2.0, 3.0]]


@pytest.mark.parametrize("shape", [(5,), (6, 8), (6, 8, 2), (6, 8, 3), (6, 8, 4)])
@pytest.mark.parametrize("layer", ["", "a"])
def test_a_matrix_holds_whatever_comes(shape: tuple[int, ...], layer: str, tmp_path: Path) -> None:
    values = GENERATOR.normal(size=shape)
    files, notes = encoded(values, "x.npy", layer=layer)
    (tmp_path / "x.npy").write_bytes(files["x.npy"])
    assert np.array_equal(np.load(tmp_path / "x.npy"), values)
    assert notes == []


@pytest.mark.parametrize(("shape", "reason"), [((6, 8, 2), "has 2"), ((6, 8, 5), "has 5"), ((7,), "is not an image")])
def test_what_the_network_gives_goes_into_one_file_or_none(shape: tuple[int, ...], reason: str) -> None:
    with pytest.raises(CnnFilterError, match=reason):
        encoded(np.zeros(shape), "x.png")


def test_a_ranking_takes_the_place_of_the_values() -> None:
    files, notes = encoded(np.array([0.25, 0.75]), "x.csv", Settings(pipeline=True, ranking=Ranking(1)))
    assert files == {"x.csv": b"1,0.75\n"}
    assert notes == []


def test_a_file_that_cannot_hold_the_values_is_an_error_that_names_it() -> None:
    with pytest.raises(ImageFileError, match=r"x\.pgm"):
        encoded(COLOURS, "x.pgm")


@pytest.mark.parametrize(("depth", "white"), [(None, 255), (Depth.SIXTEEN, 65535)])
def test_levels_are_of_the_depth_that_was_asked_for(depth: Depth | None, white: int) -> None:
    files, _ = encoded(COLOURS, "x.png", Settings(depth=depth, pipeline=True))
    assert np.array_equal(decode(files["x.png"]), COLOURS.astype(np.uint16) * (white // 255))


def test_a_kernel_on_a_picture_goes_to_its_file_in_whole_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds: list[np.dtype[np.generic]] = []

    def spy(values: Array, **how: Any) -> tuple[Array, int]:
        kinds.append(values.dtype)
        return to_levels(values, **how)

    monkeypatch.setattr("cnnfilter.run.result.to_levels", spy)
    for name, settings, count in (
        ("a.png", Settings(), 0),
        ("a.npy", Settings(), 1),
        ("a.png", Settings(depth=Depth.SIXTEEN), 1),
        ("a.png", Settings(range_=Range.ABS), 1),
    ):
        kinds.clear()
        (result,) = run(lay_out(picture(COLOURS), model("dwconv:sharpen,half"), settings), job(name), settings)
        assert result.pages[0].shape == COLOURS.shape
        assert kinds == [np.dtype(np.float32)] * count


@pytest.mark.parametrize("height", [17, 900])
@pytest.mark.parametrize("padding", ["half", "valid"])
@pytest.mark.parametrize("name", ["x.png", "x.jpg"])
def test_a_file_is_the_same_where_nobody_counts_what_was_clipped(height: int, padding: str, name: str) -> None:
    colours = np.random.default_rng(height).integers(0, 256, (height, 700, 3)).astype(np.uint8)
    files = []
    for settings in (Settings(report="report.jsonl", quiet=True), Settings(quiet=True)):
        (result,) = run(lay_out(picture(colours), model(f"dwconv:sharpen,{padding}"), settings), job(name), settings)
        files.append((bytes(encode(result, settings).data), result.clipped > 0))
    assert files == [(files[0][0], True), (files[0][0], False)]


@given(arrays(np.int16, array_shapes(min_dims=2, max_dims=3, max_side=9)))
def test_whole_numbers_of_16_bits_are_clipped_as_floats_are(values: Array) -> None:
    before = values.copy()
    (result,) = run(FeatureMaps(picture(COLOURS), 255.0, values), job("a.png"), Settings())
    expected, outside = to_levels(values.astype(np.float32), range_=Range.CLIP, maximum=255.0, depth=Depth.EIGHT)
    assert np.array_equal(result.pages[0], expected)
    assert result.clipped == outside / values.size
    assert np.array_equal(values, before)
