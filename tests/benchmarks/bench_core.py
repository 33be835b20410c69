"""Convolutions and pools of arrays, beside the libraries that compute the same: a grid, with what it comes to.

    python -m tests.benchmarks.bench_core [--rounds N] [--only convolve|banks|pools] [--sizes N ...] [--all]

A ratio is the fastest peer's time over ours, taken round by round, their median printed: above 1, we are faster.
Before it is timed, each result is held against ours; what disagrees is named. SciPy, scikit-image and PyTorch filter
a part of the kernels, as they are slow: `--all` has them everywhere. A call more than four times as slow as the
fastest is timed no more.
"""

import argparse
from collections.abc import Iterator, Sequence

from tests.benchmarks.cells import Cell, Outcome, print_header, run_cell, summarise
from tests.benchmarks.core_banks import bank_cells
from tests.benchmarks.core_kernels import HEIGHT, SIZES, WIDTH, kernel_cells
from tests.benchmarks.core_pools import pool_cells
from tests.benchmarks.machine import hold_to_one_thread, print_absent, warn_if_busy

PARTS = ("convolve", "banks", "pools")

GOALS = {"convolve": 0.95, "banks": 0.3, "pools": 1.0}
"""The ratios below which a cell is listed."""

TITLES = {
    "convolve": f"kernels on {HEIGHT}x{WIDTH}, padding half",
    "banks": "banks of float32, with biases",
    "pools": f"pools of {HEIGHT}x{WIDTH}, size/stride",
}


def run_part(part: str, cells: Iterator[Cell], rounds: int) -> list[Outcome]:
    """Run the cells of one table."""
    print_header(TITLES[part], "filter2D" if part == "convolve" else "")
    return [run_cell(cell, rounds) for cell in cells]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the grid, and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.bench_core")
    parser.add_argument("--rounds", type=int, default=5, help="that count; one more comes first (default 5)")
    parser.add_argument("--only", choices=PARTS, help="one table")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="N", help="of the kernels")
    parser.add_argument("--all", action="store_true", help="have the slow peers in every cell")
    options = parser.parse_args(arguments)
    warn_if_busy()
    hold_to_one_thread()
    print_absent("torch", "scipy", "skimage")
    cells = {
        "convolve": kernel_cells(options.sizes, options.all),
        "banks": bank_cells(),
        "pools": pool_cells(options.all),
    }
    parts = [options.only] if options.only else PARTS
    outcomes = {part: run_part(part, cells[part], options.rounds) for part in parts}
    for part, results in outcomes.items():
        summarise(part, results, GOALS[part])


if __name__ == "__main__":
    main()
