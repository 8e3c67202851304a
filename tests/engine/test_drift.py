"""How far a network has moved: exact where it can be computed by hand, and without a trace."""

from __future__ import annotations

import math

import pytest
import torch

from ftcli.engine.drift import DriftMeter, cadence_of, distance, relative_change, start_of
from ftcli.engine.features import gram, stage_features
from ftcli.engine.work import Work
from ftcli.workflows.decoded import image_batches
from ftcli.workflows.prepare import prepare
from tests.report.report_samples import plan
from tests.toys import EFFICIENTNET, RESNET, VIT, ignore, recipe


def work_of(digits, backbone=RESNET, **sections):  # type: ignore[no-untyped-def]
    """A plan so long that features may be looked at."""
    long = {"epochs": 30, "batch_size": 8}
    made = recipe(digits, model={"backbone": backbone, "weights": "none"}, train=long, **sections)
    prepared = prepare(made)
    batches = image_batches(made, prepared, lambda done, total: None)
    return Work(prepared.plan, prepared.network, batches, prepared.augment, ignore)


def features(seed: int, count: int = 40, width: int = 100) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def test_the_change_is_relative_to_the_first_values_over_all_tensors():
    start = {"a": torch.tensor([3.0, 0.0]), "b": torch.tensor([0.0, 4.0])}
    now = {"a": torch.tensor([3.0, 0.3]), "b": torch.tensor([0.4, 4.0]), "c": torch.tensor([12.0])}
    assert relative_change(["a", "b"], now, start) == pytest.approx(0.5 / 5)
    assert relative_change(["a", "b", "c"], now, start) == pytest.approx(0.5 / 13), "what cannot move counts"
    assert relative_change(["c"], now, start) == 0


def test_features_that_are_turned_and_stretched_are_the_same():
    turned, _ = torch.linalg.qr(features(1, 100))
    one = features(0)
    assert distance(gram(one), gram(7 * one @ turned + 3)) == pytest.approx(0, abs=1e-5)


def test_unrelated_features_are_far_apart_even_of_few_images():
    """The plain estimate of CKA would call 40 images of 1,000 features nearly the same."""
    one, other = features(0, width=1000), features(1, width=1000)
    found = distance(gram(one), gram(other))
    assert found is not None
    assert found > 0.9
    near = distance(gram(one), gram(one + 0.2 * other))
    assert near is not None
    assert 0 < near < 0.1


def test_features_that_do_not_differ_have_no_distance():
    assert distance(gram(features(0)), gram(torch.ones(40, 3))) is None
    assert distance(gram(features(0)), gram(torch.full((40, 3), math.nan))) is None
    assert distance(gram(features(0)), None) is None


@pytest.mark.parametrize("backbone", [RESNET, EFFICIENTNET, VIT])
def test_each_stage_of_the_backbone_has_features(backbone, digits):
    work = work_of(digits, backbone)
    images = next(iter(work.batches.evaluation("val"))).inputs[:6]
    work.network.model.eval()
    found = stage_features(work.network, lambda: work.forward(images))
    assert tuple(found) == work.network.layer_map.backbone_stages
    assert all(kept.shape == (6, 6) for kept in found.values())
    assert not any(module._forward_hooks for module in work.network.model.modules())


def test_the_features_of_a_stage_are_those_that_the_next_one_gets(digits):
    work = work_of(digits)
    images = next(iter(work.batches.evaluation("val"))).inputs
    seen = []
    model = work.network.model.eval()
    handle = model.get_submodule("layer3").register_forward_pre_hook(
        lambda module, given: seen.append(given[0])
    )
    with torch.no_grad():
        found = stage_features(work.network, lambda: work.forward(images))
    handle.remove()
    assert torch.equal(found["layer2"], gram(seen[0]))


def test_a_measurement_leaves_no_trace(digits):
    work = work_of(digits, norm="train")
    state = {name: tensor.clone() for name, tensor in work.network.model.state_dict().items()}
    random = torch.get_rng_state()
    meter = DriftMeter(work, start_of(work.network, work.plan))
    found = meter.measure(features=True)
    assert [stage.stage for stage in found] == list(work.network.layer_map.stages)
    assert all(stage.weights == 0 and not stage.statistics for stage in found)
    assert all(stage.features == pytest.approx(0, abs=1e-9) for stage in found[:-1])
    assert found[-1].features is None, "a head has outputs, no features"
    assert all(torch.equal(state[name], tensor) for name, tensor in work.network.model.state_dict().items())
    assert torch.equal(random, torch.get_rng_state())


def test_what_moved_is_found_in_its_stage_and_in_the_features_above(digits):
    work = work_of(digits, norm="train")
    meter = DriftMeter(work, start_of(work.network, work.plan))
    with torch.no_grad():
        for name, parameter in work.network.model.named_parameters():
            if (
                name.startswith("layer3.0.downsample") and parameter.ndim == 4
            ):  # the other branch begins at zero
                parameter.normal_()
        work.network.model.get_buffer("layer3.0.bn1.running_mean").add_(1)
    found = {stage.stage: stage for stage in meter.measure(features=True)}
    moved = {name for name, stage in found.items() if stage.weights}
    assert moved == {"layer3"}
    assert {name for name, stage in found.items() if stage.statistics} == {"layer3"}
    assert found["layer2"].features == pytest.approx(0, abs=1e-9)
    assert found["layer3"].features > 0.001
    assert found["layer4"].features > 0.001


def test_features_are_looked_at_after_the_last_epoch_and_where_the_cadence_says_so(digits):
    work = work_of(digits)
    meter, (phase,) = DriftMeter(work, start_of(work.network, work.plan)), work.plan.phases
    looked = [meter.after_epoch(epoch, phase)[0].features is not None for epoch in range(phase.epochs)]
    assert looked[-1]
    assert looked == [(epoch + 1) % meter.cadence.every == 0 for epoch in range(phase.epochs - 1)] + [True]


def test_a_run_that_goes_on_measures_from_the_same_start(digits):
    first, later = work_of(digits), work_of(digits)
    start = start_of(later.network, later.plan)
    meter = DriftMeter(first, start_of(first.network, first.plan))
    for work in (first, later):
        torch.manual_seed(0)
        with torch.no_grad():
            for parameter in work.network.model.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
    assert DriftMeter(later, start).measure(features=True) == meter.measure(features=True)


def test_a_linear_probe_copies_the_head_alone_and_looks_at_no_features(digits):
    work = work_of(digits, strategy="feature_extraction")
    start = start_of(work.network, work.plan)
    assert set(start) == {"fc.weight", "fc.bias"}
    meter = DriftMeter(work, start)
    assert [(stage.stage, stage.features) for stage in meter.measure(features=True)] == [("head", None)]


def test_what_lies_below_the_first_stage_that_trains_is_left_out(digits):
    work = work_of(digits, strategy={"kind": "partial", "last_stages": 1})
    found = DriftMeter(work, start_of(work.network, work.plan)).measure(features=True)
    assert [stage.stage for stage in found] == ["layer4", "head"]


@pytest.mark.parametrize(
    ("num_train", "epochs", "images", "every"),
    [(400, 10, 32, 10), (10_000, 10, 32, 1), (1_000, 30, 32, 2), (300, 3, 9, 3), (140, 4, 0, 4)],
)
def test_so_many_images_that_they_are_a_small_part_of_the_training(num_train, epochs, images, every):
    made = plan("full", num_train=num_train, train={"epochs": epochs, "batch_size": 32})
    cadence = cadence_of(made)
    assert (cadence.images, cadence.every) == (images, every)
    measured = cadence.images * (epochs // cadence.every + 2)
    assert measured <= 0.01 * 3 * num_train * epochs


def test_each_phase_that_trains_the_backbone_is_one_more_time_to_look():
    train = {"epochs": 12, "batch_size": 32}
    one, several = (
        cadence_of(plan(strategy, num_train=200, train=train)) for strategy in ("full", "gradual")
    )
    assert (one.images, several.images) == (24, 9)
