"""A text encoder cut in two: what crosses is that of each token, and no bit of it depends on how texts are padded."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ftcli.engine.crossing import by_token, in_batch
from ftcli.engine.cut import cut_at, highest_cut, proved
from ftcli.engine.freeze import enter_eval_mode
from ftcli.engine.kept_texts import text_rows
from ftcli.engine.network import Network
from ftcli.engine.tokenizer import padded
from ftcli.plans.tokenization import PAD
from tests.cuts import freeze_below, gradients
from tests.text_models import TINY, new_text_network, some_tokens, text_network, tokenization_of

pytest.importorskip("transformers")

NOT_CUT = {
    "albert": "its layers are one, whose parameters they share",
    "deberta-v2": "its convolution over tokens rounds otherwise where texts are padded further",
    "mt5": "its first block hands a bias for each pair of tokens to all others",
    "t5": "as mt5",
}


def between_blocks(network: Network) -> list[int]:
    """The first layers of all stages from the second block on, but the head's."""
    return [layer.index for layer in network.layer_map.layers[2:-1]]


@pytest.mark.parametrize("which", sorted(TINY.keys() - NOT_CUT.keys()))
def test_every_family_is_cut_between_its_layers(which: str) -> None:
    network, tokens = text_network(which), some_tokens(5, 32)
    assert between_blocks(network)
    for boundary in between_blocks(network):
        cut = highest_cut(network, network.model, boundary, tokens)
        assert cut is not None
        assert (cut.boundary, cut.by_token) == (boundary, True)
        enter_eval_mode(network)
        for other in (some_tokens(1, 16, seed=1), some_tokens(7, 24, seed=2)):
            assert proved(cut, network.model, other)


@pytest.mark.parametrize("which", sorted(NOT_CUT))
def test_others_are_not_cut_between_them(which: str) -> None:
    network = text_network(which)
    below = [index for index in between_blocks(network) if network.layer_map.layers[index].stage != "pooler"]
    assert [highest_cut(network, network.model, index, some_tokens(5, 32)) for index in below] == [
        None
    ] * len(below)


def test_shared_layers_stay_together() -> None:
    """ALBERT's blocks are one layer, called three times: the only cut above them is below the pooler."""
    network, tokens = text_network("albert"), some_tokens(5, 32)
    (pooler,) = between_blocks(network)
    assert network.layer_map.layers[pooler].stage == "pooler"
    cut = highest_cut(network, network.model, pooler, tokens)
    assert cut is not None
    assert cut.boundary == pooler


def test_embeddings_alone_are_looked_up_again() -> None:
    network = text_network("bert")
    assert highest_cut(network, network.model, 1, some_tokens(5, 32)) is None


@pytest.mark.parametrize("which", ["bert", "deberta", "distilbert", "modernbert", "roberta"])
def test_gradients_above_are_those_of_the_whole(which: str) -> None:
    """With its dropout, from rows that were kept without what stood behind the texts."""
    network, tokens = new_text_network(which), some_tokens(6, 32)
    for boundary in between_blocks(network):
        cut = cut_at(network, network.model, boundary)
        assert cut is not None
        freeze_below(network, boundary)
        whole = gradients(network, network.model, tokens)
        parts = gradients(network, cut.suffix, again(cut.prefix(tokens), tokens))
        assert [name for name in whole if not torch.equal(whole[name], parts[name])] == []
        assert whole.keys() == parts.keys()


def again(crossing: Tensor, tokens: Tensor) -> Tensor:
    """As a batch from what was kept by token."""
    return in_batch(by_token(crossing), (tokens != PAD).sum(1), tokens.shape[1])


def test_a_batch_of_kept_rows_is_the_one_that_crossed() -> None:
    """Texts went through the longest first; they are asked for in another order, with others beside them."""
    network = text_network("bert")
    inputs = tokenization_of(network)
    texts = [torch.arange(3, 3 + length, dtype=torch.int32) for length in (5, 20, 1, 16, 17)]
    cut = highest_cut(network, network.model, 2, some_tokens(5, 32))
    assert cut is not None
    order, lengths = [1, 4, 3, 0, 2], [len(text) for text in texts]
    enter_eval_mode(network)
    kept = torch.cat([by_token(cut.prefix(batch)) for batch in (padded([texts[n] for n in order], inputs),)])
    rows = text_rows(order, lengths, inputs, by_token=True)
    for asked in ([0, 1], [2], [4, 3, 0], [0, 0, 2]):
        batch = padded([texts[n] for n in asked], inputs)
        made = rows.batch(kept, torch.tensor(asked))
        assert made.shape[:2] == batch.shape
        assert torch.equal(by_token(made), by_token(cut.prefix(batch)))
        with torch.no_grad():
            assert torch.equal(cut.suffix(made), network.model(batch))


def test_features_of_texts_come_back_in_the_order_of_the_stream() -> None:
    rows = text_rows([2, 0, 1], [4, 3, 9], tokenization_of(text_network("bert")), by_token=False)
    kept = torch.tensor([[2.0], [0.0], [1.0]])
    assert rows.batch(kept, torch.tensor([0, 2, 1])).flatten().tolist() == [0, 2, 1]
