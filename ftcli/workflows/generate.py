"""What a trained language model makes of prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ftcli.engine.generate import Drawing, continuation
from ftcli.errors import UsageError
from ftcli.workflows.corpus import end_of_text, whole_texts
from ftcli.workflows.saved_model import SavedModel, load_saved
from ftcli.workflows.texts import tokenization_of


@dataclass(frozen=True)
class Continuation:
    """`text` goes on where `prompt` ends."""

    prompt: str
    text: str
    tokens: int
    ended: bool
    """Whether the model came to its end of the text, before the most tokens that were asked for."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def generate(run: Path, prompts: Sequence[str], drawing: Drawing) -> list[Continuation]:
    """Of the model of a run. Raises UsageError for one that has classes."""
    return go_on(load_saved(run), prompts, drawing)


def go_on(model: SavedModel, prompts: Sequence[str], drawing: Drawing) -> list[Continuation]:
    """Of an opened model. Raises UsageError for one that has classes."""
    if not model.network.language_model:
        what = "the model has classes, and no text to go on with"
        raise UsageError(what, remedy="ftcli predict RUN FILE")
    card, tokenization = model.card, tokenization_of(model.network)
    library = whole_texts(tokenization, card.tokenizer, card.backbone)
    end = end_of_text(card.config, card.tokenizer, tokenization.vocabulary)
    window = tokenization.max_length
    results = []
    for prompt, encoded in zip(prompts, library.encode(prompts), strict=True):
        given = encoded.tokens.tolist()
        made = continuation(model.forward, given, drawing, window=window, end=end)
        ended = len(made) < drawing.max_tokens
        results.append(Continuation(prompt, library.decode_after(given, made), len(made), ended))
    return results
