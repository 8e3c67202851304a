"""Advice as a recipe that can be run, each choice with the rule it follows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from textwrap import wrap
from typing import Any

import yaml

from ftcli.planner.advise import Advice

PATH = "PATH/TO/IMAGES"
"""Stands for the folder of images, until `--set data.path=...` or an editor says which."""
_WIDTH = 108
MOST_DIVISORS = 8
"""Stages above the stem, up to which each gets a divisor of its own; more are a geometric range."""


@dataclass(frozen=True)
class Source:
    """The data section. `bad_images` cannot be read; `remarks` are comments at the top. `options`: what was asked of
    the data beside kind and path; it comes before what was seen."""

    kind: str = "folder"
    path: str = PATH
    options: Mapping[str, Any] = field(default_factory=dict)
    image_size: int | None = None
    bad_images: int = 0
    remarks: tuple[str, ...] = ()
    device: str = "auto"


def recipe_text(advice: Advice, source: Source | None = None) -> str:
    """YAML that validates as a Recipe."""
    source = source or Source()
    return "\n".join(
        [
            *(f"# {line}" for remark in _head(advice, source) for line in wrap(remark, _WIDTH)),
            "",
            *_data(source),
            "",
            "model:",
            f"  backbone: {advice.backbone}",
            "  head: linear  # the fewest parameters; its probe is the floor that fine-tuning has to beat",
            "",
            *_strategy(advice),
            *_rates(advice),
            f"norm: auto  # {norm_told(advice)}",
            f"augment: {_augment(advice)}",
            "",
            "train:",
            f"  epochs: {advice.epochs}  # {epochs_told(advice)}",
            f"  batch_size: {advice.batch_size}  # for {advice.streams.train:,} training images",
            *_runtime(source),
            "",
        ]
    )


def _head(advice: Advice, source: Source) -> Iterator[str]:
    case, row = advice.case, advice.chosen
    classes = f" in {case.num_classes:,} classes" if case.num_classes else ""
    yield f"For {case.num_images:,} images{classes}, {case.domain.word} domain: train {row.trains}."
    yield f"Table {row.table}: {row.text}."
    yield f"{advice.why[0].upper()}{advice.why[1:]}."
    if advice.shortened:
        yield f"{advice.shortened[0].upper()}{advice.shortened[1:]}."
    yield from source.remarks


def _data(source: Source) -> Iterator[str]:
    if source.path == PATH:
        yield f"data: {{kind: folder, path: {PATH}}}  # one folder per class; or train, val and test"
        return
    yield "data:"
    yield f"  kind: {source.kind}"
    yield f"  path: {_quoted(source.path)}"
    for name, value in source.options.items():
        yield f"  {name}: {json.dumps(value, ensure_ascii=False)}"
    if source.image_size is not None and "image_size" not in source.options:
        yield f"  image_size: {source.image_size}  # small images, enlarged about fourfold"
    if source.bad_images and "on_bad_image" not in source.options:
        yield f"  on_bad_image: skip  # {source.bad_images:,} cannot be read"


def _quoted(text: str) -> str:
    return str(yaml.safe_dump(text, default_style='"', allow_unicode=True, width=10**6).rstrip())


def _runtime(source: Source) -> Iterator[str]:
    if source.device != "auto":
        yield ""
        yield f"runtime: {{device: {source.device}}}  # as --compute says"


def norm_told(advice: Advice) -> str:
    if not advice.layer_map.batch_norms:
        return "this backbone has no BatchNorm"
    if advice.chosen.strategy == "feature_extraction":
        return "eval mode throughout, for the backbone is frozen"
    return f"{advice.norm.kind}: {advice.norm.reason}"


def epochs_told(advice: Advice) -> str:
    """Why so many."""
    told = {
        "feature_extraction": "twice the usual, for a head on features that are computed once costs little",
        "scratch": "six times the usual, for random weights learn slowly",
    }
    return told.get(advice.chosen.strategy, f"usual for {advice.streams.train:,} training images")


def _strategy(advice: Advice) -> list[str]:
    row = advice.chosen
    lines = ["strategy:", f"  kind: {row.strategy}  # trains {row.trains}"]
    if row.strategy == "partial":
        lines.append(f"  last_stages: {row.last_stages}")
    if row.strategy == "lp_ft":
        lines.append(
            f"  head_epochs: {advice.head_epochs}  # first the head alone (LP-FT, Kumar et al. 2022)"
        )
    return [*lines, ""]


def _rates(advice: Advice) -> list[str]:
    rates = advice.chosen.rates
    base = [f"optimizer: {{kind: adamw, lr: {_rate(rates.head)}}}  # the head's LR"]
    if rates.late is None or advice.chosen.strategy == "scratch":
        return [*base, "schedule: cosine", ""]
    told = f"# The backbone at {_rate(rates.late)}."
    if rates.early is not None and rates.early != rates.late:
        told = f"# The lower half of the backbone at {_rate(rates.early)}, the upper at {_rate(rates.late)}."
    return [*base, told, f"layer_lr: {_layer_lr(advice)}", "schedule: cosine  # after a tenth of warm-up", ""]


def _layer_lr(advice: Advice) -> str:
    """Divisors by stage where the stages are known, else a geometric range with the same ends."""
    rates = advice.chosen.rates
    assert rates.late is not None
    if rates.late == rates.head:
        return "uniform"
    if rates.early in (None, rates.late):
        return f"{{kind: discriminative, backbone_divisor: {rates.head / rates.late:g}}}"
    assert rates.early is not None
    above_stem = len(advice.layer_map.backbone_stages) - 1
    if not 0 < above_stem <= MOST_DIVISORS:
        return f"{{kind: discriminative, lowest: {_rate(rates.early)}, highest: {_rate(rates.head)}}}"
    lower = above_stem // 2
    divisors = [rates.head / rates.early] * lower + [rates.head / rates.late] * (above_stem - lower)
    return f"{{kind: discriminative, divisors: [{', '.join(f'{divisor:g}' for divisor in divisors)}]}}"


def _rate(rate: float) -> str:
    """1.0e-5: with a point, for some YAML readers take 1e-5 for text."""
    return f"{rate:.1e}".replace("e-0", "e-")


def _augment(advice: Advice) -> str:
    kind = advice.chosen.augment
    if kind == "none":
        return "none  # a frozen backbone then sees each image once"
    if not advice.flip:
        return f"{{kind: {kind}, flip: false}}  # left and right differ"
    return f"{kind}  # set {{kind: {kind}, flip: false}} where left and right differ"
