"""The list of backbones and the card of one, as they are shown."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest

from ftcli.plans.preprocessing import IMAGENET
from ftcli.report.console import console_for, show
from ftcli.report.models import backbone_lines, backbone_views
from ftcli.workflows.backbone_card import BackboneCard, StageFacts
from ftcli.workflows.models import ListedBackbone

CARD = BackboneCard(
    name="timm/net.b",
    parameters=123_456,
    stages=(StageFacts("stem", 1, 3_456, 1), StageFacts("blocks.0", 2, 120_000, 0)),
    heads=("head.fc",),
    features=512,
    preprocessing=IMAGENET,
    weights="net.b of timm",
    tags=("a", "b"),
)


def shown(card: BackboneCard, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("COLUMNS", "80")
    page = StringIO()
    show(console_for(page), *backbone_views(card))
    return page.getvalue().splitlines()


def test_the_card(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(CARD, monkeypatch) == [
        "timm/net.b",
        "  parameters  123,456 without the head",
        "  head        at head.fc, 512 features",
        "  weights     net.b of timm",
        "  tags        a, b; name one as timm/net.TAG",
        "  images      resize to 256 (bilinear), crop 224",
        "  normalise   mean 0.485 0.456 0.406, std 0.229 0.224 0.225",
        "",
        "stage     layers  parameters  BatchNorm layers",
        "──────────────────────────────────────────────",
        "stem           1       3,456                 1",
        "blocks.0       2     120,000                 -",
    ]


def test_no_choice_of_weights_is_not_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(replace(CARD, tags=(), weights=None), monkeypatch)
    assert "  weights     none; give a file, or train from scratch" in lines
    assert not [line for line in lines if line.startswith("  tags")]


def test_many_tags_stay_within_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    tags = tuple(f"augreg_in21k_ft_in1k_{number}" for number in range(12))
    assert max(map(len, shown(replace(CARD, tags=tags), monkeypatch))) <= 80


def test_the_list_is_for_grep() -> None:
    backbones = (ListedBackbone("timm/resnet18", "a1_in1k"), ListedBackbone("timm/net", None))
    assert backbone_lines(backbones) == ["timm/resnet18  a1_in1k", "timm/net       -"]
