"""What every text encoder of transformers promises: small ones of each family, made of their configs alone."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ftcli.components.backbone import is_below
from ftcli.engine.freeze import enter_eval_mode
from ftcli.engine.prefix_cost import prefix_costs
from ftcli.plans.layer_map import HEAD
from ftcli.plans.tokenization import PAD
from tests.contracts import promises
from tests.contracts.promises import CLASSES
from tests.text_models import BLOCKS, TINY, new_text_network, some_tokens, text_network

pytest.importorskip("transformers")

EVERY = pytest.mark.parametrize("which", TINY)
SHARED = {"albert"}
"""Their blocks share the parameters of one."""
LOOKS_AT_VALUES = {"deberta", "deberta-v2"}
"""In their forward pass: on the meta device there are none."""
WITH_POOLER = {"albert", "bert", "modernbert"}


@EVERY
def test_it_opens_without_values(which: str) -> None:
    promises.it_opens_without_values(text_network(which, meta=True))


@EVERY
def test_every_tensor_has_its_layer(which: str) -> None:
    promises.every_tensor_has_its_layer(text_network(which, meta=True))


@EVERY
def test_embeddings_blocks_pooler_and_head_are_layers_and_stages(which: str) -> None:
    network = text_network(which, meta=True)
    promises.layers_run_from_the_stem_to_the_head(network)
    blocks = [f"layer.{number}" for number in range(1 if which in SHARED else BLOCKS)]
    pooler = ["pooler"] if which in WITH_POOLER else []
    assert [layer.name for layer in network.layer_map.layers] == ["stem", *blocks, *pooler, HEAD]
    assert [layer.stage for layer in network.layer_map.layers] == ["stem", *blocks, *pooler, HEAD]


@EVERY
def test_embeddings_and_what_all_blocks_use_are_the_stem(which: str) -> None:
    """A table of relative positions that trained with the last block would change what frozen blocks compute."""
    stem = {p.name for p in text_network(which, meta=True).layer_map.in_stages(["stem"])}
    assert any("embed" in name or "shared" in name for name in stem)
    names = {p.name for p in text_network(which, meta=True).layer_map.parameters}
    assert {
        name for name in names if "rel_embeddings" in name or "encoder.relative_attention" in name
    } <= stem
    assert not [name for name in stem if ".0." in name]


@EVERY
def test_the_head_is_what_pretraining_does_not_know(which: str) -> None:
    network = text_network(which, meta=True)
    head = {p.name for p in network.layer_map.in_stages([HEAD])}
    assert head == {
        p.name for p in network.layer_map.parameters if is_below(p.name, network.tail or network.heads)
    }
    assert {f"{path}.{field}" for path in network.heads for field in ("weight", "bias")} <= head
    assert {len(network.model.get_submodule(path).weight) for path in network.heads} == {CLASSES}
    new_dense = {"distilbert": "pre_classifier", "deberta": "pooler", "deberta-v2": "pooler"}
    dense = new_dense.get(which, "classifier.dense")
    assert any(name.startswith(dense) for name in head) == (which not in WITH_POOLER | {"t5", "mt5", "umt5"})


@EVERY
def test_layers_compute_in_their_order(which: str) -> None:
    promises.layers_compute_in_their_order(text_network(which), some_tokens())


@EVERY
def test_it_classifies_and_every_parameter_gets_a_gradient(which: str) -> None:
    network = new_text_network(which)
    promises.it_classifies_and_every_parameter_gets_a_gradient(network, some_tokens(4, 12))


@EVERY
def test_meta_and_real_agree(which: str) -> None:
    promises.meta_and_real_agree(text_network(which, meta=True), text_network(which))


@EVERY
def test_its_work_is_counted_without_values(which: str) -> None:
    """As `inspect-freeze` does: the part below the head is nearly all of it, and one row of features is kept."""
    network = text_network(which, meta=True)
    head = network.layer_map.layers[-1].index
    costs = prefix_costs(network, [head])
    if which in LOOKS_AT_VALUES:
        assert costs == {}
        costs = prefix_costs(text_network(which), [head])
    cost = costs[head]
    assert cost.share > 0.9
    assert cost.bytes_per_image == 16 * 4


@EVERY
def test_what_stands_behind_a_text_changes_nothing_but_rounding(which: str) -> None:
    network = text_network(which)
    enter_eval_mode(network)
    tokens = some_tokens(1, 10)
    longer = nn.functional.pad(tokens, (0, 6), value=PAD)
    with torch.no_grad():
        torch.testing.assert_close(network.model(longer), network.model(tokens), rtol=1e-5, atol=1e-6)


@EVERY
def test_each_token_counts(which: str) -> None:
    network = text_network(which)
    enter_eval_mode(network)
    tokens = some_tokens(1, 10)
    with torch.no_grad():
        logits = network.model(tokens)
        for place in (0, 5, 9):
            other = tokens.clone()
            other[0, place] = 3 + (other[0, place] - 2) % 50
            assert not torch.equal(network.model(other), logits)


@EVERY
def test_the_parts_before_and_behind_the_features_are_the_whole(which: str) -> None:
    """In training too: what drops out before the classifier belongs to the head."""
    from ftcli.engine.head_cut import cut_before_head, inputs_of

    network, tokens = text_network(which), some_tokens()
    enter_eval_mode(network)
    firsts, tail = cut_before_head(network)
    with torch.no_grad():
        features = inputs_of(firsts, network.model, tokens)
        assert features is not None
        assert features.numel() == len(tokens) * 16, "one token's worth of features to a text"
        assert torch.equal(tail(features), network.model(tokens))
        for path in network.tail or network.heads:
            network.model.get_submodule(path).train()
        torch.manual_seed(3)
        whole = network.model(tokens)
        torch.manual_seed(3)
        assert torch.equal(tail(features), whole)
    enter_eval_mode(network)


@EVERY
def test_what_is_kept_rebuilds_it(which: str) -> None:
    from ftcli.components.backbone._hf_text import open_text

    network = text_network(which, meta=True)
    assert network.config is not None
    again = open_text(which, None, network.config, "none", meta=True)
    assert again.config == network.config
    assert again.preprocessing == network.preprocessing
