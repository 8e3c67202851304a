"""The text encoders of transformers that can be fine-tuned: where each has its blocks, its pooler and its head."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ._depth import Depth
from ._opened import is_below

LAYER = "layer"
POOLER = "pooler"


@dataclass(frozen=True)
class Family:
    """Paths of modules. What is named nowhere (embeddings, and what every block uses of the encoder) is the stem."""

    blocks: str
    """The row of blocks, each of which is a layer and a stage."""
    tail: tuple[str, ...]
    """From the features to the logits, in the order of their calls: the head. What is before the last linear layer
    is no part of pretraining."""
    pooler: tuple[str, ...] = ()
    """Between the blocks and the head; learned in pretraining."""
    first: tuple[str, ...] = ()
    """Joins the first block."""
    last: tuple[str, ...] = ()
    """Joins the last block: a norm."""
    encoder: str | None = None
    """The class, where transformers has no classifier of it: the mean over the tokens is what a new head takes."""


_CLASSIFIER = ("dropout", "classifier")
_DENSE_CLASSIFIER = ("classifier",)
"""A module of two linear layers."""
_ROBERTA = Family("roberta.encoder.layer", _DENSE_CLASSIFIER)
_DEBERTA = Family(
    "deberta.encoder.layer", ("pooler", "dropout", "classifier"), first=("deberta.encoder.conv",)
)

FAMILIES: Mapping[str, Family] = {
    "albert": Family("albert.encoder.albert_layer_groups", _CLASSIFIER, ("albert.pooler",)),
    "bert": Family("bert.encoder.layer", _CLASSIFIER, ("bert.pooler",)),
    "camembert": _ROBERTA,
    "deberta": _DEBERTA,
    "deberta-v2": _DEBERTA,
    "distilbert": Family(
        "distilbert.transformer.layer", ("pre_classifier", "activation", "dropout", "classifier")
    ),
    "electra": Family("electra.encoder.layer", _DENSE_CLASSIFIER),
    "modernbert": Family("model.layers", ("drop", "classifier"), ("head",), last=("model.final_norm",)),
    "mpnet": Family("mpnet.encoder.layer", _DENSE_CLASSIFIER),
    "mt5": Family(
        "encoder.block", _DENSE_CLASSIFIER, last=("encoder.final_layer_norm",), encoder="MT5EncoderModel"
    ),
    "roberta": _ROBERTA,
    "t5": Family(
        "encoder.block", _DENSE_CLASSIFIER, last=("encoder.final_layer_norm",), encoder="T5EncoderModel"
    ),
    "umt5": Family(
        "encoder.block", _DENSE_CLASSIFIER, last=("encoder.final_layer_norm",), encoder="UMT5EncoderModel"
    ),
    "xlm-roberta": _ROBERTA,
}
"""ALBERT's blocks share their parameters: those of a group are one layer, and there is one group as a rule."""


def depth_of(model: Any, family: Family) -> Depth:
    """The stem, each block as a layer and a stage of its own (`layer.0` is the first), and the pooler."""
    count = len(model.get_submodule(family.blocks))
    layers = {
        f"{LAYER}.{number}": _below(
            f"{family.blocks}.{number}",
            *(family.first if number == 0 else ()),
            *(family.last if number == count - 1 else ()),
        )
        for number in range(count)
    }
    if family.pooler:
        layers[POOLER] = _below(*family.pooler)
    named = [name for name, _ in model.named_parameters() if not is_below(name, family.tail)]
    stem = [name for name in named if not any(re.match(pattern, name) for pattern in layers.values())]
    patterns = {"stem": _below(*stem), **layers}
    return Depth(patterns, patterns)


def _below(*paths: str) -> str:
    """A pattern for the tensors in modules, or of these names."""
    return rf"(?:{'|'.join(re.escape(path) for path in paths)})(?:\.|$)"


def longest_text(config: Any) -> int | None:
    """Tokens that the network has positions for; None where these are relative and have no end."""
    positions = getattr(config, "max_position_embeddings", None)
    if positions is None:
        return None
    reserved = config.pad_token_id + 1 if _counts_from_padding(config.model_type) else 0
    return int(positions) - reserved


def _counts_from_padding(model_type: str) -> bool:
    """RoBERTa's positions begin after the number of the padding token."""
    return FAMILIES[model_type] is _ROBERTA or model_type == "mpnet"


def known_types() -> Sequence[str]:
    return sorted(FAMILIES)
