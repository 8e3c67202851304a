"""Advice as a recipe that can be run, each choice with the rule it follows."""

from __future__ import annotations

from ftcli.planner.advise import Advice
from ftcli.planner.backbone_sizes import SIZES

PATH = "PATH/TO/IMAGES"
"""Stands for the folder of images, until `--set data.path=...` or an editor says which."""


def recipe_text(advice: Advice) -> str:
    """YAML that validates as a Recipe."""
    case, row = advice.case, advice.chosen
    classes = f" in {case.num_classes:,} classes" if case.num_classes else ""
    return "\n".join(
        [
            f"# For {case.num_images:,} images{classes}, {case.domain.word} domain: train {row.trains}.",
            f"# Table {row.table}: {row.text}.",
            f"# {advice.why[0].upper()}{advice.why[1:]}.",
            "",
            f"data: {{kind: folder, path: {PATH}}}  # one folder per class; or train, val and test",
            "",
            "model:",
            f"  backbone: {advice.backbone}",
            "  head: linear  # the fewest parameters; its probe is the floor that fine-tuning has to beat",
            "",
            *_strategy(advice),
            *_rates(advice),
            f"norm: {{kind: auto, domain: {case.domain.word}}}  # {advice.norm.kind}: {advice.norm.reason}",
            f"augment: {_augment(advice)}",
            "",
            "train:",
            f"  epochs: {advice.epochs}  # for about {advice.num_train:,} training images",
            f"  batch_size: {advice.batch_size}",
            "",
        ]
    )


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
    size = SIZES.get(advice.backbone)
    if size is None:
        return f"{{kind: discriminative, lowest: {_rate(rates.early)}, highest: {_rate(rates.head)}}}"
    above_stem = len(size.stages) - 1
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
