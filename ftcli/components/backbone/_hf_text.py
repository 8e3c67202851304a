"""A text classifier of transformers as a network that maps tokens to logits; its tensors keep transformers' names.

Tokens are one tensor (B, L) of numbers with PAD behind the shorter texts: hooks make of it what each class takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import torch
from torch import Tensor, nn

from ftcli.errors import ModelError
from ftcli.plans.tokenization import PAD, Tokenization

from ._errors import unsupported
from ._hf_files import Files
from ._hf_library import library
from ._hf_network import (
    CLASSIFIER,
    Plan,
    config_of,
    config_values,
    construct,
    filled,
    head_paths,
    logits_alone,
    new_classifier,
    refuse_lacking,
)
from ._hf_weights import find_tensors
from ._opened import Opened, is_below
from ._text_families import FAMILIES, Family, depth_of, known_types, longest_text

USUAL_LENGTH = 512
"""Tokens: what nearly all of these networks were pretrained with, whatever they could take."""


def open_text(
    name: str,
    files: Files | None,
    values: Mapping[str, Any],
    weights: str = "default",
    max_length: int | None = None,
    *,
    meta: bool = False,
) -> Opened:
    """The text classifier whose config.json holds `values`; see `open_backbone`.

    `max_length` in tokens, None for 512 or what the network has positions for. Raises ModelError.
    """
    family, plan = _plan_of(values, name)
    length = _length(name, plan.config, max_length)
    note, tensors = find_tensors(name, files, weights, meta=meta)
    lacking: Sequence[str] = ()
    if tensors is None or meta:
        model = construct(plan, name, meta=meta)
    else:
        where = note if weights == "default" else weights
        model, names = filled(plan, tensors, where)
        lacking = [] if family.encoder else [n for n in names if not is_below(n, family.tail)]
        refuse_lacking([n for n in lacking if not is_below(n, family.pooler)], where)
    _finish(model, family)
    if lacking:
        note = f"{note}, without {family.pooler[0]}, which starts from random values"
    tokenizer = files.tokenizer() if files else None
    return Opened(
        model=model,
        heads=(CLASSIFIER,) if family.encoder else _last_linear(model, family),
        depth=depth_of(model, family),
        preprocessing=Tokenization(
            length, plan.config.vocab_size, longest_text(plan.config), _digest(tokenizer)
        ),
        weights=note,
        config=config_values(plan),
        tokenizer=tokenizer,
        tail=() if family.encoder else family.tail,
    )


def _digest(tokenizer: str | None) -> str:
    return sha256(tokenizer.encode()).hexdigest() if tokenizer else ""


def _plan_of(values: Mapping[str, Any], name: str) -> tuple[Family, Plan]:
    model_type = str(values.get("model_type"))
    if model_type not in FAMILIES:
        every = ", ".join(known_types())
        raise unsupported(f"hf/{name}", f"text encoders of these types can: {every}; it is a {model_type!r}")
    transformers, family = library(), FAMILIES[model_type]
    config = config_of(values, name)
    return family, Plan(getattr(transformers, family.encoder or _usual_class(model_type)), config)


def _usual_class(model_type: str) -> str:
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES as known,
    )

    return str(known[model_type])


def _length(name: str, config: Any, asked: int | None) -> int:
    most = longest_text(config)
    if asked is not None and most is not None and asked > most:
        what = f"hf/{name} cannot take texts of {asked} tokens: it has positions for {most}"
        raise ModelError(what, remedy=f"set data.max_length to {most} or less")
    return asked or min(most or USUAL_LENGTH, USUAL_LENGTH)


def _last_linear(model: nn.Module, family: Family) -> tuple[str, ...]:
    path = family.tail[-1]
    return tuple(f"{path}.{inner}".rstrip(".") for inner in head_paths(model.get_submodule(path)))


def _finish(model: Any, family: Family) -> None:
    """Make it a map from tokens (B, L) to logits."""
    model.config.return_dict = True
    model.register_forward_pre_hook(_tokens_as_keywords, with_kwargs=True)
    if family.encoder:
        setattr(model, CLASSIFIER, new_classifier(model, model.config.d_model))
        model.register_forward_hook(_classify_mean, with_kwargs=True)
        return
    if "activation" in family.tail:  # DistilBERT makes its own anew in every call
        model.activation = nn.ReLU()
    model.get_submodule(family.tail[0]).register_forward_pre_hook(_first_token_alone)
    model.register_forward_hook(logits_alone)


def _tokens_as_keywords(
    model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """RoBERTa counts its positions by where the number of the padding token stands.

    Tokens without values, on the meta device, have no mask where transformers would look at its values.
    """
    (tokens_BL,) = args
    is_text = tokens_BL != PAD
    numbers = tokens_BL.long().masked_fill(~is_text, model.config.pad_token_id or 0)
    mask = None if tokens_BL.is_meta else is_text.long()
    return (), {"input_ids": numbers, "attention_mask": mask}


def _first_token_alone(module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Where a head takes the hidden states of all tokens (B, L, D), it uses the first."""
    features, *others = args
    return (features[:, :1].contiguous() if features.ndim == 3 else features, *others)


def _classify_mean(model: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Tensor:
    """As Sentence-T5 does (Ni et al. 2022): T5 has no token that stands for the whole text."""
    hidden_BLD, mask_BL = output.last_hidden_state, kwargs["attention_mask"]
    if mask_BL is None:
        mask_BL = torch.ones(hidden_BLD.shape[:2], device=hidden_BLD.device)
    mask_BL1 = mask_BL.unsqueeze(-1).to(hidden_BLD.dtype)
    mean_BD = (hidden_BLD * mask_BL1).sum(1) / mask_BL1.sum(1).clamp(min=1)
    logits: Tensor = model.get_submodule(CLASSIFIER)(mean_BD)
    return logits
