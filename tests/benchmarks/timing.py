"""Whole processes timed in turn, so that a machine that grows slow or fast is slow or fast for all of them."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from statistics import median

Command = Sequence[str]


def time_in_turn(commands: Mapping[str, Command], rounds: int) -> dict[str, list[float]]:
    """Return the seconds that each command took in each round; a first round goes uncounted.

    Modules are compiled in it, as an installation compiles them: where the environment forbids to keep what was
    compiled, a command would compile itself anew each time.

    Raises
    ------
    subprocess.CalledProcessError
        If a command fails: what did nothing is not fast.
    """
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for number in range(rounds + 1):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True, env=environment)
            if number:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def report(seconds: Mapping[str, Sequence[float]]) -> None:
    """Print the median of each command, and how often it goes into the first one's, round by round."""
    first = next(iter(seconds.values()))
    width = max(map(len, seconds))
    print(f"{'':{width}}  median ms   fastest   slowest   median ratio to the first")
    for name, times in seconds.items():
        ratio = median(own / other for own, other in zip(times, first, strict=True))
        figures = (median(times), min(times), max(times))
        print(f"{name:{width}}  {'  '.join(f'{1000 * figure:8.1f}' for figure in figures)}   {ratio:8.2f}")


def python(code: str) -> Command:
    """Return the command that runs a line of Python by the interpreter in use."""
    return [sys.executable, "-c", code]
