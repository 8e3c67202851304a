"""The frozen part as a program: the same but for rounding, for whole batches, and only where there is one to be had."""

import pytest
import torch

from ftcli.engine import compiled
from ftcli.engine.compiled import MOST_ERROR, NotCompiled, Programs
from ftcli.engine.cut import highest_cut
from ftcli.engine.freeze import enter_eval_mode
from ftcli.engine.precision import autocast
from ftcli.events import Working
from tests.cuts import boundaries, forward_of, some_images
from tests.engine.test_cut import opened
from tests.toys import ignore, recorder

BATCH = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Of kernels: what one test has compiled the next one finds."""
    return tmp_path_factory.mktemp("programs")


@pytest.fixture(autouse=True)
def _apart(folder, monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(folder))


@pytest.fixture
def no_compiler(monkeypatch, tmp_path):
    monkeypatch.setenv("CXX", str(tmp_path / "no such compiler"))
    compiled._compiler.cache_clear()
    yield
    compiled._compiler.cache_clear()


def programs(tell=ignore):
    return Programs(BATCH, "cpu", tell)


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
    assert error <= MOST_ERROR
    assert events == [Working("compiling the frozen part", 0)]
    assert made.seconds > 0
    assert torch.equal(made.way("weights", cut.prefix)(images), way(images))
    assert len(events) == 1, "compiled once for all passes"
    strided = images.to(memory_format=torch.channels_last)
    assert torch.equal(way(strided), way(images))


@torch.no_grad()
def test_in_bf16_it_is_as_near_to_fp32():
    cut, images = cut_of()
    exact = cut.prefix(images)
    with autocast("bf16", "cpu"):
        own, made = cut.prefix(images), programs().way("weights", cut.prefix)(images)
    far, near = ((one - exact).norm() for one in (own, made))
    assert 0 < near <= compiled.MOST_MORE * far + MOST_ERROR * exact.norm()
    assert made.dtype == own.dtype


@torch.no_grad()
def test_other_weights_are_another_program():
    made, images = programs(), torch.ones(BATCH, 4)

    def times(number):
        return made.way(f"times {number}", lambda images: images.float() * number)

    two, three = times(2), times(3)
    assert [way(images)[0, 0].item() for way in (two, three, two)] == [2, 3, 2]


def test_what_is_not_the_same_is_not_used(monkeypatch):
    monkeypatch.setattr(
        compiled, "_compiled", lambda eager, images, device: lambda images: eager(images) * 1.001
    )
    with pytest.raises(NotCompiled, match="would move") as caught:
        programs().way("weights", lambda images: images.float())(torch.ones(BATCH, 4))
    assert caught.value.finding.rule == "frozen-part-not-compiled"


def test_what_cannot_be_recorded_is_told():
    def by_value(images):
        return images.float() if images.sum() > 0 else images.double()

    with pytest.raises(NotCompiled, match=r"data-dependent|value"):
        programs().way("weights", by_value)(torch.ones(BATCH, 4))


def test_without_a_compiler(no_compiler):
    with pytest.raises(NotCompiled, match=r"no C\+\+ compiler"):
        programs().way("weights", lambda images: images.float())(torch.ones(BATCH, 4))


def test_where_torch_is_told_not_to_compile(monkeypatch):
    monkeypatch.setenv("TORCH_COMPILE_DISABLE", "1")
    with pytest.raises(NotCompiled, match="TORCH_COMPILE_DISABLE"):
        programs().way("weights", lambda images: images.float())(torch.ones(BATCH, 4))


def short_of_memory(after):
    """An identity that finds none from the so-and-so-many-th call on."""
    calls = 0

    def run(images):
        nonlocal calls
        calls += 1
        if calls > after:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return images.float()

    return run


def test_where_the_network_itself_has_no_memory_the_batch_is_halved():
    with pytest.raises(torch.OutOfMemoryError):
        programs().way("weights", short_of_memory(0))(torch.ones(BATCH, 4))


def test_where_compiling_has_none_the_network_may():
    with pytest.raises(NotCompiled, match="out of memory"):
        programs().way("weights", short_of_memory(2))(torch.ones(BATCH, 4))


def test_its_name_says_who_compiled(no_compiler, monkeypatch):
    without = programs().name
    monkeypatch.delenv("CXX")
    compiled._compiler.cache_clear()
    assert programs().name != without
    assert programs().name.startswith("compiled by ")
