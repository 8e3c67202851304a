"""What every language model of transformers promises: small ones of each family, made of their configs alone."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ftcli.components.backbone._decoder_families import DECODERS
from ftcli.components.backbone._hf_causal import open_causal
from ftcli.components.head import Linear
from ftcli.engine.build import build_network, with_head
from ftcli.engine.cut import highest_cut
from ftcli.engine.freeze import enter_eval_mode
from ftcli.engine.network import Network
from ftcli.engine.precision import effect_of_bf16
from ftcli.engine.prefix_cost import prefix_costs
from ftcli.errors import ModelError
from ftcli.plans.layer_map import HEAD
from tests.contracts import promises
from tests.corpus_toys import FAMILY, VOCABULARY, decoder_config, write_decoder

transformers = pytest.importorskip("transformers")

assert FAMILY.keys() == DECODERS.keys()
EVERY = pytest.mark.parametrize("which", DECODERS)
TIED = {"gpt2", "qwen2"}


@cache
def network_of(which: str, meta: bool = False) -> Network:
    torch.manual_seed(0)
    opened = open_causal(which, None, decoder_config(which), "none", meta=meta)
    return with_head(opened, f"hf/{which}", Linear(), 0, seed=0, meta=meta)


def some_tokens(count: int = 3, length: int = 12) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, VOCABULARY, (count, length), generator=generator, dtype=torch.int32)


@EVERY
def test_it_opens_without_values(which: str) -> None:
    promises.it_opens_without_values(network_of(which, meta=True))


@EVERY
def test_every_tensor_has_its_layer(which: str) -> None:
    promises.every_tensor_has_its_layer(network_of(which, meta=True))


@EVERY
def test_embeddings_blocks_and_head_are_layers_and_stages(which: str) -> None:
    network = network_of(which, meta=True)
    promises.layers_run_from_the_stem_to_the_head(network)
    assert network.layer_map.stages == ("stem", "layer.0", "layer.1", HEAD)
    stem = {p.name for p in network.layer_map.in_stages(["stem"])}
    assert all("emb" in name or "wte" in name or "wpe" in name for name in stem)


@EVERY
def test_a_tied_projection_is_the_embedding_and_the_head_the_norm_alone(which: str) -> None:
    network = network_of(which, meta=True)
    norm, projection = DECODERS[which].tail
    head = {p.name for p in network.layer_map.in_stages([HEAD])}
    of_norm = {f"{norm}.{name}" for name, _ in network.model.get_submodule(norm).named_parameters()}
    assert head == of_norm | (set() if which in TIED else {f"{projection}.weight"})
    weight = network.model.get_submodule(projection).weight
    assert (weight is network.model.get_input_embeddings().weight) == (which in TIED)
    assert (f"{projection}.weight" in network.model.state_dict()) == (which not in TIED)


@EVERY
def test_layers_compute_in_their_order(which: str) -> None:
    """A tied embedding computes twice; its first time counts."""
    network = network_of(which)
    enter_eval_mode(network)
    with torch.no_grad():
        seen, logits = promises.watched(network, some_tokens())
    assert seen == list(range(4))
    assert logits.shape == (3, 12, VOCABULARY)


@EVERY
def test_every_parameter_gets_a_gradient(which: str) -> None:
    network = network_of(which)
    network.model.zero_grad()
    network.model(some_tokens()).logsumexp(-1).sum().backward()
    assert not [name for name, p in network.model.named_parameters() if p.grad is None]
    network.model.zero_grad()


@EVERY
def test_meta_and_real_agree(which: str) -> None:
    promises.meta_and_real_agree(network_of(which, meta=True), network_of(which))


@EVERY
def test_it_sees_what_stands_before_and_nothing_that_follows(which: str) -> None:
    network, tokens = network_of(which), some_tokens(1)
    enter_eval_mode(network)
    other = tokens.clone()
    other[0, 6] = (other[0, 6] + 1) % VOCABULARY
    with torch.no_grad():
        one, two = network.model(tokens), network.model(other)
    assert torch.equal(one[0, :6], two[0, :6])
    assert not torch.equal(one[0, 6:], two[0, 6:])


@EVERY
def test_it_is_the_model_that_transformers_has(which: str, tmp_path: Path) -> None:
    folder = write_decoder(tmp_path / "model", which)
    network = build_network(f"hf/{folder}", "default", Linear(), 0, image_size=16, seed=0)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    enter_eval_mode(network)
    with torch.no_grad():
        assert torch.equal(network.model(some_tokens()), theirs(some_tokens().long()).logits)
    assert network.tokenizer is not None


@EVERY
def test_its_state_is_loaded_again(which: str) -> None:
    one = network_of(which)
    torch.manual_seed(5)
    opened = open_causal(which, None, one.config or {}, "none")
    other = with_head(opened, one.backbone, Linear(), 0, seed=0)
    assert other.config == one.config
    other.model.load_state_dict(one.model.state_dict())
    enter_eval_mode(one)
    enter_eval_mode(other)
    with torch.no_grad():
        assert torch.equal(one.model(some_tokens()), other.model(some_tokens()))


@EVERY
def test_the_parts_before_and_behind_the_head_are_the_whole(which: str) -> None:
    network, tokens = network_of(which), some_tokens()
    head = network.layer_map.layers[-1].index
    cut = highest_cut(network, network.model, head, some_tokens(2))
    assert cut is not None
    assert cut.boundary == head
    enter_eval_mode(network)
    with torch.no_grad():
        features = cut.prefix(tokens)
        assert features.shape == (3, 12, 16)
        assert torch.equal(cut.suffix(features), network.model(tokens))
    cost = prefix_costs(network_of(which, meta=True), [head])[head]
    assert 0.5 < cost.share < 1


@EVERY
def test_it_is_cut_between_its_layers(which: str) -> None:
    """Sequences are all of one length: what crosses has a row a sequence, as that of images has."""
    network = network_of(which)
    tokens = some_tokens(4, length=32)
    cut = highest_cut(network, network.model, 2, tokens[:2])
    assert cut is not None
    assert (cut.boundary, cut.by_token) == (2, False)
    enter_eval_mode(network)
    with torch.no_grad():
        features = cut.prefix(tokens)
        assert features.shape == (4, 32, 16)
        assert torch.equal(cut.suffix(features[[2, 0]]), network.model(tokens[[2, 0]]))
    cost = prefix_costs(network_of(which, meta=True), [2])[2]
    assert (0.2 < cost.share < 0.6, cost.bytes_per_image) == (True, 32 * 16 * 4)


def test_a_sequence_beyond_its_positions_is_refused() -> None:
    with pytest.raises(ModelError, match="cannot take sequences of 64 tokens: it has positions for 32"):
        open_causal("gpt2", None, decoder_config("gpt2"), "none", 64)


def test_weights_without_the_projection_are_refused(tmp_path: Path) -> None:
    """As save_pretrained of a LlamaModel leaves them; where the projection is tied nothing is missing."""
    for which, kind in (("llama", "LlamaModel"), ("gpt2", "GPT2Model")):
        config = transformers.CONFIG_MAPPING[which].from_dict(decoder_config(which))
        getattr(transformers, kind)(config).save_pretrained(tmp_path / which)
    with pytest.raises(ModelError, match=r"1 tensors have no values: lm_head\.weight"):
        build_network(f"hf/{tmp_path / 'llama'}", "default", Linear(), 0, image_size=16, seed=0)
    build_network(f"hf/{tmp_path / 'gpt2'}", "default", Linear(), 0, image_size=16, seed=0)


@EVERY
def test_what_bf16_does_to_it_is_measured_before_its_projection(which: str) -> None:
    effect = effect_of_bf16(network_of(which), some_tokens(), "cpu", at_once=2)
    assert effect.finite
    assert 0 < effect.error < 0.1
