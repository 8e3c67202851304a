"""A recipe trained and tested as `ftcli train` does it, without a run folder, a probe for its floor and a report.

These take longer than training on 50 images, and a study compares hundreds of runs by their test accuracy alone.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from torch import Tensor, nn

from ftcli.engine.determinism import arithmetic
from ftcli.engine.evaluate import scores_of
from ftcli.engine.feed import predict_stream
from ftcli.engine.fit import fit
from ftcli.engine.optimize import Moments
from ftcli.engine.progress import Progress
from ftcli.engine.work import Work
from ftcli.events import Event, Scores
from ftcli.plans.data_splits import TEST
from ftcli.recipe.schema import Recipe
from ftcli.workflows.cache import feature_shelf
from ftcli.workflows.prepare import image_batches, machine_for, prepare


@dataclass
class _BestWeights:
    """Keeps the best epoch's, in memory."""

    weights: dict[str, Tensor] = field(default_factory=dict)

    def save(self, progress: Progress, model: nn.Module, remembered: Moments, *, best: bool) -> None:
        if best:
            self.weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}


def bare_run(recipe: Recipe) -> tuple[Scores, float]:
    """The test scores of the best epoch, and the seconds that it took to get there."""
    with arithmetic(machine_for(recipe).device, _ignore, repeatable=recipe.runtime.deterministic):
        prepared = prepare(recipe, lambda done, total: None)
        batches = image_batches(recipe, prepared, lambda done, total: None)
        shelf, kept = feature_shelf(recipe, prepared, batches.store), _BestWeights()
        work = Work(prepared.plan, prepared.network, batches, prepared.augment, _ignore, kept, shelf)
        progress, started = Progress(), time.perf_counter()
        fit(work, progress)
        work.network.model.load_state_dict(kept.weights)
        assert progress.best is not None
        phase = next(phase for phase in work.plan.phases if phase.name == progress.best.phase)
        scores = scores_of(*predict_stream(work, phase, TEST))
        return scores, time.perf_counter() - started


def _ignore(event: Event) -> None:
    pass
