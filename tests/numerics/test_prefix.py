"""A frozen part that is computed once and kept: the run ends with the same bits as one that computes it every time."""

import json
from contextlib import contextmanager

import pytest

from ftcli.engine.cache.store import Store
from ftcli.events import PhaseStarted, Working
from ftcli.workflows.prepare import prepare
from tests.numerics.runs import Stop, metrics, run, same_bits, stop_after
from tests.toys import VIT, recipe, recorder, write_digits

OFF = {"prefix": "off"}


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return write_digits(tmp_path_factory.mktemp("digits"), per_class=15, classes=3)


def pretrained(folder, tmp_path, backbone="timm/test_resnet", **sections):
    """A recipe that starts from a file of (random) weights, so that it has a floor like any other."""
    import timm
    import torch

    file = tmp_path / "weights.pth"
    if not file.exists():
        torch.manual_seed(0)
        torch.save(timm.create_model(backbone.removeprefix("timm/")).state_dict(), file)
    return recipe(folder, model={"backbone": backbone, "weights": str(file)}, **sections)


CASES = {
    "gradual, mirrored": {
        "strategy": {"kind": "gradual", "head_epochs": 3, "every": 3, "to_stage": "layer3"},
        "augment": "flip",
        "train": {"epochs": 9, "batch_size": 8},
        "runtime": {"device": "cpu", "exact": True},
    },
    "probe": {"strategy": "feature_extraction"},
    "partial": {"strategy": "partial"},
    "partial, batch statistics, two batches a step": {
        "strategy": "partial",
        "norm": "train",
        "train": {"epochs": 2, "batch_size": 8, "accumulation": 2},
    },
    "gradual": {
        "strategy": {"kind": "gradual", "head_epochs": 1, "every": 1},
        "train": {"epochs": 6, "batch_size": 8},
    },
    "lp_ft": {"strategy": {"kind": "lp_ft", "head_epochs": 2}, "train": {"epochs": 3, "batch_size": 8}},
    "drawn, dropout": {
        "strategy": "partial",
        "train": {"epochs": 2, "batch_size": 8, "sampler": "balanced"},
    },
    "drawn, mirrored": {
        "strategy": "partial",
        "augment": "flip",
        "train": {"epochs": 3, "batch_size": 8, "sampler": "balanced"},
        "runtime": {"device": "cpu", "exact": True},
    },
}


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[pytest.mark.slow] if case == "lp_ft" else []) for case in CASES]
)
def test_kept_and_computed_anew_are_the_same_bits(case, digits, tmp_path):
    made = pretrained(digits, tmp_path, **CASES[case])
    assert any(phase.prefix.kept for phase in prepare(made).plan.phases)
    run(made, tmp_path / "kept")
    run(made.model_copy(update={"cache": made.cache.model_copy(update=OFF)}), tmp_path / "anew")
    assert same_bits(tmp_path / "kept", tmp_path / "anew")
    assert metrics(tmp_path / "kept") == metrics(tmp_path / "anew")
    assert scores(tmp_path / "kept") == scores(tmp_path / "anew")


MOBILENET = "timm/mobilenetv2_035"
"""Without SiLU in a squeeze-and-excitation: torch rounds it otherwise at the end of a batch, kept or not."""


@pytest.mark.parametrize("backbone", [pytest.param(MOBILENET, marks=pytest.mark.slow), VIT])
def test_so_they_are_for_other_networks(backbone, digits, tmp_path):
    data = {"kind": "folder", "path": str(digits), "image_size": 160 if backbone == VIT else 32}
    made = pretrained(
        digits, tmp_path, backbone, strategy="partial", data=data, train={"epochs": 2, "batch_size": 8}
    )
    run(made, tmp_path / "kept")
    run(made.model_copy(update={"cache": made.cache.model_copy(update=OFF)}), tmp_path / "anew")
    assert same_bits(tmp_path / "kept", tmp_path / "anew")


def scores(out):
    summary = json.loads((out / "summary.json").read_text())
    return [summary[name] for name in ("floor", "ceiling", "val", "test")]


def test_the_first_epochs_of_repeated_views_are_those_of_fresh_ones(digits, tmp_path):
    """View v is the augmentation of epoch v: as long as none comes again, nothing differs."""
    train = {"epochs": 4, "batch_size": 8}
    made = pretrained(digits, tmp_path, strategy="partial", augment="light", train=train, cache={"views": 2})
    run(made, tmp_path / "kept")
    fresh = made.model_copy(update={"cache": made.cache.model_copy(update={"views": "fresh"})})
    run(fresh, tmp_path / "fresh")
    kept, anew = metrics(tmp_path / "kept"), metrics(tmp_path / "fresh")
    assert kept[:2] == anew[:2]
    assert kept[2:] != anew[2:]


@pytest.mark.parametrize(
    ("strategy", "augment", "sampler"),
    [
        ("partial", "light", "shuffle"),
        pytest.param("partial", "light", "balanced", marks=pytest.mark.slow),
        ("feature_extraction", "flip", "balanced"),
    ],
)
def test_views_that_do_not_fit_are_the_same_ones_computed_again(strategy, augment, sampler, digits, tmp_path):
    train = {"epochs": 4, "batch_size": 8, "sampler": sampler}
    made = pretrained(digits, tmp_path, strategy=strategy, augment=augment, train=train, cache={"views": 2})
    run(made, tmp_path / "kept")
    small = made.model_copy(
        update={
            "runtime": made.runtime.model_copy(update={"image_memory_gb": 0, "workers": 0}),
            "cache": made.cache.model_copy(update={"disk_gb": 0}),
        }
    )
    events, listen = recorder()
    run(small, tmp_path / "anew", listen)
    rules = {event.finding.rule for event in events if hasattr(event, "finding")}
    assert "prefix-too-large" in rules
    assert same_bits(tmp_path / "kept", tmp_path / "anew")


def test_a_run_cut_off_goes_on_from_what_is_kept(digits, tmp_path):
    train = {"epochs": 4, "batch_size": 8}
    made = pretrained(digits, tmp_path, strategy="partial", augment="light", train=train, cache={"views": 2})
    run(made, tmp_path / "whole")
    with pytest.raises(Stop):
        run(made, tmp_path / "cut", stop_after(3))
    run(made, tmp_path / "cut", resume=True)
    assert same_bits(tmp_path / "whole", tmp_path / "cut")


def test_the_floor_says_how_far_the_frozen_part_is(digits, tmp_path, monkeypatch):
    """What takes longest of it is kept for the run: below the stage that trains."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    events, listen = recorder()
    run(
        pretrained(digits, tmp_path, strategy="partial", train={"epochs": 1, "batch_size": 8}),
        tmp_path / "run",
        listen,
    )
    started = next(number for number, event in enumerate(events) if isinstance(event, PhaseStarted))
    told = [event.what for event in events[:started] if isinstance(event, Working)]
    assert {"frozen part below layer4", "frozen part below head", "linear probe"} <= set(told)


ONCE = {
    "probe": "feature_extraction",
    "partial": "partial",
    "gradual": {"kind": "gradual", "head_epochs": 1, "every": 1, "to_stage": "layer2"},
}


@pytest.mark.parametrize("case", ONCE)
def test_the_first_layer_runs_once_for_each_image(case, digits, tmp_path, monkeypatch):
    """Train, val and test, whatever boundaries the floor's probe and the phases of the run have above it.

    Counted by a hook. What is proved is proved on four images, what takes time is looked at on eight.
    """
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = pretrained(digits, tmp_path, strategy=ONCE[case], train={"epochs": 5, "batch_size": 11})
    assert all(phase.prefix.kept for phase in prepare(made).plan.phases)
    with first_layer() as seen:
        run(made, tmp_path / "run")
    assert sum(count for count in seen if count > 4 and count != 8) == 45


def test_nothing_is_kept_ahead_where_the_disk_does_not_hold_it_all(digits, tmp_path, monkeypatch):
    """Each boundary is computed from the images when its phase comes, and kept on the disk until there is another."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    train = {"epochs": 5, "batch_size": 11}
    runtime = {"device": "cpu", "image_memory_gb": 0, "workers": 0}
    made = pretrained(digits, tmp_path, strategy=ONCE["gradual"], train=train, runtime=runtime)
    run(made.model_copy(update={"cache": made.cache.model_copy(update=OFF)}), tmp_path / "anew")
    (images,) = Store(tmp_path / "cache" / "ftcli" / "store", 2**30).entries()
    costs = [phase.prefix.cost.bytes_per_image for phase in prepare(made).plan.phases]
    assert sum(costs) > 1.5 * max(costs)
    tight = {"disk_gb": (images.manifest.bytes + 45 * max(costs) * 1.2) / 2**30}
    events, listen = recorder()
    with first_layer() as seen:
        run(
            made.model_copy(update={"cache": made.cache.model_copy(update=tight)}), tmp_path / "tight", listen
        )
    assert sum(count for count in seen if count > 4 and count != 8) > 2 * 45
    rules = {event.finding.rule for event in events if hasattr(event, "finding")}
    assert not rules & {"prefix-too-large", "cache-full"}
    assert same_bits(tmp_path / "tight", tmp_path / "anew")


def test_what_an_earlier_run_has_left_below_is_gone_on_with(digits, tmp_path, monkeypatch):
    """Its features are gone, what it kept below them is not: folded, it is not mistaken for what is not."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = pretrained(digits, tmp_path, strategy="partial", train={"epochs": 1, "batch_size": 11})
    run(made, tmp_path / "cold")
    store = Store(tmp_path / "cache" / "ftcli" / "store", 2**30)
    for entry in store.entries("features"):
        if len(entry.manifest.shape) == 2:
            assert store.remove(entry)
    with first_layer() as seen:
        again = run(made, tmp_path / "again")
    assert again.reuse.computed > 0
    assert not [count for count in seen if count > 4 and count != 8]
    assert same_bits(tmp_path / "cold", tmp_path / "again")
    assert scores(tmp_path / "cold") == scores(tmp_path / "again")


def test_what_does_not_fit_is_told_once(digits, tmp_path, monkeypatch):
    """Of each boundary, though the floor, phases and predictions all ask for it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    small = {"runtime": {"device": "cpu", "image_memory_gb": 0, "workers": 0}, "cache": {"disk_gb": 1e-5}}
    train = {"epochs": 5, "batch_size": 8}
    made = pretrained(digits, tmp_path, strategy=ONCE["gradual"], train=train, **small)
    events, listen = recorder()
    run(made, tmp_path / "run", listen)
    too_large = [event.finding.message for event in events if rule_of(event)]
    assert len(too_large) == len(set(too_large)) > 1


def rule_of(event):
    return hasattr(event, "finding") and event.finding.rule == "prefix-too-large"


@contextmanager
def first_layer():
    """How many images go through it at a time; not those that stand for images below a cut."""
    from torch import nn

    seen = []

    def count(module, arguments):
        if isinstance(module, nn.Conv2d) and module.in_channels == 3 and arguments[0].stride()[0] != 0:
            seen.append(len(arguments[0]))

    handle = nn.modules.module.register_module_forward_pre_hook(count)
    try:
        yield seen
    finally:
        handle.remove()


def test_the_frozen_part_runs_once_for_each_image_in_memory_too(digits, tmp_path, monkeypatch):
    monkeypatch.setenv("FTCLI_CACHE_GB", "0")
    with first_layer() as seen:
        made = pretrained(
            digits, tmp_path, strategy="feature_extraction", train={"epochs": 6, "batch_size": 8}
        )
        run(made, tmp_path / "run")
    assert 45 <= sum(seen) < 45 + 60, "45 images, and a few to find and prove the cut"


def reuse(result):
    return result.reuse.computed, result.reuse.read


def test_the_next_run_finds_what_this_one_kept(digits, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    train = {"epochs": 4, "batch_size": 8}
    made = pretrained(digits, tmp_path, strategy="partial", augment="light", train=train, cache={"views": 2})
    cold, warm = run(made, tmp_path / "cold"), run(made, tmp_path / "warm")
    computed, read = reuse(cold)
    assert computed > 0
    assert reuse(warm) == (0, read)
    assert same_bits(tmp_path / "cold", tmp_path / "warm")
    assert scores(tmp_path / "cold") == scores(tmp_path / "warm")


def test_what_lies_folded_on_the_disk_is_not_folded_again(digits, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = pretrained(digits, tmp_path, strategy="partial", train={"epochs": 1, "batch_size": 8})
    assert prepare(made).plan.fold_bn == "folded"
    cold = run(made, tmp_path / "cold")

    def fold_below(*_):
        raise AssertionError("a fold takes forward passes")

    monkeypatch.setattr("ftcli.engine.prefix_cache.fold_below", fold_below)
    warm = run(made, tmp_path / "warm")
    assert cold.reuse.computed > warm.reuse.computed == 0
    assert same_bits(tmp_path / "cold", tmp_path / "warm")
    assert scores(tmp_path / "cold") == scores(tmp_path / "warm")


def test_mirror_images_are_those_of_every_seed(digits, tmp_path, monkeypatch):
    """And plain ones those of a run that augments nothing."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    split = tmp_path / "split.json"
    train = {"epochs": 3, "batch_size": 8}

    def made(seed, augment):
        kind = {"split": {"file": str(split)}} if split.exists() else {}
        data = {"kind": "folder", "path": str(digits), "image_size": 32, **kind}
        sections = {"strategy": "feature_extraction", "augment": augment, "train": train}
        return pretrained(digits, tmp_path, data=data, seed=seed, **sections)

    plain = run(made(0, "none"), tmp_path / "plain")
    split.write_text((tmp_path / "plain" / "split.json").read_text())
    first, second = (run(made(seed, "flip"), tmp_path / f"seed {seed}") for seed in (0, 1))
    count = len(json.loads(split.read_text())["streams"]["train"])
    assert plain.reuse.computed > count
    assert (first.reuse.computed, second.reuse.computed) == (count, 0)
    assert not same_bits(tmp_path / "seed 0", tmp_path / "seed 1")


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        pytest.param({"train": {"epochs": 4, "batch_size": 12}}, marks=pytest.mark.slow),
        pytest.param({"augment": {"kind": "light", "flip": False}}, marks=pytest.mark.slow),
        {"data": {"kind": "folder", "image_size": 48}},
    ],
    ids=["seed", "batch size", "augmentation", "image size"],
)
def test_another_run_does_not(change, digits, tmp_path, monkeypatch):
    """Of views everything is computed anew that anything could change; so it is of another size of image."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    if "data" in change:
        change = {"data": {**change["data"], "path": str(digits)}}
    given = {"train": {"epochs": 4, "batch_size": 8}, "augment": "light", "cache": {"views": 2}}
    cold = run(pretrained(digits, tmp_path, strategy="partial", **given), tmp_path / "cold")
    other = run(pretrained(digits, tmp_path, strategy="partial", **{**given, **change}), tmp_path / "other")
    views = 2 * (45 - 2 * 7)
    assert other.reuse.computed >= views // 2
    assert cold.reuse.computed >= views // 2


def test_what_is_kept_is_not_asked_for_where_the_disk_is_out(digits, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = pretrained(digits, tmp_path, strategy="partial", cache={"disk_gb": 0})
    first, second = run(made, tmp_path / "first"), run(made, tmp_path / "second")
    assert reuse(first) == reuse(second)
    assert not (tmp_path / "cache" / "ftcli" / "store").exists()
    assert same_bits(tmp_path / "first", tmp_path / "second")
