"""What every peer's script shares: the job that it reads, and the one line that it prints at the end.

A script is called with a JSON file:

data (a folder with train and val), work (probe, partial or full), epochs, batch_size, image_size, lr, seed, threads,
weights (a file), and for the tuned rows precision, channels_last and workers.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

SHARED = ("torch", "torchvision", "numpy", "pillow")


def main(train: Callable[[SimpleNamespace], dict[str, Any]], *libraries: str) -> None:
    """Run the job that the command line names, and print its result. `--versions` only imports and tells them."""
    versions = {name: version(name) for name in (*libraries, *SHARED)}
    if sys.argv[1:] == ["--versions"]:
        print(json.dumps({"versions": versions}))
        return
    job = SimpleNamespace(**json.loads(Path(sys.argv[1]).read_text()))
    _use_threads(job.threads)
    result = train(job)
    best = max(result["accuracies"])
    told = {"accuracy": best, "versions": versions, "peak_rss_mib": _peak(), "whole_seconds": _age()}
    print("\n" + json.dumps(result | told), flush=True)


def _use_threads(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)


def _peak() -> float:
    """Of this process, or of the largest of its workers."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(each).ru_maxrss for each in who) / 1024


def _age() -> float:
    """Seconds since this process began, imports included."""
    started = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]) / os.sysconf(
        "SC_CLK_TCK"
    )
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started
