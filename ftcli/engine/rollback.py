"""Back to the start of an epoch whose numbers were none, with a lower LR, where the plan asks for it."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from ftcli.engine.optimize import Moments, moments, restore_moments
from ftcli.engine.progress import Progress
from ftcli.engine.step import Stepper
from ftcli.engine.work import Work
from ftcli.errors import NonFiniteError
from ftcli.events import Noticed
from ftcli.findings import Finding

LR_FACTOR = 0.5
"""On every LR, from the rollback to the end of the run."""
MOST = 3
"""In a run: what an eighth of the LR does not mend is not the LR's."""


@dataclass(frozen=True)
class _State:
    """All that an epoch moves, in the machine's memory: the GPU's may be short."""

    weights: dict[str, Tensor]
    remembered: Moments
    scaler: dict[str, Any]
    progress: Progress

    @classmethod
    def of(cls, model: nn.Module, stepper: Stepper, progress: Progress) -> _State:
        weights = {name: tensor.to("cpu", copy=True) for name, tensor in model.state_dict().items()}
        remembered = {
            name: {key: tensor.to("cpu", copy=True) for key, tensor in kept.items()}
            for name, kept in moments(stepper.optimizer).items()
        }
        return cls(weights, remembered, stepper.scaler.state_dict(), deepcopy(progress))

    def put_back(self, model: nn.Module, stepper: Stepper, progress: Progress) -> None:
        model.load_state_dict(self.weights)
        stepper.optimizer.state.clear()
        restore_moments(stepper.optimizer, self.remembered)
        stepper.scaler.load_state_dict(self.scaler)
        noticed = progress.noticed  # happened, whatever is put back
        vars(progress).update(vars(deepcopy(self.progress)), noticed=noticed)


def with_rollback(work: Work, progress: Progress, stepper: Stepper, perform: Callable[[], None]) -> None:
    """`perform` an epoch, anew and slower after NaN or infinity; raises NonFiniteError where that is no remedy."""
    if work.plan.on_non_finite == "stop":
        perform()
        return
    model = work.network.model
    state = _State.of(model, stepper, progress)
    while True:
        try:
            perform()
            return
        except NonFiniteError as error:
            if state.progress.rollbacks == MOST:
                raise
            what = error.what
        state.put_back(model, stepper, progress)
        progress.rollbacks += 1
        progress.lr_scale *= LR_FACTOR
        state.progress.rollbacks, state.progress.lr_scale = progress.rollbacks, progress.lr_scale
        work.tell(Noticed(_rolled_back(what, progress)))


def _rolled_back(what: str, progress: Progress) -> Finding:
    message = (
        f"{what}: back to the start of epoch {progress.epoch}, every LR from here on times {progress.lr_scale:g} "
        f"(rollback {progress.rollbacks} of {MOST})"
    )
    remedy = f"lower optimizer.lr to {progress.lr_scale:g} of what it is, or lengthen schedule.warmup"
    return Finding("warning", "optimizer.lr", message, remedy, "rolled-back")
