"""A run that trains nothing and keeps everything: a small network, its keeper, and epochs with made-up scores."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from ftcli.engine import proof
from ftcli.engine.keep import RunKeeper
from ftcli.engine.network import Network
from ftcli.engine.optimize import Moments
from ftcli.engine.progress import Best, Progress
from ftcli.engine.run_folder import RunFolder
from ftcli.engine.weights_file import ModelCard
from ftcli.engine.whole_checkpoint import newest_whole
from ftcli.events import EpochDone, Scores
from ftcli.plans.layer_map import Layer, LayerMap
from ftcli.plans.preprocessing import IMAGENET

CARD = ModelCard("tiny", {"kind": "linear", "dropout": 0.0}, ("a", "b"), IMAGENET)
HEAD = ("head.weight", "head.bias")


def small_network(seed: int = 0) -> Network:
    """A layer, a BatchNorm and a head."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = {"body": nn.Linear(16, 8), "norm": nn.BatchNorm1d(8), "head": nn.Linear(8, 2)}
    known = LayerMap("tiny", (Layer(0, "head", "head"),), ())
    return Network(nn.Sequential(OrderedDict(layers)), known, {}, ("head",), IMAGENET, "tiny", "")


def scores(accuracy: float) -> Scores:
    return Scores(accuracy=accuracy, balanced_accuracy=accuracy, macro_f1=accuracy, loss=1.0, num_examples=10)


@dataclass
class KeptRun:
    """Epochs move what trains, and are saved; `trains` None: everything does."""

    path: Path
    trains: Sequence[str] | None = HEAD
    keep: int = 2
    network: Network = field(default_factory=small_network)
    progress: Progress = field(default_factory=Progress)
    remembered: Moments = field(default_factory=dict)
    keeper: RunKeeper = field(init=False)

    def __post_init__(self) -> None:
        self.path.mkdir(exist_ok=True)
        self.keeper = RunKeeper(RunFolder(self.path), CARD, "plan", self.keep)

    @property
    def checkpoints(self) -> Path:
        return RunFolder(self.path).checkpoints

    def enter_phase(self, trains: Sequence[str] | None) -> None:
        """The next save is of a phase that freezes all but these."""
        self.trains, self.progress.digests = trains, None

    def epoch(self, accuracy: float = 0.5) -> None:
        """Every value that trains is another one afterwards, and the same in each run of this epoch."""
        moving = self.moving()
        if self.progress.digests is None:
            frozen = [name for name in self.state() if name not in moving]
            self.progress.enter_phase(proof.digests(self.network.model, frozen))
        generator = torch.Generator().manual_seed(self.progress.epoch)
        for name, tensor in moving.items():
            step = torch.rand(tensor.shape, generator=generator)
            tensor.add_(step.to(tensor.dtype))
            self.remembered[name] = {"step": torch.tensor(float(self.progress.epoch)), "exp_avg": step}
        self._note(accuracy)

    def save(self, *, best: bool | None = None) -> None:
        is_best = self.progress.best is not None and self.progress.best.epoch == self.progress.epoch - 1
        self.keeper.save(
            self.progress, self.network.model, self.remembered, best=is_best if best is None else best
        )

    def epochs(self, *accuracies: float) -> KeptRun:
        """Each run and saved."""
        for accuracy in accuracies:
            self.epoch(accuracy)
            self.save()
        return self

    def state(self) -> dict[str, Tensor]:
        return {name: tensor.detach().clone() for name, tensor in self.network.model.state_dict().items()}

    def moving(self) -> dict[str, Tensor]:
        state = self.network.model.state_dict()
        return {name: t.detach() for name, t in state.items() if self.trains is None or name in self.trains}

    def _note(self, accuracy: float) -> None:
        done = self.progress.epoch
        row = EpochDone(done, 99, "phase", 0.1, 0.1, 1.0, scores(accuracy), 1.0, 1.0, best=False)
        self.progress.add(row)
        if self.progress.best is None or accuracy > self.progress.best.scores.accuracy:
            self.progress.best = Best(done, "phase", scores(accuracy))


def taken_up(path: Path, seed: int = 1) -> KeptRun | None:
    """The run as another process finds it; its network begins elsewhere. None when nothing was kept of it."""
    run = KeptRun(path, network=small_network(seed))
    resumed = run.keeper.resume(run.network)
    if resumed is None:
        return None
    run.progress, run.remembered = resumed
    return run


def found_whole(path: Path) -> int | None:
    """Epochs of the checkpoint that is taken; None when there is none."""
    found = newest_whole(RunFolder(path).checkpoints, lambda finding: None)
    return None if found is None else int(found[0].progress["epoch"])


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
