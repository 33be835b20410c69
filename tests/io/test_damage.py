"""Files of every format, cut off and with flipped bytes, by a seed; `damage.py` goes on for longer."""

import random

import pytest

from tests.io.damage import cuts, flips, outcome, whole_files

FILES = whole_files()

ROUNDS = 50


@pytest.mark.parametrize("name", FILES)
def test_a_whole_file_is_read(name: str) -> None:
    assert outcome(FILES[name], name) == "picture"


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_cut_anywhere_is_refused_in_a_line(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    outcomes = {outcome(cut, name) for cut in cuts(FILES[name], random.Random(name), ROUNDS)}
    assert "picture" not in outcomes
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("allow_truncated", [False, True], ids=["strict", "allowing"])
def test_a_file_with_flipped_bytes_is_a_picture_or_a_line(
    name: str, allow_truncated: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    for flip in flips(FILES[name], random.Random(name), ROUNDS):
        outcome(flip, name, allow_truncated=allow_truncated)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".png")])
def test_a_png_is_refused_by_its_checksums(name: str) -> None:
    chance = random.Random(name)
    for place in chance.sample(range(8, len(FILES[name])), ROUNDS):
        data = bytearray(FILES[name])
        data[place] ^= 1 << chance.randrange(8)
        refusal = outcome(bytes(data), name)
        assert "damaged" in refusal or "more than the limit" in refusal  # a height of many rows is refused first


def test_a_png_that_promises_a_chunk_of_gigabytes_is_refused_before_opencv_makes_room() -> None:
    data = bytearray(FILES["3-8.png"])
    place = data.index(b"IDAT")
    data[place - 4 : place] = (0x7FFF_FFF0).to_bytes(4)
    assert outcome(bytes(data), "x.png") == "x.png: the PNG is damaged (chunk IDAT is longer than the file)"


def test_a_jpeg_that_is_cut_is_read_as_far_as_it_goes_if_that_is_allowed() -> None:
    outcomes = {
        outcome(FILES["progressive.jpg"][:length], "x.jpg", allow_truncated=True)
        for length in range(len(FILES["progressive.jpg"]) // 2, len(FILES["progressive.jpg"]), 7)
    }
    assert outcomes == {"picture"}


def test_a_tiff_that_ends_within_its_bits_per_sample_is_refused() -> None:
    for name in ("deflate.tif", "inks.tif"):  # Pillow writes them last
        outcomes = {outcome(FILES[name][:-length], name) for length in range(1, 8)}
        assert outcomes == {f"{name}: the TIFF is cut off or damaged: its tags do not fit"}
