"""A language model of transformers as a network that maps tokens (B, L) to the logits (B, L, V) of the next ones.

Its own head stays: nothing is new. Its tensors keep transformers' names, and one that has several names (the embedding
that is the head's projection too) is kept under the first alone, as transformers saves it.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import torch
from torch import nn

from ftcli.errors import ModelError
from ftcli.plans.tokenization import Tokenization

from ._decoder_families import DECODERS
from ._hf_files import Files
from ._hf_library import library
from ._hf_network import Plan, config_of, config_values, construct, filled, logits_alone, refuse_lacking
from ._hf_weights import find_tensors
from ._opened import Opened
from ._text_families import depth_of

USUAL_LENGTH = 512
"""Tokens of a sequence, where nobody asks for another number."""


def open_causal(
    name: str,
    files: Files | None,
    values: Mapping[str, Any],
    weights: str = "default",
    sequence_length: int | None = None,
    *,
    meta: bool = False,
) -> Opened:
    """The language model whose config.json holds `values`; see `open_backbone`.

    `sequence_length` in tokens, None for 512 or what the network has positions for. Raises ModelError.
    """
    plan = _plan_of(values, name)
    family = DECODERS[str(values["model_type"])]
    length = _length(name, plan.config, sequence_length)
    note, tensors = find_tensors(name, files, weights, meta=meta)
    if tensors is None or meta:
        model = construct(plan, name, meta=meta)
    else:
        where = note if weights == "default" else weights
        model, lacking = filled(plan, tensors, where)
        refuse_lacking(lacking, where)
    _finish(model)
    tokenizer = files.tokenizer() if files else None
    digest = sha256(tokenizer.encode()).hexdigest() if tokenizer else ""
    return Opened(
        model=model,
        heads=family.tail[-1:],
        depth=depth_of(model, family),
        preprocessing=Tokenization(
            length, plan.config.vocab_size, _positions(plan.config), digest, packed=True
        ),
        weights=note,
        config={**config_values(plan), "architectures": [plan.kind.__name__]},
        has_classifier=tensors is not None,
        tokenizer=tokenizer,
        tail=family.tail,
    )


def _plan_of(values: Mapping[str, Any], name: str) -> Plan:
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as known

    config = config_of(values, name)
    config.use_cache = False
    return Plan(getattr(library(), str(known[config.model_type])), config)


def _positions(config: Any) -> int | None:
    most = getattr(config, "max_position_embeddings", None)
    return None if most is None else int(most)


def _length(name: str, config: Any, asked: int | None) -> int:
    most = _positions(config)
    if asked is not None and most is not None and asked > most:
        what = f"hf/{name} cannot take sequences of {asked} tokens: it has positions for {most}"
        raise ModelError(what, remedy=f"set data.sequence_length to {most} or less")
    return asked or min(most or USUAL_LENGTH, USUAL_LENGTH)


def _finish(model: Any) -> None:
    model.config.return_dict = True
    model.register_forward_pre_hook(_tokens_as_keywords, with_kwargs=True)
    model.register_forward_hook(logits_alone)
    model.register_state_dict_post_hook(_without_other_names)
    model.register_load_state_dict_pre_hook(_with_other_names)


def _tokens_as_keywords(
    model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Sequences are full: nothing is masked but what follows, which transformers does of itself.

    Not on the meta device, where it would look at the values of positions to know whether they begin anew.
    """
    (tokens_BL,) = args
    given = {"input_ids": tokens_BL.long(), "use_cache": False}
    if tokens_BL.is_meta:
        length = tokens_BL.shape[1]
        given["attention_mask"] = tokens_BL.new_ones((1, 1, length, length), dtype=torch.bool).tril()
    return (), given


def _other_names(model: nn.Module) -> dict[str, str]:
    """Every further name of a parameter, to its first."""
    first: dict[int, str] = {}
    named = model.named_parameters(remove_duplicate=False)
    return {name: first[id(tensor)] for name, tensor in named if first.setdefault(id(tensor), name) != name}


def _without_other_names(model: nn.Module, state: dict[str, Any], prefix: str, metadata: Any) -> None:
    for name in _other_names(model):
        state.pop(prefix + name, None)


def _with_other_names(model: nn.Module, state: dict[str, Any], prefix: str, *rest: Any) -> None:
    for name, first in _other_names(model).items():
        if prefix + first in state:
            state.setdefault(prefix + name, state[prefix + first])
