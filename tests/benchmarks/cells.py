"""A cell of a grid: what is computed, ours and its peers, checked against each other, timed, and summed up."""

from collections.abc import Iterable, Mapping, Sequence
from math import exp, inf, log
from statistics import median
from typing import NamedTuple

import numpy as np

from cnnfilter.arrays import Array
from tests.benchmarks.timing import Call, call_in_turn, median_ratio

OURS = "cnnfilter"

AGREEMENT = 1e-4
"""Results that differ by more of the largest that could be are not of the same thing."""


class Cell(NamedTuple):
    """One computation by us and by the peers.

    Parameters
    ----------
    name
        What is computed, on what.
    ours
        The call that is measured; as each peer, it returns its result.
    peers
        Those who compute the same, by name; the results of `torch` have their channels first.
    scale
        The largest magnitude that a result could have.
    plain
        The peers whose ratio is printed beside that of the best one.
    """

    name: str
    ours: Call
    peers: Mapping[str, Call]
    scale: float
    plain: tuple[str, ...] = ()


class Outcome(NamedTuple):
    """What a cell's calls took, by name, in each round."""

    cell: Cell
    seconds: Mapping[str, Sequence[float]]

    def best(self, names: Iterable[str] | None = None) -> str:
        """Return the fastest peer, or the fastest of some; an empty name if there is none."""
        peers = [name for name in (self.cell.peers if names is None else names) if name in self.seconds]
        return min(peers, key=lambda name: median(self.seconds[name]), default="")

    def against(self, peer: str) -> float:
        """Return how many times as long as ours a peer took, round by round."""
        return median_ratio(self.seconds[OURS], self.seconds[peer])

    @property
    def ratio(self) -> float:
        """How many times as long as ours the fastest peer took."""
        return self.against(self.best())


def run_cell(cell: Cell, rounds: int) -> Outcome:
    """Check that all results agree, time them, and print a line."""
    outcome = Outcome(cell, call_in_turn({OURS: cell.ours, **cell.peers}, rounds, _Check(cell)))
    print(_line(outcome), flush=True)
    return outcome


def print_header(title: str, plain: str = "") -> None:
    """Print the heading of the lines of `run_cell`."""
    figures = f"{'ours ms':>9}  {'best peer':24}  {'its ms':>9}  {'ratio':>6}"
    print(f"\n{title}\n{'':44}  {figures}" + (f"  {'to ' + plain:>12}" if plain else ""), flush=True)


def _line(outcome: Outcome) -> str:
    cell, seconds, best = outcome.cell, outcome.seconds, outcome.best()
    ours = f"{cell.name:44}  {1000 * median(seconds[OURS]):9.3f}"
    if not best:
        return f"{ours}  no peer"
    line = f"{ours}  {best:24}  {1000 * median(seconds[best]):9.3f}  {outcome.ratio:6.2f}"
    plain = outcome.best(cell.plain)
    return f"{line}  {outcome.against(plain):12.2f}" if plain else line


class _Check:
    """Prints a line for each peer whose result is another than ours, which comes first."""

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._ours: Array | None = None

    def __call__(self, name: str, result: Array) -> None:
        """Look at a result."""
        if self._ours is None:
            self._ours = result
            return
        error = _difference(self._ours, _channels_last(result, name == "torch", self._ours.ndim))
        if not error <= AGREEMENT * self._cell.scale:
            print(f"{self._cell.name}: {name} DISAGREES by {error / self._cell.scale:.1e} of the largest result")


def _channels_last(result: Array, channels_first: bool, dimensions: int) -> Array:
    """Return a result in our order of axes, (H, W) or (H, W, C)."""
    if not channels_first:
        return result
    turned = np.moveaxis(result[0] if result.ndim == 4 else result, 0, -1)
    return turned[:, :, 0] if dimensions == 2 else turned


def _difference(ours: Array, theirs: Array) -> float:
    """Return the largest difference; infinite if even the shapes differ."""
    if ours.shape != theirs.shape:
        return inf
    parts = (np.abs(own.astype(np.float64) - other).max() for own, other in zip(ours, theirs, strict=True))
    return float(max(parts))


def summarise(title: str, outcomes: Sequence[Outcome], goal: float) -> None:
    """Print the geometric mean of the ratios, the smallest, and the cells below a goal."""
    compared = sorted((outcome for outcome in outcomes if outcome.best()), key=lambda outcome: outcome.ratio)
    if not compared:
        print(f"\n{title}: nothing to compare")
        return
    mean = exp(sum(log(outcome.ratio) for outcome in compared) / len(compared))
    least = compared[0]
    print(f"\n{title}: {len(compared)} cells, geometric mean {mean:.2f}, least {least.ratio:.2f} ({least.cell.name})")
    below = [outcome for outcome in compared if outcome.ratio < goal]
    print(f"below {goal}: {len(below)}")
    for outcome in below:
        print(f"    {outcome.ratio:5.2f}  {outcome.cell.name}  ({outcome.best()})")
