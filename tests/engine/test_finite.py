"""Tensors that hold NaN or infinity, by name."""

import math

import pytest
import torch

from ftcli.engine.finite import first_non_finite, refuse_non_finite
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
