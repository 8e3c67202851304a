"""A model as a run left it, ready to look at images or texts: nothing but its own file is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
from PIL.Image import Image
from torch import Tensor, nn

from ftcli.engine.build import build_network, with_group_norm
from ftcli.engine.images import center_crop, prepare
from ftcli.engine.inputs import placed, ready
from ftcli.engine.network import Network
from ftcli.engine.peft_layers import with_adapters
from ftcli.engine.placement import find_machine, place
from ftcli.engine.quantised_base import must_compute
from ftcli.engine.run_folder import RunFolder
from ftcli.engine.tokenizer import Tokenizer, padded
from ftcli.engine.weights_file import ModelCard, load_model
from ftcli.engine.whole_checkpoint import best_model
from ftcli.errors import MachineError, ModelError
from ftcli.plans.inputs import Inputs, size_of
from ftcli.plans.peft_adapters import Adapters
from ftcli.plans.tokenization import Tokenization
from ftcli.registry import kinds
from ftcli.workflows.texts import tokenization_of, tokenizer_of


@dataclass(frozen=True)
class SavedModel:
    """A trained network with all that is known of its input and output."""

    card: ModelCard
    network: Network
    device: str

    @property
    def module(self) -> nn.Module:
        """Normalised images (B, 3, S, S), or tokens (B, L) -> logits (B, C)."""
        return self.network.model

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the logits, in their order."""
        return self.card.classes

    @property
    def preprocessing(self) -> Inputs:
        """How an image, or a text, becomes the network's input."""
        return self.card.preprocessing

    @property
    def takes_texts(self) -> bool:
        return isinstance(self.preprocessing, Tokenization)

    def forward(self, batch: Tensor) -> Tensor:
        """uint8 images (B, 3, S, S), or tokens (B, L) -> logits (B, C) in fp32."""
        logits: Tensor = self.network.model(
            ready(placed(batch, self.preprocessing, self.device), self.preprocessing)
        )
        return logits.float()

    @torch.inference_mode()
    def probabilities(self, examples: Sequence[Image | str]) -> Tensor:
        """PIL images, or texts -> (B, C), prepared as in training; rows add up to 1, but for a multi-label model."""
        logits_BC = self.forward(self._batch(examples))
        return (logits_BC.sigmoid() if self.card.multi_label else logits_BC.softmax(dim=1)).cpu()

    def _batch(self, examples: Sequence[Any]) -> Tensor:
        inputs = self.preprocessing
        if isinstance(inputs, Tokenization):
            encoded = self.tokenizer.encode(examples)
            return padded([text.tokens for text in encoded], inputs)
        return torch.stack([center_crop(prepare(image, inputs), inputs.image_size) for image in examples])

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """Raises ModelError for a network that takes images."""
        return tokenizer_of(tokenization_of(self.network), self.card.tokenizer, self.card.backbone)


def load_saved(run: Path, device: Literal["auto", "cpu", "cuda"] = "auto") -> SavedModel:
    """The best model of a run folder, complete or not, or of a .safetensors file that ftcli wrote; in eval mode."""
    path, (state, card) = _best_of(run)
    network = rebuilt(card, path)
    _load_state(network, state, path)
    found = find_machine(device).device
    place(network.model, found).eval()
    must_compute(network.model)
    return SavedModel(card, network, found)


def rebuilt(card: ModelCard, path: Path) -> Network:
    """The network that a file at `path` is of, with random weights. Raises ModelError."""
    network = build_network(
        card.backbone,
        "none",
        _head(card, path),
        len(card.classes),
        image_size=size_of(card.preprocessing),
        seed=0,
        config=card.config,
    )
    network = with_group_norm(network) if card.group_norm else network
    if card.adapters is not None:
        network = with_adapters(network, _adapters(card.adapters, path), seed=0)
    return network


def _best_of(run: Path) -> tuple[Path, tuple[dict[str, Tensor], ModelCard]]:
    """Where it is, and what is there: best.safetensors, or the best so far; or the file itself.

    Raises MachineError when there is none.
    """
    folder = RunFolder(run)
    path = folder.best if run.is_dir() else run
    if path.exists():
        return path, load_model(path)
    so_far = best_model(folder.checkpoints)
    if so_far is not None:
        return folder.checkpoints, so_far
    if not run.is_dir():
        what = "there is no such run folder or model file"
    elif folder.recipe.is_file():
        what = "the run has no weights yet: it has not finished an epoch"
    else:
        what = "this is not a run folder: it has neither best.safetensors nor recipe.yaml"
    raise MachineError(what, where=str(run), remedy="give the folder that `ftcli train` named at its end")


def _head(card: ModelCard, path: Path) -> Any:
    """The head's options as the file has them."""
    try:
        return kinds("head")[card.head["kind"]].model_validate(card.head)
    except (KeyError, TypeError, ValueError) as error:
        what = f"the file names a head that this version does not have: {card.head}"
        raise ModelError(what, where=str(path), remedy=_OTHER_VERSION) from error


def _adapters(values: Mapping[str, Any], path: Path) -> Adapters:
    """As the file has them."""
    try:
        return Adapters.from_dict(values)
    except (KeyError, TypeError) as error:
        what = f"the file names adapters that this version does not have: {dict(values)}"
        raise ModelError(what, where=str(path), remedy=_OTHER_VERSION) from error


def _load_state(network: Network, state: dict[str, Tensor], path: Path) -> None:
    """Raises ModelError that names the first tensors which do not fit."""
    expected = network.model.state_dict()
    wrong = {
        "missing": [name for name in expected if name not in state],
        "unknown": [name for name in state if name not in expected],
        "of another shape": [
            name for name in state if name in expected and state[name].shape != expected[name].shape
        ],
    }
    told = [f"{len(names)} {what} ({', '.join(names[:3])})" for what, names in wrong.items() if names]
    if told:
        what = f"the weights do not fit this version's {network.backbone}: tensors {', '.join(told)}"
        raise ModelError(what, where=str(path), remedy=_OTHER_VERSION)
    network.model.load_state_dict(state)


_OTHER_VERSION = "install the versions that the run's environment.json names"
