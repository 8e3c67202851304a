"""The texts of a recipe as its network takes them: the tokenizer that came with it, and every text encoded once."""

from __future__ import annotations

from collections.abc import Callable

from ftcli.engine.network import Network
from ftcli.engine.texts import TextStore
from ftcli.engine.tokenizer import Tokenizer
from ftcli.errors import ModelError
from ftcli.findings import Finding
from ftcli.planner.text_notice import text_findings
from ftcli.plans.data_splits import DataSplits
from ftcli.plans.tokenization import Tokenization
from ftcli.recipe.schema import Recipe


def must_take_the_task(recipe: Recipe, network: Network) -> None:
    """Raises ModelError for an image classifier where texts are to be learned, and the other way round; for a

    language model where classes are, or a text encoder where next tokens are.
    """
    if not recipe.takes_texts:
        _ = network.images
        return
    tokenization_of(network)
    if network.language_model and not recipe.learns_tokens:
        remedy = "choose a text encoder (bert, roberta, ...), or set task: causal_lm"
        what = f"{network.backbone} is a language model, which has no classes"
        raise ModelError(what, where="model.backbone", remedy=remedy)
    if recipe.learns_tokens and not network.language_model:
        remedy = (
            "choose a language model: hf/OWNER/NAME, or hf/PATH of a folder, of type gpt2, llama, qwen2, ..."
        )
        what = f"{network.backbone} is a text encoder, which sees what it should say"
        raise ModelError(what, where="model.backbone", remedy=remedy)


def tokenization_of(network: Network) -> Tokenization:
    """Raises ModelError for a network that takes images."""
    if not isinstance(network.preprocessing, Tokenization):
        remedy = "choose a text encoder: hf/OWNER/NAME, or hf/PATH of a folder, of type bert, roberta, ..."
        raise ModelError(f"{network.backbone} takes images, not texts", where="model.backbone", remedy=remedy)
    return network.preprocessing


def tokenizer_of(tokenization: Tokenization, content: str | None, backbone: str) -> Tokenizer:
    """Raises ModelError where there is none."""
    if content is None:
        remedy = (
            "name a folder or repository that has one; transformers' AutoTokenizer.from_pretrained(...)"
            ".save_pretrained(FOLDER) writes it"
        )
        raise ModelError(f"{backbone} comes without tokenizer.json", where="model.backbone", remedy=remedy)
    return Tokenizer(content, tokenization.max_length, tokenization.vocabulary)


def encoded_texts(
    recipe: Recipe, splits: DataSplits, network: Network, on_progress: Callable[[int, int], None]
) -> TextStore:
    """All of them. Raises DataError with every file that cannot be read; ModelError."""
    tokenization = tokenization_of(network)
    tokenizer = tokenizer_of(tokenization, network.tokenizer, network.backbone)
    store = TextStore(splits, tokenization, int(recipe.runtime.image_memory_gb * 2**30), tokenizer)
    store.scan(on_progress)
    return store


def noticed_of_texts(store: TextStore) -> tuple[Finding, ...]:
    return text_findings(store.facts, store.preprocessing.most)
