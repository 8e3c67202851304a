"""How time, memory and disk grow: with images, their size, epochs and stages that train. `make bench-scale`.

python -m tests.benchmarks.speed.scale [--images 1000 10000 50000] [--sizes 64 224] [--epochs ...] [--stages ...]

One thing is varied at a time, from the first of each list: a probe on the fewest, smallest images. Images are
Fashion-MNIST's at the size that is asked for. timm-style stands beside ftcli where images are varied, for its memory.
scale.json keeps every run; what is finished is not run again.
"""

from __future__ import annotations

import argparse
import math
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.benchmarks.speed.__main__ import about, measure
from tests.benchmarks.speed.make_images import read_source
from tests.benchmarks.speed.results import Results, measured, summary
from tests.benchmarks.speed.tables import Table, number, show, work_note
from tests.benchmarks.speed.tools import Workplace
from tests.benchmarks.speed.works import FTCLI, NO_AUDIT, TIMM, Form, Tool, Work

FORM = Form("scale", 1, "")
COLUMNS = {
    "fit_seconds": "fit, s",
    "whole_seconds": "whole, s",
    "peak_mib": "peak, MiB",
    "peak_private_mib": "of it not files",
    "cache_mib": "cache, MiB",
    "run_mib": "run, MiB",
}
GROWTH = ("fit_seconds", "peak_mib", "cache_mib")


@dataclass(frozen=True)
class Point:
    """A value on an axis, and the work that measures it."""

    axis: str
    value: int
    work: Work


def points(
    images: Sequence[int], sizes: Sequence[int], epochs: Sequence[int], stages: Sequence[int]
) -> Iterator[Point]:
    """The axes, one after the other. Where all are at their first value they share a work, which is run once."""
    base = Work(
        _name(images[0], sizes[0], epochs[0], stages[0]),
        "",
        (FTCLI,),
        images="fashion",
        size=sizes[0],
        train=images[0],
        val=max(20, images[0] // 20),
        epochs=epochs[0],
        samples_memory=True,
    )
    base = _trained(base, stages[0])
    for count in images:
        work = replace(base, train=count, val=max(20, count // 20), tools=(*base.tools, TIMM))
        yield Point("images", count, replace(work, name=_name(count, sizes[0], epochs[0], stages[0])))
    for size in sizes:
        yield Point("size", size, replace(base, size=size, name=_name(images[0], size, epochs[0], stages[0])))
    for length in epochs:
        name = _name(images[0], sizes[0], length, stages[0])
        yield Point("epochs", length, replace(base, epochs=length, name=name))
    for count in stages:
        name = _name(images[0], sizes[0], epochs[0], count)
        yield Point("stages", count, _trained(replace(base, name=name), count))


def _name(images: int, size: int, epochs: int, stages: int) -> str:
    return f"{images} images, {size} px, {epochs} epochs, {stages} stages"


def _trained(work: Work, stages: int) -> Work:
    """A probe where no stage of the backbone trains."""
    if stages == 0:
        return work
    return replace(
        work, kind="partial", tools=(Tool(FTCLI.name, recipe=(NO_AUDIT, f"strategy.last_stages={stages}")),)
    )


def axis_table(axis: str, of_axis: Sequence[Point], results: Results) -> Table:
    rows = [
        (
            f"{point.value:,}",
            tool.name,
            *_cells(point.work, tool, results),
            work_note(point.work, tool, results),
        )
        for tool in of_axis[0].work.tools
        for point in of_axis
    ]
    rows += [_growth_row(of_axis, tool, results) for tool in of_axis[0].work.tools if len(of_axis) > 1]
    return Table(f"By {axis}", (axis, "tool", *COLUMNS.values(), ""), tuple(rows))


def _cells(work: Work, tool: Tool, results: Results) -> Iterator[str]:
    for column in COLUMNS:
        found = summary(measured(results.of(work, tool), column).values())
        yield number(found.middle) if found else "-"


def _growth_row(of_axis: Sequence[Point], tool: Tool, results: Results) -> tuple[str, ...]:
    """By which power of the axis it grows, and how much more a thousand images take."""
    first, last = of_axis[0], of_axis[-1]
    cells, slopes = [], []
    for column in COLUMNS:
        found = [summary(measured(results.of(end.work, tool), column).values()) for end in (first, last)]
        known = [one.middle for one in found if one]
        power = growth((first.value, last.value), known) if column in GROWTH else None
        cells.append("" if power is None else f"^{power:.2f}")
        if first.axis == "images" and column in GROWTH and len(known) == 2:
            slope = 1000 * (known[1] - known[0]) / (last.value - first.value)
            slopes.append(f"{number(slope)} {COLUMNS[column].split()[-1]}")
    told = f"each 1,000 images: {', '.join(slopes)}" if slopes else ""
    return ("growth", tool.name, *cells, told)


def growth(places: tuple[float, float], values: Sequence[float]) -> float | None:
    """The exponent p of value ~ place^p between two places; None where one of them is 0 or unknown."""
    if len(values) != 2 or min(*values, *places) <= 0 or places[0] == places[1]:
        return None
    return math.log(values[1] / values[0]) / math.log(places[1] / places[0])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    axes = {"images": [500, 1000, 2000, 4000], "sizes": [64, 96, 128], "epochs": [2, 10, 50]}
    for name, values in (axes | {"stages": [0, 1, 2, 3]}).items():
        parser.add_argument(f"--{name}", type=int, nargs="+", default=values)
    parser.add_argument(
        "--peers", type=Path, default=Path(".bench-venv/bin/python"), help="the peers' Python"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/speed"), help="results, images, weights")
    parser.add_argument(
        "--fashion-mnist", type=Path, help="a folder with train-images-idx3-ubyte.gz below it"
    )
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--limit", type=float, default=7200, help="seconds after which a run is given up")
    parser.add_argument("--fresh", action="store_true", help="run what is finished again")
    return parser.parse_args()


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the run under way is ended too
    given = arguments()
    source = read_source(given.fashion_mnist)
    folder = (given.out / FORM.name).absolute()
    results = Results.opened(folder / "scale.json", about(given, source), fresh=given.fresh)
    weights, ours, peers = given.out.absolute() / "weights", Path(sys.executable), given.peers.absolute()
    place = Workplace(folder / "scratch", folder / "logs", weights, ours, peers, given.threads, given.limit)
    every = list(points(given.images, given.sizes, given.epochs, given.stages))
    for axis in ("images", "size", "epochs", "stages"):
        of_axis = [point for point in every if point.axis == axis]
        for point in of_axis:
            measure(point.work, FORM, place, results, source)
        show(axis_table(axis, of_axis, results))
    print(f"every run: {results.path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
