"""Read each file that standard input names, and print the seconds of the fastest call: one side of `bench_decode`.

With `cpu` as an argument they are seconds of the processor, which depend less on what else a machine does. The checkout
whose package is imported is first on PYTHONPATH; nothing else of it is needed.
"""

import sys
import time

import cnnfilter

LONG_ENOUGH = 0.05
"""Seconds: a file is read again until so much has passed."""


def main() -> None:
    """Answer each line, a path, by a line with a number."""
    clock = time.process_time if "cpu" in sys.argv else time.perf_counter
    for line in sys.stdin:
        path, times = line.rstrip("\n"), list[float]()
        while not times or sum(times) < LONG_ENOUGH:
            start = clock()
            cnnfilter.read_image(path)
            times.append(clock() - start)
        print(min(times), flush=True)


if __name__ == "__main__":
    main()
