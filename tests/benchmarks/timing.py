"""Processes and calls timed in turn, so that a machine that grows slow or fast is slow or fast for all of them."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

Command = Sequence[str]

Call = Callable[[], object]

CHILD = Path(__file__).with_name("child.py")

PAUSE = 0.03
"""Seconds before a call: after a product OpenBLAS's threads keep their cores busy for some 25 ms, which the next side
would be charged for."""

LONG_ENOUGH = 0.06
"""Seconds: a call that takes less is repeated until so much has passed, and its fastest counts for the round."""

SLOW, SLOW_SECONDS = 10.0, 0.5
"""A call is timed once if it takes so many times the fastest, and so many seconds: it decides nothing."""


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
    commands: Mapping[str, Command], rounds: int, *, ends: Mapping[str, int] | None = None, once: Sequence[str] = ()
) -> dict[str, list[Usage]]:
    """Return what each command took in each round; a first round goes uncounted.

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
    """
    usages: dict[str, list[Usage]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, command in commands.items():
            if number == 0 or name not in once:
                usage = measure(command, (ends or {}).get(name, 0))
                usages[name] += [usage] * (number > 0 or name in once)
    return usages


def time_in_turn(
    commands: Mapping[str, Command], rounds: int, *, ends: Mapping[str, int] | None = None
) -> dict[str, list[float]]:
    """Return the seconds that each command took in each round; `measure_in_turn` without the memory."""
    usages = measure_in_turn(commands, rounds, ends=ends)
    return {name: [usage.seconds for usage in taken] for name, taken in usages.items()}


def call_in_turn(calls: Mapping[str, Call], firsts: Mapping[str, float], rounds: int) -> dict[str, list[float]]:
    """Return the seconds that each call took in each round, every other round in the opposite order.

    Parameters
    ----------
    calls
        By the names that they are printed with.
    firsts
        The seconds of each one's first call, which counts only if it was so slow that once is enough; the figure
        then stands for every round.
    rounds
        How many there are.
    """
    slow = max(SLOW_SECONDS, SLOW * min(firsts.values()))
    seconds: dict[str, list[float]] = {name: [first] * rounds * (first > slow) for name, first in firsts.items()}
    names = [name for name, times in seconds.items() if not times]
    for number in range(rounds):
        for name in names if number % 2 else reversed(names):
            time.sleep(PAUSE)
            seconds[name].append(_time_round(calls[name]))
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
