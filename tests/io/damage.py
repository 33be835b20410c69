"""Files of every format, cut off and with flipped bytes: what comes out is a picture or one line.

As a program it goes on for as long as it is told: `python -m tests.io.damage 100000` (rounds for each file).
"""

import io
import random
import re
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from cnnfilter.errors import ImageFileError
from cnnfilter.io.decode import decode_picture
from cnnfilter.io.encode import encode_image
from cnnfilter.io.formats import FORMATS, Depth
from tests.io import IMAGE_SUFFIXES

HEIGHT, WIDTH = 38, 45

LARGEST = 1 << 17
"""More pixels than a damaged header may promise here: the time is for many files, not for large ones."""

TYPES: dict[Depth, Any] = {Depth.EIGHT: np.uint8, Depth.SIXTEEN: np.uint16, Depth.FLOAT: np.float32}


def whole_files() -> dict[str, bytes]:
    """Return a file of each kind, by its name: what we write in each depth and channels, and what others write."""
    files = {}
    rng = np.random.default_rng(5)
    for suffix in IMAGE_SUFFIXES:
        for depth in FORMATS[suffix].depths:
            for channels in FORMATS[suffix].channels:
                shape = (HEIGHT, WIDTH) if channels == 1 else (HEIGHT, WIDTH, channels)
                pixels = (rng.random(shape) * (1 if depth is Depth.FLOAT else 255)).astype(TYPES[depth])
                files[f"{channels}-{depth}{suffix}"] = bytes(encode_image(pixels, f"x{suffix}"))
    return files | _files_of_others()


def _files_of_others() -> dict[str, bytes]:
    colours = Image.fromarray(np.random.default_rng(6).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "a maker"
    several: dict[str, Any] = {"save_all": True, "append_images": [colours.rotate(90), colours.rotate(180)]}
    made: dict[str, tuple[Image.Image, str, dict[str, Any]]] = {
        "progressive.jpg": (colours, "JPEG", {"progressive": True, "exif": exif}),
        "restarting.jpg": (colours, "JPEG", {"restart_marker_blocks": 2}),
        "inks.jpg": (colours.convert("CMYK"), "JPEG", {}),
        "palette.png": (colours.quantize(16), "PNG", {"transparency": 3}),
        "grey-transparent.png": (colours.convert("L"), "PNG", {"transparency": 9}),
        "lines.tif": (colours.convert("1"), "TIFF", {"compression": "group4"}),
        "grey-alpha.tif": (colours.convert("LA"), "TIFF", {"compression": "tiff_lzw"}),
        "jpeg.tif": (colours, "TIFF", {"compression": "jpeg"}),
        "big.tif": (colours, "TIFF", {"big_tiff": True}),
        "pages.tif": (colours, "TIFF", several),
        "frames.gif": (colours, "GIF", several),
        "frames.png": (colours, "PNG", several),
        "frames.webp": (colours, "WEBP", several),
        "frames.avif": (colours, "AVIF", several),
        "turned.webp": (colours, "WEBP", {"exif": exif, "lossless": True}),
    }
    files = {name: _saved(*how) for name, how in made.items()}
    return files | {"pages.tif": files["pages.tif"].rstrip(b"\0")}  # without what only fills up the last block


def _saved(image: Image.Image, format_: str, options: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    image.save(file, format_, **options)
    return file.getvalue()


def outcome(data: bytes, name: str, *, allow_truncated: bool = False) -> str:
    """Return `picture`, or the one line that refuses a file; anything else that comes out is raised."""
    try:
        image = decode_picture(data, name, allow_truncated=allow_truncated, most_pixels=LARGEST)
        for page in image.pages or ():
            assert page.ndim in {2, 3}
    except ImageFileError as error:
        refusal = str(error)
    else:
        refusal = ""
    if refusal:
        assert re.fullmatch(re.escape(name) + r": [^\n]{15,}", refusal), refusal
        return refusal
    assert image.pixels.ndim == 2 or image.pixels.shape[2] in {3, 4} or (image.pixels.ndim == 3 and "tif" in name)
    return "picture"


def cuts(data: bytes, chance: random.Random, rounds: int) -> Iterator[bytes]:
    """Yield beginnings of a file, none of them all of it."""
    for _ in range(rounds):
        yield data[: chance.randrange(1, len(data))]


def flips(data: bytes, chance: random.Random, rounds: int) -> Iterator[bytes]:
    """Yield a file with some bytes changed, more often near its start, where headers are."""
    for _ in range(rounds):
        damaged = bytearray(data)
        for _ in range(chance.choice((1, 1, 2, 8))):
            place = chance.randrange(min(len(data), chance.choice((64, 512, len(data)))))
            damaged[place] = chance.choice((0, 255, chance.randrange(256), damaged[place] ^ 1 << chance.randrange(8)))
        yield bytes(damaged)


def main(rounds: int) -> None:
    """Try so many cuts and as many flips of each file, and print what came out; a damage is said before it is tried."""
    for name, data in whole_files().items():
        chance = random.Random(name)
        taken = sum(outcome(cut, name) == "picture" for cut in cuts(data, chance, rounds))
        read = sum(outcome(flip, name, allow_truncated=True) == "picture" for flip in flips(data, chance, rounds))
        print(f"{name}: of {rounds} cuts {taken} were read, of {rounds} flips {read}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
