"""Models and run states in safetensors: tensors beside a JSON text, no pickle, whole or not there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from ftcli.engine.files import replace_file, write_proved
from ftcli.engine.tensor_bytes import DTYPES, tensor_bytes
from ftcli.errors import ModelError
from ftcli.plans.inputs import Inputs, inputs_from_dict

KEY = "ftcli"
MODEL, MOMENT = "model/", "moment/"
"""How the names of tensors begin in a checkpoint."""
_DTYPES = {name: str(dtype).removeprefix("torch.") for dtype, name in DTYPES.items()}


@dataclass(frozen=True)
class ModelCard:
    """All that `predict` needs beside the tensors: how to build the network, what goes in, what comes out."""

    backbone: str
    head: dict[str, Any]
    classes: tuple[str, ...]
    preprocessing: Inputs
    group_norm: bool = False
    task: str = "image_classification"
    config: Mapping[str, Any] | None = None
    """What rebuilds the architecture where the backbone's name alone is not enough."""
    multi_label: bool = False
    """Whether an image may have several of the classes: the logits are then judged one by one."""
    tokenizer: str | None = None
    """Of a network that takes texts: the tokenizer's JSON."""
    adapters: Mapping[str, Any] | None = None
    """What the PEFT library has put beside its layers: see plans/peft_adapters."""

    def to_dict(self) -> dict[str, Any]:
        return {**vars(self), "preprocessing": self.preprocessing.to_dict()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ModelCard:
        preprocessing = inputs_from_dict(values["preprocessing"])
        return cls(**{**values, "preprocessing": preprocessing, "classes": tuple(values["classes"])})


def save_tensors(path: Path, tensors: Mapping[str, Tensor], content: dict[str, Any]) -> None:
    """`content` is any JSON value; it goes into the file's metadata. Raises MachineError."""
    made = tensor_bytes(tensors, {"format": "pt", KEY: json.dumps(content, ensure_ascii=False)})
    replace_file(path, lambda aside: write_proved(aside, made.chunks), made.size)


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and content. Raises ModelError for a file that is missing, damaged or not ftcli's."""
    remedy = "give a run folder that ftcli has finished, or train again"
    try:
        with safe_open(path, framework="pt") as file:
            content = (file.metadata() or {}).get(KEY)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (OSError, SafetensorError) as error:
        raise ModelError(f"cannot read the weights: {error}", where=str(path), remedy=remedy) from error
    if content is None:
        what = "the file does not say which classes and preprocessing it belongs to"
        raise ModelError(what, where=str(path), remedy="use the best.safetensors of a run")
    try:
        return tensors, json.loads(content)
    except ValueError as error:
        what = f"the file's description of itself is damaged: {error}"
        raise ModelError(what, where=str(path), remedy=remedy) from error


def dtypes_in(path: Path) -> dict[str, str]:
    """Tensor name -> dtype as torch calls it, read without the tensors. Raises ModelError."""
    try:
        with safe_open(path, framework="pt") as file:
            kinds = {name: file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118
            return {name: _DTYPES.get(kind, kind) for name, kind in kinds.items()}
    except (OSError, SafetensorError) as error:
        remedy = "give a run folder that ftcli has finished, or train again"
        raise ModelError(f"cannot read the weights: {error}", where=str(path), remedy=remedy) from error


def read_card(path: Path) -> ModelCard:
    """What a model's file says of itself, read without its tensors. Raises ModelError."""
    try:
        with safe_open(path, framework="pt") as file:
            return ModelCard.from_dict(json.loads((file.metadata() or {})[KEY]))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        what = f"the file is not a model that ftcli saved: {error}"
        raise ModelError(what, where=str(path), remedy="use the best.safetensors of a run") from error


def save_model(path: Path, state: Mapping[str, Tensor], card: ModelCard) -> None:
    """Tensor names are those of the network's own state_dict: torchvision or timm load them as they are."""
    save_tensors(path, state, card.to_dict())


def load_model(path: Path) -> tuple[dict[str, Tensor], ModelCard]:
    tensors, content = load_tensors(path)
    try:
        return tensors, ModelCard.from_dict(content)
    except (KeyError, TypeError) as error:
        what = f"the file is not a model that ftcli saved: {error}"
        raise ModelError(what, where=str(path), remedy="use the best.safetensors of a run") from error
