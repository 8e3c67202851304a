"""Processes that share a store: each fills, reads, sweeps, removes, for so long; what they saw is printed as JSON.

python -m tests.engine.cache.contention FOLDER --processes 4 --seconds 2 --entries 6 --room 2 [--removing] [--killed]

An entry's rows follow from its key, so that every process knows what it must read. With `--room` as large as all of
the entries and nobody who removes, whatever was filled once must be found ever after.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import torch
from torch import Tensor

from ftcli.engine.cache.store import Store
from ftcli.findings import Finding

ROWS, WIDTH = 24, 2000
BYTES = 8 * ROWS * WIDTH


def key_of(number: int) -> str:
    return f"{number:02}" * 32


def rows_of(number: int) -> Tensor:
    return torch.arange(ROWS * WIDTH).view(ROWS, WIDTH) * (number + 1)


class Contender:
    """One process. `seen` counts what it did and what came of it."""

    def __init__(self, folder: Path, number: int, asked: argparse.Namespace) -> None:
        self.store = Store(folder, asked.room * BYTES, self._told)
        self.random, self.asked = random.Random(number), asked
        self.seen: Counter[str] = Counter()
        self.mine: set[int] = set()
        self.held: list[tuple[int, Tensor]] = []

    def run(self) -> Counter[str]:
        ends = time.monotonic() + self.asked.seconds
        actions = [self.fill, self.read, self.read, self.sweep] + [self.remove] * self.asked.removing
        while time.monotonic() < ends:
            self.random.choice(actions)(self.random.randrange(self.asked.entries))
        for number, rows in self.held:  # whatever became of the names meanwhile
            self._check(number, rows)
        return self.seen

    def fill(self, number: int) -> None:
        rows = rows_of(number)
        with self.store.create(
            key_of(number), "features", rows.shape, rows.dtype, {"what": "rows"}
        ) as writer:
            for part in rows.split(4):
                writer.append(part)
            filled = writer.ok
        self.seen["filled" if filled else "no room"] += 1
        if filled:
            self.mine.add(number)

    def read(self, number: int) -> None:
        found = self.store.open(key_of(number))
        self.seen["found" if found is not None else "lost" if number in self.mine else "missing"] += 1
        if found is not None:
            self._check(number, found)
            self.held = [*self.held[-1:], (number, found)]

    def sweep(self, number: int) -> None:
        self.store.sweep()
        self.store.entries()
        self.store.room_for(BYTES)

    def remove(self, number: int) -> None:
        for entry in self.store.entries():
            if entry.manifest.key == key_of(number):
                self.seen["removed"] += self.store.remove(entry)
                self.mine.discard(number)

    def _check(self, number: int, rows: Tensor) -> None:
        if not torch.equal(rows, rows_of(number)):
            self.seen["wrong"] += 1

    def _told(self, finding: Finding) -> None:
        self.seen[finding.rule] += 1


def started(folder: Path, number: int, asked: argparse.Namespace, pipe: int) -> int:
    """Forked: torch is imported once."""
    child = os.fork()
    if child:
        return child
    try:
        seen = Contender(folder, number, asked).run()
        os.write(pipe, (json.dumps(seen) + "\n").encode())  # less than a pipe writes at once
    finally:
        os._exit(0)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--entries", type=int, default=6)
    parser.add_argument("--room", type=float, default=100.0, help="for so many entries")
    parser.add_argument("--removing", action="store_true", help="each process removes entries too")
    parser.add_argument(
        "--killed", action="store_true", help="one process after the other is killed, and replaced"
    )
    asked = parser.parse_args()
    torch.set_num_threads(1)
    reads, writes = os.pipe()
    children = [started(asked.folder, number, asked, writes) for number in range(asked.processes)]
    ends, chance = time.monotonic() + asked.seconds, random.Random(0)
    while asked.killed and time.monotonic() < ends:
        time.sleep(chance.uniform(0.02, 0.2))
        os.kill(children[0], signal.SIGKILL)
        os.waitpid(children.pop(0), 0)
        children.append(started(asked.folder, len(children) + chance.randrange(10**6), asked, writes))
    for child in children:
        os.waitpid(child, 0)
    os.close(writes)
    with open(reads, encoding="utf-8") as lines:
        total = sum((Counter(json.loads(line)) for line in lines), Counter[str]())
    print(json.dumps(total))


if __name__ == "__main__":
    main()
