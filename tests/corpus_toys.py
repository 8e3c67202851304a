"""Small real things to learn a language from: documents in the tests' own language, and tiny decoders for it."""

from __future__ import annotations

import json
import random
import warnings
from pathlib import Path
from typing import Any

import torch

from ftcli.recipe.schema import Recipe
from tests.text_models import WORDS

END = "<|endoftext|>"
VOCABULARY = len(WORDS) + 2
FAMILY: dict[str, dict[str, Any]] = {
    "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 32},
    "llama": {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "intermediate_size": 32,
        "max_position_embeddings": 32,
    },
}
FAMILY["qwen2"] = FAMILY["llama"] | {"tie_word_embeddings": True}
FAMILY["qwen3"] = FAMILY["llama"] | {"head_dim": 8}
FAMILY["mistral"] = FAMILY["llama"] | {"sliding_window": 16}
FAMILY["gpt_neox"] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 32,
}


def word_tokenizer() -> str:
    """One number a word of WORDS; the end of text is 0, what is no word 1."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    numbers = {word: number for number, word in enumerate((END, "?", *WORDS))}
    made = Tokenizer(models.WordLevel(numbers, unk_token="?"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    content: str = made.to_str()
    return content


def decoder_config(which: str, **config: Any) -> dict[str, Any]:
    tokens = {"vocab_size": VOCABULARY, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": None}
    return {"model_type": which, **tokens, **FAMILY[which], **config}


def write_decoder(folder: Path, which: str = "gpt2", **config: Any) -> Path:
    """As save_pretrained leaves it, with a tokenizer."""
    import transformers

    values = decoder_config(which, **config)
    torch.manual_seed(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = transformers.CONFIG_MAPPING[which].from_dict(values)
        transformers.AutoModelForCausalLM.from_config(made).save_pretrained(folder)
    (folder / "tokenizer.json").write_text(word_tokenizer(), encoding="utf-8")
    return folder


def some_document(words: int, seed: int) -> str:
    """Each word is followed by the next one of the language, most of the time: there is something to learn."""
    chance = random.Random(seed)
    at = chance.randrange(len(WORDS))
    found = []
    for _ in range(words):
        found.append(WORDS[at])
        at = (at + 1) % len(WORDS) if chance.random() < 0.9 else chance.randrange(len(WORDS))
    return " ".join(found)


def write_corpus(folder: Path, documents: int = 24, words: int = 60) -> Path:
    """Files in two folders, of several lengths."""
    for number in range(documents):
        place = folder / ("one", "other")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        text = some_document(words + number, number)
        (place / f"{number:02}.txt").write_text(text, encoding="utf-8")
    return folder


def corpus_recipe(place: Path, **sections: Any) -> Recipe:
    """For the decoder and the corpus in a folder; any section may be given."""
    content = {
        "name": "toy",
        "task": "causal_lm",
        "data": {"kind": "corpus", "path": str(place / "corpus"), "sequence_length": 16},
        "model": {"backbone": f"hf/{place / 'decoder'}"},
        "strategy": "full",
        "optimizer": {"lr": 1e-2},
        "train": {"epochs": 2, "batch_size": 8},
        "runtime": {"device": "cpu"},
        **sections,
    }
    return Recipe.model_validate_json(json.dumps(content))
