"""Virtual tokens before texts: in every family that takes them PEFT's own classes compute the same with them."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ftcli.components.backbone._decoder_families import DECODERS
from ftcli.components.backbone._hf_causal import open_causal
from ftcli.components.backbone._text_families import FAMILIES
from ftcli.components.head import Linear
from ftcli.engine.build import build_network, with_head
from ftcli.engine.network import Network
from ftcli.engine.peft_folder import write_adapters
from ftcli.engine.peft_layers import with_adapters
from ftcli.engine.peft_prompts import STAGE, TAKE_KEYS
from ftcli.errors import RecipeError
from ftcli.plans.layer_map import HEAD
from ftcli.plans.peft_adapters import Adapters
from ftcli.plans.tokenization import PAD
from tests.corpus_toys import decoder_config
from tests.text_models import TINY, new_text_network, some_tokens, tokenization_of
from tests.toys import VIT

peft = pytest.importorskip("peft")
pytest.importorskip("transformers")

PROMPT = Adapters("prompt_tuning", {"num_virtual_tokens": 5, "prompt_tuning_init": "SAMPLE_VOCAB"}, ())
PREFIX = Adapters("prefix_tuning", {"num_virtual_tokens": 5}, ())
NO_CLASSIFIER = {"t5", "mt5", "umt5"}
"""Of transformers' own: no head of PEFT's could be loaded onto one."""
EVERY = [
    *((which, PROMPT) for which in (*TINY, *DECODERS)),
    *((which, PREFIX) for which in (*TAKE_KEYS, *DECODERS)),
]
WITH_CLASSIFIER = [pair for pair in EVERY if pair[0] not in NO_CLASSIFIER]


def named(pairs: list[tuple[str, Adapters]]) -> list[str]:
    return [f"{which}-{asked.method}" for which, asked in pairs]


def built(which: str, *, meta: bool = False) -> Network:
    if which in FAMILIES:
        return new_text_network(which, meta=meta)
    torch.manual_seed(0)
    opened = open_causal(which, None, decoder_config(which), "none", 12, meta=meta)
    return with_head(opened, f"hf/{which}", Linear(), 0, seed=0, meta=meta)


def tokens_for(network: Network) -> Tensor:
    tokens = some_tokens()
    return tokens.clamp(min=0, max=30) if network.language_model else tokens


def logits(network: Network, tokens: Tensor) -> Tensor:
    network.model.eval()
    with torch.no_grad():
        found: Tensor = network.model(tokens)
    return found


def as_transformers_has_it(network: Network) -> Any:
    """With the same weights, and no virtual tokens."""
    config = copy.deepcopy(network.model.config)
    config.num_labels = 7  # type: ignore[union-attr]
    model = type(network.model)(config)
    own = {
        name: t for name, t in network.model.state_dict().items() if not name.startswith("prompt_encoder.")
    }
    missing, unknown = model.load_state_dict(own, strict=False)
    assert (unknown, set(missing) - {"lm_head.weight"}) == ([], set()), "one that is tied is named once"
    return model


@pytest.mark.parametrize(("which", "asked"), EVERY, ids=named(EVERY))
def test_they_are_a_layer_of_their_own_and_get_gradients(which: str, asked: Adapters) -> None:
    network = built(which)
    tokens, before = tokens_for(network), network.layer_map
    plain = logits(network, tokens)
    adapted = with_adapters(network, asked, seed=0)
    layers = adapted.layer_map
    assert type(adapted.model) is type(network.model)
    assert layers.stages == (STAGE, *before.stages)
    assert {p.name: p.layer - 1 for p in layers.parameters if not p.is_adapter} == {
        p.name: p.layer for p in before.parameters
    }
    (virtual,) = layers.in_stages([STAGE])
    assert virtual.is_adapter
    assert adapted.module_layers["prompt_encoder"] == 0
    found = logits(adapted, tokens)
    assert found.shape == plain.shape
    assert not torch.allclose(found, plain, atol=1e-4)
    weight = adapted.model.get_parameter(virtual.name).requires_grad_()
    adapted.model(tokens).logsumexp(-1).sum().backward()
    assert weight.grad is not None
    assert (weight.grad.abs().sum(dim=1) > 0).all(), "each of them"
    with adapted.pretrained_alone():
        assert torch.equal(logits(adapted, tokens), plain)


@pytest.mark.parametrize(("which", "asked"), WITH_CLASSIFIER, ids=named(WITH_CLASSIFIER))
def test_plain_peft_computes_the_same_with_them(which: str, asked: Adapters, tmp_path: Path) -> None:
    network = with_adapters(built(which), asked, seed=0)
    with torch.no_grad():  # as if the head had been trained
        for p in network.layer_map.in_stages([HEAD]):
            tensor = network.model.get_parameter(p.name)
            tensor.add_(torch.randn(tensor.shape, generator=torch.Generator().manual_seed(3)), alpha=0.3)
    write_adapters(tmp_path / "adapter", network)
    untrained = as_transformers_has_it(built(which))
    with warnings.catch_warnings():  # PEFT's of transformers
        warnings.simplefilter("ignore")
        theirs = peft.PeftModel.from_pretrained(untrained, str(tmp_path / "adapter")).eval()
    tokens = tokens_for(network)
    is_text = tokens != PAD
    given = {"input_ids": tokens.long().masked_fill(~is_text, network.model.config.pad_token_id or 0)}  # type: ignore[union-attr]
    if not network.language_model:
        given["attention_mask"] = is_text.long()
    with torch.no_grad():
        found = theirs(**given).logits[:, -tokens.shape[1] :]
    torch.testing.assert_close(found, logits(network, tokens), rtol=1e-5, atol=1e-5)


WITHOUT_WEIGHTS = [
    ("albert", PROMPT),
    *((which, a) for which in ("bert", "gpt2", "llama") for a in (PROMPT, PREFIX)),
]


@pytest.mark.parametrize(("which", "asked"), WITHOUT_WEIGHTS, ids=named(WITHOUT_WEIGHTS))
def test_without_weights_it_is_the_same_network(which: str, asked: Adapters) -> None:
    real, meta = (with_adapters(built(which, meta=meta), asked, seed=0) for meta in (False, True))
    assert real.layer_map == meta.layer_map
    assert all(parameter.is_meta for parameter in meta.model.parameters())
    tokens = tokens_for(real)
    assert meta.model(tokens.to("meta")).shape == logits(real, tokens).shape


def test_what_is_random_follows_the_seed_and_leaves_the_generator() -> None:
    torch.manual_seed(5)
    states = [with_adapters(built("bert"), PROMPT, seed).model.state_dict() for seed in (1, 1, 2)]
    torch.manual_seed(5)
    built("bert")
    drawn = torch.rand(1)
    torch.manual_seed(5)
    with_adapters(built("bert"), PROMPT, seed=7)
    assert torch.equal(drawn, torch.rand(1))
    one, same, other = (state["prompt_encoder.default.embedding.weight"] for state in states)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    words = states[0]["bert.embeddings.word_embeddings.weight"]
    assert all(any(torch.equal(row, word) for word in words) for row in one), "each begins as a word"


def test_they_take_places() -> None:
    network = built("bert")
    before = tokenization_of(network)
    after = tokenization_of(with_adapters(network, PROMPT, seed=0))
    assert (before.most, after.most) == (40, 35)
    assert (before.max_length, after.max_length) == (40, 35)
    longest = some_tokens(2, 35)
    assert network.model(longest).shape == (2, 7)


def refused(network: Network, asked: Adapters) -> tuple[str, str, str]:
    with pytest.raises(RecipeError) as caught:
        with_adapters(network, asked, seed=0)
    (problem,) = caught.value.problems
    return problem.path, problem.message, problem.remedy or ""


@pytest.mark.parametrize("which", sorted(FAMILIES.keys() - set(TAKE_KEYS)))
def test_no_prefix_where_attention_has_no_place_for_it(which: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told in the plan; and each that is refused does break off, so that none is refused for nothing."""
    path, message, remedy = refused(built(which), PREFIX)
    assert (path, "takes no keys" in message, "bert, camembert" in remedy) == ("strategy.kind", True, True)
    monkeypatch.setattr("ftcli.engine.peft_prompts.TAKE_KEYS", (which,))
    with pytest.raises((RuntimeError, ValueError)):
        logits(with_adapters(built(which), PREFIX, seed=0), some_tokens())


def test_what_cannot_have_them() -> None:
    images = build_network(VIT, "none", Linear(), 3, image_size=None, seed=0)
    path, message, remedy = refused(images, PROMPT)
    assert (path, remedy) == ("strategy.kind", "take lora, ia3 or bitfit")
    assert "takes images" in message
    many = Adapters("prompt_tuning", {"num_virtual_tokens": 33}, ())
    path, message, remedy = refused(built("bert"), many)
    assert (path, remedy) == ("strategy.tokens", "at most 32")
