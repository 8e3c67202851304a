"""Samples of a run: what the language model makes of a few prompts before its first step, and with its best weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from ftcli.engine.freeze import enter_eval_mode
from ftcli.engine.generate import Drawing, continuation
from ftcli.engine.packing import PackedStore
from ftcli.engine.precision import autocast
from ftcli.engine.run_folder import RunFolder
from ftcli.engine.stopwatch import span
from ftcli.engine.work import Work
from ftcli.plans.data_splits import TEST
from ftcli.plans.samples import Sample
from ftcli.recipe.schema import Recipe
from ftcli.workflows.corpus import end_of_text, whole_texts
from ftcli.workflows.texts import tokenization_of

BEGINNINGS = 3
"""Test documents whose beginnings are prompts where the recipe has none."""
WORDS = 8
"""Of each."""


def samples_before(recipe: Recipe, work: Work, run: RunFolder, *, resumed: bool) -> tuple[Sample, ...]:
    """Made, and kept in the run folder; of a run that goes on those that it kept."""
    if not recipe.learns_tokens or not recipe.generation.max_tokens:
        return ()
    kept = _kept(run) if resumed else ()
    if kept:
        return kept
    prompts = recipe.generation.prompts or first_words(work.batches.store)
    texts = [None] * len(prompts) if resumed else _texts(recipe, work, prompts)
    made = tuple(Sample(prompt, before) for prompt, before in zip(prompts, texts, strict=True))
    run.write_samples([sample.to_dict() for sample in made])
    return made


def samples_after(
    recipe: Recipe, work: Work, run: RunFolder, samples: Sequence[Sample]
) -> tuple[Sample, ...]:
    """The same prompts, with the weights that the network has now."""
    if not samples:
        return ()
    texts = _texts(recipe, work, [sample.prompt for sample in samples])
    made = tuple(replace(sample, after=after) for sample, after in zip(samples, texts, strict=True))
    run.write_samples([sample.to_dict() for sample in made])
    return made


def first_words(store: object) -> tuple[str, ...]:
    """Of the first test documents that have any."""
    assert isinstance(store, PackedStore)
    found = (store.documents.load(index).split()[:WORDS] for index in store.documents.streams[TEST])
    return tuple(" ".join(words) for words in found if words)[:BEGINNINGS]


def _texts(recipe: Recipe, work: Work, prompts: Sequence[str]) -> list[str]:
    network, asked = work.network, recipe.generation
    tokenization = tokenization_of(network)
    library = whole_texts(tokenization, network.tokenizer, network.backbone)
    end = end_of_text(network.config, network.tokenizer, tokenization.vocabulary)
    drawing = Drawing(asked.max_tokens, asked.temperature, work.plan.seed)
    enter_eval_mode(network)
    texts = []
    with span("samples", len(prompts)), autocast(work.plan.precision, work.device):
        for encoded in library.encode(prompts):
            given = encoded.tokens.tolist()
            made = continuation(work.forward, given, drawing, window=tokenization.max_length, end=end)
            texts.append(library.decode_after(given, made))
    return texts


def _kept(run: RunFolder) -> tuple[Sample, ...]:
    """Without what an earlier end may have added; nothing where the file is not there or not whole."""
    try:
        found = json.loads(run.samples.read_text(encoding="utf-8"))
        return tuple(replace(Sample.from_dict(values), after=None) for values in found)
    except (OSError, ValueError, TypeError, LookupError):
        return ()
