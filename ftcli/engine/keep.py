"""What is written after each epoch, and how a run goes on from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from ftcli.engine.finite import refuse_non_finite
from ftcli.engine.network import Network
from ftcli.engine.optimize import Moments
from ftcli.engine.progress import Progress
from ftcli.engine.run_folder import RunFolder
from ftcli.engine.weights_file import ModelCard, load_tensors, save_model, save_tensors
from ftcli.errors import UsageError

MODEL, MOMENT = "model/", "moment/"


@dataclass(frozen=True)
class RunKeeper:
    """Keeps the best model, the state to resume from, and the metrics so far. `fingerprint` is the plan's."""

    run: RunFolder
    card: ModelCard
    fingerprint: str

    def save(self, progress: Progress, model: nn.Module, remembered: Moments, *, best: bool) -> None:
        """`last` is written after `best`: a run that is cut off in between repeats the epoch."""
        state = model.state_dict()
        refuse_non_finite(state, "tensor")
        for name, kept in remembered.items():
            refuse_non_finite(kept, f"optimizer's memory of {name}:")
        if best:
            save_model(self.run.best, state, self.card)
        tensors = {MODEL + name: tensor for name, tensor in state.items()}
        tensors |= {
            f"{MOMENT}{name}/{key}": t for name, kept in remembered.items() for key, t in kept.items()
        }
        save_tensors(
            self.run.last, tensors, {"fingerprint": self.fingerprint, "progress": progress.to_dict()}
        )
        self.run.write_metrics(progress.rows)


def resume(path: Path, fingerprint: str, network: Network) -> tuple[Progress, Moments] | None:
    """Put the network back to where the run was cut off; None when it had not finished an epoch.

    Raises UsageError when the plan is not the one the run began with.
    """
    if not path.exists():
        return None
    tensors, content = load_tensors(path)
    if content.get("fingerprint") != fingerprint:
        raise UsageError(
            "the run began with another plan: its recipe, data or network has changed",
            where=str(path.parent),
            remedy=f"compare the recipe with {path.parent / 'recipe.yaml'}, or start a new run with another --out",
        )
    state = {name.removeprefix(MODEL): t for name, t in tensors.items() if name.startswith(MODEL)}
    network.model.load_state_dict(state)
    return Progress.from_dict(content["progress"]), _moments(tensors)


def _moments(tensors: dict[str, Tensor]) -> Moments:
    remembered: Moments = {}
    for name, tensor in tensors.items():
        if name.startswith(MOMENT):
            parameter, _, key = name.removeprefix(MOMENT).rpartition("/")
            remembered.setdefault(parameter, {})[key] = tensor
    return remembered
