"""Virtual tokens of the PEFT library, that a network sees before each text: a layer of their own, the first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ftcli.components.backbone import quietly
from ftcli.engine.build import seeded
from ftcli.engine.layer_map import mapped
from ftcli.engine.network import Network
from ftcli.engine.peft_library import NAME, peft
from ftcli.engine.prompt import AsCalled, Prompt
from ftcli.errors import Problem, RecipeError
from ftcli.plans.layer_map import Layer
from ftcli.plans.peft_adapters import Adapters
from ftcli.plans.tokenization import Tokenization

STAGE = "virtual_tokens"
TAKE_KEYS = ("bert", "camembert", "electra", "roberta", "xlm-roberta")
"""The text encoders whose attention takes keys and values that belong to no token of the text; so do all of the
language models. The others break off, or have no place for them."""
_LEAST_ROOM = 8
"""Tokens of a text that must be left of what the network has positions for."""


def with_virtual_tokens(network: Network, asked: Adapters, seed: int) -> Network:
    """The network with virtual tokens; its model is changed. What is random is drawn from `seed`.

    They take places: the network has positions for as many tokens less. Raises RecipeError, ModelError.
    """
    inputs = _room_for(network, asked)
    of_peft = _peft_model(network, asked, seed)
    in_sequence = network.language_model and asked.method == "prompt_tuning"
    prompt = Prompt(of_peft, asked.virtual_tokens, asked.virtual_tokens if in_sequence else 0)
    prompt.join(network.model)
    before = network.layer_map
    layers = (Layer(0, STAGE, STAGE), *(replace(layer, index=layer.index + 1) for layer in before.layers))
    names = [name for name, _ in network.model.named_parameters()]
    new = {name for name in names if name not in before.by_name}
    layer_of = {name: 0 if name in new else before.by_name[name].layer + 1 for name in names}
    layer_map, of_module = mapped(network.model, network.head_modules, before.backbone, layers, layer_of, new)
    return replace(
        network,
        layer_map=layer_map,
        module_layers=of_module,
        preprocessing=inputs,
        adapters=asked,
        prompt=prompt,
    )


def _peft_model(network: Network, asked: Adapters, seed: int) -> Any:
    """Around a stand-in for the network, which is frozen by that.

    Not of PEFT's class for classifiers: it makes the same arguments, and would put a copy beside the head.
    """
    library, model = peft(), network.model
    kind = library.PeftModelForCausalLM if network.language_model else library.PeftModelForFeatureExtraction
    with seeded(seed), quietly():
        made = kind(model, _config(network, asked), NAME)
    made.base_model = AsCalled(model.config)
    return made


def _config(network: Network, asked: Adapters) -> Any:
    """The library's own, with sizes that it would seek by names which not all have."""
    library, model = peft(), network.model
    task = {"task_type": _task(network)}
    if asked.method == "prefix_tuning":
        return library.PrefixTuningConfig(**task, **asked.settings)
    own: Any = model.config
    sizes = {
        "token_dim": model.get_input_embeddings().embedding_dim,  # type: ignore[operator]
        "num_layers": own.num_hidden_layers,
        "num_attention_heads": own.num_attention_heads,
    }
    return library.PromptTuningConfig(**task, **sizes, **asked.settings)


def _task(network: Network) -> str:
    """By which PEFT chooses its class when it loads them."""
    if network.language_model:
        return "CAUSAL_LM"
    is_classifier = "ForSequenceClassification" in type(network.model).__name__
    return "SEQ_CLS" if is_classifier else "FEATURE_EXTRACTION"


def _room_for(network: Network, asked: Adapters) -> Tokenization:
    """How a text becomes the network's input, where places are taken. Raises RecipeError where that cannot be."""
    inputs, backbone = network.preprocessing, network.backbone
    if not isinstance(inputs, Tokenization):
        what = f"virtual tokens stand before texts, and {backbone} takes images"
        raise RecipeError(Problem("strategy.kind", what, "take lora, ia3 or bitfit"))
    kind = str((network.config or {}).get("model_type"))
    if asked.method == "prefix_tuning" and not network.language_model and kind not in TAKE_KEYS:
        what = f"the attention of {backbone} takes no keys beside those of the text's own tokens"
        remedy = f"take prompt_tuning, or an encoder of type {', '.join(TAKE_KEYS)}"
        raise RecipeError(Problem("strategy.kind", what, remedy))
    if inputs.most is None:
        return inputs
    room = inputs.most - asked.virtual_tokens
    if room < _LEAST_ROOM:
        what = f"{backbone} has positions for {inputs.most} tokens: {asked.virtual_tokens} leave no text to be seen"
        raise RecipeError(Problem("strategy.tokens", what, f"at most {inputs.most - _LEAST_ROOM}"))
    return replace(inputs, most=room, max_length=min(inputs.max_length, room))
