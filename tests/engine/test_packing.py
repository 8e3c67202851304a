"""A corpus becomes sequences: every token but the first is predicted once, and what is left over is told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from ftcli.components.data.corpus import Corpus, open_splits
from ftcli.engine.new_tokenizer import END_OF_TEXT, learned_tokenizer
from ftcli.engine.packed_batches import PackedBatches
from ftcli.engine.packing import PackedStore
from ftcli.engine.tokenizer import Tokenizer
from ftcli.errors import DataError
from ftcli.planner.corpus_notice import corpus_findings
from ftcli.plans.tokenization import Tokenization
from tests.corpus_toys import VOCABULARY, word_tokenizer, write_corpus
from tests.text_models import WORDS

pytest.importorskip("tokenizers")
END = 0


def store_of(folder: Path, length: int = 16, end: int | None = END) -> PackedStore:
    splits = open_splits(Corpus(kind="corpus", path=str(folder)), 0)
    tokenizer = Tokenizer(word_tokenizer(), sys.maxsize, VOCABULARY)
    store = PackedStore(splits, Tokenization(length, VOCABULARY), 0, tokenizer, end)
    store.scan(lambda done, total: None)
    return store


def whole(store: PackedStore, stream: str) -> list[int]:
    """The tokens of a stream as the documents say them."""
    numbers = {word: number + 2 for number, word in enumerate(WORDS)}
    found = []
    for index in store.documents.streams[stream]:
        found += [numbers[word] for word in store.documents.load(index).split()] + [END]
    return found


def test_sequences_are_the_documents_in_their_order_with_ends_between(tmp_path: Path) -> None:
    store = store_of(write_corpus(tmp_path))
    for stream, indices in store.splits.streams.items():
        tokens = whole(store, stream)
        read = [number for index in indices for number in store[index].tolist()]
        said = [number for index in indices for number in store.target(index).tolist()]
        assert read == tokens[: len(read)]
        assert said == tokens[1 : len(said) + 1], "every token but the first is a target once"
        assert len(tokens) - 1 - len(said) == store.facts.left_over[stream] < 16
        assert store.facts.tokens[stream] == len(tokens)
        assert store.facts.sequences[stream] == len(indices) == len(said) // 16


def test_a_sequence_knows_its_documents(tmp_path: Path) -> None:
    store = store_of(write_corpus(tmp_path))
    indices = store.splits.streams["train"]
    ends = 0
    for number, index in enumerate(indices):
        told = store.documents_of(index)
        tokens = [*store[index].tolist(), store.target(index)[-1].item()]
        assert len(told) == 1 + tokens[:-1].count(END)
        ends += tokens[:-1].count(END) if number else 0
        assert set(told) <= set(store.documents.streams["train"])
    assert ends
    met = [document for index in indices for document in store.documents_of(index)]
    assert list(dict.fromkeys(met)) == list(store.documents.streams["train"])


def test_batches_hold_the_next_tokens_as_labels(tmp_path: Path) -> None:
    batches = PackedBatches(store_of(write_corpus(tmp_path)), 8, seed=0)
    first, again, other = (next(batches.training(epoch, None)) for epoch in (0, 0, 1))
    assert first.inputs.shape == first.labels.shape == (8, 16)
    assert first.inputs.dtype == torch.int32
    assert first.labels.dtype == torch.int64
    assert torch.equal(first.inputs[:, 1:].long(), first.labels[:, :-1])
    assert torch.equal(first.inputs, again.inputs)
    assert not torch.equal(first.inputs, other.inputs)
    evaluated = torch.cat([batch.labels for batch in batches.evaluation("val")])
    assert torch.equal(evaluated, batches.targets("val"))
    late = list(batches.training(0, None, first=2))
    assert late[0].indices == list(batches.training(0, None))[2].indices


def test_what_is_left_over_empty_and_unmarked_is_told(tmp_path: Path) -> None:
    write_corpus(tmp_path, documents=12, words=30)
    (tmp_path / "nothing.txt").write_text(" \n")
    found = {finding.rule: finding for finding in corpus_findings(store_of(tmp_path, 24, None).facts)}
    assert found.keys() == {"tokens-left-over", "empty-texts", "no-end-of-text"}
    assert found["tokens-left-over"].severity == "warning"
    assert "nothing.txt" in found["empty-texts"].message


def test_a_stream_that_fills_no_sequence_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"val has \d+ tokens, which fill no sequence of 500"):
        store_of(write_corpus(tmp_path, documents=12), 500)


def test_documents_that_cannot_be_read_are_told_together(tmp_path: Path) -> None:
    write_corpus(tmp_path)
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_bytes(b"\xff\xfe\xff")
    with pytest.raises(DataError, match=r"2 of 26 documents"):
        store_of(tmp_path)


def test_a_learned_tokenizer_says_every_text_and_is_the_same_again() -> None:
    texts = ["the cat sat on the mat\n" * 20, "a dog and a cat: naïve, 猫\n" * 20]
    content = learned_tokenizer(texts, 300)
    assert content == learned_tokenizer(iter(texts), 300)
    from tokenizers import Tokenizer as Library

    made = Library.from_str(content)
    assert made.get_vocab_size() <= 300
    assert made.token_to_id(END_OF_TEXT) == 0
    for text in (*texts, "never seen: ¿qué? 🙂\t\n"):
        assert made.decode(made.encode(text).ids) == text
    assert len(made.encode("the cat").ids) < 7
    with pytest.raises(ValueError, match="no room for the 256 bytes"):
        learned_tokenizer(texts, 200)
