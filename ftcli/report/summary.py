"""What a command came to: a training run, an evaluation, predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ftcli.engine.run_folder import RunFolder
from ftcli.events import Scores
from ftcli.report import numbers
from ftcli.report.drift import drift_view
from ftcli.report.findings import findings_view
from ftcli.report.forgetting import forgetting_view
from ftcli.report.headline import headline, score, second, told_range
from ftcli.report.layout import FirstThatFits, add_columns, labelled, table, unbroken
from ftcli.report.narrator import proof_line
from ftcli.report.profile import profile_view
from ftcli.report.safe_text import plain, shorten
from ftcli.report.samples import samples_view
from ftcli.report.style import BAD, CAUTION, GOOD, QUIET, STRONG
from ftcli.workflows.result import Reuse, TrainResult, VerdictKind

_VERDICT_STYLES: dict[VerdictKind, str] = {
    "gain": f"bold {GOOD}",
    "no_clear_gain": f"bold {CAUTION}",
    "below_floor": BAD,
    "probe_only": STRONG,
    "scratch": STRONG,
}
_BEFORE_TEXTS = ("prompt_tuning", "prefix_tuning")
"""Strategies whose adapters are no layer's."""
Lines = list[tuple[str, RenderableType]]
_MOST_CLASSES = 40
_NAME_WIDTH = 32


def summary_view(result: TrainResult) -> RenderableType:
    """The verdict first, then the scores it rests on, the proof, and what to do with the model."""
    style = _VERDICT_STYLES[result.verdict_kind]
    verdict = Text.assemble(("verdict: ", STRONG), plain(result.verdict, style))
    proof = proof_line(result.frozen.checked, result.frozen.changed, result.frozen.names)
    kept = f"kept: epoch {result.best_epoch}, phase {result.best_phase}; {result.epochs_run} run"
    return Group(
        Text(""),
        verdict,
        Text(""),
        _scores(result),
        Text(""),
        proof,
        plain(f"{kept} in {numbers.duration(result.seconds)}"),
        *_reuse(result.reuse),
        *drift_view(result.drift),
        *forgetting_view(result.forgetting),
        *samples_view(result.samples),
        unbroken(plain(f"model: {result.weights}")),
        *_adapters(result),
        *_page(result),
        findings_view(result.findings),
        Text(""),
        Text("To use it:"),
        unbroken(plain(result.predict_command, STRONG)),
        *([Text(""), profile_view(result.profile)] if result.profile else []),
    )


def _adapters(result: TrainResult) -> list[Text]:
    """Where they are, of a run that has any."""
    folder = RunFolder(Path(result.run)).adapter
    told = f"adapters: {folder}, for PEFT"
    if result.strategy not in _BEFORE_TEXTS:
        told += "; ftcli merge folds them into the weights"
    return [unbroken(plain(told))] if folder.is_dir() else []


def _page(result: TrainResult) -> list[Text]:
    """Where it is written."""
    page = RunFolder(Path(result.run)).report
    return [unbroken(plain(f"report: {page}"))] if page.is_file() else []


def _reuse(reuse: Reuse | None) -> list[Text]:
    if reuse is None:
        return []
    if not reuse.computed:
        return [plain(f"frozen part: kept by an earlier run, used for {reuse.read:,} examples")]
    took, instead = numbers.duration(reuse.seconds), numbers.duration(reuse.instead)
    counts = f"computed for {reuse.computed:,} examples, used for {reuse.read:,}"
    return [plain(f"frozen part: {counts}: {took} instead of {instead}")]


def evaluate_view(evaluation: Mapping[str, Any]) -> RenderableType:
    """Scores of a run on one split, then each class; of very many classes those with the lowest F1."""
    between = evaluation.get("intervals", {})
    lines: Lines = [
        ("split", plain(f"{evaluation['split']}, {evaluation['num_examples']:,} examples")),
        *_first_scores(evaluation, between),
        *_macro_f1(evaluation, between),
        ("loss", Text(f"{evaluation['loss']:.4f}")),
        *_further(evaluation, between),
        *_without_leaks(evaluation.get("without_leaks")),
        *_calibration(evaluation.get("calibration")),
    ]
    run = unbroken(plain(f"run: {evaluation['run']}"))
    if "per_class" not in evaluation:
        return Group(run, labelled(lines))
    return Group(run, labelled(lines), Text(""), _per_class(evaluation["per_class"]))


def _macro_f1(evaluation: Mapping[str, Any], between: Mapping[str, Any]) -> Lines:
    """A language model has none."""
    value = evaluation["macro_f1"]
    return (
        [] if value is None else [("macro F1", sure(f"{value:.3f}", between.get("macro_f1"), percent=False))]
    )


def _first_scores(evaluation: Mapping[str, Any], between: Mapping[str, Any]) -> Lines:
    accuracy = sure(numbers.accuracy(evaluation["accuracy"]), between.get("accuracy"))
    average_precision, perplexity = evaluation.get("mean_average_precision"), evaluation.get("perplexity")
    if perplexity is not None:
        low, high = between["perplexity"]
        interval = (f" ({told_range('perplexity', low, high)})", QUIET)
        first = Text.assemble((numbers.perplexity(perplexity), STRONG), interval)
        return [
            ("perplexity", first),
            ("next token", accuracy),
            ("tokens", Text(f"{evaluation['tokens']:,}")),
        ]
    if average_precision is None:
        return [("accuracy", accuracy)]
    first = sure(numbers.accuracy(average_precision), between.get("mean_average_precision"))
    return [("mAP", first), ("all right", accuracy)]


def _further(evaluation: Mapping[str, Any], between: Mapping[str, Any]) -> Lines:
    balanced, auroc, ece = (evaluation.get(key) for key in ("balanced_accuracy", "auroc", "ece"))
    lines: Lines = []
    if balanced is not None:
        lines.append(("balanced", sure(numbers.accuracy(balanced), between.get("balanced_accuracy"))))
    if auroc is not None:
        lines.append(("AUROC", Text(f"{auroc:.3f}")))
    if ece is not None:
        lines.append(("ECE", Text(f"{ece:.3f}")))
    if between:
        lines.append(("", Text(f"in brackets: 95% by bootstrap; {_meaning(evaluation)}", style=QUIET)))
    return lines


def _meaning(evaluation: Mapping[str, Any]) -> str:
    if evaluation.get("perplexity") is not None:
        return "next token: how often the likeliest is right"
    if evaluation.get("multi_label"):
        return "all right: every class of the example, and no other"
    return "balanced: mean recall"


def _without_leaks(scores: Mapping[str, Any] | None) -> Lines:
    """The score to believe, where training has seen some of these examples."""
    if scores is None:
        return []
    known = Scores(**scores)
    name, value = second(known)
    first = score(known, headline(known)[1] if known.perplexity is not None else "accuracy")
    told = Text.assemble((first, STRONG), f", {name} {value}, loss {scores['loss']:.4f}; ")
    told.append(f"of {scores['num_examples']:,} examples: the rest is in train too", QUIET)
    return [("no leaks", told)]


def _calibration(calibration: Mapping[str, Any] | None) -> Lines:
    if calibration is None:
        return []
    ece = f"ECE {calibration['ece_before']:.3f} -> {calibration['ece_after']:.3f}"
    loss = f"loss {calibration['loss_before']:.4f} -> {calibration['loss_after']:.4f}"
    text = (
        f"temperature {calibration['temperature']:.3g}, fitted on {calibration['fitted_on']}: {ece}, {loss}"
    )
    lines: Lines = [("calibrated", Text(text))]
    if calibration.get("caution"):
        lines.append(("caution", Text(calibration["caution"], style=CAUTION)))
    return lines


def sure(value: str, interval: Sequence[float] | None, *, percent: bool = True) -> Text:
    """A score, and quietly the interval that it may lie in: 98.9% (97.4-99.6)."""
    text = Text(value, style=STRONG)
    return text if interval is None else Text.assemble(text, (f" ({_range(interval, percent)})", QUIET))


def _range(interval: Sequence[float], percent: bool) -> str:
    low, high = (f"{100 * bound:.1f}" if percent else f"{bound:.3f}" for bound in interval)
    return f"{low}-{high}"


def predict_view(predictions: Sequence[Mapping[str, Any]]) -> RenderableType:
    """A line for each image: label, probability, the runner-up, and the file's name, which is never cut."""
    width = max((len(shorten(p["label"], _NAME_WIDTH)) for p in predictions), default=0)
    return Group(*(_prediction(p, width) for p in predictions))


def _scores(result: TrainResult) -> RenderableType:
    """With what each row means beside it, or below where the page is narrow."""
    of_tokens = result.test.perplexity is not None
    floor, ceiling = ("as it was opened", "trained") if of_tokens else ("linear probe", "fine-tuned")
    rows: list[tuple[str, Scores | None, str]] = [
        ("floor", result.floor, f"{floor}, on validation"),
        ("ceiling", result.ceiling, f"{ceiling}, on validation"),
        ("test", result.test, _measured_once(result.test_report)),
        ("no leaks", result.test_without_leaks, "test, the leaks left out"),
    ]
    known = [(name, score, meaning) for name, score, meaning in rows if score is not None]
    below = (plain(f"{name}: {meaning}", QUIET) for name, _, meaning in known)
    return FirstThatFits(_scores_table(known, beside=True), Group(_scores_table(known, beside=False), *below))


def _scores_table(rows: Sequence[tuple[str, Scores, str]], *, beside: bool) -> Table:
    scores, one = table(), rows[0][1]
    headers = ("", headline(one)[0], second(one)[0], "loss", "n", *([""] if beside else []))
    add_columns(scores, zip(headers, "<>>>><", strict=False))
    for name, found, meaning in rows:
        told = [Text(meaning, style=f"{QUIET} not bold")] if beside else []
        scores.add_row(name, *_cells(found), *told, style=STRONG if name == "test" else "")
    return scores


def _measured_once(report: Mapping[str, Any] | None) -> str:
    if report is None:
        return "the epoch kept, measured once"
    metric = "mean_average_precision" if report.get("multi_label") else "accuracy"
    metric = "perplexity" if "perplexity" in report["intervals"] else metric
    return f"measured once; 95%: {told_range(metric, *report['intervals'][metric])}"


def _cells(of: Scores) -> tuple[str, ...]:
    return score(of, headline(of)[1]), second(of)[1], f"{of.loss:.4f}", numbers.count(of.num_examples)


def _per_class(classes: Sequence[Mapping[str, Any]]) -> RenderableType:
    shown = list(classes)
    if len(shown) > _MOST_CLASSES:
        shown = sorted(shown, key=lambda c: c["f1"])[:_MOST_CLASSES]
    scores = table()
    columns = {"precision": "precision", "recall": "recall", "F1": "f1"}
    if "average_precision" in classes[0]:
        columns["AP"] = "average_precision"
    add_columns(scores, [("class", "<"), *((name, ">") for name in (*columns, "support"))])
    for c in shown:
        rates = ("-" if c[key] is None else f"{c[key]:.3f}" for key in columns.values())
        scores.add_row(plain(shorten(c["class"], _NAME_WIDTH)), *rates, numbers.count(c["support"]))
    if len(shown) == len(classes):
        return scores
    note = f"the {len(shown)} lowest F1 of {len(classes):,} classes; --json has all"
    return Group(scores, Text(note, style=QUIET))


def _several(prediction: Mapping[str, Any]) -> Text:
    """Every class that is seen, the surest first; the likeliest quietly where none is."""
    guesses = prediction["labels"] or prediction["top"][:1]
    told = ", ".join(
        f"{shorten(g['label'], _NAME_WIDTH)} {numbers.accuracy(g['probability'])}" for g in guesses
    )
    line = Text(told, STRONG) if prediction["labels"] else Text(f"none; likeliest {told}", QUIET)
    return unbroken(line.append("  ").append_text(plain(prediction["image"])))


def _prediction(prediction: Mapping[str, Any], width: int) -> Text:
    if "labels" in prediction:
        return _several(prediction)
    label = shorten(prediction["label"], _NAME_WIDTH).ljust(width)
    line = Text.assemble((label, STRONG), f"  {numbers.accuracy(prediction['probability']):>6}")
    others = [top for top in prediction["top"] if top["label"] != prediction["label"]]
    if others:
        second = f"{shorten(others[0]['label'], _NAME_WIDTH)} {numbers.accuracy(others[0]['probability'])}"
        line.append(f"  then {second:<{width + 7}}", QUIET)
    return unbroken(line.append("  ").append_text(plain(prediction["image"])))
