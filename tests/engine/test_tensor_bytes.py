"""The bytes are a safetensors file, whatever is in it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load

from ftcli.engine.tensor_bytes import DTYPES, TensorBytes, tensor_bytes

TENSORS = {
    **{f"of {name}": torch.arange(6).view(2, 3).to(dtype) for dtype, name in DTYPES.items()},
    "scalar": torch.tensor(3.5),
    "empty": torch.zeros(0, 4),
    "channels last": torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last),
    "a view": torch.randn(4, 6).t()[1:3],
    "trains": torch.nn.Parameter(torch.randn(3)),
    "odd": torch.zeros(3, dtype=torch.uint8),
    "größe/\n": torch.ones(1),
}


def joined(made: TensorBytes) -> bytes:
    return b"".join(made.chunks())


def test_every_kind_of_tensor_comes_back() -> None:
    made = tensor_bytes(TENSORS, {"format": "pt"})
    raw = joined(made)
    assert len(raw) == made.size
    found = load(raw)
    assert found.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert found[name].dtype == tensor.dtype, name
        assert torch.equal(found[name], tensor), name


def test_the_metadata_comes_back(tmp_path: Path) -> None:
    metadata = {"format": "pt", "classes": '["ä", "\\n"]'}
    (tmp_path / "x.safetensors").write_bytes(joined(tensor_bytes(TENSORS, metadata)))
    with safe_open(tmp_path / "x.safetensors", framework="pt") as file:
        assert file.metadata() == metadata


def test_the_same_content_is_the_same_bytes_in_whatever_order() -> None:
    turned = dict(reversed(list(TENSORS.items())))
    assert joined(tensor_bytes(TENSORS, {})) == joined(tensor_bytes(turned, {}))


def test_a_dtype_that_the_format_does_not_have() -> None:
    with pytest.raises(KeyError):
        tensor_bytes({"x": torch.zeros(1, dtype=torch.complex128)}, {})
