"""What it costs to read plain files of each format, beside another checkout.

    python -m tests.benchmarks.bench_decode [--old PATH] [--rounds N] [--only WORD] [--cpu]

Each side is a process of its own that reads a file when it is asked, the two in turn; the fastest call of a round
counts, and the median of the rounds is printed. A ratio above 1 says how many times as fast the new side is. Without
`--old` the times stand alone.
"""

import argparse
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
from PIL import Image

from cnnfilter.arrays import Array
from tests.benchmarks.machine import heading, warn_if_busy
from tests.benchmarks.pictures import make_photo

ROOT = Path(__file__).resolve().parents[2]

SIZES = {"small": (192, 256), "2.4 MP": (1200, 2000)}


def by_opencv(suffix: str, *options: int) -> Callable[[Array], bytes]:
    """Return what writes a photo, BGR, as OpenCV does."""
    return lambda photo: cv2.imencode(suffix, photo, options)[1].tobytes()


def by_pillow(format_: str, **options: Any) -> Callable[[Array], bytes]:
    """Return what writes a photo, BGR, as Pillow does."""

    def encode(photo: Array) -> bytes:
        image = Image.fromarray(np.ascontiguousarray(photo[:, :, ::-1]))
        file = io.BytesIO()
        (image.quantize(256) if format_ == "GIF" else image).save(file, format_, **options)
        return file.getvalue()

    return encode


def deep(encode: Callable[[Array], bytes]) -> Callable[[Array], bytes]:
    """Return what writes the photo with 16 bits."""
    return lambda photo: encode(photo.astype(np.uint16) * 257)


def floats(encode: Callable[[Array], bytes]) -> Callable[[Array], bytes]:
    """Return what writes the photo as floats of 0 to 1."""
    return lambda photo: encode(photo.astype(np.float32) / 255)


def grey(encode: Callable[[Array], bytes]) -> Callable[[Array], bytes]:
    """Return what writes the photo without its colours."""
    return lambda photo: encode(np.asarray(cv2.cvtColor(photo, cv2.COLOR_BGR2GRAY)))


def clear(encode: Callable[[Array], bytes]) -> Callable[[Array], bytes]:
    """Return what writes the photo with alpha."""
    return lambda photo: encode(np.dstack([photo, photo[:, :, :1]]))


_TIFF = {name: by_opencv(".tif", cv2.IMWRITE_TIFF_COMPRESSION, number) for name, number in
         {"plain": 1, "LZW": 5, "Deflate": 8}.items()}  # fmt: skip

FILES: dict[str, Callable[[Array], bytes]] = {
    "PNG": by_opencv(".png"),
    "PNG grey": grey(by_opencv(".png")),
    "PNG RGBA": clear(by_opencv(".png")),
    "PNG 16": deep(by_opencv(".png")),
    "JPEG": by_opencv(".jpg"),
    "JPEG grey": grey(by_opencv(".jpg")),
    "TIFF plain": _TIFF["plain"],
    "TIFF plain grey": grey(_TIFF["plain"]),
    "TIFF plain RGBA": clear(_TIFF["plain"]),
    "TIFF LZW": _TIFF["LZW"],
    "TIFF LZW grey": grey(_TIFF["LZW"]),
    "TIFF Deflate": _TIFF["Deflate"],
    "TIFF 16 plain": deep(_TIFF["plain"]),
    "TIFF 16 LZW": deep(_TIFF["LZW"]),
    "TIFF 16 Deflate": deep(_TIFF["Deflate"]),
    "TIFF float plain": floats(_TIFF["plain"]),
    "TIFF float LZW": floats(_TIFF["LZW"]),
    "TIFF float Deflate": floats(_TIFF["Deflate"]),
    "TIFF JPEG": by_pillow("TIFF", compression="jpeg"),
    "BMP": by_opencv(".bmp"),
    "BMP grey": grey(by_opencv(".bmp")),
    "BMP RGBA": clear(by_opencv(".bmp")),
    "GIF": by_pillow("GIF"),
    "WebP": by_opencv(".webp", cv2.IMWRITE_WEBP_QUALITY, 95),
    "WebP lossless": by_opencv(".webp"),
    "JPEG 2000": by_opencv(".jp2"),
    "JPEG 2000 grey": grey(by_opencv(".jp2")),
    "JPEG 2000 16": deep(by_opencv(".jp2")),
    "AVIF": by_opencv(".avif"),
    "PGM": grey(by_opencv(".pgm")),
    "PPM": by_opencv(".ppm"),
    "PPM 16": deep(by_opencv(".ppm")),
    "PFM": floats(by_opencv(".pfm")),
    "HDR": floats(by_opencv(".hdr")),
    "Sun raster": by_opencv(".ras"),
}


class Reader:
    """A process that reads files with the package of a checkout."""

    def __init__(self, checkout: Path, *clock: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("decoding.py")), *clock],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=checkout,
            env={**os.environ, "PYTHONPATH": str(checkout)},
        )

    def time(self, path: Path) -> float:
        """Return the seconds in which it reads a file."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())


def main(arguments: Sequence[str] | None = None) -> None:
    """Time both sides, and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.bench_decode")
    parser.add_argument("--old", type=Path, help="another checkout, to be beside this one")
    parser.add_argument("--rounds", type=int, default=7, help="that count; one more comes first (default 7)")
    parser.add_argument("--only", default="", help="of the formats, those that hold this word")
    parser.add_argument("--cpu", action="store_true", help="take the time of the processor, on a busy machine")
    options = parser.parse_args(arguments)
    clock = ("cpu",) * options.cpu
    print(heading())
    warn_if_busy()
    readers = {"new": Reader(ROOT, *clock)} | ({"old": Reader(options.old.resolve(), *clock)} if options.old else {})
    photo = make_photo(*SIZES["2.4 MP"])
    print(f"{'':26}" + "".join(f"{side + ' ms':>10}" for side in readers) + f"{'old / new':>11}" * bool(options.old))
    for size, (height, width) in SIZES.items():
        for name, encode in FILES.items():
            if options.only in name:
                with tempfile.NamedTemporaryFile() as file:
                    file.write(encode(photo[:height, :width]))
                    file.flush()
                    print_row(f"{name}, {size}", time_file(Path(file.name), readers, options.rounds))


def time_file(path: Path, readers: dict[str, Reader], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each side in each round, every other round in the opposite order; the first is left out."""
    seconds: dict[str, list[float]] = {side: [] for side in readers}
    for number in range(rounds + 1):
        for side in readers if number % 2 else reversed(readers):
            seconds[side].append(readers[side].time(path))
    return {side: times[1:] for side, times in seconds.items()}


def print_row(name: str, seconds: dict[str, list[float]]) -> None:
    """Print a side's median each, and the median of their ratios."""
    row = f"{name:26}" + "".join(f"{1000 * median(times):10.2f}" for times in seconds.values())
    if "old" in seconds:
        ratios = [old / new for old, new in zip(seconds["old"], seconds["new"], strict=True)]
        row += f"{median(ratios):11.2f}"
    print(row, flush=True)


if __name__ == "__main__":
    main()
