"""When fine-tuning ends below the linear probe: was it the LR or BatchNorm? Measured, not guessed."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ftcli.engine.drift import relative_change
from ftcli.engine.progress import compared_by, score_of
from ftcli.engine.quantised_base import FullWeights
from ftcli.engine.work import Work
from ftcli.plans.harm import HarmEvidence

State = Mapping[str, Tensor]


def gather_evidence(work: Work, pretrained: State) -> HarmEvidence:
    """`pretrained` are tensors from before the first step, of all that may have moved. The network keeps its state."""
    metric = compared_by(work.plan.checkpoint_metric)
    score = score_of(metric, work.evaluate("val"))
    model, layers = work.network.model, work.network.layer_map
    now = FullWeights(model)
    moved = {
        stage: relative_change((p.name for p in layers.in_stages([stage])), now, pretrained)
        for stage in layers.backbone_stages
    }
    stats = {name for bn in layers.batch_norms for name in bn.buffers if name in pretrained}
    own = {name: tensor.clone() for name, tensor in model.state_dict().items() if name in stats}
    if all(torch.equal(own[name].cpu(), pretrained[name].cpu()) for name in own):
        return HarmEvidence(metric, score, None, moved)
    model.load_state_dict({name: pretrained[name] for name in own}, strict=False)
    mended = score_of(metric, work.evaluate("val"))
    model.load_state_dict(own, strict=False)
    return HarmEvidence(metric, score, mended, moved)
