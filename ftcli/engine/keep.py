"""What a run keeps of itself on its way, and how it goes on from there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from torch import Tensor, nn

from ftcli.engine.checkpoint_base import Spare, write_base
from ftcli.engine.checkpoint_manifest import Damaged, Manifest
from ftcli.engine.checkpoints import (
    drop_after,
    names,
    next_name,
    read_checkpoint,
    retain,
    rewrite_manifest,
    write_checkpoint,
)
from ftcli.engine.files import Written, sweep
from ftcli.engine.finite import refuse_non_finite
from ftcli.engine.network import Network
from ftcli.engine.optimize import Moments
from ftcli.engine.progress import Best, Progress
from ftcli.engine.proof import Digests
from ftcli.engine.run_folder import RunFolder
from ftcli.engine.weights_file import MODEL, MOMENT, ModelCard
from ftcli.engine.whole_checkpoint import damaged, newest_whole
from ftcli.errors import UsageError
from ftcli.events import Scores
from ftcli.findings import Finding


@dataclass(frozen=True)
class _Base:
    """A file of frozen tensors, and what is known of each."""

    file: Written
    digests: Digests
    names: tuple[str, ...]
    """Of all tensors in the file."""


@dataclass
class RunKeeper:
    """Keeps checkpoints of a run, and its metrics so far. `fingerprint` is the plan's, `keep` the recipe's."""

    run: RunFolder
    card: ModelCard
    fingerprint: str
    keep: int = 2
    noticed: list[Finding] = field(default_factory=list)
    """What was found damaged when the run was taken up again."""
    _best: str | None = None
    _base: _Base | None = None

    def save(self, progress: Progress, model: nn.Module, remembered: Moments, *, best: bool) -> None:
        """A checkpoint; old ones go when it is on the disk and proved. Raises MachineError.

        A checkpoint is of what can move in the phase. What cannot, `progress.digests` says, and is written once.
        """
        refuse_non_finite(model.state_dict(), "tensor")
        for of, kept in remembered.items():
            refuse_non_finite(kept, f"optimizer's memory of {of}:")
        folder = self.run.checkpoints
        state = {MODEL + name: tensor for name, tensor in model.state_dict().items()}
        base = self._base_of(state, progress.digests or {})
        moving = {name: t for name, t in state.items() if base is None or name not in base.digests}
        name = next_name(folder)
        self._best = name if best else self._best
        write_checkpoint(
            folder,
            name,
            moving | _named(remembered),
            lambda written: Manifest(
                name=name,
                best=self._best,
                fingerprint=self.fingerprint,
                progress=progress.to_dict(),
                card=self.card.to_dict(),
                state=written,
                base=None if base is None else base.file,
                base_names=() if base is None else base.names,
            ),
        )
        self.run.write_metrics(progress.rows)
        retain(folder, self.keep, self._best)

    def resume(self, network: Network) -> tuple[Progress, Moments] | None:
        """Put the network back to where the run was cut off; None when nothing was kept of it.

        Raises UsageError when the plan is not the one the run began with, ModelError when no checkpoint is whole.
        """
        folder = self.run.checkpoints
        for place in (self.run.path, folder, *(folder / name for name in names(folder))):
            sweep(place)
        opened = {MODEL + name: tensor for name, tensor in network.model.state_dict().items()}
        spare = Spare(opened, self._notice_base)
        found = newest_whole(folder, self.noticed.append, spare)
        if found is None:
            return None
        manifest, tensors = found
        if manifest.fingerprint != self.fingerprint:
            raise _another_plan(self.run)
        progress = self._with_best(manifest, Progress.from_dict(dict(manifest.progress)), spare)
        state = {n.removeprefix(MODEL): t for n, t in tensors.items() if n.startswith(MODEL)}
        network.model.load_state_dict(state)
        if (
            self._best != manifest.best
        ):  # where no epoch follows, the best weights are looked up in what is written
            rewrite_manifest(folder, replace(manifest, best=self._best, progress=progress.to_dict()))
        drop_after(folder, manifest.name)
        self.run.write_metrics(progress.rows)
        return progress, _moments(tensors)

    def _base_of(self, state: Mapping[str, Tensor], digests: Digests) -> _Base | None:
        """The file with these bits of what is frozen, or more; written when there is none."""
        frozen = {MODEL + name: digest for name, digest in digests.items() if MODEL + name in state}
        if not frozen:
            return None
        if self._base is None or not frozen.items() <= self._base.digests.items():
            tensors = {name: state[name] for name in frozen}
            self._base = _Base(write_base(self.run.checkpoints, tensors), frozen, tuple(sorted(frozen)))
        return replace(self._base, digests=frozen)

    def _notice_base(self, path: Path, damage: Damaged) -> None:
        self.noticed.append(damaged(path, str(damage), "what the network was opened with, the same bits,"))

    def _with_best(self, manifest: Manifest, progress: Progress, spare: Spare) -> Progress:
        """The records as they are once it is known whether the best weights are still whole."""
        self._best = manifest.best
        if manifest.best in (None, manifest.name):
            return progress
        try:
            read_checkpoint(self.run.checkpoints, str(manifest.best), spare)
        except Damaged as damage:
            path = self.run.checkpoints / str(manifest.best)
            self.noticed.append(damaged(path, f"the best weights, {damage}", "those of the newest whole one"))
            if progress.so_far.step:  # the epoch that it is in the middle of becomes the first one to compare
                self._best = None
                return replace(progress, best=None)
            self._best = manifest.name
            return _best_is_the_last(progress)
        return progress


def _best_is_the_last(progress: Progress) -> Progress:
    """Of a state between two epochs."""
    row = progress.rows[-1]
    last = Best(row["epoch"], row["phase"], Scores(**row["val"]))
    ceiling = last if progress.ceiling == progress.best else progress.ceiling
    return replace(progress, best=last, ceiling=ceiling)


def _another_plan(run: RunFolder) -> UsageError:
    return UsageError(
        "the run began with another plan: its recipe, data or network has changed",
        where=str(run.path),
        remedy=f"compare the recipe with {run.recipe}, or start a new run with another --out",
    )


def _named(remembered: Moments) -> dict[str, Tensor]:
    return {f"{MOMENT}{name}/{key}": t for name, kept in remembered.items() for key, t in kept.items()}


def _moments(tensors: Mapping[str, Tensor]) -> Moments:
    remembered: Moments = {}
    for name, tensor in tensors.items():
        if name.startswith(MOMENT):
            parameter, _, key = name.removeprefix(MOMENT).rpartition("/")
            remembered.setdefault(parameter, {})[key] = tensor
    return remembered
