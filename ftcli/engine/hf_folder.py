"""A classifier or a language model as a folder that transformers opens: `AutoModelFor....from_pretrained`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ftcli.engine.files import flush, write_json, write_proved, write_text, written_aside
from ftcli.engine.tensor_bytes import tensor_bytes
from ftcli.engine.weights_file import ModelCard
from ftcli.errors import UsageError

_FORMAT = {"format": "pt"}
_CLASSIFIES = "Classification"
"""In the name of a class of transformers that gives logits of classes."""
_SAYS_TOKENS = "CausalLM", "LMHeadModel"
"""In the name of one that says next tokens."""


def write_model(folder: Path, state: Mapping[str, Tensor], card: ModelCard) -> None:
    """Config, weights and tokenizer, whole or not there. Raises MachineError, UsageError."""
    made = tensor_bytes(state, _FORMAT)
    config = _config(card)
    with written_aside(folder, made.size) as aside:
        aside.mkdir(parents=True)
        write_proved(aside / "model.safetensors", made.chunks)
        write_json(aside / "config.json", config)
        if card.tokenizer is not None:
            write_text(aside / "tokenizer.json", card.tokenizer)
        os.rename(aside, folder)
        flush(folder.parent)


def refuse_no_such_class(card: ModelCard) -> None:
    """Raises UsageError for a network of another library, and for a head that transformers has no class of."""
    what = None
    if not card.backbone.startswith("hf/") or card.config is None:
        what = f"a folder is for models of transformers, and this is {card.backbone}"
    elif _is_language_model(card):
        return
    elif not any(_CLASSIFIES in name for name in card.config.get("architectures") or ()):
        what = f"transformers has no classifier of the type {card.config.get('model_type')!r} like it"
    elif card.head["kind"] != "linear" or card.head.get("dropout"):
        what = "transformers has no classifier with a head like it: one linear layer"
    if what is not None:
        raise UsageError(what, where="--out", remedy="give a file: --out NAME.safetensors")


def _is_language_model(card: ModelCard) -> bool:
    names = (card.config or {}).get("architectures") or ()
    return any(word in name for word in _SAYS_TOKENS for name in names)


def _config(card: ModelCard) -> dict[str, Any]:
    refuse_no_such_class(card)
    if _is_language_model(card):
        return {**(card.config or {}), "use_cache": True}  # which training does without
    names = dict(enumerate(card.classes))
    task = "multi_label_classification" if card.multi_label else "single_label_classification"
    return {
        **(card.config or {}),
        "id2label": {str(number): name for number, name in names.items()},
        "label2id": {name: number for number, name in names.items()},
        "problem_type": task,
    }
