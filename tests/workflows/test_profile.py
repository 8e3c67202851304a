"""A run that is profiled is the same run, and its profile is all of its time."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from ftcli.engine import stopwatch
from ftcli.engine.prefix_cost import forward_flops
from ftcli.engine.stopwatch import profiling
from ftcli.plans.prefix import FrozenPrefix, PrefixCost
from ftcli.plans.profile import Part, Profile
from ftcli.workflows.open_network import open_network
from ftcli.workflows.profile import _compute, _passes, profile_of
from tests.numerics.runs import metrics, run, same_bits
from tests.toys import recipe

SECTIONS = {"strategy": {"kind": "lp_ft", "head_epochs": 1}, "augment": "light", "cache": {"disk_gb": 0}}


@pytest.fixture(scope="module")
def runs(digits, tmp_path_factory):  # type: ignore[no-untyped-def]
    """A run while nobody profiles and may read the stopwatch's clock, and the same run profiled."""
    patch, out = pytest.MonkeyPatch(), tmp_path_factory.mktemp("profile")
    with patch.context() as patched:
        patched.setattr(stopwatch, "perf_counter", None)
        assert run(recipe(digits, **SECTIONS), out / "plain").profile is None
    with profiling():
        result = run(recipe(digits, **SECTIONS), out / "profiled")
    return out, result


def test_the_bits_are_the_same(runs) -> None:  # type: ignore[no-untyped-def]
    out, _ = runs
    assert same_bits(out / "plain", out / "profiled")
    assert metrics(out / "plain") == metrics(out / "profiled")


def test_the_parts_are_all_of_the_time_and_their_images_are_counted(runs) -> None:  # type: ignore[no-untyped-def]
    profile = runs[1].profile
    assert sum(part.seconds for part in profile.parts) == pytest.approx(profile.seconds, abs=1e-3)
    images = {part.path: part.images for part in profile.parts}
    train, val, test = 56, 12, 12
    for phase, epochs in (("phase head", 1), ("phase fine-tune", 1)):
        assert images[phase, "forward"] == images[phase, "backward"] == epochs * train
        assert images[phase, "evaluation"] == epochs * val
    assert images["phase fine-tune", "batches", "augment"] == train
    assert images["testing",] == test
    assert {part.path: part.images for part in profile.beside}["decode",] == train + val + test
    there = {path[-1] for path in images if path}
    assert there >= {"opening", "reading images", "optimizer", "checkpoint", "proof", "report", "audit"}


def test_the_computing_is_counted(runs) -> None:  # type: ignore[no-untyped-def]
    out, result = runs
    plan = json.loads((out / "profiled" / "plan.json").read_text())
    below = plan["phases"][0]["prefix"]["cost"]["share"]
    whole = forward_flops(open_network(recipe(out, **SECTIONS), 4))
    computed = result.profile.compute
    assert computed.flops == pytest.approx(56 * whole * (below + 3 * (1 - below)) + 56 * whole * 3)
    assert 0 < computed.share < 10
    assert computed.precision == "fp32"


@pytest.mark.parametrize("fault", [RuntimeError("DefaultCPUAllocator: can't allocate memory"), MemoryError()])
def test_a_machine_that_cannot_be_measured_costs_the_measure_alone(
    fault: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes last: the run would be lost for it."""

    def compute(work: object, profile: object) -> None:
        raise fault

    monkeypatch.setattr("ftcli.workflows.profile._compute", compute)
    with profiling(), stopwatch.span("work"):
        profile = profile_of(None)  # type: ignore[arg-type]
    assert profile.compute is None
    assert ("work",) in {part.path for part in profile.parts}


@pytest.mark.parametrize(
    ("boundary", "views", "kept", "passes"),
    [(0, 0, True, 3.0), (2, 1, True, 0.75), (2, 1, False, 1.5), (2, 0, True, 1.5)],
)
def test_what_is_kept_is_not_computed_again(boundary: int, views: int, kept: bool, passes: float) -> None:
    cost = PrefixCost(0.75, 4) if boundary else None
    phase = SimpleNamespace(prefix=FrozenPrefix(boundary, views, "", cost))
    assert _passes(phase, kept=kept) == passes
    assert _passes(SimpleNamespace(prefix=FrozenPrefix(2, views, "")), kept=kept) is None


@pytest.mark.parametrize("from_kept", [True, False])
def test_a_phase_counts_by_what_it_was_fed_with(from_kept: bool, tmp_path) -> None:  # type: ignore[no-untyped-def]
    """The floor's features may fit into memory where a phase's activations do not."""
    network = open_network(recipe(tmp_path), 4)
    phase = SimpleNamespace(name="head", prefix=FrozenPrefix(2, 1, "", PrefixCost(0.75, 4)))
    plan = SimpleNamespace(phases=[phase], precision="fp32")
    names = {"head"} if from_kept else set()
    work = SimpleNamespace(network=network, plan=plan, from_kept=names, device="cpu")
    parts = tuple(Part(("phase head", step), 1.0, 8) for step in ("forward", "backward"))
    computed = _compute(work, Profile(2.0, parts, ()))  # type: ignore[arg-type]
    assert computed is not None
    assert computed.flops == pytest.approx(8 * forward_flops(network) * (0.75 if from_kept else 1.5))


def test_the_summary_of_a_run_that_is_complete_has_it_still(runs) -> None:  # type: ignore[no-untyped-def]
    out, result = runs
    again = run(recipe(out), out / "profiled", resume=True)
    assert again.profile == result.profile
    assert run(recipe(out), out / "plain", resume=True).profile is None
