"""Thousands of JPEGs in one command, beside a script, libvips by xargs, pyvips, ImageMagick and GraphicsMagick.

    python -m tests.benchmarks.bench_batch [--rounds N] [--small N] [--middle N]

All sharpen with the same 3x3 kernel and write JPEGs at quality 95, chroma at full size, as many at a time as there are
cores, into an empty folder. pyvips is one process with threads, whose start is counted, as ours is. The script calls
OpenCV in a pool of processes and checks nothing. mogrify goes through its files one by one.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import median

from tests.benchmarks.machine import heading, module, warn_if_busy
from tests.benchmarks.pictures import make_photo, write
from tests.benchmarks.timing import Command, cnnfilter, measure_in_turn, median_ratio

OURS = "cnnfilter"
SIZES = {"small": (192, 256), "middle": (1200, 2000)}
MASK = "3 3 1 0\n0 -1 0\n-1 5 -1\n0 -1 0\n"
CORES = os.cpu_count() or 1

PYVIPS = """
import os, sys, pyvips
from concurrent.futures import ThreadPoolExecutor
source, target, cores = sys.argv[1], sys.argv[2], int(sys.argv[3])
pyvips.voperation.cache_set_max(0)
mask = pyvips.Image.new_from_array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]])
def sharpen(name):
    image = pyvips.Image.new_from_file(os.path.join(source, name), access="sequential")
    image.conv(mask, precision="integer").write_to_file(os.path.join(target, name), Q=95)
with ThreadPoolExecutor(cores) as pool:
    list(pool.map(sharpen, sorted(os.listdir(source))))
"""


SCRIPT = """
import os, sys, cv2, numpy as np
from multiprocessing import Pool
source, target, cores = sys.argv[1], sys.argv[2], int(sys.argv[3])
mask = np.float32([[0, -1, 0], [-1, 5, -1], [0, -1, 0]])
options = [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
def sharpen(name):
    with open(os.path.join(source, name), "rb") as file:
        image = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_UNCHANGED)
    data = cv2.imencode(".jpg", cv2.filter2D(image, -1, mask), options)[1]
    with open(os.path.join(target, name), "wb") as file:
        file.write(data)
cv2.setNumThreads(1)
with Pool(cores) as pool:
    pool.map(sharpen, sorted(os.listdir(source)))
"""
"""Three calls of OpenCV a file, and nothing checked: what its codecs leave to be had."""


def write_pictures(folder: Path, size: tuple[int, int], count: int) -> None:
    """Write so many pictures of a size, each another part of one photo."""
    height, width = size
    photo = make_photo(height + 40, width + 50)
    for number in range(count):
        top, left = number % 40, number % 50
        write(folder / f"{number:05}.jpg", photo[top : top + height, left : left + width])


def set_aside(target: Path, done: Path) -> None:
    """Leave empty folders for the next command.

    What is in them is kept: a file that takes the place of another waits for the disk, and for some seconds after
    files were removed, ext4 takes ten times as long to make one.
    """
    for folder in [path for path in target.iterdir() if path.is_dir() and any(path.iterdir())]:
        folder.rename(done / f"{folder.name} {len(list(done.iterdir()))}")
        folder.mkdir()


PROGRAMS = ("script", "vips", "pyvips", "mogrify", "gm mogrify")
"""The peers."""


def commands_for(source: Path, target: Path) -> dict[str, Command]:
    """Return the commands that are there, each with its own folder for what it writes."""
    folders = {name: target / name for name in (OURS, *PROGRAMS)}
    for folder in folders.values():
        folder.mkdir(exist_ok=True)
    mask = target / "mask.mat"
    mask.write_text(MASK, encoding="utf-8")
    options = ("-k", "sharpen", "-p", "half", "-q", "-o", f"{folders[OURS]}/")
    commands: dict[str, Command] = {OURS: cnnfilter("convolve", "-r", str(source), *options)}
    commands["script"] = [sys.executable, "-c", SCRIPT, str(source), str(folders["script"]), str(CORES)]
    if shutil.which("vips"):
        one = f"vips conv {source}/{{}} '{folders['vips']}/{{}}[Q=95]' {mask} --precision integer"
        commands["vips"] = ["sh", "-c", f"ls {source} | VIPS_CONCURRENCY=1 xargs -P {CORES} -I{{}} {one}"]
    if module("pyvips"):
        commands["pyvips"] = [sys.executable, "-c", PYVIPS, str(source), str(folders["pyvips"]), str(CORES)]
    kernel = "3x3: 0,-1,0,-1,5,-1,0,-1,0"
    if shutil.which("mogrify"):
        morphology = f"mogrify -path {folders['mogrify']} -quality 95 -morphology Convolve '{kernel}'"
        commands["mogrify"] = ["sh", "-c", f"{morphology} {source}/*.jpg"]
    if shutil.which("gm"):
        convolve = f"gm mogrify -output-directory '{folders['gm mogrify']}' -quality 95 -convolve {kernel[5:]}"
        commands["gm mogrify"] = ["sh", "-c", f"cd {source} && {convolve} *.jpg"]
    return commands


def main(arguments: Sequence[str] | None = None) -> None:
    """Time the batches, and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.bench_batch")
    parser.add_argument("--rounds", type=int, default=3, help="that count; one more comes first (default 3)")
    parser.add_argument("--small", type=int, default=2000, help="pictures of 256x192 (default 2000)")
    parser.add_argument("--middle", type=int, default=60, help="pictures of 2000x1200 (default 60)")
    options = parser.parse_args(arguments)
    warn_if_busy()
    print(heading())
    for name, size in SIZES.items():
        count = getattr(options, name)
        with tempfile.TemporaryDirectory() as folder:
            source, target, done = (Path(folder) / name for name in ("in", "out", "done"))
            for path in (source, target, done):
                path.mkdir()
            write_pictures(source, size, count)
            print(f"\n{count} JPEGs of {size[1]}x{size[0]}\n    {'':12}  median s   ratio  peak MiB", flush=True)
            commands = commands_for(source, target)
            if absent := [program for program in PROGRAMS if program not in commands]:
                print(f"absent: {', '.join(absent)}")
            once = ("mogrify", "gm mogrify")
            usages = measure_in_turn(commands, options.rounds, once=once, before=partial(set_aside, target, done))
            ours = [run.seconds for run in usages[OURS]]
            for program, runs in usages.items():
                seconds = [run.seconds for run in runs]
                ratio = "" if program == OURS else f"{median_ratio(ours, seconds):6.2f}"
                print(f"    {program:12}  {median(seconds):8.2f}  {ratio:6}  {max(run.peak for run in runs):8.0f}")


if __name__ == "__main__":
    main()
