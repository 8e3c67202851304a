"""The list of backbones."""

from __future__ import annotations

import sys

import pytest

from ftcli.errors import ModelError, UsageError
from ftcli.workflows.models import list_backbones


def names(*arguments: str | None) -> list[str]:
    return [backbone.name for backbone in list_backbones(*arguments)]


def test_both_sources_are_listed() -> None:
    listed = names()
    assert "torchvision/resnet18" in listed
    assert "timm/tf_efficientnet_lite0" in listed
    assert len(set(listed)) == len(listed)


def test_one_source() -> None:
    assert {name.partition("/")[0] for name in names(None, "timm")} == {"timm"}


@pytest.mark.parametrize("pattern", ["vit_b_", "vit_b_*", "torchvision/vit_b_??"])
def test_a_part_of_the_name_or_wildcards(pattern: str) -> None:
    assert names(pattern, "torchvision") == ["torchvision/vit_b_16", "torchvision/vit_b_32"]


def test_the_default_weights_are_named() -> None:
    weights = {backbone.name: backbone.weights for backbone in list_backbones("resnet50")}
    assert weights["torchvision/resnet50"] == "IMAGENET1K_V2"
    assert weights["timm/cspresnet50d"] is None


def test_what_is_not_there() -> None:
    with pytest.raises(UsageError) as caught:
        list_backbones("resnt18")
    assert "resnet18" in (caught.value.remedy or "")
    with pytest.raises(UsageError, match="no source"):
        list_backbones(None, "hub")


def test_types_of_transformers_are_listed_without_weights() -> None:
    pytest.importorskip("transformers")
    listed = {backbone.name: backbone.weights for backbone in list_backbones(None, "hf")}
    assert {"hf/vit", "hf/resnet", "hf/convnextv2", "hf/dinov2"} <= set(listed)
    assert set(listed.values()) == {None}
    assert set(listed) < set(names())


def test_without_transformers_its_models_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FTCLI_CACHE_GB", "0")
    monkeypatch.setitem(sys.modules, "transformers", None)
    assert {name.partition("/")[0] for name in names()} == {"torchvision", "timm"}
    with pytest.raises(ModelError) as caught:
        list_backbones(None, "hf")
    assert caught.value.remedy == "pip install 'ftcli[hf]'"
