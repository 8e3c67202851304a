"""The frozen part as a program: the same but for rounding, for whole batches, and only where there is one to be had."""

import pytest
import torch

from ftcli.engine import compiled
from ftcli.engine.compiled import MOST_ERROR, NotCompiled, Programs
from ftcli.engine.cut import highest_cut
from ftcli.engine.freeze import enter_eval_mode
from ftcli.events import Working
from tests.cuts import boundaries, forward_of, some_images
from tests.engine.test_cut import opened
from tests.toys import recorder

BATCH = 3


@pytest.fixture
def no_compiler(monkeypatch, tmp_path):
    monkeypatch.setenv("CXX", str(tmp_path / "no such compiler"))
    compiled._compiler.cache_clear()
    yield
    compiled._compiler.cache_clear()


def programs(tell=lambda event: None):
    return Programs(1, BATCH, "fp32", "cpu", tell)


def cut_of(backbone="timm/test_resnet"):
    """Below the highest stage: what crosses there lies between modules."""
    network = opened(backbone)
    images = some_images(network)
    cut = highest_cut(network, forward_of(network), boundaries(network)[1], images)
    enter_eval_mode(network)
    return cut, torch.cat([images] * BATCH)[:BATCH]


@torch.no_grad()
def test_whole_batches_are_the_same_but_for_rounding_and_others_in_every_bit():
    cut, images = cut_of()
    events, tell = recorder()
    made = programs(tell)
    way = made.way("weights", cut.prefix)
    assert torch.equal(way(images[:2]), cut.prefix(images[:2]))
    assert not events
    exact = cut.prefix(images)
    error = (way(images) - exact).norm() / exact.norm()
    assert error <= MOST_ERROR["fp32"]
    assert events == [Working("compiling the frozen part", 0)]
    assert made.seconds > 0
    assert torch.equal(made.way("weights", cut.prefix)(images), way(images))
    assert len(events) == 1, "compiled once for all passes"


def test_what_is_not_the_same_is_not_used(monkeypatch):
    monkeypatch.setitem(MOST_ERROR, "fp32", -1.0)
    with pytest.raises(NotCompiled, match="would move") as caught:
        programs().way("weights", lambda images: images.float().mul(2))(torch.ones(BATCH, 4))
    assert caught.value.finding.rule == "frozen-part-not-compiled"


def test_what_cannot_be_recorded_is_told():
    def by_value(images):
        return images.float() if images.sum() > 0 else images.double()

    with pytest.raises(NotCompiled, match=r"data-dependent|value"):
        programs().way("weights", by_value)(torch.ones(BATCH, 4))


def test_without_a_compiler(no_compiler):
    with pytest.raises(NotCompiled, match=r"no C\+\+ compiler"):
        programs().way("weights", lambda images: images.float())(torch.ones(BATCH, 4))


def test_memory_that_ends_is_no_reason_not_to_compile():
    """It is for the batch to be halved."""

    def too_much(images):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with pytest.raises(torch.OutOfMemoryError):
        programs().way("weights", too_much)(torch.ones(BATCH, 4))


def test_its_name_says_who_compiled(no_compiler, monkeypatch):
    without = programs().name
    monkeypatch.delenv("CXX")
    compiled._compiler.cache_clear()
    assert programs().name != without
    assert programs().name.startswith("compiled below 1 by ")
