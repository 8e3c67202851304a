"""torch's deterministic algorithms are asked for on CUDA alone, and what has none is told."""

from __future__ import annotations

import os
import warnings

import pytest
import torch

from ftcli.engine.determinism import TWO_BUFFERS, WORKSPACE, deterministic, plain_fp32
from ftcli.events import Event, Noticed


@pytest.fixture(autouse=True)
def _no_workspace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WORKSPACE, "")
    monkeypatch.delenv(WORKSPACE)


def put_twice() -> None:
    """An operator that has no deterministic kernel, on a CPU neither."""
    for _ in range(2):
        torch.zeros(3).put_(torch.tensor([0, 0]), torch.tensor([1.0, 2.0]), accumulate=False)


def test_on_a_cpu_nothing_is_asked_for() -> None:
    with deterministic("cpu", pytest.fail):
        assert not torch.are_deterministic_algorithms_enabled()
        put_twice()
    assert WORKSPACE not in os.environ


def test_on_cuda_for_the_time_of_the_work() -> None:
    with deterministic("cuda", pytest.fail):
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
        assert os.environ[WORKSPACE] == TWO_BUFFERS
    assert not torch.are_deterministic_algorithms_enabled()


def test_what_has_no_deterministic_kernel_is_told_once() -> None:
    told: list[Event] = []
    with deterministic("cuda", told.append):
        put_twice()
    (event,) = told
    assert isinstance(event, Noticed)
    assert event.finding.rule == "not-deterministic"
    assert event.finding.message.startswith("put_ has no deterministic kernel")


def test_other_warnings_are_what_they_were() -> None:
    with pytest.warns(UserWarning, match="another"), deterministic("cuda", pytest.fail):
        warnings.warn("another", UserWarning, stacklevel=1)


def test_fp32_is_fp32_for_the_time_of_the_work() -> None:
    cudnn = torch.backends.cudnn
    before = cudnn.allow_tf32
    with plain_fp32("cuda"):
        assert not cudnn.allow_tf32
        assert not torch.backends.cuda.matmul.allow_tf32
    assert cudnn.allow_tf32 == before
    with plain_fp32("cpu"):
        assert cudnn.allow_tf32 == before
