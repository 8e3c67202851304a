"""A frozen part that is compiled: what becomes of runs, whatever the disk holds, and where there is no compiler."""

import pytest
import torch

from ftcli.engine import compiled
from ftcli.events import Noticed
from tests.engine.test_compiled import no_compiler  # noqa: F401
from tests.numerics.runs import assert_resumed_is_whole, metrics, run, same_bits
from tests.numerics.test_prefix import pretrained, reuse
from tests.toys import recorder, write_digits

EPOCHS = {"epochs": 3, "batch_size": 8}


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return write_digits(tmp_path_factory.mktemp("digits"), per_class=15, classes=3)


@pytest.fixture(scope="module")
def made_programs(tmp_path_factory):
    """A folder for all tests: what one has compiled the next one finds."""
    return tmp_path_factory.mktemp("programs")


@pytest.fixture(autouse=True)
def _cache(made_programs, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(made_programs))


def made(digits, tmp_path, how="on", **sections):
    return pretrained(digits, tmp_path, runtime={"device": "cpu", "compile": how}, **sections)


def close(one, other):
    """But for what rounding does to two epochs of training."""
    rows = zip(metrics(one), metrics(other), strict=True)
    return all(abs(a["train_loss"] - b["train_loss"]) < 1e-3 for a, b in rows)


@pytest.mark.parametrize(
    "sections",
    [
        {"strategy": "feature_extraction", "augment": "light", "cache": {"views": 2}, "train": EPOCHS},
        {"strategy": {"kind": "lp_ft", "head_epochs": 2}, "train": EPOCHS},
    ],
    ids=["probe, views", "lp_ft"],
)
def test_the_run_is_the_same_but_for_rounding_and_finds_what_it_kept(sections, digits, tmp_path):
    eager = run(made(digits, tmp_path, "off", **sections), tmp_path / "eager")
    cold = run(made(digits, tmp_path, **sections), tmp_path / "cold")
    warm = run(made(digits, tmp_path, **sections), tmp_path / "warm")
    assert (eager.compile, cold.compile) == ("eager", "compiled")
    assert cold.reuse.computed == eager.reuse.computed > 0, "what was kept uncompiled is not taken"
    assert reuse(warm) == (0, cold.reuse.read)
    assert close(tmp_path / "eager", tmp_path / "cold")
    assert same_bits(tmp_path / "cold", tmp_path / "warm")


def test_the_bits_do_not_depend_on_what_the_disk_keeps(digits, tmp_path):
    kept = run(made(digits, tmp_path, strategy="feature_extraction"), tmp_path / "kept")
    anew = run(made(digits, tmp_path, strategy="feature_extraction", cache={"disk_gb": 0}), tmp_path / "anew")
    assert anew.reuse.computed == kept.reuse.computed > 0
    assert same_bits(tmp_path / "kept", tmp_path / "anew")
    assert metrics(tmp_path / "kept") == metrics(tmp_path / "anew")


def test_resumed_equals_uninterrupted(digits, tmp_path):
    asked = made(digits, tmp_path, strategy="feature_extraction", train=EPOCHS, cache={"disk_gb": 0})
    assert_resumed_is_whole(asked, tmp_path, epochs=1)


def test_compiling_is_no_example_s_time(digits, tmp_path, monkeypatch):
    def slow(eager, images, device):
        import time

        time.sleep(2)
        return eager

    monkeypatch.setattr(compiled, "_compiled", slow)
    result = run(made(digits, tmp_path, strategy="feature_extraction"), tmp_path / "run")
    assert result.reuse.seconds > 2
    assert result.reuse.instead < result.reuse.seconds / result.reuse.computed * result.reuse.read / 2


def test_without_a_compiler_the_run_is_the_eager_one(digits, tmp_path, no_compiler):  # noqa: F811
    asked = {"strategy": {"kind": "lp_ft", "head_epochs": 2}, "train": EPOCHS}
    events, tell = recorder()
    run(made(digits, tmp_path, "off", **asked), tmp_path / "eager")
    result = run(made(digits, tmp_path, **asked), tmp_path / "without", tell)
    rules = [event.finding.rule for event in events if isinstance(event, Noticed)]
    assert rules.count("frozen-part-not-compiled") == 1
    assert "frozen-part-not-compiled" in [finding.rule for finding in result.findings]
    assert same_bits(tmp_path / "eager", tmp_path / "without")


def test_weights_that_have_moved_are_compiled_anew(digits, tmp_path):
    """A program holds weights as constants: those of another backbone give other features."""
    one = run(made(digits, tmp_path, strategy="feature_extraction"), tmp_path / "one")
    weights = torch.load(tmp_path / "weights.pth")
    torch.save({name: t * 1.5 if t.ndim == 4 else t for name, t in weights.items()}, tmp_path / "weights.pth")
    eager = run(made(digits, tmp_path, "off", strategy="feature_extraction"), tmp_path / "eager")
    other = run(made(digits, tmp_path, strategy="feature_extraction"), tmp_path / "other")
    assert one.reuse.computed == other.reuse.computed == eager.reuse.computed
    assert close(tmp_path / "eager", tmp_path / "other")
    assert not close(tmp_path / "one", tmp_path / "other")
