"""Groups of parameters from a declaration of depth."""

from __future__ import annotations

import pytest
import timm
import torch
from timm.models import group_parameters

from ftcli.components.backbone import group


def test_groups_follow_the_words_then_the_numbers() -> None:
    matcher = {"stem": "^conv", "blocks": r"^blocks\.(\d+)"}
    groups = group(["blocks.10.a", "blocks.2.a", "blocks.2.b", "conv.a"], matcher)
    assert groups.names == ("stem", "blocks.2", "blocks.10")
    assert groups.index == {"conv.a": 0, "blocks.2.a": 1, "blocks.2.b": 1, "blocks.10.a": 2}


def test_what_matches_nothing_is_in_no_group() -> None:
    assert "fc.weight" not in group(["conv.a", "fc.weight"], {"stem": "^conv"}).index


def test_a_joining_suffix_adds_to_the_group_before_and_does_not_name_it() -> None:
    matcher = {"stem": "^conv", "blocks": [(r"^blocks\.(\d+)", None), ("^norm", (99999,))]}
    groups = group(["conv.a", "blocks.0.a", "blocks.1.a", "norm.a", "norm.b"], matcher)
    assert groups.names == ("stem", "blocks.0", "blocks.1")
    assert groups.index["norm.a"] == groups.index["blocks.1.a"]


def test_a_group_is_called_by_what_most_of_it_matched() -> None:
    groups = group(["transition1.a", "block1.a", "block1.b"], {"blocks": r"^(?:block|transition)(\d+)"})
    assert groups.names == ("block1",)


def test_a_pattern_without_a_number_is_called_by_its_word() -> None:
    assert group(["patch_embed2.a"], {"stem2": "^patch_embed2|cls_token2"}).names == ("stem2",)


def test_a_function_may_declare_the_depth() -> None:
    def matcher(name: str) -> float:
        return int(name.split(".")[1]) if name.startswith("blocks.") else float("inf")

    groups = group(["blocks.1.a", "blocks.0.a", "head.a"], matcher)
    assert groups.names == ("blocks.0", "blocks.1")
    assert "head.a" not in groups.index


@pytest.mark.parametrize("coarse", [True, False])
@pytest.mark.parametrize(
    "name",
    ["resnet18", "efficientnet_b0", "densenet121", "convnext_atto", "vit_tiny_patch16_224", "cait_xxs24_224"],
)
def test_the_groups_are_those_of_timm(name: str, coarse: bool) -> None:
    with torch.device("meta"):
        model = timm.create_model(name)
    matcher = model.group_matcher(coarse=coarse)
    ours = group([name for name, _ in model.named_parameters()], matcher).index
    theirs = group_parameters(model, matcher, reverse=True)
    assert ours == {name: theirs[name] for name in ours}
    assert {theirs[name] for name in theirs if name not in ours} <= {max(theirs.values())}
