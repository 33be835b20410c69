"""Every table, under the machine and the versions that it belongs to.

python -m tests.benchmarks [--rounds N] [--huge]
"""

import argparse

from tests.benchmarks import (
    bench_batch,
    bench_commands,
    bench_core,
    bench_correlate,
    bench_decode,
    bench_networks,
    bench_start,
    bench_train,
)
from tests.benchmarks.machine import heading

MODULES = {
    "start": bench_start.main,
    "networks": bench_networks.main,
    "commands": bench_commands.main,
    "batches": bench_batch.main,
    "arrays": bench_core.main,
    "correlations": bench_correlate.main,
    "decoding": bench_decode.main,
    "training": bench_train.main,
}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("--rounds", type=int, help="of every table, in place of each one's own")
    parser.add_argument("--huge", action="store_true", help="sharpen 400 megapixels as well")
    options = parser.parse_args()
    rounds = ["--rounds", str(options.rounds)] if options.rounds else []
    print(heading())
    for title, run in MODULES.items():
        print(f"\n=== {title}", flush=True)
        run(rounds)
    if options.huge:
        bench_commands.main(["--huge"])


if __name__ == "__main__":
    main()
