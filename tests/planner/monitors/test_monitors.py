"""Each monitor on plain numbers: what it says, with which numbers and which remedy, and when it says nothing."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

import ftcli
from ftcli.events import PhaseProved, Scores
from ftcli.findings import Finding
from ftcli.planner.monitors import monitor
from ftcli.planner.monitors.harm import harm
from ftcli.planner.monitors.history import History
from ftcli.planner.monitors.words import rounded
from ftcli.plans.harm import HarmEvidence
from ftcli.plans.signals import StageDrift
from ftcli.plans.tokenization import Tokenization
from tests.planner.monitors.histories import WELL, history, scores, signals

LN_10 = 2.303


def only(found: History) -> Finding:
    (finding,) = monitor(found)
    return finding


def until(found: History, epoch: int) -> History:
    return replace(found, epochs=found.epochs[: epoch + 1], ended=False)


@pytest.mark.parametrize("count", range(len(WELL.epochs) + 1))
def test_of_a_run_that_is_well_nothing_is_said_after_any_epoch(count):
    assert monitor(replace(WELL, epochs=WELL.epochs[:count], ended=count == len(WELL.epochs))) == ()


OVERFITS = history(
    train_loss=[1.5, 0.8, 0.5, 0.3, 0.15, 0.08, 0.04],
    loss=[1.2, 0.8, 0.7, 0.8, 0.95, 1.1, 1.3],
    accuracy=[0.6, 0.74, 0.78, 0.78, 0.77, 0.77, 0.76],
)


def test_overfitting_names_its_best_epoch_and_what_has_happened_since():
    finding = only(OVERFITS)
    assert (finding.rule, finding.where) == ("overfits", "train.epochs")
    assert "since epoch 2: over 4 epochs the training loss fell from 0.5 to 0.04" in finding.message
    assert "on validation rose from 0.7 to 1.3 (accuracy 78.0% to 76.0%)" in finding.message
    assert "train.epochs: 3" in finding.remedy
    assert "augment: standard" in finding.remedy, "light is the default"


def test_overfitting_is_told_once_three_epochs_are_worse():
    assert [bool(monitor(until(OVERFITS, epoch))) for epoch in range(7)] == [False] * 6 + [True]


def test_a_loss_that_rises_while_the_score_improves_is_no_overfitting():
    better = history(
        train_loss=[1.5, 0.8, 0.5, 0.3, 0.15, 0.08, 0.04],
        loss=[1.2, 0.8, 0.7, 0.8, 0.95, 1.1, 1.3],
        accuracy=[0.6, 0.74, 0.78, 0.8, 0.81, 0.82, 0.83],
    )
    assert monitor(better) == ()


def test_a_loss_that_rises_within_its_error_is_no_overfitting():
    unsure = [signals(error=0.3)] * len(OVERFITS.epochs)
    epochs = tuple(replace(row, signals=s) for row, s in zip(OVERFITS.epochs, unsure, strict=True))
    assert monitor(replace(OVERFITS, epochs=epochs)) == ()


def test_the_error_of_a_loss_that_rose_counts_as_that_of_the_best_does():
    """As in a small run from scratch that was well: two of 96 images, wrong and sure of it."""
    errors = [0.03, 0.03, 0.03, 0.3, 0.3, 0.3, 0.3]
    epochs = tuple(replace(r, signals=signals(error=e)) for r, e in zip(OVERFITS.epochs, errors, strict=True))
    assert monitor(replace(OVERFITS, epochs=epochs)) == ()


def flat(train: float, **values):  # type: ignore[no-untyped-def]
    """Eight epochs in which nothing improves; the last training loss is given."""
    losses = [2.35 + (train - 2.35) * step / 7 for step in range(8)]
    return history(losses, [2.33] * 8, [0.1] * 8, ended=True, **values)


def test_an_lr_that_is_too_low_is_known_by_a_head_that_has_not_moved():
    finding = only(
        flat(2.33, shown=[signals(moved=0.0, head=0.002)] * 8, optimizer={"kind": "adamw", "lr": 1e-6})
    )
    assert (finding.rule, finding.where) == ("nothing-learned", "optimizer.lr")
    assert "at LR 1e-06 the head has moved by 0.20%" in finding.message
    assert "where guessing has 2.3" in finding.message
    assert finding.remedy.startswith("optimizer.lr: 2e-4 (now 1e-06)")


@pytest.mark.parametrize(
    ("strategy", "also"), [("full", "nothing is frozen"), ("feature_extraction", "what stem to layer4 sees")]
)
def test_labels_are_to_blame_where_the_head_moved_and_images_differ(strategy, also):
    finding = only(flat(2.30, strategy=strategy))
    assert (finding.rule, finding.where) == ("nothing-learned", "data")
    assert "the head moved by 200.0% of its first weights: it is not the LR" in finding.message
    assert also in finding.message
    assert ("lp_ft" in finding.remedy) == (strategy != "full")


def test_labels_learned_by_heart_are_the_labels():
    finding = only(flat(1.2))
    assert finding.where == "data"
    assert "learned by heart" in finding.message


def test_frozen_layers_are_to_blame_where_the_network_answers_all_images_alike():
    finding = only(flat(2.30, strategy="feature_extraction", shown=[signals(spread=0.0)] * 8))
    assert (finding.rule, finding.where) == ("nothing-learned", "strategy")
    assert "stem to layer4 is frozen" in finding.message


def test_a_probe_that_learned_acquits_the_data():
    finding = only(replace(flat(2.30), floor=scores(0.8, 0.7)))
    assert finding.where == "optimizer.lr"
    assert "a linear probe of the first features has 80.0%" in finding.message


def test_nothing_learned_is_told_from_the_middle_of_the_run_on():
    found = flat(2.30)
    told = [bool(monitor(until(found, epoch))) for epoch in range(8)]
    assert told == [False] * 4 + [True] * 4


def test_where_training_learns_validation_is_waited_for_to_the_end():
    found = flat(1.2)
    assert [bool(monitor(until(found, epoch))) for epoch in range(8)] == [False] * 8
    assert only(found).rule == "nothing-learned"


@pytest.mark.parametrize(("accuracy", "learned"), [(0.6, False), (0.7, True)])
def test_few_images_show_learning_only_beyond_the_luck_of_guessing(accuracy, learned):
    """12 images of 4 classes: a guess is right at 25%, give or take three times 12.5 points."""
    found = history([1.4] * 8, [1.4] * 8, [accuracy] * 8, count=12, ended=True, val_counts=(3, 3, 3, 3))
    assert bool(monitor(found)) != learned


@pytest.mark.parametrize("count", [12, 500])
def test_uneven_classes_are_guessed_no_better_by_their_share(count):
    """90% of one class: an accuracy of 90% is none."""
    loss = 0.325
    found = history([0.4] * 8, [loss] * 8, [0.9] * 8, count=count, ended=True, val_counts=(90, 10))
    epochs = tuple(replace(row, val=replace(row.val, balanced_accuracy=0.5)) for row in found.epochs)
    finding = only(replace(found, epochs=epochs))
    assert "the most frequent class has 90.0%" in finding.message


def test_a_collapse_is_told_at_once_with_what_was_before():
    found = history(
        train_loss=[0.9, 0.6, 3.0],
        loss=[0.8, 0.6, 2.6],
        accuracy=[0.75, 0.82, 0.1],
        strategy={"kind": "lp_ft", "head_epochs": 2},
        shown=[signals(0), signals(0), signals(moved=3.0, share=1.0)],
    )
    finding = only(found)
    assert (finding.rule, finding.severity, finding.where) == (
        "collapsed-to-one-class",
        "error",
        "optimizer.lr",
    )
    assert "in epoch 2 it calls 100% of the validation images '3' (epoch 1 had 82.0%)" in finding.message
    assert "moved by 300.0% of its first weights at LR 0.0001" in finding.message
    assert "optimizer.lr: 1e-4 (now 0.001)" in finding.remedy
    assert monitor(until(found, 1)) == ()


def test_one_class_for_once_is_no_collapse_while_training_goes_on_and_weights_are_near():
    found = history(
        [0.9, 0.6, 0.7, 0.7, 0.7],
        [0.8, 0.6, 3.0, 3.0, 3.0],
        [0.75, 0.82, 0.1, 0.1, 0.1],
        shown=[signals(0.1), signals(0.1), *[signals(0.1, share=1.0)] * 3],
    )
    assert [bool(monitor(until(found, epoch))) for epoch in range(5)] == [False] * 4 + [True]


def test_a_collapse_that_training_knows_nothing_of_is_of_the_evaluation():
    collapsed = [signals(0.1, share=1.0)] * 3
    found = history(
        [0.9, 0.6, 0.5, 0.4], [0.8, 3, 3, 3], [0.75, 0.1, 0.1, 0.1], shown=[signals(0.1), *collapsed]
    )
    assert [bool(monitor(until(found, epoch))) for epoch in range(4)] == [False] * 3 + [True]
    assert (only(found).rule, only(found).where) == ("collapsed-to-one-class", "norm")


def test_one_class_at_the_start_is_no_collapse_while_weights_are_as_they_were():
    begins = history([2.3, 2.2, 2.0], [2.3, 2.2, 2.0], [0.1, 0.1, 0.3], shown=[signals(0.01, share=1.0)] * 3)
    assert monitor(begins) == ()


def test_one_class_is_right_where_nearly_all_are_of_it():
    found = history(
        [0.2] * 3, [0.2] * 3, [0.95] * 3, shown=[signals(2.0, share=1.0)] * 3, val_counts=(475, 25)
    )
    assert monitor(found) == ()


DIVERGES = history(
    train_loss=[1.9, 1.0, 9.0, 8.0],
    loss=[1.5, 1.1, 8.0, 7.0],
    accuracy=[0.5, 0.6, 0.3, 0.3],
    shown=[signals(0.1), signals(0.2), signals(9.0), signals(9.0)],
)


def test_a_training_loss_that_runs_away_is_told_once_it_stays_away():
    assert monitor(until(DIVERGES, 2)) == ()
    finding = only(DIVERGES)
    assert (finding.rule, finding.where) == ("loss-diverges", "optimizer.lr")
    assert "its loss was 1 in epoch 1 and is 8 in epoch 3, where guessing has 2.3" in finding.message
    assert "optimizer.lr: 1e-5 (now 0.001)" in finding.remedy, "weights that moved nine times: a hundredth"


def test_a_training_loss_that_came_back_has_not_run_away():
    back = replace(DIVERGES.last, train_loss=0.9, val=scores(0.62, 1.1))
    assert monitor(replace(DIVERGES, epochs=(*DIVERGES.epochs[:3], back))) == ()


def test_a_training_loss_that_costs_no_more_than_chance_does_on_few_images_is_no_divergence():
    few = tuple(replace(row, val=replace(row.val, num_examples=12)) for row in DIVERGES.epochs)
    assert monitor(replace(DIVERGES, epochs=few)) == ()


JUMPS = [0.5, 0.7, 0.82, 0.72, 0.84, 0.73, 0.85, 0.85]
FALLS = [1.9, 1.2, 0.9, 0.8, 0.7, 0.65, 0.6, 0.55]


def test_jumps_of_a_small_validation_set_are_chance():
    finding = only(history(FALLS, [0.6] * 8, JUMPS, count=40))
    assert (finding.rule, finding.where) == ("validation-noisy", "data.split.val")
    assert "in epochs 3, 5, most in epoch 5, by 11.0 points" in finding.message
    assert "of 40 images" in finding.message
    assert "data.split.val: 0.25 (319 images)" in finding.remedy


def test_a_jump_may_last_for_two_epochs():
    """Of few images one epoch often scores as the one before it."""
    scored = [0.4, 0.5, 0.5, 0.4, 0.4, 0.5, 0.4, 0.7]
    finding = only(history(FALLS, [0.6] * 8, scored, count=10))
    assert finding.rule == "validation-noisy"
    assert "in epochs 3, 6, most" in finding.message


def test_jumps_of_a_large_one_are_of_something_unstable():
    statistics = history(
        FALLS, [0.6] * 8, JUMPS, count=5000, norm="train", train={"epochs": 10, "batch_size": 4}
    )
    finding = only(statistics)
    assert (finding.rule, finding.where) == ("validation-unstable", "norm")
    assert "where the number of images explains" in finding.message
    assert "BatchNorm's statistics follow batches of 4" in finding.message
    quiet = only(history(FALLS, [0.6] * 8, JUMPS, count=5000, norm="freeze"))
    assert (quiet.where, "what validation sees is not the same" in quiet.message) == ("data", True)
    shaken = [1.9, 1.2, 0.9, 1.3, 0.7, 1.2, 0.6, 0.55]
    assert only(history(shaken, [0.6] * 8, JUMPS, count=5000)).where == "optimizer.lr"


def test_a_fall_where_a_phase_begins_is_no_jump():
    falls = [0.8, 0.82, 0.7, 0.8, 0.84, 0.85, 0.86, 0.86]
    assert monitor(history(FALLS, [0.6] * 8, falls, strategy={"kind": "lp_ft", "head_epochs": 2})) == ()


def unfrozen(train_loss: float, accuracy: float, count: int = 500, **sections) -> History:  # type: ignore[no-untyped-def]
    """The first epoch in which the backbone trains, after two of the head alone."""
    return history(
        train_loss=[0.9, 0.6, train_loss],
        loss=[0.8, 0.6, 1.0],
        accuracy=[0.75, 0.8, accuracy],
        strategy={"kind": "lp_ft", "head_epochs": 2},
        count=count,
        **sections,
    )


UNFROZEN = unfrozen(0.9, 0.6)


def test_a_fall_where_the_backbone_begins_to_train_is_told_at_once():
    finding = only(UNFROZEN)
    assert (finding.rule, finding.severity, finding.where) == ("unfreezing-hurts", "warning", "layer_lr")
    assert "accuracy fell from 80.0% to 60.0% in epoch 2, when" in finding.message
    assert "at LR 0.0001, and it moved by 5.0% of its first weights" in finding.message
    assert "backbone_divisor: 100} (now 10)" in finding.remedy
    assert "freeze_stats" in only(unfrozen(0.9, 0.6, norm="train")).remedy
    assert "freeze_stats" not in only(unfrozen(0.9, 0.6, norm="freeze")).remedy


def test_a_fall_there_is_not_told_where_chance_explains_it_or_training_goes_on():
    assert monitor(unfrozen(0.9, 0.77)) == ()
    assert monitor(unfrozen(0.9, 0.6, count=12)) == ()
    assert monitor(unfrozen(0.55, 0.6)) == ()


def test_frozen_tensors_that_moved_are_named():
    proof = PhaseProved("head", 100, ("layer1.0.bn1.running_mean", "layer1.0.bn1.running_var"))
    finding = only(replace(WELL, proofs=(proof,)))
    assert (finding.rule, finding.where) == (
        "frozen-tensor-moved",
        "layer1.0.bn1.running_mean, layer1.0.bn1.running_var",
    )
    assert "2 of 100 frozen tensors changed in phase head, 2 of them buffers" in finding.message


def lp_ft_that_fell() -> History:
    return history(
        train_loss=[0.9, 0.6, 0.9, 0.8],
        loss=[0.8, 0.6, 1.2, 1.0],
        accuracy=[0.75, 0.9, 0.4, 0.5],
        strategy={"kind": "lp_ft", "head_epochs": 2},
        ended=True,
    )


def test_harm_of_an_lr_says_where_it_fell_and_by_how_much_less_it_should_be():
    finding = harm(lp_ft_that_fell(), HarmEvidence("accuracy", 0.5, None, {"layer3": 0.4, "layer4": 0.9}))
    assert (finding.rule, finding.where) == ("below-linear-probe", "optimizer.lr")
    assert "layer4 moved by 90.0% of its pretrained weights at LR 0.0001" in finding.message
    assert "it fell from 90.0% to 40.0% in epoch 2, the first of phase fine-tune" in finding.message
    assert "backbone_divisor: 100} (now 10)" in finding.remedy


def test_harm_of_batch_norm_names_the_stage_whose_statistics_moved_most():
    finding = harm(lp_ft_that_fell(), HarmEvidence("accuracy", 0.5, 0.88, {"layer4": 0.9}))
    assert (finding.where, finding.remedy) == ("norm", "norm: freeze_stats")
    assert (
        "the same weights have 88.0% accuracy instead of 50.0%; those of stem moved by 5.0%"
        in finding.message
    )


def test_batch_norm_is_not_why_where_its_statistics_make_good_little_of_what_is_missing():
    found = replace(lp_ft_that_fell(), floor=scores(0.9, 0.4))
    finding = harm(found, HarmEvidence("accuracy", 0.5, 0.55, {"layer4": 0.9}))
    assert finding.where == "optimizer.lr"
    assert harm(found, HarmEvidence("accuracy", 0.5, 0.75, {"layer4": 0.9})).where == "norm"


def test_weights_that_hardly_moved_want_a_higher_lr():
    finding = harm(WELL, HarmEvidence("accuracy", 0.5, None, {"layer4": 0.001}))
    assert "too low an LR" in finding.message
    assert finding.remedy.startswith("optimizer.lr: 0.01 (now 0.001)")


def test_an_epoch_or_two_say_nothing_against_the_lr_unless_the_weights_went_far():
    short = history([2.4], [2.3], [0.1])
    finding = harm(short, HarmEvidence("accuracy", 0.1, None, {"layer4": 0.006}))
    assert finding.where == "train.epochs"
    assert "after 1 epoch, too few to tell more: layer4 moved by 0.6%" in finding.message
    assert finding.remedy == "train.epochs: 20, or strategy: lp_ft"
    for moved, where in ((0.2, "optimizer.lr"), (0.001, "optimizer.lr")):
        assert harm(short, HarmEvidence("accuracy", 0.1, None, {"layer4": moved})).where == where


@pytest.mark.parametrize(
    ("value", "told"), [(3e-4, "2e-4"), (1e-3, "1e-3"), (0.07, "5e-2"), (1.0, "1"), (20, "2e1")]
)
def test_lrs_are_rounded_down_as_people_write_them(value, told):
    assert rounded(value) == told
    assert float(told) <= value


def test_a_loss_that_rises_is_overfitting_once_the_score_rises_no_more():
    """As with wrong labels: the score rises with the loss at first."""
    train_loss = [2.1, 1.9, 1.4, 1.1, 0.9, 0.7, 0.5, 0.4, 0.3, 0.2, 0.15, 0.1]
    loss = [2.2, 2.1, 2.2, 2.3, 2.5, 2.8, 3.0, 3.3, 3.6, 3.8, 4.1, 4.4]
    accuracy = [0.3, 0.34, 0.42, 0.5, 0.54, 0.53, 0.53, 0.53, 0.53, 0.53, 0.53, 0.53]
    assert monitor(history(train_loss[:10], loss[:10], accuracy[:10], count=90)) == ()
    assert only(history(train_loss[:11], loss[:11], accuracy[:11], count=90)).rule == "overfits"


def test_a_history_without_signals_of_an_older_run_is_read_too():
    epochs = tuple(replace(row, signals=None) for row in OVERFITS.epochs)
    assert only(replace(OVERFITS, epochs=epochs)).rule == "overfits"


def test_the_error_of_a_score_is_that_of_so_many_examples():
    assert WELL.error(Scores(0.5, 0.5, 1.0, 98)) == pytest.approx(0.05)


def test_a_stage_is_found_by_name():
    assert signals(moved=0.3).moved("layer2") == StageDrift("layer2", 0.3, 0.3, 0.3)


SETTING = re.compile(r"\b([a-z_]+(?:\.[a-z_]+)*): (\{[^}]*\}|[\w.-]+)")
"""A recipe path and a value, as remedies write them."""
SICK = [
    OVERFITS,
    flat(2.33, shown=[signals(moved=0.0, head=0.002)] * 8),
    flat(2.30),
    flat(2.30, strategy="feature_extraction"),
    flat(2.30, strategy="feature_extraction", shown=[signals(spread=0.0)] * 8),
    replace(flat(2.30), floor=scores(0.8, 0.7)),
    history([0.9, 3.0], [0.8, 2.6], [0.75, 0.1], shown=[signals(0), signals(moved=9.0, share=1.0)]),
    DIVERGES,
    UNFROZEN,
    history(FALLS, [0.6] * 8, JUMPS, count=40),
    history(FALLS, [0.6] * 8, JUMPS, count=5000, norm="train", train={"epochs": 10, "batch_size": 4}),
    history(FALLS, [0.6] * 8, JUMPS, count=5000, norm="freeze"),
]
HARM = [
    harm(lp_ft_that_fell(), HarmEvidence("accuracy", 0.5, None, {"layer4": 0.9})),
    harm(lp_ft_that_fell(), HarmEvidence("accuracy", 0.5, 0.88, {"layer4": 0.9})),
    harm(WELL, HarmEvidence("accuracy", 0.5, None, {"layer4": 0.001})),
    harm(WELL, HarmEvidence("accuracy", 0.5, None, {"layer4": 0.2})),
    harm(history([2.4], [2.3], [0.1]), HarmEvidence("accuracy", 0.1, None, {"layer4": 0.006})),
]


@pytest.mark.parametrize("finding", [*(only(sick) for sick in SICK), *HARM], ids=lambda finding: finding.rule)
def test_a_remedy_s_values_can_be_put_into_the_recipe_as_they_stand(finding):
    settings = SETTING.findall(finding.remedy)
    assert settings or finding.where == "data"
    made = {"data": "digits", "model": {"backbone": "torchvision/resnet18"}, "strategy": "full"}
    for path, value in settings:
        ftcli.load_recipe(made, [f"{path}={value}"])


DIPS = {
    "train_loss": [1.5, 1.0, 0.8, 0.7, 0.6, 0.5, 0.45, 0.4],
    "loss": [1.2, 0.9, 0.8, 0.9, 0.7, 0.8, 0.65, 0.6],
    "accuracy": [0.5, 0.6, 0.7, 0.6, 0.72, 0.62, 0.74, 0.75],
}


def of_texts(found: History, *, packed: bool = False) -> History:
    """The same numbers, told of texts or of a language model's sequences."""
    inputs = Tokenization(tokenizer="0" * 64, vocabulary=60, max_length=16, packed=packed)
    return replace(found, plan=replace(found.plan, preprocessing=inputs))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("told", "rule"),
    [
        (history(**DIPS, count=40), "validation-noisy"),
        (
            history(
                train_loss=[1.0, 0.5, 0.6, 2.0],
                loss=[1.0, 0.8, 2.3, 2.3],
                accuracy=[0.6, 0.7, 0.1, 0.1],
                shown=[signals()] * 2 + [signals(share=1.0, moved=3.0)] * 2,
            ),
            "collapsed-to-one-class",
        ),
        (
            history(
                train_loss=[2.3] * 8,
                loss=[2.3] * 8,
                accuracy=[0.1] * 8,
                shown=[signals(spread=1e-6)] * 8,
                strategy="feature_extraction",
                ended=True,
            ),
            "nothing-learned",
        ),
    ],
)
def test_of_texts_no_monitor_speaks_of_images(told, rule, packed):
    assert rule in {finding.rule for finding in monitor(told)}
    found = monitor(of_texts(told, packed=packed))
    assert packed or rule in {finding.rule for finding in found}
    assert not [f for f in found if re.search("image|picture", f.message + f.remedy)]
    assert not packed or not [f for f in found if "folds" in f.remedy or "label" in f.remedy]
