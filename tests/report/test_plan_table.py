"""The plan's page as a person and as a program read it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ftcli.errors import UsageError
from ftcli.findings import Finding
from ftcli.plans.freeze_facts import plan_facts
from ftcli.plans.freeze_table import NormCount
from ftcli.report.freeze_page import Question, Subject, freeze_page
from ftcli.report.plan_table import plan_json, plan_view
from ftcli.report.stage_table import norm_text
from tests.report.report_samples import deep_network, in_pipe, on_terminal, plan, resnet18

DECAYED = {"layer_lr": {"kind": "layer_decay", "decay": 0.75}}
LONG = {"train": {"epochs": 150}, "layer_lr": {"kind": "layer_decay", "decay": 0.31}}
PLANS: dict[str, Any] = {
    "feature extraction": ("feature_extraction", {}),
    "partial": ("partial", {"norm": "train"}),
    "full, decayed": ("full", DECAYED),
    "LP-FT": ("lp_ft", {}),
    "LP-FT, decayed": ("lp_ft", {**DECAYED, "norm": "freeze_affine"}),
    "gradual": ("gradual", {"train": {"epochs": 12}}),
    "gradual, decayed": ({"kind": "gradual", "on": "plateau"}, LONG),
    "gradual, 14 phases": ("gradual", {"layer_map": deep_network(13), **LONG}),
    "gradual, 30 phases": ("gradual", {"layer_map": deep_network(29), **LONG}),
    "globs": ({"kind": "partial", "train": ["layer4.1.*", "*.bn1.*"]}, {}),
}


def page(name: str, width: int = 80, encoding: str = "utf-8") -> str:
    strategy, sections = PLANS[name]
    return in_pipe(plan_view(plan(strategy, **sections)), width=width, encoding=encoding)


def row(page: str, start: str) -> list[str]:
    """The cells of the only line that begins so."""
    (line,) = [line for line in page.splitlines() if line.startswith(f"{start} ")]
    return line.split()


@pytest.mark.parametrize("name", PLANS)
def test_eighty_columns_hold_every_plan(name: str) -> None:
    assert max(map(len, page(name).splitlines())) <= 80


@pytest.mark.parametrize("name", PLANS)
def test_a_pipe_gets_plain_whole_lines(name: str) -> None:
    text = page(name)
    assert "\x1b" not in text
    assert all(line == line.rstrip() for line in text.splitlines())


@pytest.mark.parametrize("width", [80, 60, 48])
@pytest.mark.parametrize("name", PLANS)
def test_nothing_in_the_tables_is_cut_off(name: str, width: int) -> None:
    text = page(name, width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width


def test_at_sixty_columns_the_lrs_are_one_column_and_at_forty_phases_are_lines() -> None:
    assert row(page("gradual", 60), "1")[-2:] == ["1e-4..1e-3", "eval+aff"]
    told = " ".join(page("gradual", 40).split())
    assert "0 head, epoch 0: 5,130 train (0.05%), LR 1e-3, BN -" in told
    assert "LR 1e-4..1e-3, BN eval, affine trained" in told


@pytest.mark.parametrize("name", PLANS)
def test_a_terminal_that_knows_only_ascii_is_served(name: str) -> None:
    page(name, encoding="ascii").encode("ascii")


def test_rows_run_from_input_to_output_and_end_in_totals() -> None:
    text = page("feature extraction")
    order = ["stem ", "layer1 ", "layer2 ", "layer3 ", "layer4 ", "head ", "total "]
    starts = [next(i for i, line in enumerate(text.splitlines()) if line.startswith(o)) for o in order]
    assert starts == sorted(starts)
    assert row(text, "layer4") == ["layer4", "8,393,728", "0", "0%", "-", "-", "eval"]
    assert row(text, "total") == ["total", "11,181,642", "5,130", "0.05%"]


def test_two_phases_stand_side_by_side() -> None:
    text = page("LP-FT")
    cells = row(text, "layer4")
    assert cells == ["layer4", "8,393,728", "0%", "-", "-", "eval", "100%", "1e-4", "1e-4", "eval+aff"]
    assert "epochs 0-2, 5,130 train" in text
    assert "epochs 3-9, 11,181,642 train" in text


def test_layers_that_differ_within_a_stage_show_their_range() -> None:
    assert row(page("full, decayed"), "layer1")[4] == "1e-4..1.33e-4"


def test_many_phases_become_a_list_and_a_grid_of_marks() -> None:
    text = page("gradual")
    assert row(text, "1") == ["1", "+layer4", "1", "2", "8,398,858", "75.11%", "1e-3", "1e-4", "eval+aff"]
    assert row(text, "layer3")[2:] == ["·", "·", "●", "●", "●", "●"]


def test_a_wide_terminal_is_told_more() -> None:
    assert "eval, affine trained" in page("gradual", width=120)
    assert "eval, affine trained" in page("LP-FT", width=140)


def test_the_header_tells_what_is_trained_on_what_and_how_long() -> None:
    text = in_pipe(plan_view(plan("lp_ft", train={"epochs": 10, "batch_size": 16, "accumulation": 4})))
    assert "torchvision/resnet18, pretrained" in text
    assert "lp_ft, 2 phases, 10 epochs" in text
    assert "1,257 training examples, 10 classes" in text
    assert "16 x 4 accumulated = 64, 20 steps an epoch, 200 in all" in text
    assert "adamw, LR 1e-3, weight decay 1e-4" in text
    assert "cosine over 3 epochs, 0.3 of them warm-up; then cosine over 7" in " ".join(text.split())
    assert "cpu, fp32" in text


def test_decisions_and_findings_stand_below() -> None:
    told = plan("full").with_findings((Finding("warning", "train.batch_size", "small batches", "use 16"),))
    text = in_pipe(plan_view(told))
    assert "freeze_stats - 1,257 training examples, fewer than 5,000" in text
    assert "warning  train.batch_size: small batches" in text
    assert "use 16" in text
    assert "computed once below head in phase head" in page("feature extraction")


def test_foreign_names_are_shown_as_they_are() -> None:
    layer_map = resnet18(2, prefix="[red]x[/red]\x1b[31m")
    text = in_pipe(plan_view(plan("full", layer_map, classes=("[bold]cat[/bold]", "d\nog"))))
    assert "[red]x[/red]\\x1b[31m1" in text
    assert "[bold]cat[/bold], d\\nog" in text
    assert "\x1b" not in text


def test_colours_only_where_they_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    view = plan_view(plan("gradual", train={"epochs": 12}))
    assert "\x1b[32m" in on_terminal(view)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[32m" not in on_terminal(view)


@pytest.mark.parametrize(
    ("norms", "long", "short"),
    [
        (NormCount(0, 0, 0), "-", "-"),
        (NormCount(5, 0, 0), "eval", "eval"),
        (NormCount(5, 0, 5), "eval, affine trained", "eval+aff"),
        (NormCount(5, 5, 5), "train", "train"),
        (NormCount(5, 5, 0), "train, affine frozen", "train-aff"),
        (NormCount(5, 0, 2), "mixed", "mixed"),
    ],
)
def test_the_names_of_the_norm_modes(norms: NormCount, long: str, short: str) -> None:
    assert norm_text(norms) == long
    assert norm_text(norms, short=True) == short


def test_one_phase_can_be_inspected_alone() -> None:
    lp_ft = plan("lp_ft")
    subject = Subject(lp_ft.layer_map.backbone, plan_facts(lp_ft), lp_ft.findings, lp_ft)
    text = in_pipe(freeze_page(subject, Question(phase="1")))
    assert "Phase 1, fine-tune  epochs 3-9" in text
    assert "epochs 0-2" not in text
    with pytest.raises(UsageError, match="no phase 2") as caught:
        freeze_page(subject, Question(phase="2"))
    assert caught.value.remedy == "choose one of 0 (head), 1 (fine-tune)"


def test_a_line_says_whether_the_optimizer_holds_what_trains() -> None:
    assert "the optimizer holds in each phase just what trains; 2, then 12 groups; float32" in page("LP-FT")
    assert "the optimizer holds in each phase just what trains; 2 to 12 groups" in page("gradual")


def test_json_holds_the_same_numbers() -> None:
    told = plan_json(plan("lp_ft"))
    assert json.loads(json.dumps(told)) == told
    stem = told["stages"][0]
    assert (stem["name"], stem["parameters"]) == ("stem", 9_536)
    assert stem["phases"] == [
        {
            "phase": "head",
            "trainable": 0,
            "trainable_share": 0.0,
            "in_optimizer": 0,
            "groups": [],
            "lr_low": None,
            "lr_high": None,
            "weight_decay": [],
            "batch_norm": {"layers": 1, "updates_stats": 0, "trains_affine": 0},
            "dtypes": ["float32"],
        },
        {
            "phase": "fine-tune",
            "trainable": 9_536,
            "trainable_share": 1.0,
            "in_optimizer": 9_536,
            "groups": [0, 1],
            "lr_low": 1e-4,
            "lr_high": 1e-4,
            "weight_decay": [0.0, 1e-4],
            "batch_norm": {"layers": 1, "updates_stats": 0, "trains_affine": 1},
            "dtypes": ["float32"],
        },
    ]
    assert told["totals"]["parameters"] == 11_181_642
    assert [p["trainable"] for p in told["totals"]["phases"]] == [5_130, 11_181_642]
    assert [(p["name"], p["prefix"]["views"]) for p in told["phases"]] == [("head", 0), ("fine-tune", 0)]
    assert {d["what"] for d in told["decisions"]} == {
        "norm",
        "layer_lr",
        "augment",
        "precision",
        "checkpoint_rule",
        "fold_bn",
        "compile",
    }
