"""Run a command, and print its seconds, its peak memory in MiB and its status, from a process that is itself small.

A process counts the memory of the one that started it into its own peak, until it is replaced by the command; so
this module imports next to nothing. What the command prints goes to standard error if it is an error, or nowhere.
"""

import os
import sys
import time


def main(command: list[str]) -> None:
    """Run the command."""
    nowhere = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    start = time.perf_counter()
    process = os.posix_spawnp(command[0], command, os.environ, file_actions=nowhere)
    _, status, usage = os.wait4(process, 0)
    seconds = time.perf_counter() - start
    print(seconds, usage.ru_maxrss / 1024, os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main(sys.argv[1:])
