"""Adapters and head as a folder that PEFT loads by itself: `PeftModel.from_pretrained(model, FOLDER)`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from torch import Tensor

from ftcli.components.backbone import is_below
from ftcli.engine.files import discard, flush, write_json, write_proved, written_aside
from ftcli.engine.network import Network
from ftcli.engine.peft_library import NAME, peft
from ftcli.engine.tensor_bytes import tensor_bytes
from ftcli.plans.layer_map import HEAD

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_WRAPPED, _BEHIND_PROMPT = "base_model.model.", "base_model."
"""How the names begin in what PEFT wraps around a model; and in what it puts before one."""
_FORMAT = {"format": "pt"}


def write_adapters(folder: Path, network: Network) -> None:
    """What trains of a network with adapters, whole or not there; an older folder makes room. Raises MachineError."""
    made = tensor_bytes(_tensors(network), _FORMAT)
    with written_aside(folder, made.size) as aside:
        aside.mkdir(parents=True)
        write_proved(aside / WEIGHTS, made.chunks)
        write_json(aside / CONFIG, _config(network))
        discard(folder)
        os.rename(aside, folder)
        flush(folder.parent)


def heads_to_save(network: Network) -> tuple[str, ...]:
    """The modules of the head that have parameters of the head: one that is tied to the embedding has the stem's."""
    names = [p.name for p in network.layer_map.in_stages([HEAD])]
    return tuple(path for path in network.head_modules if any(is_below(name, [path]) for name in names))


def _tensors(network: Network) -> dict[str, Tensor]:
    """The adapters under PEFT's own names, and the head, which has its plain ones."""
    own = peft().get_peft_model_state_dict(_of_peft(network), adapter_name=NAME, save_embedding_layers=False)
    head = {
        f"{path}.{name}": tensor
        for path in heads_to_save(network)
        for name, tensor in network.model.get_submodule(path).state_dict().items()
    }
    if network.prompt is not None:
        return own | {f"{_BEHIND_PROMPT}{name}": tensor for name, tensor in head.items()}
    return {f"{_WRAPPED}{name}": tensor for name, tensor in (own | head).items()}


def _of_peft(network: Network) -> Any:
    """What knows PEFT's config: the model with adapters in it, or PEFT's own before it."""
    return network.model if network.prompt is None else network.prompt.of_peft


def _config(network: Network) -> dict[str, Any]:
    values: dict[str, Any] = _of_peft(network).peft_config[NAME].to_dict()
    is_of_transformers = network.backbone.startswith("hf/")
    said = {
        "base_model_name_or_path": network.backbone.removeprefix("hf/") if is_of_transformers else None,
        "modules_to_save": list(heads_to_save(network)),
        "inference_mode": True,
    }
    return {key: sorted(v) if isinstance(v, set) else v for key, v in (values | said).items()}
