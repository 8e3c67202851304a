"""When fine-tuning ends below the linear probe: was it the LR or BatchNorm? Measured, not guessed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ftcli.engine.progress import Compared, compared_by, score_of
from ftcli.engine.work import Work
from ftcli.plans.layer_map import HEAD

State = Mapping[str, Tensor]


@dataclass(frozen=True)
class HarmEvidence:
    """`score` is the `metric` of the verdict; `moved` is, per backbone stage, |weights - pretrained| / |pretrained|."""

    metric: Compared
    score: float
    score_with_pretrained_stats: float | None
    """The same weights with the pretrained BatchNorm statistics put back; None when they never moved."""
    moved: dict[str, float]

    @property
    def is_batch_norm(self) -> bool:
        """Putting the statistics back mends at least a point."""
        mended = self.score_with_pretrained_stats
        return mended is not None and mended >= self.score + 0.01


def gather_evidence(work: Work, pretrained: State) -> HarmEvidence:
    """`pretrained` is the state_dict from before the first step. The network keeps its state."""
    metric = compared_by(work.plan.checkpoint_metric)
    score = score_of(metric, work.evaluate("val"))
    moved = _moved(work, pretrained)
    model = work.network.model
    stats = {name for bn in work.network.layer_map.batch_norms for name in bn.buffers}
    own = {name: tensor.clone() for name, tensor in model.state_dict().items() if name in stats}
    if all(torch.equal(own[name].cpu(), pretrained[name].cpu()) for name in own):
        return HarmEvidence(metric, score, None, moved)
    model.load_state_dict({name: pretrained[name] for name in own}, strict=False)
    mended = score_of(metric, work.evaluate("val"))
    model.load_state_dict(own, strict=False)
    return HarmEvidence(metric, score, mended, moved)


def _moved(work: Work, pretrained: State) -> dict[str, float]:
    now = work.network.model.state_dict()
    moved = {}
    for stage in work.network.layer_map.stages:
        names = [p.name for p in work.network.layer_map.in_stages([stage])]
        if stage == HEAD or not names:
            continue
        change = sum(
            (now[n].cpu().double() - pretrained[n].cpu().double()).square().sum().item() for n in names
        )
        size = sum(pretrained[n].double().square().sum().item() for n in names)
        moved[stage] = (change / size) ** 0.5 if size else 0.0
    return moved
