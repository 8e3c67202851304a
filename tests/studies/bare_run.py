"""A recipe trained and tested as `ftcli train` does it, without a run folder, a probe for its floor and a report.

These take longer than training on 50 images, and a study compares hundreds of runs by their test accuracy alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor, nn

from ftcli.engine.determinism import arithmetic
from ftcli.engine.evaluate import scores_of
from ftcli.engine.feed import predict_stream
from ftcli.engine.fit import fit
from ftcli.engine.optimize import Moments
from ftcli.engine.progress import Progress, score_of
from ftcli.engine.work import Work
from ftcli.events import Event, Scores
from ftcli.plans.data_splits import TEST
from ftcli.recipe.schema import Recipe
from ftcli.workflows.cache import feature_shelf
from ftcli.workflows.decoded import image_batches
from ftcli.workflows.prepare import machine_for, prepare


@dataclass(frozen=True)
class _Epoch:
    """Its validation: the score by the plan's checkpoint metric, and the loss."""

    number: int
    phase: str
    score: float
    loss: float


KEPT = "kept"
"""The epoch that `ftcli train` keeps: see train.checkpoint_rule."""
RANKS: dict[str, Callable[[_Epoch], tuple[float, ...]]] = {
    "score, then loss": lambda epoch: (epoch.score, -epoch.loss),
    "score": lambda epoch: (epoch.score, -epoch.number),
    "score, then later": lambda epoch: (epoch.score, epoch.number),
    "loss": lambda epoch: (-epoch.loss,),
    "last": lambda epoch: (epoch.number,),
}
"""Other ways to tell an epoch by its validation."""
PICKS = (KEPT, *RANKS)


@dataclass
class _BestWeights:
    """Keeps in memory those of the epochs that are picked, by each way of picking one."""

    metric: str
    best: dict[str, tuple[_Epoch, dict[str, Tensor]]] = field(default_factory=dict)

    def save(self, progress: Progress, model: nn.Module, remembered: Moments, *, best: bool) -> None:
        row = progress.rows[-1]
        scores = Scores(**row["val"])
        epoch = _Epoch(row["epoch"], row["phase"], score_of(self.metric, scores), scores.loss)
        weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        if best:
            self.best[KEPT] = epoch, weights
        for name, rank in RANKS.items():
            if name not in self.best or rank(epoch) > rank(self.best[name][0]):
                self.best[name] = epoch, weights


def bare_run(recipe: Recipe) -> tuple[dict[str, Scores], float]:
    """The test scores of the epoch that each of PICKS takes, and the seconds that it took to get there."""
    with arithmetic(machine_for(recipe).device, _ignore, repeatable=recipe.runtime.deterministic):
        prepared = prepare(recipe, lambda done, total: None)
        batches = image_batches(recipe, prepared, lambda done, total: None)
        shelf = feature_shelf(recipe, prepared, batches.store)
        kept = _BestWeights(prepared.plan.checkpoint_metric)
        work = Work(prepared.plan, prepared.network, batches, prepared.augment, _ignore, kept, shelf)
        started = time.perf_counter()
        fit(work, Progress())
        seconds = time.perf_counter() - started
        tested = {epoch: _tested(work, epoch, weights) for epoch, weights in dict(kept.best.values()).items()}
        return {name: tested[epoch] for name, (epoch, _) in kept.best.items()}, seconds


def _tested(work: Work, epoch: _Epoch, weights: dict[str, Tensor]) -> Scores:
    work.network.model.load_state_dict(weights)
    phase = next(phase for phase in work.plan.phases if phase.name == epoch.phase)
    return scores_of(*predict_stream(work, phase, TEST))


def _ignore(event: Event) -> None:
    pass
