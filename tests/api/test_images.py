"""`read_image` and `write_image`: arrays into files and back."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from cnnfilter import convolve, encode_image, kernel, read_image, write_image
from cnnfilter.arrays import Array
from cnnfilter.errors import CnnFilterError, ImageFileError, OutputError

CHANNELS = {1: (), 3: (3,), 4: (4,)}
"""How many channels, and the axis that holds them."""


def random_image(dtype: str, channels: int = 1, height: int = 40, width: int = 50) -> Array:
    """Return noise over the whole range of a type."""
    limits = np.iinfo(dtype)
    shape = (height, width, *CHANNELS[channels])
    return np.random.default_rng(channels).integers(0, limits.max, shape, dtype=dtype, endpoint=True)


def smooth_image(channels: int = 3) -> Array:
    """Return a picture without edges, which a lossy format keeps well."""
    rows, columns = np.mgrid[0:64, 0:80]
    planes = [128 + 100 * np.sin(rows / 20 + c) * np.cos(columns / 25 - c) for c in range(channels)]
    return np.stack(planes, axis=-1).round().astype(np.uint8)


LOSSLESS = [
    (suffix, dtype, channels)
    for suffix, dtypes, counts in [
        (".png", ("uint8", "uint16"), (1, 3, 4)),
        (".tif", ("uint8", "uint16"), (1, 3, 4)),
        (".tiff", ("uint8", "uint16"), (1, 3, 4)),
        (".bmp", ("uint8",), (1, 3, 4)),
        (".pgm", ("uint8", "uint16"), (1,)),
        (".ppm", ("uint8", "uint16"), (3,)),
        (".pnm", ("uint8", "uint16"), (1, 3)),
        (".PNG", ("uint8",), (3,)),
    ]
    for dtype in dtypes
    for channels in counts
]

LOSSY = [
    (suffix, channels)
    for suffix, counts in [
        (".jpg", (1, 3)),
        (".jpeg", (1, 3)),
        (".webp", (3, 4)),
        (".avif", (3, 4)),
        (".jp2", (1, 3, 4)),
    ]
    for channels in counts
]


class TestRoundTrip:
    @pytest.mark.parametrize(("suffix", "dtype", "channels"), LOSSLESS)
    def test_a_lossless_file_gives_back_every_pixel(
        self, suffix: str, dtype: str, channels: int, tmp_path: Path
    ) -> None:
        image = random_image(dtype, channels)
        before = image.copy()
        write_image(tmp_path / f"image{suffix}", image)
        result = read_image(tmp_path / f"image{suffix}")
        assert result.dtype == dtype
        assert np.array_equal(result, image)
        assert np.array_equal(image, before)

    @pytest.mark.parametrize(("suffix", "channels"), LOSSY)
    def test_a_lossy_file_gives_back_nearly_the_same_in_the_same_channels(
        self, suffix: str, channels: int, tmp_path: Path
    ) -> None:
        image = smooth_image(channels) if channels > 1 else smooth_image(1)[:, :, 0]
        write_image(tmp_path / f"image{suffix}", image)
        result = read_image(tmp_path / f"image{suffix}")
        assert result.dtype == np.uint8
        assert result.shape == image.shape
        assert np.abs(result.astype(int) - image).mean() < 2

    def test_a_gif_has_256_colours_and_three_channels_even_of_a_grey_picture(self, tmp_path: Path) -> None:
        write_image(tmp_path / "image.gif", np.repeat(np.array([[0, 255]], np.uint8), 8, axis=0))
        result = read_image(tmp_path / "image.gif").astype(int)
        assert result.shape == (8, 2, 3)
        assert result[:, 0].max() < 60
        assert result[:, 1].min() > 195

    @pytest.mark.parametrize(("suffix", "channels"), [(".tif", 1), (".tif", 3), (".tif", 4), (".pfm", 1), (".pfm", 3)])
    def test_a_file_of_floats_gives_back_every_float32(self, suffix: str, channels: int, tmp_path: Path) -> None:
        image = (np.random.default_rng(0).normal(size=(9, 7, *CHANNELS[channels])) * 1000).astype(np.float32)
        write_image(tmp_path / f"image{suffix}", image)
        result = read_image(tmp_path / f"image{suffix}")
        assert result.dtype == np.float32
        assert np.array_equal(result, image)

    def test_float64_stays_in_a_tiff_and_becomes_float32_elsewhere(self, tmp_path: Path) -> None:
        image = np.random.default_rng(0).normal(size=(9, 7))
        for name, dtype in (("image.tif", np.float64), ("image.pfm", np.float32)):
            write_image(tmp_path / name, image)
            result = read_image(tmp_path / name)
            assert result.dtype == dtype
            assert np.array_equal(result, image.astype(dtype))

    def test_float64_is_not_cut_to_8_bits_in_a_radiance_file(self, tmp_path: Path) -> None:
        image = np.random.default_rng(0).random((20, 30, 3)) / 4
        write_image(tmp_path / "image.hdr", image)
        assert np.allclose(read_image(tmp_path / "image.hdr"), image, atol=0.01)

    def test_a_radiance_file_keeps_a_hundredth(self, tmp_path: Path) -> None:
        image = np.random.default_rng(0).random((20, 30, 3)).astype(np.float32) * 50 + 1
        write_image(tmp_path / "image.hdr", image)
        result = read_image(tmp_path / "image.hdr")
        assert np.abs(result - image).max() <= 0.01 * image.max()

    @pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 1), (1, 1, 3)], ids=str)
    def test_the_smallest_pictures_come_back(self, shape: tuple[int, ...], tmp_path: Path) -> None:
        image = np.full(shape, 200, np.uint8)
        write_image(tmp_path / "image.png", image)
        assert np.array_equal(read_image(tmp_path / "image.png"), image)

    def test_one_channel_may_have_an_axis_and_is_read_without(self, tmp_path: Path) -> None:
        image = random_image("uint8")
        write_image(tmp_path / "image.png", image[:, :, None])
        assert np.array_equal(read_image(tmp_path / "image.png"), image)

    @pytest.mark.parametrize("path", ["image.png", Path("image.png")], ids=["text", "Path"])
    def test_a_path_is_a_text_or_a_path(
        self, path: str | Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        write_image(path, random_image("uint8", 3))
        assert read_image(path).shape == (40, 50, 3)

    def test_views_are_written_as_they_look(self, tmp_path: Path) -> None:
        image = random_image("uint8", 3)
        for number, view in enumerate([image[::-1, ::2], image.transpose(1, 0, 2), np.asfortranarray(image)]):
            write_image(tmp_path / f"{number}.png", view)
            assert np.array_equal(read_image(tmp_path / f"{number}.png"), view)


class TestSources:
    def test_bytes_and_open_files_are_read_as_the_path_is(self, samples: Path) -> None:
        path = samples / "sprite.png"
        expected, data = read_image(path), path.read_bytes()
        assert np.array_equal(read_image(data), expected)
        assert np.array_equal(read_image(io.BytesIO(data)), expected)
        with path.open("rb") as file:
            assert np.array_equal(read_image(file), expected)

    def test_messages_name_an_open_file_and_call_bytes_an_image(self, tmp_path: Path) -> None:
        (tmp_path / "text.png").write_bytes(b"no picture at all")
        with (tmp_path / "text.png").open("rb") as file, pytest.raises(ImageFileError, match=r"text\.png: a text, not"):
            read_image(file)
        with (tmp_path / "text.png").open() as text, pytest.raises(ImageFileError, match=r"open\(path, \"rb\"\) gives"):
            read_image(text)  # type: ignore[arg-type]
        with pytest.raises(ImageFileError, match=r"^image: the file is empty"):
            read_image(b"")

    def test_matrices_are_for_numpy(self, tmp_path: Path) -> None:
        np.save(tmp_path / "a.npy", np.ones((3, 3)))
        np.savetxt(tmp_path / "a.txt", np.ones((3, 3)))
        for name in ("a.npy", "a.txt"):
            with pytest.raises(ImageFileError, match=r"is a matrix, not an image; numpy\.load or numpy\.loadtxt"):
                read_image(tmp_path / name)


class TestEncode:
    @pytest.mark.parametrize("suffix", [".png", "png", "image.png", ".PNG"])
    def test_it_gives_the_bytes_that_a_file_gets(self, suffix: str, tmp_path: Path) -> None:
        image = random_image("uint8", 3)
        write_image(tmp_path / "image.png", image)
        data = encode_image(image, suffix)
        assert type(data) is bytes
        assert data == (tmp_path / "image.png").read_bytes()
        with Image.open(io.BytesIO(data)) as other:
            assert np.array_equal(np.asarray(other), image)

    def test_quality_compression_and_range_are_those_of_the_format(self) -> None:
        image = random_image("uint8", 3)
        assert len(encode_image(image, ".jpg", quality=30)) < len(encode_image(image, ".jpg"))
        smooth = smooth_image()
        assert len(encode_image(smooth, ".png", compression=9)) < len(encode_image(smooth, ".png", compression=0))
        assert np.array_equal(read_image(encode_image(image, ".webp", quality=100)), image)
        assert read_image(encode_image([[-1.0, 1.0]], ".png", range="scale")).tolist() == [[0, 255]]

    @pytest.mark.parametrize("suffix", [".pgn", "", "x"])
    def test_an_unknown_suffix_is_refused(self, suffix: str) -> None:
        with pytest.raises(OutputError, match="suffix"):
            encode_image(np.zeros((2, 2)), suffix)


class TestColours:
    def test_red_comes_first_in_memory_and_for_other_readers(self, tmp_path: Path) -> None:
        image = np.zeros((3, 4, 3), np.uint8)
        image[..., 0], image[..., 1] = 255, 10
        write_image(tmp_path / "image.png", image)
        assert read_image(tmp_path / "image.png")[0, 0].tolist() == [255, 10, 0]
        with Image.open(tmp_path / "image.png") as other:
            assert other.mode == "RGB"
            assert other.getpixel((0, 0)) == (255, 10, 0)

    def test_alpha_comes_last(self, tmp_path: Path) -> None:
        Image.new("RGBA", (4, 3), (255, 10, 0, 77)).save(tmp_path / "image.png")
        image = read_image(tmp_path / "image.png")
        assert image.shape == (3, 4, 4)
        assert image[0, 0].tolist() == [255, 10, 0, 77]

    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("suffix", [".png", ".tif"])
    def test_a_picture_is_turned_upright_as_its_exif_says(self, orientation: int, suffix: str, tmp_path: Path) -> None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = tmp_path / f"turned{suffix}"
        Image.fromarray(random_image("uint8", 3, 5, 7)).save(path, exif=exif)
        with Image.open(path) as picture:
            upright = np.asarray(ImageOps.exif_transpose(picture))
        assert np.array_equal(read_image(path), upright)

    def test_a_photo_is_read_as_others_read_it(self, photo: Path) -> None:
        image = read_image(photo)
        with Image.open(photo) as other:
            expected = np.asarray(other.convert("RGB")).astype(int)
        assert image.dtype == np.uint8
        assert image.shape == expected.shape == (600, 512, 3)
        assert np.abs(image - expected).mean() < 1

    @pytest.mark.parametrize(
        ("name", "shape", "dtype"),
        [("sprite.png", 4, "uint8"), ("gradient-16.png", None, "uint16"), ("city.png", None, "uint8")],
    )
    def test_the_samples_have_the_types_of_their_files(
        self, name: str, shape: int | None, dtype: str, samples: Path
    ) -> None:
        image = read_image(samples / name)
        assert image.dtype == dtype
        assert image.ndim == 2 or image.shape[2] in {3, 4}
        assert shape is None or image.shape[2] == shape


class TestRange:
    VALUES = np.array([[-50.0, 0.5, 1.5, 100.4, 254.5, 300.0]])

    @pytest.mark.parametrize(
        ("range_", "levels"),
        [
            ("clip", [0, 0, 2, 100, 254, 255]),
            ("abs", [50, 0, 2, 100, 254, 255]),
            ("max", [0, 0, 1, 85, 216, 255]),
            ("scale", [0, 37, 38, 110, 222, 255]),
            ("offset", [78, 128, 130, 228, 255, 255]),
        ],
    )
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.filterwarnings("ignore:.*were clipped")
    def test_floats_become_levels_of_8_bits(self, range_: Any, levels: list[int], dtype: str, tmp_path: Path) -> None:
        write_image(tmp_path / "image.png", self.VALUES.astype(dtype), range=range_)
        result = read_image(tmp_path / "image.png")
        assert result.dtype == np.uint8
        assert result.tolist() == [levels]

    def test_halves_are_rounded_to_even(self, tmp_path: Path) -> None:
        write_image(tmp_path / "image.png", np.array([[0.5, 1.5, 2.5, 3.5, 253.5, 254.5]]))
        assert read_image(tmp_path / "image.png").tolist() == [[0, 2, 2, 4, 254, 254]]

    def test_extremes_are_taken_over_all_channels(self, tmp_path: Path) -> None:
        image = np.array([[[-10.0, 0.0, 5.0], [0.0, 10.0, 0.0]]])
        write_image(tmp_path / "image.png", image, range="scale")
        assert read_image(tmp_path / "image.png").tolist() == [[[0, 128, 191], [128, 255, 128]]]

    def test_the_scale_of_a_constant_is_0(self, tmp_path: Path) -> None:
        write_image(tmp_path / "image.png", np.full((2, 2), 77.0), range="scale")
        assert not read_image(tmp_path / "image.png").any()

    @pytest.mark.filterwarnings("ignore:.*were clipped")
    def test_what_is_no_number_becomes_0_and_infinity_the_end_of_the_range(self, tmp_path: Path) -> None:
        write_image(tmp_path / "image.png", np.array([[np.nan, np.inf, -np.inf, 7.0]]))
        assert read_image(tmp_path / "image.png").tolist() == [[0, 255, 0, 7]]

    def test_a_range_that_is_asked_for_holds_for_integers_and_float_files_too(self, tmp_path: Path) -> None:
        write_image(tmp_path / "image.png", np.array([[3, 200]], np.uint8), range="scale")
        assert read_image(tmp_path / "image.png").tolist() == [[0, 255]]
        write_image(tmp_path / "image.png", np.array([[300, 200]], np.uint16), range="scale")
        assert read_image(tmp_path / "image.png").tolist() == [[65535, 0]]
        write_image(tmp_path / "image.tif", np.array([[-1, 2]], np.float32), range="scale")
        assert read_image(tmp_path / "image.tif").tolist() == [[0, 255]]

    def test_without_a_range_integers_and_float_files_stay_as_they_are(self, tmp_path: Path) -> None:
        for name, image in (
            ("image.png", np.array([[3, 200]], np.uint8)),
            ("image.tif", np.array([[-1, 300]], np.float32)),
        ):
            write_image(tmp_path / name, image)
            assert np.array_equal(read_image(tmp_path / name), image)

    def test_no_folder_is_made_for_it(self, tmp_path: Path) -> None:
        with pytest.raises(ImageFileError, match="no such folder: "):
            write_image(tmp_path / "new" / "image.png", np.zeros((2, 2), np.uint8))
        assert list(tmp_path.iterdir()) == []

    def test_the_result_of_a_filter_can_be_written(self, photo: Path, tmp_path: Path) -> None:
        edges = convolve(read_image(photo), kernel("sobel-x"), padding="same")
        write_image(tmp_path / "edges.jpg", edges, range="scale")
        assert read_image(tmp_path / "edges.jpg").shape == (600, 512, 3)


class TestFloatsFrom0To1:
    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
    @pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp"])
    def test_they_are_warned_of_with_the_cure(self, suffix: str, dtype: str, tmp_path: Path) -> None:
        image = np.linspace(0, 1, 256).reshape(16, 16).astype(dtype)
        path = tmp_path / f"image{suffix}"
        with pytest.warns(
            UserWarning, match=r"is nearly black: .* levels from 0 to 255; write `image \* 255`"
        ) as caught:
            write_image(path, image)
        assert [warning.filename for warning in caught] == [__file__]
        assert read_image(path).max() <= 2
        write_image(tmp_path / "image.png", image * 255)
        assert read_image(tmp_path / "image.png").tolist() == np.rint(image * 255).tolist()

    def test_they_are_known_after_a_filter_that_overshoots_too(self, photo: Path, tmp_path: Path) -> None:
        sharp = convolve(read_image(photo) / 255, "sharpen", border="edge")
        assert sharp.min() < 0
        assert sharp.max() > 1
        with pytest.warns(UserWarning, match=r"is nearly black: .* write `image \* 255`") as caught:
            write_image(tmp_path / "sharp.png", sharp)
        assert len(caught) == 1

    @pytest.mark.parametrize(
        "image",
        [np.zeros((4, 4)), np.full((4, 4), 1.5), np.array([[0, 0.5, 200]]), np.ones((4, 4), np.uint8), np.eye(3) * 2],
        ids=["black", "beyond 1", "levels", "integers", "whole numbers"],
    )
    def test_other_images_are_written_as_they_are_without_a_warning(self, image: Array, tmp_path: Path) -> None:
        write_image(tmp_path / "image.png", image)
        assert np.array_equal(read_image(tmp_path / "image.png"), np.rint(image))

    def test_neither_are_they_where_a_range_is_given_or_the_file_holds_floats(self, tmp_path: Path) -> None:
        image = np.array([[0.0, 0.5, 1.0]])
        write_image(tmp_path / "image.png", image, range="scale")
        assert read_image(tmp_path / "image.png").tolist() == [[0, 128, 255]]
        for name in ("image.tif", "image.pfm"):
            write_image(tmp_path / name, image)
            assert np.array_equal(read_image(tmp_path / name), image)


class TestBools:
    @pytest.mark.parametrize(("suffix", "white"), [(".png", 255), (".tif", 255), (".bmp", 255), (".pfm", 1)])
    def test_false_is_black_and_true_is_white(self, suffix: str, white: float, tmp_path: Path) -> None:
        mask = np.random.default_rng(0).random((9, 7)) > 0.5
        write_image(tmp_path / f"mask{suffix}", mask)
        assert np.array_equal(read_image(tmp_path / f"mask{suffix}"), mask * white)


class TestClippingWarning:
    @pytest.mark.parametrize(("count", "share"), [(2, "0.2"), (10, "1.0"), (500, "50.0"), (1000, "100.0")])
    @pytest.mark.parametrize("value", [-1.0, 256.0, np.nan])
    def test_more_than_a_thousandth_is_warned_of_with_the_share(
        self, count: int, share: str, value: float, tmp_path: Path
    ) -> None:
        image = np.full(1000, 100.0)
        image[:count] = value
        with pytest.warns(UserWarning, match=f'{share} % of the values were below black .* clipped; range="scale"'):
            write_image(tmp_path / "image.png", image.reshape(20, 50))
        assert np.count_nonzero(read_image(tmp_path / "image.png") == 100) == 1000 - count

    def test_the_warning_points_at_the_caller(self, tmp_path: Path) -> None:
        with pytest.warns(UserWarning, match="clipped") as caught:
            write_image(tmp_path / "image.png", np.full((2, 2), 300.0))
        assert [warning.filename for warning in caught] == [__file__]

    @pytest.mark.parametrize("image", [np.full((20, 50), 255.4), np.full((20, 50), -0.4)], ids=["white", "black"])
    def test_what_rounds_into_the_range_is_not_clipped(self, image: Array, tmp_path: Path) -> None:
        write_image(tmp_path / "image.png", image)
        assert set(read_image(tmp_path / "image.png").ravel().tolist()) <= {0, 255}

    def test_a_thousandth_is_skipped(self, tmp_path: Path) -> None:
        image = np.full((20, 50), 100.0)
        image[0, 0] = 300
        write_image(tmp_path / "image.png", image)
        assert read_image(tmp_path / "image.png")[0, :2].tolist() == [255, 100]

    def test_a_file_of_floats_clips_nothing(self, tmp_path: Path) -> None:
        write_image(tmp_path / "image.tif", np.full((2, 2), -300.0, np.float32))
        assert (read_image(tmp_path / "image.tif") == -300).all()


class TestWritingRefused:
    @pytest.mark.parametrize(
        ("name", "image", "range_", "error", "message"),
        [
            ("image", np.zeros((2, 2)), "clip", OutputError, r"no suffix.*; known are"),
            ("image.pgn", np.zeros((2, 2)), "clip", OutputError, r"unknown suffix '\.pgn'; nearest: .*\.p"),
            ("image.png", np.zeros((2, 2)), "clamp", OutputError, "range 'clamp' is unknown: clip, abs, scale"),
            ("image.png", np.zeros((2, 2)), "none", OutputError, "range none writes floats as they are"),
            ("image.npy", np.zeros((2, 2)), "clip", OutputError, r"is not an image format; numpy\.save"),
            ("image.txt", np.zeros((2, 2)), "clip", OutputError, r"is not an image format; numpy\.save"),
            (
                "image.png",
                np.zeros((2, 2), complex),
                "clip",
                OutputError,
                "image, of type ndarray, holds complex numbers",
            ),
            ("image.png", np.zeros((2, 2), np.int64), "clip", OutputError, "PNG cannot hold int64; it holds 8, 16"),
            ("image.tif", np.zeros((2, 2), np.int16), "clip", OutputError, "TIFF cannot hold int16"),
            ("image.jpg", np.zeros((2, 2), np.uint16), "clip", OutputError, "JPEG cannot hold uint16; it holds 8"),
            ("image.pfm", np.zeros((2, 2), np.uint8), "clip", OutputError, "PFM cannot hold uint8; it holds float"),
            ("image.png", np.zeros((2, 2, 2), np.uint8), "clip", ImageFileError, "holds 1, 3 or 4 channels"),
            ("image.png", np.zeros((2, 2, 5)), "clip", ImageFileError, "the result has 5"),
            ("image.jpg", np.zeros((2, 2, 4), np.uint8), "clip", ImageFileError, "JPEG holds no alpha"),
            ("image.pgm", np.zeros((2, 2, 3), np.uint8), "clip", ImageFileError, "PGM holds grey images only"),
            ("image.png", np.zeros(5, np.uint8), "clip", ImageFileError, r"a result of shape \(5,\) is not an image"),
            ("image.png", np.zeros((0, 5), np.uint8), "clip", OutputError, r"image is empty: its shape is \(0, 5\)"),
            ("image.jp2", np.zeros((9, 9), np.uint8), "clip", ImageFileError, "JPEG 2000 needs 32 pixels on each side"),
        ],
    )
    def test_what_a_file_cannot_hold_is_refused_and_nothing_is_written(
        self, name: str, image: Array, range_: Any, error: type[CnnFilterError], message: str, tmp_path: Path
    ) -> None:
        with pytest.raises(error, match=message) as raised:
            write_image(tmp_path / name, image, range=range_)
        assert "image" in str(raised.value) or "range" in str(raised.value)
        assert list(tmp_path.iterdir()) == []

    def test_a_file_that_is_there_stays_as_it_was(self, tmp_path: Path) -> None:
        path = tmp_path / "image.png"
        write_image(path, np.full((2, 2), 7, np.uint8))
        with pytest.raises(ImageFileError):
            write_image(path, np.zeros((2, 2, 5), np.uint8))
        assert (read_image(path) == 7).all()
        assert list(tmp_path.iterdir()) == [path]

    def test_a_file_that_is_there_is_replaced_and_nothing_else_left(self, tmp_path: Path) -> None:
        path = tmp_path / "image.png"
        write_image(path, np.full((2, 2), 7, np.uint8))
        write_image(path, np.full((3, 3), 8, np.uint8))
        assert read_image(path).tolist() == [[8] * 3] * 3
        assert list(tmp_path.iterdir()) == [path]

    def test_a_folder_is_no_file(self, tmp_path: Path) -> None:
        (tmp_path / "folder.png").mkdir()
        with pytest.raises(ImageFileError, match=r"folder\.png: Is a directory"):
            write_image(tmp_path / "folder.png", np.zeros((2, 2), np.uint8))
        assert [path.name for path in tmp_path.iterdir()] == ["folder.png"]


class TestReadingRefused:
    def test_a_file_that_is_not_there_is_an_os_error_with_its_name(self, tmp_path: Path) -> None:
        with pytest.raises(ImageFileError, match=r"nowhere\.png: No such file or directory") as raised:
            read_image(tmp_path / "nowhere.png")
        assert isinstance(raised.value, OSError)

    def test_a_folder_is_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(ImageFileError, match="Is a directory"):
            read_image(tmp_path)

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"", "image.png: the file is empty"),
            (b"no picture at all", "image.png: a text, not an image"),
            (b"\x89PNG\r\n\x1a\n", "image.png: the PNG is cut off"),
        ],
        ids=["empty", "text", "a beginning"],
    )
    def test_what_is_no_picture_is_refused(self, data: bytes, message: str, tmp_path: Path) -> None:
        (tmp_path / "image.png").write_bytes(data)
        with pytest.raises(ImageFileError, match=message):
            read_image(tmp_path / "image.png")

    @pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp", ".tif", ".ppm"])
    @pytest.mark.parametrize("kept", [0.3, 0.9])
    def test_a_picture_that_is_cut_off_is_refused(self, suffix: str, kept: float, tmp_path: Path) -> None:
        path = tmp_path / f"image{suffix}"
        write_image(path, random_image("uint8", 3))
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * kept)])
        with pytest.raises(ImageFileError, match=f"image{suffix}: "):
            read_image(path)

    def test_the_content_tells_the_format_and_not_the_suffix(self, tmp_path: Path) -> None:
        image = random_image("uint8", 3)
        write_image(tmp_path / "image.png", image)
        renamed = (tmp_path / "image.png").rename(tmp_path / "image.jpg")
        assert np.array_equal(read_image(renamed), image)
