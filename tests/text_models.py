"""Small text classifiers of every family, made of their configs alone, and tokens for them."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor

from ftcli.components.backbone._hf_text import open_text
from ftcli.components.backbone._text_families import FAMILIES
from ftcli.components.head import Linear
from ftcli.engine.build import with_head
from ftcli.engine.network import Network
from ftcli.plans.tokenization import PAD, Tokenization

VOCABULARY = 60
BLOCKS = 3

BERT: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": BLOCKS,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 40,
}
_T5 = {
    "d_model": 16,
    "num_layers": BLOCKS,
    "num_heads": 2,
    "d_kv": 8,
    "d_ff": 32,
    "vocab_size": VOCABULARY,
    "dropout_rate": 0.0,
}
_DEBERTA = BERT | {"relative_attention": True, "pos_att_type": ["c2p", "p2c"]}

TINY: dict[str, dict[str, Any]] = {
    "albert": BERT | {"embedding_size": 8},
    "bert": BERT,
    "camembert": BERT,
    "deberta": _DEBERTA,
    "deberta-v2": _DEBERTA
    | {"position_buckets": 8, "norm_rel_ebd": "layer_norm", "share_att_key": True, "conv_kernel_size": 3},
    "distilbert": {
        "dim": 16,
        "n_layers": BLOCKS,
        "n_heads": 2,
        "hidden_dim": 32,
        "vocab_size": VOCABULARY,
        "max_position_embeddings": 40,
    },
    "electra": BERT | {"embedding_size": 8},
    "modernbert": BERT
    | {"pad_token_id": 0, "global_attn_every_n_layers": 2, "local_attention": 8, "cls_token_id": 1}
    | {"sep_token_id": 2, "bos_token_id": 1, "eos_token_id": 2},
    "mpnet": BERT,
    "mt5": _T5,
    "roberta": BERT,
    "t5": _T5,
    "umt5": _T5,
    "xlm-roberta": BERT,
}
assert TINY.keys() == FAMILIES.keys()


def config_of(which: str, **config: Any) -> dict[str, Any]:
    return {"model_type": which, **TINY[which], **config}


@cache
def text_network(which: str, meta: bool = False, classes: int = 7) -> Network:
    """The network of a family with random weights; shared by all that ask for it."""
    return new_text_network(which, meta=meta, classes=classes)


def new_text_network(which: str, *, meta: bool = False, classes: int = 7, **config: Any) -> Network:
    torch.manual_seed(0)
    opened = open_text(which, None, config_of(which, **config), "none", meta=meta)
    return with_head(opened, f"hf/{which}", Linear(), classes, seed=0, meta=meta)


def some_tokens(count: int = 4, longest: int = 12, seed: int = 0) -> Tensor:
    """Tokens (B, L) int32 of texts of several lengths, each at least half of the longest."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(3, VOCABULARY, (count, longest), generator=generator, dtype=torch.int32)
    for row in range(1, count):
        tokens[row, longest - row % (longest // 2) :] = PAD
    return tokens


def tokenization_of(network: Network) -> Tokenization:
    assert isinstance(network.preprocessing, Tokenization)
    return network.preprocessing


MARKS = ("[PAD]", "[CLS]", "[SEP]", "[UNK]")
WORDS = tuple(f"{first}{second}" for first in "bdfklm" for second in "aeiou")
"""Words of the tests' own language; with the marks they have the numbers below VOCABULARY."""


def tokenizer_json() -> str:
    """A tokenizer of WORDS as bert's are: [CLS] before a text, [SEP] behind it."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    numbers = {word: number for number, word in enumerate((*MARKS, *WORDS))}
    made = Tokenizer(models.WordLevel(numbers, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    made.enable_padding(length=64)  # as sentence-transformers publish theirs
    made.enable_truncation(64)
    content: str = made.to_str()
    return content
