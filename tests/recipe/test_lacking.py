"""What is not to be had is said in so many words, with what there is instead."""

from __future__ import annotations

from typing import Any

import pytest

from ftcli.errors import RecipeError
from ftcli.recipe.lacking import instead_of
from ftcli.recipe.load import recipe_from
from ftcli.recipe.shape import choices_at

PEFT = {"lora", "ia3", "prompt_tuning", "prefix_tuning"}


def told(strategy: Any) -> list[tuple[str, str, str | None]]:
    with pytest.raises(RecipeError) as caught:
        recipe_from(
            {
                "name": "x",
                "data": {"kind": "folder", "path": "x"},
                "model": {"backbone": "timm/x"},
                "strategy": strategy,
            }
        )
    return [(problem.path, problem.message, problem.remedy) for problem in caught.value.problems]


@pytest.mark.parametrize("kind", ["adapter", "Bottleneck", "bottleneck-adapter", "houlsby"])
def test_bottleneck_adapters(kind: str) -> None:
    ((path, message, remedy),) = told(kind)
    assert (path, message) == ("strategy.kind", f"there is no kind {kind!r} of strategy")
    assert remedy is not None
    assert remedy.startswith("the PEFT library has no bottleneck adapters: take lora")
    assert {kind for kind in PEFT if kind in remedy} == PEFT <= choices_at("strategy").keys()


@pytest.mark.parametrize(
    ("strategy", "path"),
    [
        ("qlora", "strategy.kind"),
        ({"kind": "lora", "load_in_4bit": True}, "strategy.load_in_4bit"),
        ({"kind": "lora", "bits": 4}, "strategy.bits"),
        ({"kind": "ia3", "quantize": "nf4"}, "strategy.quantize"),
    ],
)
def test_a_quantised_base(strategy: Any, path: str) -> None:
    """The nearest word would have been lora alone, as if that were the same."""
    ((where, _, remedy),) = told(strategy)
    assert where == path
    assert remedy is not None
    assert "strategy: {kind: lora, quantize: nf4}" in remedy
    assert choices_at("strategy")["lora"].model_validate({"kind": "lora", "quantize": "nf4"})


def test_a_base_of_8_bits() -> None:
    ((where, message, _),) = told({"kind": "lora", "quantize": "int8"})
    assert where == "strategy.quantize"
    assert "nf4" in message


def test_other_words_and_sections_are_left_to_their_letters() -> None:
    assert instead_of("strategy", "lorra") is None
    assert instead_of("optimizer", "adapter") is None
    ((_, _, remedy),) = told("prefix")
    assert remedy == "did you mean 'prefix_tuning'?"
    ((_, _, remedy),) = told("dora")
    assert remedy == "it is an option: strategy: {kind: lora, dora: ...}"


def test_what_rounding_costs_is_not_told_as_forgotten() -> None:
    content = {
        "data": {"kind": "folder", "path": "photos"},
        "model": {"backbone": "torchvision/vit_b_16"},
        "strategy": {"kind": "lora", "quantize": "nf4"},
    }
    assert recipe_from(content).forgetting is None
    with pytest.raises(RecipeError) as caught:
        recipe_from(content | {"forgetting": {"path": "old"}})
    assert "would be counted as forgotten" in caught.value.problems[0].message
