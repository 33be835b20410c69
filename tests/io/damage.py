"""Files of every format, cut off and with flipped bytes: what comes out is a picture or one line.

As a program it takes any number of rounds for each file and way: `python -m tests.io.damage 3000` makes a million.
"""

import multiprocessing
import random
import re
import struct
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from cnnfilter.arrays import Array
from cnnfilter.errors import ImageFileError
from cnnfilter.io.decode import decode_picture
from cnnfilter.io.encode import encode_image
from cnnfilter.io.formats import FORMATS, Depth
from cnnfilter.io.headers import read_header
from tests.io import IMAGE_SUFFIXES, exif_of, saved
from tests.io.gifs import Part, make_gif
from tests.io.tiffs import written_by_tifffile

HEIGHT, WIDTH = 38, 45

PATIENCE = 60
"""Seconds after which one damaged file counts as hung."""

LARGEST = 1 << 17
"""More pixels than a damaged header may promise here: the time is for many files, not for large ones."""

Options = tuple[Image.Image, dict[str, Any]]
"""What is saved, and how."""

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
    return _saved_by_pillow(colours) | _saved_by_tifffile(np.asarray(colours)) | _written_here(np.asarray(colours))


def _saved_by_pillow(colours: Image.Image) -> dict[str, bytes]:
    exif = exif_of(6)
    exif[0x010F] = "a maker"
    clear = colours.copy()
    clear.putalpha(colours.convert("L"))
    made = _still(colours, clear, exif) | _tiffs(colours, clear) | _moving(colours, clear)
    files = {name: _saved(image, name, options) for name, (image, options) in made.items()}
    filled = {"pages.tif": files["pages.tif"].rstrip(b"\0"), "lines.bmp": files["lines.bmp"][:-2]}
    return files | filled  # without what only fills up the last block, or row


def _still(colours: Image.Image, clear: Image.Image, exif: Image.Exif) -> dict[str, Options]:
    palette, lines = colours.quantize(16), colours.convert("1")
    tiled = {"tile_size": (16, 16), "num_resolutions": 2, "irreversible": True, "quality_layers": [40]}
    return {
        "progressive.jpg": (colours, {"progressive": True, "exif": exif}),
        "restarting.jpg": (colours, {"restart_marker_blocks": 2}),
        "full-colour.jpg": (colours, {"subsampling": 0, "optimize": True, "comment": b"words"}),
        "inks.jpg": (colours.convert("CMYK"), {}),
        "palette.png": (palette, {"transparency": 3}),
        "lines.png": (lines, {"optimize": True}),
        "grey-alpha.png": (clear.convert("LA"), {}),
        "grey-transparent.png": (colours.convert("L"), {"transparency": 9}),
        "palette.gif": (palette, {"interlace": True}),
        "turned.webp": (colours, {"exif": exif, "lossless": True}),
        "grey-alpha.avif": (clear, {"subsampling": "4:0:0", "exif": exif}),
        "lossy.jp2": (colours, tiled),
        "grey-alpha.jp2": (clear.convert("LA"), {}),
        "shifted.jp2": (colours, {"offset": (5, 7), "tile_offset": (5, 7), "tile_size": (64, 64), "mct": 0}),
        "bare.j2k": (colours, {"progression": "RPCL", "plt": True}),
        "palette.bmp": (palette, {}),
        "lines.bmp": (lines, {}),
        "lines.pbm": (lines, {}),
    }


def _tiffs(colours: Image.Image, clear: Image.Image) -> dict[str, Options]:
    lines, lzw = colours.convert("1"), {"compression": "tiff_lzw"}
    return {
        "lines.tif": (lines, {"compression": "group4"}),
        "fax.tif": (lines, {"compression": "group3"}),
        "runs.tif": (lines, {"compression": "tiff_ccitt"}),
        "packed.tif": (colours.quantize(16), {"compression": "packbits"}),
        "grey-alpha.tif": (clear.convert("LA"), lzw),
        "deflate.tif": (clear, {"compression": "tiff_adobe_deflate", "tiffinfo": {317: 2}}),
        "lzma.tif": (colours, {"compression": "lzma"}),
        "zstd.tif": (colours, {"compression": "zstd"}),
        "inks.tif": (colours.convert("CMYK"), lzw),
        "luminance.tif": (colours.convert("YCbCr"), lzw),
        "lab.tif": (colours.convert("LAB"), lzw | {"icc_profile": None}),  # which would lie at the end, and be no pixel
        "jpeg.tif": (colours, {"compression": "jpeg"}),
        "big.tif": (colours, {"big_tiff": True}),
    }


def _moving(colours: Image.Image, clear: Image.Image) -> dict[str, Options]:
    several: dict[str, Any] = {"save_all": True, "append_images": [colours.rotate(90), colours.rotate(180)]}
    disposed: dict[str, Any] = {"save_all": True, "append_images": [clear.rotate(180)], "disposal": 2, "duration": 70}
    made: dict[str, Options] = {f"frames.{suffix}": (colours, several) for suffix in ("gif", "png", "webp", "avif")}
    made |= {f"disposed.{suffix}": (clear, disposed) for suffix in ("gif", "png")}
    return made | {"pages.tif": (colours, several)}


def _saved(image: Image.Image, name: str, options: dict[str, Any]) -> bytes:
    Image.init()
    suffix = name[name.rindex(".") :]
    bare = {"no_jp2": True} if suffix == ".j2k" else {}
    return saved(image, "PNG" if suffix == ".png" else Image.EXTENSION[suffix], **options | bare)


def _saved_by_tifffile(colours: Array) -> dict[str, bytes]:
    grey = colours[:, :, 0]
    deep = colours.astype(np.uint16) * 257
    cyan = np.concatenate([deep, deep[:, :, :1]], axis=2)
    made: dict[str, tuple[Array, dict[str, Any]]] = {
        "planes.tif": (
            np.moveaxis(deep, 2, 0),
            {"photometric": "rgb", "planarconfig": "separate", "compression": "zlib"},
        ),
        "tiles.tif": (colours, {"photometric": "rgb", "tile": (16, 16), "compression": "zlib"}),
        "tiled-planes.tif": (
            np.moveaxis(colours, 2, 0),
            {"photometric": "rgb", "planarconfig": "separate", "tile": (32, 16)},
        ),
        "white-first.tif": (deep[:, :, 0], {"photometric": "miniswhite", "byteorder": ">", "compression": "lzma"}),
        "signed.tif": (grey.astype(np.int16) - 99, {"compression": "zlib"}),
        "wide.tif": (grey.astype(np.uint32), {"byteorder": ">", "rowsperstrip": 5}),
        "half.tif": (grey.astype(np.float16), {"rowsperstrip": 7}),
        "double.tif": (colours.astype(np.float64), {"photometric": "rgb", "bigtiff": True}),
        "bands.tif": (np.concatenate([colours] * 2, axis=2), {"photometric": "minisblack", "planarconfig": "contig"}),
        "inks-16.tif": (cyan, {"photometric": "separated"}),
        "multiplied.tif": (cyan, {"photometric": "rgb", "extrasamples": ["assocalpha"], "compression": "zlib"}),
        "map.tif": (grey, {"photometric": "palette", "colormap": np.arange(768, dtype=np.uint16).reshape(3, 256)}),
    }
    return {name: written_by_tifffile(samples, **options) for name, (samples, options) in made.items()}


def _written_here(colours: Array) -> dict[str, bytes]:
    """Return files of formats, and variants, that Pillow and tifffile do not write."""
    grey = colours[:, :, 0]
    text = " ".join(map(str, grey.ravel())).encode()
    files = {
        "runs-8.bmp": _bmp(8, 1, b"".join(_runs(row) for row in grey[::-1]) + b"\0\1"),
        "runs-4.bmp": _bmp(4, 2, b"".join(_runs(row & 15) for row in grey[::-1]) + b"\0\1"),
        "masks.bmp": _bmp(
            32, 3, np.dstack([colours, grey])[::-1].tobytes(), struct.pack("<3I", 0xFF00, 0xFF, 0xFF0000)
        ),
        "old.bmp": struct.pack("<2sIHHIIHHHH", b"BM", 0, 0, 0, 26, 12, WIDTH, HEIGHT, 1, 24)
        + _padded(colours[::-1], 4),
        "plain.pgm": b"P2 %d %d 255\n%b\n" % (WIDTH, HEIGHT, text),
        "plain.pbm": b"P1 %d %d\n%b\n" % (WIDTH, HEIGHT, " ".join(map(str, grey.ravel() & 1)).encode()),
        "clear.pam": b"P7\nWIDTH %d\nHEIGHT %d\nDEPTH 2\nMAXVAL 999\nTUPLTYPE GRAYSCALE_ALPHA\nENDHDR\n"
        % (WIDTH, HEIGHT)
        + (colours[:, :, :2].astype(">u2") * 3).tobytes(),
        "colours.ras": _sun(24, 1, _padded(colours, 2)),
        "runs.ras": _sun(8, 2, _padded(grey, 2).replace(b"\x80", b"\x80\0")),
        "lines.ras": _sun(1, 0, _padded(np.packbits(grey & 1, axis=1), 2)),
    }
    parts = (
        Part(grey & 3),
        Part(grey[:9, :7] & 3, 5, 4, transparent=2, disposal=3),
        Part(grey[:8, :8] & 3, interlaced=True),
    )
    return files | {"parts.gif": make_gif(*parts)}


def _bmp(bits: int, compression: int, data: bytes, masks: bytes = b"") -> bytes:
    palette = bytes(range(256)) * 4 if bits == 8 else bytes(range(0, 256, 4)) if bits == 4 else b""
    start = 54 + len(masks) + len(palette)
    sizes = (40, WIDTH, HEIGHT, 1, bits, compression, len(data), 0, 0, 0, 0)
    head = struct.pack("<2sIHHI", b"BM", start + len(data), 0, 0, start) + struct.pack("<IiiHHIIiiII", *sizes)
    return head + masks + palette + data


def _runs(row: Array) -> bytes:
    """Return a row in runs of one pixel, as BMP has them."""
    return b"".join(bytes([1, value]) for value in row) + b"\0\0"


def _sun(bits: int, kind: int, data: bytes) -> bytes:
    return struct.pack(">8I", 0x59A66A95, WIDTH, HEIGHT, bits, len(data), kind, 0, 0) + data


def _padded(rows: Array, unit: int) -> bytes:
    """Return rows that end on multiples of some bytes."""
    flat = rows.reshape(len(rows), -1)
    return np.pad(flat, ((0, 0), (0, -flat.shape[1] % unit))).tobytes()


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
    assert image.pixels.shape == read_header(data).shape
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


class Damage(NamedTuple):
    """A way to damage files, and how they are read then."""

    make: Callable[[bytes, random.Random, int], Iterator[bytes]]
    allow_truncated: bool = False


WAYS = {"cuts": Damage(cuts), "flips": Damage(flips), "flips, allowing": Damage(flips, allow_truncated=True)}


def try_all(name: str, data: bytes, rounds: int, place: Any) -> None:
    """Try all ways on one file, and print what came out; a place in shared memory counts the rounds."""
    read = dict.fromkeys(WAYS, 0)
    whole = decode_picture(data, name, most_pixels=LARGEST).pixels
    for number, (way, damage) in enumerate(WAYS.items()):
        for round_, damaged in enumerate(damage.make(data, random.Random(name), rounds)):
            place.value = number * rounds + round_
            try:
                if outcome(damaged, name, allow_truncated=damage.allow_truncated) == "picture":
                    read[way] += not (way == "cuts" and _lacks_no_pixel(damaged, name, whole))
            except Exception as error:
                print(f"FAILED {name}, {way}, round {round_}: {error!r}", flush=True)
    if read["cuts"]:
        print(f"FAILED {name}: {read['cuts']} of {rounds} cuts that lack pixels were read")
    print(f"{name}: " + ", ".join(f"{count} of {rounds} {way}" for way, count in read.items()) + " read", flush=True)


def _lacks_no_pixel(cut: bytes, name: str, whole: Array) -> bool:
    """Return whether nothing but padding or a mark of the end was cut off, as of a BMP without its last byte."""
    return np.array_equal(decode_picture(cut, name, most_pixels=LARGEST).pixels, whole)


def main(rounds: int) -> None:
    """Try so many damages of each kind of each file, in a process for each, and say where one crashed or hung."""
    for name, data in whole_files().items():
        place = multiprocessing.Value("q", -1)
        worker = multiprocessing.Process(target=try_all, args=(name, data, rounds, place))
        worker.start()
        before = None
        while worker.is_alive() and place.value != before:
            before = place.value
            worker.join(PATIENCE)
        if worker.is_alive():
            worker.kill()
            worker.join()
            print(f"FAILED {name}, try {place.value} of each {rounds}: hung")
        elif worker.exitcode:
            print(f"FAILED {name}, try {place.value} of each {rounds}: ended by {worker.exitcode}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
