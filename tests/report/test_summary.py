"""Results as a person reads them: the verdict, the scores, a command that can be copied."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ftcli.events import Scores
from ftcli.findings import Finding
from ftcli.plans.forgetting import Forgetting
from ftcli.report.summary import evaluate_view, predict_view, summary_view
from ftcli.workflows.result import Proof, TrainResult, VerdictKind
from tests.report.report_samples import in_pipe, on_terminal

LONG = "runs/" + "a-folder-with-a-long-name/" * 5
COMMAND = f"ftcli predict {LONG} PATH/TO/IMAGE.png"
RESULT = TrainResult(
    run=LONG,
    backbone="torchvision/resnet18",
    strategy="lp_ft",
    classes=("cat", "dog"),
    floor=Scores(0.9123, 0.9087, 0.3012, 270),
    ceiling=Scores(0.9741, 0.97, 0.1023, 270),
    test=Scores(0.969, 0.9654, 0.11, 1_271),
    verdict="fine-tuning beats the linear probe by 6.2 points",
    verdict_kind="gain",
    frozen=Proof(214, 0, ()),
    findings=(
        Finding("info", "data", "[red]x[/red] is a duplicate", ""),
        Finding("error", "layer4", "moved", "report"),
    ),
    epochs_run=10,
    best_epoch=7,
    best_phase="fine-tune",
    weights=f"{LONG}best.safetensors",
    predict_command=COMMAND,
    seconds=203.0,
)


def row(text: str, start: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if line.startswith(f"{start} ")]
    return line.split()


def test_the_verdict_comes_first_and_the_scores_below_it() -> None:
    text = in_pipe(summary_view(RESULT))
    assert text.split("\n")[1] == "verdict: fine-tuning beats the linear probe by 6.2 points"
    assert row(text, "floor")[1:5] == ["91.2%", "0.909", "0.3012", "270"]
    assert row(text, "ceiling")[1:5] == ["97.4%", "0.970", "0.1023", "270"]
    assert row(text, "test")[1:5] == ["96.9%", "0.965", "0.1100", "1,271"]


def test_what_was_forgotten_is_a_line() -> None:
    forgot = replace(RESULT, forgetting=Forgetting(120, 10, 0.8167, 0.6417, 22, 1, 6e-6))
    assert "forgetting: the old head on 120 images: 81.7% before, 64.2% now\n" in in_pipe(
        summary_view(forgot)
    )
    assert "forgetting" not in in_pipe(summary_view(RESULT))


@pytest.mark.parametrize("width", [60, 48])
def test_on_a_narrow_page_scores_stay_whole_and_their_meaning_is_below(width: int) -> None:
    text = in_pipe(summary_view(RESULT), width=width)
    assert "…" not in text
    assert row(text, "ceiling") == ["ceiling", "97.4%", "0.970", "0.1023", "270"]
    assert "floor: linear probe, on validation" in text


@pytest.mark.parametrize("kind", ["gain", "no_clear_gain", "below_floor", "probe_only", "scratch"])
def test_every_verdict_has_its_colour(kind: VerdictKind) -> None:
    assert "\x1b[1" in on_terminal(summary_view(replace(RESULT, verdict_kind=kind))).splitlines()[1]


def test_commands_and_paths_are_never_broken() -> None:
    for text in (in_pipe(summary_view(RESULT)), in_pipe(summary_view(RESULT), width=40)):
        assert text.splitlines()[-1] == COMMAND
        assert f"model: {LONG}best.safetensors" in text.splitlines()
    assert COMMAND in on_terminal(summary_view(RESULT))


def test_everything_else_fits_eighty_columns() -> None:
    lines = [line for line in in_pipe(summary_view(RESULT)).splitlines() if LONG not in line]
    assert max(map(len, lines)) <= 80


def test_the_proof_counts_or_names() -> None:
    assert "proof: 0 of 214 frozen tensors changed\n" in in_pipe(summary_view(RESULT))
    moved = replace(RESULT, frozen=Proof(214, 2, ("bn1.running_mean", "bn1.running_var")))
    assert "2 of 214 frozen tensors changed: bn1.running_mean, bn1.running_var" in in_pipe(
        summary_view(moved), width=120
    )


def test_findings_are_shown_gravest_first_and_literally() -> None:
    text = in_pipe(summary_view(RESULT))
    assert text.index("error  ") < text.index("info  ")
    assert "data: [red]x[/red] is a duplicate" in text
    assert "kept: epoch 7, phase fine-tune; 10 run in 3 min 23 s" in text


def test_what_does_not_apply_is_left_out() -> None:
    scratch = replace(RESULT, floor=None, ceiling=None, findings=(), verdict_kind="scratch")
    text = in_pipe(summary_view(scratch))
    assert "floor" not in text
    assert "ceiling" not in text
    assert "Findings" not in text


def evaluation(*names: str) -> dict[str, Any]:
    classes = [
        {"class": name, "precision": 0.9, "recall": 0.8, "f1": 0.5 + i / 1000, "support": 27}
        for i, name in enumerate(names)
    ]
    scores = {"accuracy": 0.969, "macro_f1": 0.9654, "loss": 0.1023, "num_examples": 1_270}
    return {"run": LONG, "split": "test", **scores, "per_class": classes}


def test_an_evaluation_shows_the_run_and_each_class() -> None:
    text = in_pipe(evaluate_view(evaluation("cat", "[red]dog[/red]", "x" * 90)))
    assert text.splitlines()[0] == f"run: {LONG}"
    assert "test, 1,270 examples" in text
    assert row(text, "[red]dog[/red]") == ["[red]dog[/red]", "0.900", "0.800", "0.501", "27"]
    assert max(map(len, text.splitlines()[1:])) <= 80


def test_an_evaluation_tells_how_sure_it_is() -> None:
    between = {"accuracy": [0.9581, 0.9784], "macro_f1": [0.95, 0.975], "balanced_accuracy": [0.9, 0.96]}
    more = {"intervals": between, "balanced_accuracy": 0.93, "auroc": 0.9912, "ece": 0.0213}
    kept = {"temperature": 1.734, "fitted_on": "val"}
    change = {"ece_before": 0.0213, "ece_after": 0.009, "loss_before": 0.1023, "loss_after": 0.0911}
    page = evaluate_view({**evaluation("cat", "dog"), **more, "calibration": {**kept, **change}})
    lines = [" ".join(line.split()) for line in in_pipe(page).splitlines()]
    for line in (
        "accuracy 96.9% (95.8-97.8)",
        "macro F1 0.965 (0.950-0.975)",
        "balanced 93.0% (90.0-96.0)",
        "AUROC 0.991",
        "ECE 0.021",
    ):
        assert line in lines
    assert "temperature 1.73, fitted on val: ECE 0.021 -> 0.009" in " ".join(lines)
    assert max(map(len, in_pipe(page).splitlines()[1:])) <= 80


def test_the_test_accuracy_has_its_interval() -> None:
    report = {"intervals": {"accuracy": [0.9581, 0.9784]}}
    text = in_pipe(summary_view(replace(RESULT, test_report=report)))
    assert " ".join(row(text, "test")[5:]) == "measured once; 95%: 95.8-97.8"
    assert max(len(line) for line in text.splitlines() if line.startswith("test ")) <= 80


def test_of_very_many_classes_the_weakest_are_shown() -> None:
    text = in_pipe(evaluate_view(evaluation(*(f"class{i}" for i in range(1000, 0, -1)))))
    assert "class1000 " in text
    assert "class1 " not in text
    assert "the 40 lowest F1 of 1,000 classes; --json has all" in text


def prediction(image: str, **probabilities: float) -> dict[str, Any]:
    top = [{"label": label, "probability": p} for label, p in probabilities.items()]
    return {"image": image, **top[0], "top": top}


def test_a_prediction_is_one_line_that_ends_in_the_whole_file_name() -> None:
    long = f"{LONG}[b]photo[/b] 1.jpg"
    text = in_pipe(predict_view([prediction(long, cat=0.971, dog=0.029), prediction("b.png", elephant=1.0)]))
    first, second = text.splitlines()
    assert first.split() == ["cat", "97.1%", "then", "dog", "2.9%", *long.split()]
    assert second.split() == ["elephant", "100.0%", "b.png"]
    assert first.index("97.1%") + 5 == second.index("100.0%") + 6


def test_names_from_elsewhere_cannot_steer_the_terminal() -> None:
    text = in_pipe(predict_view([prediction("a\x1b[2J\nb.png", **{"[red]\x07": 1.0})]))
    assert text == "[red]\\x07  100.0%  a\\x1b[2J\\nb.png\n"
