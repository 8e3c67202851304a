"""Texts become tokens: what is cut, what is told of it, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ftcli.components.data._texts import of_files, of_rows
from ftcli.engine.texts import TextStore
from ftcli.engine.tokenizer import Tokenizer, padded
from ftcli.errors import DataError, ModelError
from ftcli.planner.text_notice import text_findings
from ftcli.plans.data_splits import TEST, TRAIN, VAL, DataSplits, Example
from ftcli.plans.text_facts import TextFacts
from ftcli.plans.tokenization import PAD, Tokenization
from tests.text_models import VOCABULARY, WORDS, tokenizer_json


def splits_of(texts: Sequence[str]) -> DataSplits:
    """Every fourth validates, every fourth tests."""
    streams: dict[str, list[int]] = {TRAIN: [], VAL: [], TEST: []}
    for number in range(len(texts)):
        streams[(TRAIN, VAL, TRAIN, TEST)[number % 4]].append(number)
    return DataSplits(
        source="texts",
        classes=("a", "b"),
        examples=tuple(Example(f"text {number}", number // 4 % 2) for number in range(len(texts))),
        streams={stream: tuple(indices) for stream, indices in streams.items()},
        load=of_rows(texts),
    )


def store_of(texts: Sequence[str], max_length: int = 16) -> TextStore:
    tokenizer = Tokenizer(tokenizer_json(), max_length, VOCABULARY)
    store = TextStore(splits_of(texts), Tokenization(max_length, VOCABULARY), 2**20, tokenizer)
    store.scan(lambda done, total: None)
    return store


def words(count: int, start: int = 0) -> str:
    return " ".join(WORDS[(start + number) % len(WORDS)] for number in range(count))


def test_a_text_becomes_its_tokens_between_the_marks() -> None:
    assert store_of([words(3), "ba?", "nothing known"])[0].tolist() == [1, 4, 5, 6, 2]
    assert store_of([words(3), "ba?", "nothing known"])[1].tolist() == [1, 4, 3, 2]


def test_a_long_text_is_cut_and_keeps_its_end_mark() -> None:
    store = store_of([words(40), words(3), words(14), words(15)])
    assert len(store[0]) == 16
    assert store[0].tolist()[-1] == 2
    assert len(store[2]) == 16
    assert store.facts == TextFacts(
        texts=4, tokens=42 + 5 + 16 + 17, max_length=16, cut=2, lost=26 + 1, longest=42
    )


def test_what_is_cut_off_is_told_with_the_share_that_is_lost() -> None:
    (found,) = text_findings(store_of([words(40), words(3), words(14), words(15)]).facts, 40)
    assert (found.severity, found.rule) == ("warning", "texts-cut-off")
    assert "2 of 4 texts (50.0%) are longer than 16 tokens: 33.8% of all tokens" in found.message
    assert "raise data.max_length (the longest text has 42 tokens)" in found.remedy
    (full,) = text_findings(TextFacts(1000, 50_000, 16, cut=3, lost=90, longest=60), 16)
    assert full.severity == "info"
    assert "the network takes no more" in full.remedy


def test_empty_texts_are_told_by_key() -> None:
    store = store_of([words(3), " \n", "", words(2)])
    assert store[2].tolist() == [1, 2]
    (found,) = text_findings(store.facts, None)
    assert found.rule == "empty-texts"
    assert "2 of 4 texts are empty" in found.message
    assert "'text 1' first" in found.message


def test_nothing_is_told_of_texts_that_fit() -> None:
    assert text_findings(store_of([words(3), words(2)]).facts) == ()


def test_every_file_that_cannot_be_read_is_told_at_once(tmp_path: Path) -> None:
    files = [tmp_path / f"{n}.txt" for n in range(4)]
    for n, file in enumerate(files):
        file.write_bytes(b"\xff" if n % 2 else b"ba")
    splits = splits_of(["", "", "", ""])
    store = TextStore(
        DataSplits(splits.source, splits.classes, splits.examples, splits.streams, of_files(files)),
        Tokenization(16, VOCABULARY),
        0,
        Tokenizer(tokenizer_json(), 16, VOCABULARY),
    )
    with pytest.raises(DataError, match=r"2 of 4 texts cannot be read: .*1\.txt.*3\.txt"):
        store.scan(lambda done, total: None)


def test_a_tokenizer_of_another_model_is_refused() -> None:
    with pytest.raises(ModelError, match="the tokenizer gives token 17, and the network knows 10"):
        Tokenizer(tokenizer_json(), 16, 10).encode([words(20)])


def test_a_damaged_tokenizer_is_refused() -> None:
    with pytest.raises(ModelError, match="cannot read the model's tokenizer"):
        Tokenizer("{", 16, VOCABULARY)


def test_a_batch_is_as_wide_as_its_longest_text_rounded_up() -> None:
    texts = [torch.arange(1, 4, dtype=torch.int32), torch.arange(1, 11, dtype=torch.int32)]
    inputs = Tokenization(12, 60)
    batch = padded(texts, inputs)
    assert batch.shape == (2, 16)
    assert batch[0].tolist() == [1, 2, 3] + [PAD] * 13
    assert padded(texts, replace(inputs, most=12)).shape == (2, 12), "no wider than the network takes"
    assert padded([*texts, torch.zeros(17, dtype=torch.int32)], inputs).shape == (3, 32)


def test_the_content_of_a_text_is_that_of_its_tokens() -> None:
    one, other = store_of([words(3), words(3), words(4)]), store_of([words(4)])
    assert one.content(0) == one.content(1) != one.content(2) == other.content(0)


def test_a_continuation_keeps_the_blank_that_a_tokenizer_drops_at_the_start_of_a_text() -> None:
    """As SentencePiece's do: the blank belongs to the token, and the first one of a text is taken away."""
    from tokenizers import Tokenizer as Library
    from tokenizers import decoders, models, pre_tokenizers

    numbers = {"<unk>": 0, "▁one": 1, "▁two": 2, "s": 3}
    made = Library(models.WordLevel(numbers, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")  # type: ignore[assignment]
    made.decoder = decoders.Metaspace(prepend_scheme="always")  # type: ignore[assignment]
    tokenizer = Tokenizer(made.to_str(), 16, 4)
    (given,) = tokenizer.encode(["one two"])
    assert given.tokens.tolist() == [1, 2]
    assert tokenizer.decode([1]) == "one"
    assert tokenizer.decode_after([1, 2], [1, 3]) == " ones"
    assert tokenizer.decode_after([1, 2], [3]) == "s"
    assert tokenizer.decode_after([], [1]) == "one"
