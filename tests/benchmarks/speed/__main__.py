"""How fast is ftcli beside what people use? `make bench`, `make bench-quick`.

python -m tests.benchmarks.speed [--quick] [--peers PYTHON] [--only WORK ...] [--tools TOOL ...] [--fresh]

Every run is a process of its own; the tools of a work take turns (A B C A B C), and the medians count. What is
finished is not run again: an interrupted measurement goes on where it was. speed.json keeps every single run, speed.md
is the table.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.benchmarks.speed.machine import commit, load, machine
from tests.benchmarks.speed.make_images import Source, Wanted, make_images, read_source
from tests.benchmarks.speed.make_weights import NoWeights, weights_file
from tests.benchmarks.speed.results import Results
from tests.benchmarks.speed.tables import goals_table, markdown, show, work_table
from tests.benchmarks.speed.tools import Workplace, perform
from tests.benchmarks.speed.works import FULL, QUICK, RESNET, TINY, Form, Work, works_of

FORMS = {form.name: form for form in (FULL, QUICK, TINY)}
MODULES = {"__main__.py": "tests.benchmarks.speed", "scale.py": "tests.benchmarks.speed.scale"}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_const", dest="form", const="quick", help="a few minutes")
    parser.add_argument(
        "--tiny", action="store_const", dest="form", const="tiny", help="does everything run?"
    )
    parser.add_argument(
        "--peers", type=Path, default=Path(".bench-venv/bin/python"), help="the peers' Python"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/speed"), help="results, images, weights")
    parser.add_argument(
        "--fashion-mnist", type=Path, help="a folder with train-images-idx3-ubyte.gz below it"
    )
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repetitions", type=int, help="default 3, of --quick 1")
    parser.add_argument("--only", nargs="+", metavar="WORK", help="some of the works, by name")
    parser.add_argument("--tools", nargs="+", metavar="TOOL", help="some of the tools, by name")
    parser.add_argument("--limit", type=float, default=3600, help="seconds after which a run is given up")
    parser.add_argument("--fresh", action="store_true", help="run what is finished again")
    parser.set_defaults(form="full")
    return parser.parse_args()


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the run under way is ended too
    given = arguments()
    form = FORMS[given.form]
    works = chosen(works_of(form), given.only)
    refuse_unknown(given.tools, works)
    if given.repetitions:
        form = replace(form, repetitions=given.repetitions)
    source = read_source(given.fashion_mnist)
    folder = (given.out / form.name).absolute()
    results = Results.opened(folder / "speed.json", about(given, source), fresh=given.fresh)
    scratch, logs = folder / "scratch", folder / "logs"
    ours, peers = Path(sys.executable), given.peers.absolute()
    place = Workplace(
        scratch, logs, given.out.absolute() / "weights", ours, peers, given.threads, given.limit
    )
    for work in works:
        measure(work, form, place, results, source, given.tools)
        show(work_table(work, results))
        (folder / "speed.md").write_text(markdown(works_of(form), results, form))
    show(goals_table(works, results, form))
    print(f"every run: {results.path}\ntable: {folder / 'speed.md'}")
    return 0


def chosen(works: tuple[Work, ...], names: list[str] | None) -> tuple[Work, ...]:
    unknown = set(names or ()) - {work.name for work in works}
    if unknown:
        sys.exit(f"no work {', '.join(sorted(unknown))}; there are {', '.join(work.name for work in works)}")
    return tuple(work for work in works if not names or work.name in names)


def refuse_unknown(tools: list[str] | None, works: tuple[Work, ...]) -> None:
    there = {tool.name: None for work in works for tool in work.tools}
    unknown = set(tools or ()) - there.keys()
    if unknown:
        sys.exit(f"no tool {', '.join(sorted(unknown))}; there are {'; '.join(there)}")


def about(given: argparse.Namespace, source: Source) -> dict[str, Any]:
    return {
        "commit": commit(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": shlex.join(["python", "-m", MODULES[Path(sys.argv[0]).name], *sys.argv[1:]]),
        "machine": machine(),
        "threads": given.threads,
        "source": source.name,
    }


def measure(
    work: Work,
    form: Form,
    place: Workplace,
    results: Results,
    source: Source,
    tools: list[str] | None = None,
) -> None:
    """Every tool (or those named) once, then every tool again: what drifts in the machine meets them all."""
    named = [tool for tool in work.tools if not tools or tool.name in tools]
    turns = [(n, tool) for n in range(work.repetitions or form.repetitions) for tool in named]
    left = [(n, tool) for n, tool in turns if not results.has(work, tool, n)]
    if not left:
        return
    data, weights, why = prepared(work, place, source)
    for number, tool in left:
        print(f"{work.name}: {tool.name}, repetition {number + 1}", file=sys.stderr, flush=True)
        busy = load()
        if why:
            record = {"status": "missing", "why": why}
        else:
            record = perform(place, work, tool, data, weights)
        results.add(work, tool, number, record | {"load_before": busy})


def prepared(work: Work, place: Workplace, source: Source) -> tuple[Path | None, Path | None, str]:
    """The work's images and weights, made where they are not there yet; or why there are none."""
    if work.kind == "help":
        return None, None, ""
    folder = place.weights.parent / "images"
    counts = {"train": work.train, "val": work.val, "test": 10}
    size = work.size if work.images == "fashion" else 0
    name = f"{work.images}{size or ''}-{work.train}-{work.val}"
    data = make_images(folder / name, Wanted(work.images, counts, size=size), source)
    # ResNet-18's statistics are those of one set of images, whichever work is asked for first
    first = Wanted("photos", {"train": 64, "val": 10, "test": 10})
    images = make_images(folder / "for-weights", first, source) if work.backbone == RESNET else data
    try:
        return data, weights_file(work.backbone, place.weights, images), ""
    except NoWeights as error:
        return data, None, str(error)


if __name__ == "__main__":
    sys.exit(main())
