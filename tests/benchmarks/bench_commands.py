"""Whole commands on a photo of 24 megapixels, beside a script of three OpenCV calls, libvips, ImageMagick and others.

    python -m tests.benchmarks.bench_commands [--rounds N] [--only sharpen|gaussian|line] [--formats F ...] [--small]
        [--huge]

Each runs in a process of its own, in turn: it reads a file, filters, and writes a file of the same format: JPEG at
quality 95 with colours at full size, PNG at zlib's level 1 with each row's differences, as OpenCV writes. The sizes of
what they wrote are printed, as the same level does not pack as tightly in all of them: libvips and GraphicsMagick
cannot be given the strategy. What a peer does at the border, and how it rounds, is its own. ImageMagick is slow, and
runs once. `--small` filters 256x192 pixels, `--huge` sharpens a PNG of 400 megapixels.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import cv2
import numpy as np

from cnnfilter.arrays import Array
from cnnfilter.numbers import show_number
from tests.benchmarks.machine import warn_if_busy
from tests.benchmarks.pictures import FORMATS, write_huge, write_photos
from tests.benchmarks.timing import Command, Usage, cnnfilter, measure_in_turn, median_ratio, python

HEIGHT, WIDTH = 4000, 6000
HUGE_SIDE = 20_000
SMALL_HEIGHT, SMALL_WIDTH = 192, 256
OURS = "cnnfilter"
ALLOWANCE = 130
"""MiB that our command may take beside the pixels and the files: Python, its libraries, the rows at work."""

MEBI = 2**20


class Task(NamedTuple):
    """A filter in the words of each program, input and output left out.

    Parameters
    ----------
    ours
        Options of `cnnfilter convolve`.
    mask
        The matrix in libvips' format; empty where `vips` says it otherwise.
    vips, imagemagick, graphicsmagick, gmic
        What stands between input and output, or what is done for libvips.
    opencv
        What makes `result` of `image` in a script.
    """

    ours: tuple[str, ...]
    mask: str
    vips: tuple[str, ...]
    imagemagick: tuple[str, ...]
    graphicsmagick: tuple[str, ...]
    gmic: tuple[str, ...]
    opencv: str


def make_tasks() -> dict[str, Task]:
    """Return the filters by name."""
    sharpen = np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]])
    line = np.eye(25, dtype=int)
    return {
        "sharpen": _matrix_task(sharpen, (), ()),
        "gaussian": Task(
            ours=("-k", "gaussian:sigma=2.5"),
            mask="",
            vips=("gaussblur", "2.5", "--min-ampl", "0.019"),  # 15 weights, as ours
            imagemagick=("-gaussian-blur", "7x2.5"),
            graphicsmagick=("-gaussian", "7x2.5"),
            gmic=("blur", "2.5,0,1"),
            opencv="cv2.GaussianBlur(image, (15, 15), 2.5, borderType=cv2.BORDER_CONSTANT)",
        ),
        "line": _matrix_task(line, ("--normalize", "sum"), ("-define", "convolve:scale=!")),
    }


def _matrix_task(matrix: Array, ours: tuple[str, ...], imagemagick: tuple[str, ...]) -> Task:
    """Return the task of laying a matrix of whole numbers, divided by its sum."""
    size, total = f"{matrix.shape[0]}x{matrix.shape[1]}", int(matrix.sum())
    rows = [[show_number(float(weight)) for weight in row] for row in matrix]
    commas = ",".join(weight for row in rows for weight in row)
    scaled = ";".join(",".join(str(weight) for weight in row) for row in (matrix / total).tolist())
    return Task(
        ours=("-k", "; ".join(" ".join(row) for row in rows), *ours),
        mask=f"{size.replace('x', ' ')} {total} 0\n" + "\n".join(" ".join(row) for row in rows) + "\n",
        vips=("conv", "--precision", "integer"),
        imagemagick=(*imagemagick, "-morphology", "Convolve", f"{size}: {commas}"),
        graphicsmagick=("-convolve", commas),
        gmic=(f"({scaled})", "correlate[0]", "[1],0", "keep[0]"),
        opencv=f"cv2.filter2D(image, -1, np.array({matrix.tolist()}, np.float32) / {total}, borderType=0)",
    )


SAVING = {
    "vips": {"pgm": "", "png": "[compression=1,filter=sub]", "jpg": "[Q=95,subsample_mode=off]"},
    "ImageMagick": {
        "pgm": "-depth 8",
        "png": "-depth 8 -define png:compression-level=1 -define png:compression-filter=1 "
        "-define png:compression-strategy=3",
        "jpg": "-quality 95 -sampling-factor 4:4:4",
    },
    "GraphicsMagick": {"pgm": "", "png": "-quality 11", "jpg": "-quality 95 -sampling-factor 1x1"},
    "gmic": {"pgm": "", "png": "", "jpg": ",95"},
}
"""How each is told to write a format as OpenCV does: options, or what is hung onto the name."""

OPENCV_PARAMETERS = "[cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111]"  # 4:4:4


class Job(NamedTuple):
    """A task on a file."""

    task: Task
    source: Path
    folder: Path

    @property
    def suffix(self) -> str:
        """Of the input and the output."""
        return self.source.suffix[1:]

    def target(self, program: str) -> Path:
        """Return what a program writes."""
        return self.folder / f"{program}.{self.suffix}"


def _ours(job: Job) -> Command:
    options = (*job.task.ours, "-p", "half", "-q", "-o", str(job.target(OURS)))
    return cnnfilter("convolve", str(job.source), *options)


def _script(job: Job) -> Command:
    """Return a script of three calls of OpenCV; it imports click, as a command would, and numpy comes with OpenCV."""
    is_grey, is_jpeg = job.suffix == "pgm", job.suffix == "jpg"
    lines = (
        "import click, cv2, numpy as np",
        f"image = cv2.imread({str(job.source)!r}, cv2.IMREAD_{'GRAYSCALE' if is_grey else 'COLOR'})",
        f"result = {job.task.opencv}",
        f"cv2.imwrite({str(job.target('OpenCV'))!r}, result, {OPENCV_PARAMETERS if is_jpeg else []})",
    )
    return python("\n".join(lines))


def _vips(job: Job) -> Command:
    target = f"{job.target('vips')}{SAVING['vips'][job.suffix]}"
    operation, *options = job.task.vips
    if not job.task.mask:
        return ["vips", operation, str(job.source), target, *options]
    mask = job.folder / "mask.mat"
    mask.write_text(job.task.mask, encoding="utf-8")
    return ["vips", operation, str(job.source), target, str(mask), *options]


def _imagemagick(job: Job) -> Command:
    saving = SAVING["ImageMagick"][job.suffix].split()
    return ["convert", str(job.source), *job.task.imagemagick, *saving, str(job.target("ImageMagick"))]


def _graphicsmagick(job: Job) -> Command:
    saving = SAVING["GraphicsMagick"][job.suffix].split()
    return ["gm", "convert", str(job.source), *job.task.graphicsmagick, *saving, str(job.target("GraphicsMagick"))]


def _gmic(job: Job) -> Command:
    target = f"{job.target('gmic')}{SAVING['gmic'][job.suffix]}"
    return ["gmic", str(job.source), *job.task.gmic, "cut", "0,255", "round", "output", target]


class Program(NamedTuple):
    """A peer: its executable, and its command for a job."""

    executable: str
    command: Callable[[Job], Command]


PROGRAMS = {
    "OpenCV": Program(sys.executable, _script),
    "vips": Program("vips", _vips),
    "ImageMagick": Program("convert", _imagemagick),
    "GraphicsMagick": Program("gm", _graphicsmagick),
    "gmic": Program("gmic", _gmic),
}
SLOW = ("ImageMagick",)


def run_job(job: Job, rounds: int, programs: Mapping[str, Program]) -> None:
    """Time a job by us and by the peers that are there, and print."""
    commands: dict[str, Command] = {OURS: _ours(job)}
    for name, program in programs.items():
        if name == "GraphicsMagick" and job.task.mask.startswith("25"):
            print(f"    {name:16}  takes no matrix of this size")
        elif shutil.which(program.executable):
            commands[name] = program.command(job)
    usages = measure_in_turn(commands, rounds, once=SLOW)
    for name, usage in usages.items():
        print(_line(name, usage, usages[OURS], job))
    print(f"    {_bound(job, usages[OURS])}", flush=True)


def _line(name: str, usage: Sequence[Usage], ours: Sequence[Usage], job: Job) -> str:
    seconds, own = [run.seconds for run in usage], [run.seconds for run in ours]
    ratio = "" if name == OURS else f"{median_ratio(own, seconds):6.2f}"
    written = job.target(name).stat().st_size / MEBI
    return (
        f"    {name:16}  {median(seconds):8.2f}  {ratio:6}  {max(run.peak for run in usage):8.0f}  {written:10.1f}"
    ).rstrip()


def _bound(job: Job, usages: Sequence[Usage]) -> str:
    """Return our peak beside what it should stay below."""
    target = job.target(OURS)
    decoded = _decoded(job.source) + _decoded(target)
    encoded = job.source.stat().st_size + target.stat().st_size
    bound = (decoded + encoded) / MEBI + ALLOWANCE
    peak = max(usage.peak for usage in usages)
    parts = f"decoded {decoded / MEBI:.0f} + files {encoded / MEBI:.0f} + {ALLOWANCE}"
    return f"peak {peak:.0f} MiB, bound {bound:.0f} ({parts}): {'within' if peak <= bound else 'ABOVE'}"


def _decoded(path: Path) -> int:
    """Return the bytes of a picture's pixels."""
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    return int(np.asarray(picture).nbytes)


def print_header(title: str) -> None:
    """Print the heading of a job's lines."""
    print(f"\n{title}\n    {'':16}  median s   ratio  peak MiB  output MiB")


def run_photos(
    tasks: Mapping[str, Task], formats: Sequence[str], rounds: int, height: int = HEIGHT, width: int = WIDTH
) -> None:
    """Run each task on the photo in each format."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photos = write_photos(folder, height, width)
        for task_name, task in tasks.items():
            for suffix in formats:
                colours = "grey" if suffix == "pgm" else "RGB"
                print_header(f"{task_name}, {height}x{width} {colours} {suffix}")
                run_job(Job(task, photos[suffix], folder), rounds, PROGRAMS)


def run_huge(side: int, rounds: int) -> None:
    """Sharpen a grey PNG of side x side, beside libvips alone, and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print_header(f"sharpen, {side}x{side} grey png")
        run_job(Job(make_tasks()["sharpen"], write_huge(folder, side), folder), rounds, {"vips": PROGRAMS["vips"]})


def main(arguments: Sequence[str] | None = None) -> None:
    """Time the commands, and print."""
    tasks = make_tasks()
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.bench_commands")
    parser.add_argument("--rounds", type=int, default=5, help="that count; one more comes first (default 5)")
    parser.add_argument("--only", choices=tasks, help="one filter")
    parser.add_argument("--formats", choices=FORMATS, nargs="+", default=FORMATS)
    parser.add_argument("--small", action="store_true", help=f"filter {SMALL_HEIGHT}x{SMALL_WIDTH} pixels")
    parser.add_argument("--huge", action="store_true", help="sharpen 400 megapixels, one round and nothing else")
    options = parser.parse_args(arguments)
    warn_if_busy()
    if absent := [name for name, program in PROGRAMS.items() if not shutil.which(program.executable)]:
        print(f"absent: {', '.join(absent)}")
    if options.huge:
        run_huge(HUGE_SIDE, rounds=1)
    else:
        chosen = {options.only: tasks[options.only]} if options.only else tasks
        size = (SMALL_HEIGHT, SMALL_WIDTH) if options.small else (HEIGHT, WIDTH)
        run_photos(chosen, options.formats, options.rounds, *size)


if __name__ == "__main__":
    main()
