"""Processes and calls timed in turn, so that a machine that grows slow or fast is slow or fast for all of them."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from cnnfilter.arrays import Array
from tests.benchmarks.machine import use_all_cores

Command = Sequence[str]

Call = Callable[[], object]

CHILD = Path(__file__).with_name("child.py")

PAUSE = 0.03
"""Seconds before a call: after a product OpenBLAS's threads keep their cores busy for some 25 ms, whatever process
comes next."""

LONG_ENOUGH = 0.06
"""Seconds: a call that takes less is repeated until so much has passed, and its fastest counts for the round."""

SLOW, SLOW_SECONDS = 4.0, 0.05
"""A call that takes so many times the fastest, and so many seconds, is timed no more: it decides nothing."""

BEGINNING = 0.5
"""Seconds that a first call takes at most to begin threads and to load what it needs."""


class Usage(NamedTuple):
    """What a process took: seconds on the clock, and MiB of memory at its peak."""

    seconds: float
    peak: float


def measure(command: Command, status: int = 0) -> Usage:
    """Run a command in a process started by a small one, whose memory does not count as the command's.

    Raises
    ------
    RuntimeError
        If it ends with another status: what did nothing is not fast.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    starter = [sys.executable, "-I", "-S", str(CHILD), *command]
    done = subprocess.run(starter, capture_output=True, text=True, check=True, env=environment)
    seconds, peak, ended = done.stdout.split()[-3:]
    if int(ended) != status:
        raise RuntimeError(f"{' '.join(command)} ended with status {ended}\n{done.stderr}")
    return Usage(float(seconds), float(peak))


def measure_in_turn(
    commands: Mapping[str, Command],
    rounds: int,
    *,
    ends: Mapping[str, int] | None = None,
    once: Sequence[str] = (),
    before: Callable[[], None] = lambda: None,
) -> dict[str, list[Usage]]:
    """Return what each command took in each round, every other round in the opposite order; a first goes uncounted.

    Modules are compiled in it, as an installation compiles them: where the environment forbids to keep what was
    compiled, a command would compile itself anew each time.

    Parameters
    ----------
    commands
        By the names that they are printed with.
    rounds
        How many of them count.
    ends
        The status that a command ends with, where it is not 0.
    once
        Commands so slow that their first round is the only one, and counts.
    before
        What is done before each command, and not measured.
    """
    usages: dict[str, list[Usage]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name in commands if number % 2 else reversed([*commands]):
            if number == 0 or name not in once:
                before()
                usage = measure(commands[name], (ends or {}).get(name, 0))
                usages[name] += [usage] * (number > 0 or name in once)
    return usages


def time_in_turn(
    commands: Mapping[str, Command], rounds: int, *, ends: Mapping[str, int] | None = None
) -> dict[str, list[float]]:
    """Return the seconds that each command took in each round; `measure_in_turn` without the memory."""
    usages = measure_in_turn(commands, rounds, ends=ends)
    return {name: [usage.seconds for usage in taken] for name, taken in usages.items()}


class Side:
    """A process of its own that makes a call when it is asked, on all cores.

    It is a copy of this one, in which no library may have begun threads; `hold_to_one_thread` sees to that.
    """

    def __init__(self, call: Call) -> None:
        context = get_context("fork")
        self._line, theirs = context.Pipe()
        self._process = context.Process(target=_answer, args=(call, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, *, result: bool) -> Any:
        """Return the seconds of a call and its result as an array, or the seconds of a round."""
        self._line.send("result" if result else "round")
        return self._line.recv()

    def close(self) -> None:
        """End the process."""
        self._line.send("end")
        self._process.join()


def _answer(call: Call, line: Connection) -> None:
    """Make a call whenever the line asks for it."""
    use_all_cores()
    while (question := line.recv()) != "end":
        if question == "result":
            seconds, result = time_call(call)
            line.send((seconds, np.asarray(result)))
        else:
            line.send(_time_round(call))


def call_in_turn(
    calls: Mapping[str, Call], rounds: int, check: Callable[[str, Array], None] | None = None
) -> dict[str, list[float]]:
    """Return the seconds that each call took in each round, each in a process of its own.

    Every other round is in the opposite order. A first one does not count, but for a call that is slow even
    without what it began with: its figure is that of every round.

    Parameters
    ----------
    calls
        By the names that they are printed with.
    rounds
        How many there are.
    check
        Gets the name and the result of each first call.
    """
    sides = {name: Side(call) for name, call in calls.items()}
    try:
        firsts: dict[str, float] = {}
        for name, side in sides.items():
            if check:
                firsts[name], result = side.ask(result=True)
                check(name, result)
            else:
                firsts[name] = side.ask(result=False)
        slow = max(SLOW_SECONDS, SLOW * min(firsts.values()))
        for name in [name for name, first in firsts.items() if slow < first < slow + BEGINNING]:
            firsts[name] = min(firsts[name], sides[name].ask(result=False))
        seconds = {name: [first] * rounds * (first > slow) for name, first in firsts.items()}
        names = [name for name, times in seconds.items() if not times]
        for number in range(rounds):
            for name in names if number % 2 else reversed(names):
                time.sleep(PAUSE)
                seconds[name].append(sides[name].ask(result=False))
    finally:
        for side in sides.values():
            side.close()
    return seconds


def _time_round(call: Call) -> float:
    """Return the seconds of a call: the fastest, if it is so short that it can be repeated."""
    times = [time_call(call)[0]]
    while sum(times) < LONG_ENOUGH:
        times.append(time_call(call)[0])
    return min(times)


def time_call(call: Call) -> tuple[float, object]:
    """Return the seconds that a call took, and its result."""
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def median_ratio(own: Sequence[float], other: Sequence[float]) -> float:
    """Return how often the first goes into the second, round by round: above 1, the first is faster.

    What ran once is beside each round of the other.
    """
    rounds = max(len(own), len(other))
    ours, theirs = (list(times) * (rounds if len(times) == 1 else 1) for times in (own, other))
    return median(their / our for our, their in zip(ours, theirs, strict=True))


def report(seconds: Mapping[str, Sequence[float]], baselines: Mapping[str, str] | None = None) -> None:
    """Print the median of each command, and how many times as long as its baseline it took, round by round.

    Parameters
    ----------
    seconds
        What `time_in_turn` returned.
    baselines
        The name of each command's baseline; the first command is that of all that are not named.
    """
    first = next(iter(seconds))
    width = max(map(len, seconds))
    print(f"{'':{width}}  median ms   fastest   slowest   median ratio")
    for name, times in seconds.items():
        baseline = (baselines or {}).get(name, first)
        figures = (median(times), min(times), max(times))
        beside = "" if name == baseline else f"{median_ratio(seconds[baseline], times):8.2f}  to {baseline}"
        print(f"{name:{width}}  {'  '.join(f'{1000 * figure:8.1f}' for figure in figures)}   {beside}".rstrip())


def python(code: str) -> Command:
    """Return the command that runs a line of Python by the interpreter in use."""
    return [sys.executable, "-c", code]


def cnnfilter(*arguments: str) -> Command:
    """Return our command with its arguments."""
    return [sys.executable, "-m", "cnnfilter", *arguments]
