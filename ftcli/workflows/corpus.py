"""A recipe's corpus as its network takes it: a tokenizer, and every document encoded once and packed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

from ftcli.engine.network import Network
from ftcli.engine.new_tokenizer import LEAST, learned_tokenizer
from ftcli.engine.packing import PackedStore
from ftcli.engine.tokenizer import Tokenizer
from ftcli.errors import ModelError
from ftcli.plans.data_splits import TRAIN, DataSplits
from ftcli.plans.tokenization import Tokenization
from ftcli.recipe.schema import Recipe
from ftcli.workflows.texts import tokenization_of, tokenizer_of

ENDS = ("<|endoftext|>", "</s>", "<|end_of_text|>", "<|im_end|>", "<eos>")
"""What models call the end of a text, where their config does not say which number it has."""


def with_tokenizer(recipe: Recipe, network: Network, documents: DataSplits) -> Network:
    """The network with its own tokenizer, or with one that is learned from the training documents.

    Only where its weights are random as well: those that were trained know their own numbers. Raises ModelError.
    """
    tokenization = tokenization_of(network)
    if network.tokenizer is not None or recipe.pretrained:
        return network
    if tokenization.vocabulary < LEAST:
        what = f"a vocabulary of {tokenization.vocabulary} has no room for every byte and the end of text"
        raise ModelError(
            what, where="model.config", remedy=f"give a vocab_size of {LEAST} or more, 4096 for instance"
        )
    content = learned_tokenizer(_training_texts(documents), tokenization.vocabulary)
    numbers = {"bos_token_id": 0, "eos_token_id": 0}
    return replace(
        network,
        tokenizer=content,
        preprocessing=replace(tokenization, tokenizer=sha256(content.encode()).hexdigest()),
        config={**(network.config or {}), **numbers, "pad_token_id": None},
    )


def _training_texts(documents: DataSplits) -> Iterator[str]:
    return (documents.load(index) for index in documents.streams[TRAIN])


def packed(
    recipe: Recipe, documents: DataSplits, network: Network, on_progress: Callable[[int, int], None]
) -> PackedStore:
    """All of it. Raises DataError with every document that cannot be read; ModelError."""
    tokenization = tokenization_of(network)
    memory = int(recipe.runtime.image_memory_gb * 2**30)
    found = packed_as(
        documents, tokenization, network.tokenizer, network.config, network.backbone, memory=memory
    )
    found.scan(on_progress)
    return found


def packed_as(
    documents: DataSplits,
    tokenization: Tokenization,
    tokenizer: str | None,
    config: Mapping[str, Any] | None,
    backbone: str,
    *,
    memory: int = 0,
) -> PackedStore:
    """Nothing is read yet. Raises ModelError where there is no tokenizer."""
    library = whole_texts(tokenization, tokenizer, backbone)
    end = end_of_text(config, tokenizer, tokenization.vocabulary)
    return PackedStore(documents, tokenization, memory, library, end)


def whole_texts(tokenization: Tokenization, tokenizer: str | None, backbone: str) -> Tokenizer:
    """A tokenizer that cuts nothing off."""
    return tokenizer_of(replace(tokenization, max_length=sys.maxsize), tokenizer, backbone)


def end_of_text(config: Mapping[str, Any] | None, tokenizer: str | None, vocabulary: int) -> int | None:
    """The number of the token behind a text: as the config says, else by its usual names; None where there is none."""
    said = (config or {}).get("eos_token_id")
    first = said[0] if isinstance(said, list) and said else said
    if isinstance(first, int) and 0 <= first < vocabulary:
        return first
    numbers = {
        token["content"]: token["id"] for token in json.loads(tokenizer or "{}").get("added_tokens", ())
    }
    return next((int(numbers[name]) for name in ENDS if numbers.get(name, vocabulary) < vocabulary), None)


def told(store: PackedStore) -> str:
    """For the user: documents, tokens and sequences."""
    facts, splits = store.facts, store.documents
    counts = ", ".join(f"{count:,} {stream}" for stream, count in facts.sequences.items())
    how = f"; split {splits.how}" if splits.how else ""
    return (
        f"{splits.source}: {facts.documents:,} documents of {sum(facts.tokens.values()):,} tokens, in sequences of "
        f"{facts.sequence_length}: {counts}{how}"
    )
