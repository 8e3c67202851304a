"""What is frozen and what trains, as a person reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.console import RenderableType

from ftcli.errors import UsageError
from ftcli.plans.freeze_facts import FreezeFacts, NormFacts, plan_facts
from ftcli.report.freeze_cells import number_ranges
from ftcli.report.freeze_depth import at_depth, matching
from ftcli.report.freeze_diff import changes
from ftcli.report.freeze_views import diff_lines, diff_view, facts_view, phases_view
from tests.report.freeze_samples import (
    LONG,
    UNGAINLY,
    but,
    parameter,
    small,
    with_long_names,
    without_optimizer,
)
from tests.report.report_samples import deep_network, in_pipe, on_terminal, plan

DECAYED = {"layer_lr": {"kind": "layer_decay", "decay": 0.31}}
PLANS = {
    "feature extraction": plan("feature_extraction"),
    "globs": plan({"kind": "partial", "train": ["layer4.1.*", "*.bn1.*"]}),
    "lp_ft": plan("lp_ft", norm="freeze_affine", **DECAYED),
    "gradual": plan({"kind": "gradual", "on": "plateau"}, train={"epochs": 150}, **DECAYED),
    "30 phases": plan("gradual", layer_map=deep_network(29), train={"epochs": 150}, **DECAYED),
}
PHASES: dict[str, tuple[FreezeFacts, ...]] = {
    **{name: plan_facts(made) for name, made in PLANS.items()},
    **{name: (facts,) for name, facts in UNGAINLY.items()},
}
VIEWS: dict[str, Callable[[tuple[FreezeFacts, ...]], RenderableType]] = {
    "stages": lambda phases: phases_view(phases),
    "layers": lambda phases: phases_view(phases, "layer"),
    "parameters": lambda phases: phases_view(phases, "parameter"),
    "last stages": lambda phases: facts_view(phases[-1]),
    "last layers": lambda phases: facts_view(phases[-1], "layer"),
    "last parameters": lambda phases: facts_view(phases[-1], "parameter"),
    "filter": lambda phases: phases_view(phases, "parameter", "weight"),
    "diff": lambda phases: diff_lines([*phases, phases[0]]),
    "diff of parameters": lambda phases: diff_lines([at_depth(facts, "parameter") for facts in phases]),
}


def row(page: str, start: str) -> list[str]:
    """The cells of the only line that begins so."""
    (line,) = [line for line in page.splitlines() if line.strip().startswith(f"{start} ")]
    return line.split()


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", PHASES)
def test_eighty_columns_hold_every_view_whole_and_plain(name: str, view: str) -> None:
    text = in_pipe(VIEWS[view](PHASES[name]))
    assert max(map(len, text.splitlines()), default=0) <= 80
    assert "…" not in text
    assert "\x1b" not in text
    assert all(line == line.rstrip() for line in text.splitlines())


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", PHASES)
def test_a_terminal_that_knows_only_ascii_is_served(name: str, view: str) -> None:
    in_pipe(VIEWS[view](PHASES[name]), encoding="ascii").encode("ascii")


def test_a_row_holds_the_four_facts() -> None:
    text = in_pipe(facts_view(PHASES["lp_ft"][1]))
    stem = "stem 9,536 0.09% 98.66% group 0 2.64e-8 train-aff"
    assert row(text, "stem") == stem.split()
    assert row(text, "layer1")[4:8] == ["groups", "1-2", "8.53e-8..2.75e-7", "train-aff"]
    assert row(text, "total") == ["total", "11,181,642", "100%", "99.91%"]
    assert "weight decay: 1e-4 on the weights that train, none on biases and norms" in text
    assert "the optimizer holds just what trains; 11 groups; float32" in text


def test_a_living_model_has_the_lr_of_now() -> None:
    assert "peak LR" in in_pipe(facts_view(PHASES["lp_ft"][1]))
    text = in_pipe(facts_view(small()))
    assert "peak" not in text
    assert row(text, "body") == ["body", "100", "59.52%", "0%", "none", "-", "-", "-", "float32"]
    assert row(text, "head") == ["head", "20", "11.90%", "100%", "group", "0", "1e-3", "1e-2", "-", "float32"]


@pytest.mark.parametrize(
    ("name", "start", "cells"),
    [
        ("unheld", "body", "none (!)"),
        ("held, frozen", "body", "group 0 (!)"),
        ("held twice", "head", "groups 0, 3 (!)"),
    ],
)
def test_membership_that_disagrees_is_marked(name: str, start: str, cells: str) -> None:
    text = in_pipe(facts_view(UNGAINLY[name]))
    assert f"  {cells}  " in next(line for line in text.splitlines() if line.startswith(start))
    assert text.count("(!)") == 2
    assert "the optimizer does not hold just what trains (!); 1 group" in text


def test_a_stranger_in_the_optimizer_is_no_membership_of_a_row() -> None:
    text = in_pipe(facts_view(small(strangers=("a tensor of (3,) in group 0",))))
    assert text.count("(!)") == 1


def test_without_an_optimizer_nothing_is_said_of_it() -> None:
    for depth in ("stage", "layer", "parameter"):
        text = in_pipe(facts_view(without_optimizer(), depth))
        assert "no optimizer given: membership and LRs are not known" in text
        assert "LR " not in text
        assert "(!)" not in text
        assert "decay" not in text


def test_columns_that_differ_stay_and_those_that_do_not_go_below() -> None:
    both = but(PHASES["lp_ft"][1], "fc.weight", dtype="bfloat16")
    assert "float32, bfloat16" in in_pipe(facts_view(both))
    assert row(in_pipe(facts_view(both), width=140), "head")[-2:] == ["bfloat16,", "float32"]
    assert "parameters in float32, bfloat16\n" in in_pipe(facts_view(replace(both, optimizer=None)), width=60)


def test_layers_are_the_rows_when_asked_for() -> None:
    text = in_pipe(facts_view(PHASES["globs"][0], "layer"))
    assert row(text, "layer4.0")[1:4] == ["3,673,088", "32.85%", "0.03%"]
    assert row(text, "layer4.1")[3:] == ["100%", "groups", "3-4", "1e-4", "1e-4", "eval+aff"]
    assert row(text, "total")[1:] == ["11,181,642", "100%", "42.29%"]


def test_parameters_are_named_whole_where_that_fits() -> None:
    text = in_pipe(facts_view(PHASES["globs"][0], "parameter"))
    assert row(text, "layer4.1.conv2.weight")[1:] == ["512x512x3x3", "group", "4", "1e-4"]
    assert row(text, "layer1.0.bn1.bias")[1:] == ["64", "group", "0", "1e-4", "eval+aff"]
    assert row(text, "layer1.0.bn2.bias")[1:] == ["64", "frozen", "-", "eval"]
    assert len([line for line in text.splitlines() if "frozen  " in line or "group " in line]) == 62


def test_long_names_stand_under_their_layer() -> None:
    text = in_pipe(facts_view(with_long_names(), "parameter"))
    assert "\nconv\n" in text
    assert row(text, "bn.weight")[1:4] == ["4", "frozen", "-"]
    assert f"{LONG}_too" in "".join(text.split())
    wide = in_pipe(facts_view(with_long_names(), "parameter"), width=200)
    assert row(wide, LONG)[1:3] == ["10x10", "frozen"]


@pytest.mark.parametrize(
    ("name", "start", "told"),
    [
        ("unheld", "block.weight", "no group (!)"),
        ("held, frozen", "block.weight", "frozen, group 0 (!)"),
        ("held twice", "fc.weight", "groups 0, 3 (!)"),
    ],
)
def test_a_parameter_says_how_it_is_held(name: str, start: str, told: str) -> None:
    text = in_pipe(facts_view(UNGAINLY[name], "parameter"))
    assert f"  {told}  " in next(line for line in text.splitlines() if line.startswith(start))


def test_a_page_with_room_shortens_no_name_under_a_layer() -> None:
    name = "self_attention.relative_position_bias_table"
    facts = small(batch_norms=())
    for old, new in (("block.weight", f"encoder.blocks.{name}"), ("fc.weight", "encoder.fc.weight")):
        facts = but(facts, old, name=new)
    assert f"encoder.blocks.{name}" in in_pipe(facts_view(facts, "parameter"), width=90)
    *below, head = facts.parameters
    facts = replace(facts, parameters=(*below, parameter("encoder.blocks.bias", 1, 10), head))
    text = in_pipe(facts_view(facts, "parameter"), width=72)
    assert row(text, name)[1:3] == ["10x10", "frozen"]
    assert row(text, "bias")[1:3] == ["10", "frozen"]


def test_a_network_without_batchnorm_has_no_column_for_it() -> None:
    text = in_pipe(facts_view(small(batch_norms=())))
    assert "BN" not in text
    assert "BatchNorm" not in text


def test_a_network_without_parameters_is_an_empty_table() -> None:
    empty = small(parameters=(), batch_norms=(), optimizer=None, num_groups=0)
    for depth in ("stage", "layer", "parameter"):
        assert "no optimizer given" in in_pipe(facts_view(empty, depth))


def test_decay_on_a_bias_is_not_hidden_in_a_line() -> None:
    decayed = but(small(), "conv.bn.bias", trains=True, groups=(0,), lr=1e-3, weight_decay=0.01)
    text = in_pipe(facts_view(decayed, "parameter"))
    assert row(text, "conv.bn.bias")[-4:] == ["1e-3", "1e-2", "eval", "float32"]
    assert "none on biases" not in text
    assert "none on biases" not in in_pipe(facts_view(decayed))


def test_names_of_one_tensor_and_of_one_memory_are_noted() -> None:
    tied = but(small(), "fc.weight", other_names=("embedding.weight",))
    tied = replace(tied, shared=(("conv.weight", "block.weight"),))
    text = in_pipe(facts_view(tied, "parameter"))
    assert "tied: fc.weight is also embedding.weight" in text
    assert "one memory: conv.weight, block.weight" in text
    assert "one memory" not in in_pipe(facts_view(tied, "parameter", "fc"))


def test_a_filter_finds_names_by_part_or_by_wildcard() -> None:
    assert [p.name for p in matching(small(), "bn").parameters] == ["conv.bn.weight", "conv.bn.bias"]
    assert [p.name for p in matching(small(), "*.weight").parameters][-1] == "fc.weight"
    assert [p.name for p in matching(small(), "conv.?n.*").parameters] == ["conv.bn.weight", "conv.bn.bias"]
    tied = but(small(), "fc.weight", other_names=("embedding.weight",))
    assert [p.name for p in matching(tied, "embed").parameters] == ["fc.weight"]


def test_what_is_filtered_is_counted_alone_and_its_share_is_of_the_network() -> None:
    text = in_pipe(facts_view(small(), "stage", "bn"))
    assert "2 of 5 tensors match 'bn': 8 of 168 parameters" in text
    assert row(text, "stem")[1:4] == ["8", "4.76%", "0%"]
    assert row(text, "total")[1:3] == ["8", "4.76%"]
    assert "head" not in text


def test_a_filter_that_finds_nothing_names_what_is_near() -> None:
    with pytest.raises(UsageError, match="no parameter matches 'blok'") as caught:
        facts_view(small(), "parameter", "blok")
    assert "block" in (caught.value.remedy or "")
    with pytest.raises(UsageError) as caught:
        matching(small(), "*zzzzzzz*")
    assert caught.value.remedy == "--depth parameter lists all names"


def test_phases_beside_each_other_show_their_peak_lrs() -> None:
    text = in_pipe(phases_view(PHASES["lp_ft"], "layer"))
    assert row(text, "layer2.0") == ["layer2.0", "230,144", "-", "~8.88e-7"]
    assert row(text, "fc") == ["fc", "5,130", "1e-3", "1e-3"]
    assert "a column a phase: its peak LR, - frozen, ~ trains in part" in text
    assert "phases: 0 head, 1 fine-tune" in text


def test_many_phases_are_told_in_words() -> None:
    text = in_pipe(phases_view(PHASES["30 phases"], "layer"))
    assert row(text, "blocks.27")[1:] == ["7,077,888", "1-29", "at", "3.1e-4"]
    assert row(text, "stem")[2:] == ["29", "at", "1.78e-18"]
    wide = in_pipe(phases_view(PHASES["30 phases"], "layer"), width=400)
    assert row(wide, "blocks.27")[2:] == ["-", *["3.1e-4"] * 29]


def test_phases_that_words_cannot_tell_come_in_blocks() -> None:
    restless = [but(small(phase=f"p{n}"), "fc.weight", lr=1.23e-5 * (n + 1)) for n in range(12)]
    text = in_pipe(phases_view(restless, "parameter"))
    blocks = [line.split()[2:] for line in text.splitlines() if line.startswith("parameter ")]
    assert [int(number) for block in blocks for number in block] == list(range(12))
    assert len(blocks) > 1
    rows = [line for line in text.splitlines() if line.startswith("fc.weight")]
    cells = [cell for line in rows for cell in line.split()[2:]]
    assert (cells[0], len(cells)) == ("1.23e-5", 12)


def test_a_diff_says_what_begins_at_which_lr_and_what_batchnorm_does() -> None:
    text = in_pipe(diff_view(*PHASES["gradual"][:2]))
    assert text.splitlines()[0] == "head -> +layer4  epoch 145"
    assert "begins to train  layer4 at 9.61e-5..3.1e-4, 8,393,728 parameters" in text
    assert "BatchNorm        layer4: eval -> eval, affine trained" in text
    assert "stops" not in text


def test_a_diff_groups_what_changes_in_the_same_way() -> None:
    head, full = PHASES["lp_ft"]
    text = " ".join(in_pipe(diff_view(head, full)).split())
    assert "stem at 2.64e-8, 9,408 of 9,536 parameters" in text
    assert "stem, layer1, layer2, layer3, layer4: eval -> train, affine frozen" in text
    back = " ".join(in_pipe(diff_view(full, head)).split())
    assert "stops to train stem, layer1, layer2, layer3, layer4, 11,166,912 of 11,176,512" in back
    names = in_pipe(diff_view(at_depth(full, "parameter"), at_depth(head, "parameter")))
    assert "bn1.weight, bn1.bias ... layer4.1.bn2.bias (40 in all)" in " ".join(names.split())


def test_a_diff_of_what_trains_before_and_after() -> None:
    faster = but(small(), "fc.weight", lr=5e-3, weight_decay=0.1)
    text = in_pipe(diff_view(small(), faster))
    assert "LR            head: 1e-3 -> 5e-3" in text
    assert "weight decay  head: 1e-2 -> 1e-1" in text
    assert "begins" not in text


def test_a_diff_of_modes_alone() -> None:
    drifting = small(batch_norms=(NormFacts("conv.bn", 0, "stem", updates_stats=True, trains_affine=False),))
    assert "BatchNorm  stem: eval -> train, affine frozen" in in_pipe(diff_view(small(), drifting))


def test_other_parameters_of_the_same_share_are_a_change() -> None:
    first = but(small(), "conv.bn.weight", trains=True, groups=(0,), lr=1e-3, weight_decay=0.01)
    second = but(small(), "conv.bn.bias", trains=True, groups=(0,), lr=1e-3, weight_decay=0.01)
    (change,) = changes(first, second)
    assert (change.name, change.begins, change.stops) == ("stem", 4, 4)


def test_no_change_is_said() -> None:
    assert changes(small(), small()) == ()
    assert "nothing changes" in in_pipe(diff_view(small(), small()))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ((), ""),
        ((3,), "3"),
        ((0, 1, 2), "0-2"),
        ((0, 1, 4), "0-1, 4"),
        ((0, 2, 4), "0, 2, 4"),
        ((0, 2, 4, 6), "0..6"),
    ],
)
def test_ranges_of_groups(values: tuple[int, ...], told: str) -> None:
    assert number_ranges(values) == told


def test_foreign_names_are_shown_as_they_are() -> None:
    odd = but(small(phase="[red]now"), "fc.weight", name="[bold]fc\x1b[31m.weight", other_names=("x\n",))
    for view in (facts_view(odd, "parameter"), diff_view(odd, small())):
        text = in_pipe(view)
        assert "\x1b" not in text
        assert "[bold]fc\\x1b[31m.weight" in text or "[red]now" in text


def test_a_mark_is_coloured_on_a_terminal() -> None:
    assert "\x1b[38;5;166m" in on_terminal(facts_view(UNGAINLY["unheld"]))
    assert "\x1b[38;5;166m" not in on_terminal(facts_view(small()))
