"""Tensors that hold NaN or infinity, by name."""

import math
from contextlib import nullcontext

import pytest
import torch
from torch import nn

from ftcli.engine.finite import first_non_finite, refuse_non_finite, refuse_non_finite_model
from ftcli.errors import NonFiniteError


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_the_first_by_name(value, dtype):
    state = {
        "a": torch.ones(3),
        "count": torch.tensor(3),
        "b": torch.ones(5, dtype=dtype),
        "none": torch.empty(0),
    }
    assert first_non_finite(state) is None
    state["b"][4] = value
    with pytest.raises(NonFiniteError, match="the weight b is not finite"):
        refuse_non_finite(state, "weight")


def test_numbers_whose_norm_overflows_are_finite():
    assert first_non_finite({"large": torch.full((4,), 3e38)}) is None


@pytest.mark.parametrize("moved", [True, False])
@pytest.mark.parametrize("name", ["0.weight", "1.weight", "1.running_mean"])
def test_of_a_model_what_is_frozen_is_looked_at_once(name, moved):
    """It does not move; a buffer may, whatever trains."""
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    model[0].requires_grad_(False)
    with torch.no_grad():
        model.state_dict()[name][0] = math.nan
    passed_over = name == "0.weight" and moved
    with nullcontext() if passed_over else pytest.raises(NonFiniteError, match=name):
        refuse_non_finite_model(model, moved=moved)
