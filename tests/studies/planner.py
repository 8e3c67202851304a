"""How much accuracy does it cost to train what `ftcli plan --data` says, against the best of all strategies?

python -m tests.studies.planner --out RESULTS.jsonl [--fashion-mnist FOLDER] [--emoji PACKAGE ...]
    [--sizes 50 200 1000 2000] [--seeds 0 1] [--only SOURCE ...] [--strategies NAME ...] [--show]

FOLDER holds Fashion-MNIST's four files, PACKAGE is an unpacked emoji-datasource package; scikit-learn's digits need
neither. A cell is a source, a number of training pictures and a seed. In each the planner's own recipe is trained, and
every strategy with the rates that the tables give it. A run is one line of RESULTS.jsonl; what stands there is not run
again, so that a study that was stopped goes on. `--show` prints accuracy and regret of what there is, and runs nothing.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import yaml

import ftcli
from ftcli.planner.advice_recipe import Source, recipe_text
from ftcli.planner.advise import Advice, recommend
from ftcli.planner.compute import Compute
from ftcli.planner.table_rows import Rates, Row, Strategy
from ftcli.planner.tables import CAREFUL, DIFFERENTIAL, FRESH, GRADED, HEAD, UPPER
from ftcli.workflows.advise import Task, advise
from ftcli.workflows.init import default_backbone
from ftcli.workflows.look_at_data import look_at_data
from tests.studies.planner_data import Pictures, digits, emoji, fashion, write_cell

IMAGE_SIZE = 64
PLANNER = "planner"
STRATEGIES: dict[str, tuple[Strategy, int | None, Rates]] = {
    "head": ("feature_extraction", None, HEAD),
    "last stage": ("partial", 1, UPPER),
    "last 2 stages": ("partial", 2, UPPER),
    "last 2, carefully": ("partial", 2, CAREFUL),
    "lp_ft, graded": ("lp_ft", None, GRADED),
    "full": ("full", None, DIFFERENTIAL),
    "scratch": ("scratch", None, FRESH),
}
Cell = tuple[str, int, int]


def recipes(folder: Path, backbone: str) -> tuple[dict[str, str], dict[str, Any]]:
    """By strategy, the planner's own first; and what the planner saw and said."""
    looked = look_at_data(folder, None, backbone, lambda event: None)
    task = replace(looked.task, source=Source(path=str(folder), image_size=IMAGE_SIZE))
    planned = advise(task, backbone, Compute())
    told = {"distance": looked.task.case.domain.distance, "advised": planned.advice.chosen.trains}
    others = {name: recipe_text(_as(row, task, planned.advice)) for name, row in _rows(planned.advice.chosen)}
    texts = {PLANNER: planned.recipe, **others}
    return {name: _in_folder(text, folder) for name, text in texts.items()}, told


def _rows(chosen: Row) -> Iterator[tuple[str, Row]]:
    for name, (strategy, last_stages, rates) in STRATEGIES.items():
        augment = "none" if strategy == "feature_extraction" else "standard"
        yield name, replace(chosen, strategy=strategy, last_stages=last_stages, rates=rates, augment=augment)


def _as(row: Row, task: Task, advice: Advice) -> Advice:
    return recommend(task.case, advice.layer_map, task.streams, row, "one of all strategies")


def _in_folder(text: str, folder: Path) -> str:
    """As the planner would have it, but for the size of the images, which all share."""
    content = yaml.safe_load(text)
    content["data"] |= {"kind": "folder", "path": str(folder), "image_size": IMAGE_SIZE, "audit": "off"}
    return yaml.safe_dump(content)


def run_cell(pictures: Pictures, cell: Cell, done: set[str], strategies: list[str], out: Path) -> None:
    """What is missing of a cell; a line of `out` for each run as it ends."""
    source, size, seed = cell
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "data"
        write_cell(pictures, size, seed, folder)
        texts, told = recipes(folder, default_backbone()[0])
        for name in (name for name in strategies if name not in done):
            recipe = {**yaml.safe_load(texts[name]), "seed": seed}
            result = ftcli.train(recipe, out=Path(place) / name.replace(" ", "-"))
            line = {
                "source": source,
                "size": size,
                "seed": seed,
                "strategy": name,
                "accuracy": result.test.accuracy,
                "seconds": round(result.seconds, 1),
                **told,
            }
            with out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            print(f"{source} {size} seed {seed}: {name} {result.test.accuracy:.1%}", flush=True)


def results(out: Path) -> dict[Cell, dict[str, dict[str, Any]]]:
    found: dict[Cell, dict[str, dict[str, Any]]] = defaultdict(dict)
    for line in out.read_text(encoding="utf-8").splitlines() if out.exists() else ():
        each = json.loads(line)
        found[each["source"], each["size"], each["seed"]][each["strategy"]] = each
    return found


def show(found: dict[Cell, dict[str, dict[str, Any]]]) -> None:
    """Accuracy by cell, the mean over seeds, and the regret of the planner and of always doing the same."""
    by_size: dict[tuple[str, int], list[dict[str, float]]] = defaultdict(list)
    for (source, size, _), runs in sorted(found.items()):
        by_size[source, size].append({name: run["accuracy"] for name, run in runs.items()})
    names = [PLANNER, *STRATEGIES]
    print(f"{'':<16}{'':>6}" + "".join(f"{name:>19}" for name in names))
    for (source, size), seeds in by_size.items():
        means = [[run[name] for run in seeds if name in run] for name in names]
        print(f"{source:<16}{size:>6}" + "".join(f"{fmean(m):>19.1%}" if m else f"{'-':>19}" for m in means))
    whole = [run for seeds in by_size.values() for run in seeds if set(names) <= set(run)]
    if whole:
        regret = {name: fmean(max(run.values()) - run[name] for run in whole) for name in names}
        print(f"{f'regret, {len(whole)} cells':<22}" + "".join(f"{regret[name]:>19.1%}" for name in names))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--fashion-mnist", type=Path)
    parser.add_argument("--emoji", type=Path, action="append", default=[])
    parser.add_argument("--sizes", type=int, nargs="+", default=[50, 200, 1_000, 2_000])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--strategies", nargs="+", default=[PLANNER, *STRATEGIES])
    parser.add_argument("--show", action="store_true")
    asked = parser.parse_args()
    sources = {"digits": digits}
    if asked.fashion_mnist:
        sources["fashion"] = lambda: fashion(asked.fashion_mnist)
    for package in asked.emoji:
        sources[package.resolve().parent.name] = lambda package=package: emoji(package)
    for source in () if asked.show else asked.only or sources:
        pictures = sources[source]()
        for size in (size for size in asked.sizes if size <= 0.75 * len(pictures.labels)):
            for seed in asked.seeds:
                done = set(results(asked.out)[source, size, seed])
                if not set(asked.strategies) <= done:
                    run_cell(pictures, (source, size, seed), done, asked.strategies, asked.out)
    show(results(asked.out))


if __name__ == "__main__":
    main()
