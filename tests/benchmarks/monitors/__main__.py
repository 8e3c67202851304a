"""Are runs that fail told what is wrong with them, and runs that are well nothing?

python -m tests.benchmarks.monitors [--seed N ...] [--fashion-mnist FOLDER] [--only WORD ...]

Prints a table: row of the signals, how it was built, the finding that was told, where, and the epoch.
FOLDER holds t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz; without it runs on clothes are left out.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from tests.benchmarks.monitors.cases import BROKEN, HEALTHY
from tests.benchmarks.monitors.runs import Bench, perform


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, nargs="*", default=[0])
    parser.add_argument("--fashion-mnist", type=Path)
    parser.add_argument("--only", nargs="*", default=[""], metavar="WORD")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        done = alarms = missed = 0
        for seed in options.seed:
            bench = Bench(Path(folder) / str(seed), seed, options.fashion_mnist)
            chosen = [
                c for c in (*HEALTHY, *BROKEN) if any(word in f"{c.row} {c.how}" for word in options.only)
            ]
            for case in filter(bench.has, chosen):
                outcome = perform(case, bench)
                done += 1
                alarms += not case.rule and not outcome.right
                missed += bool(case.rule) and not outcome.right
                print(outcome.line(), flush=True)
        print(f"{done} runs: {alarms} false alarms, {missed} failures not told")


main()
