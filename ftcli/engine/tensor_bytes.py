"""Tensors as the bytes of a safetensors file, one after the other: nothing is copied to be written or checked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ftcli.engine.cache.mapping import raw_bytes

DTYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
_ALIGNMENT = 8


@dataclass(frozen=True)
class TensorBytes:
    """The same tensors and metadata are the same bytes, always."""

    header: bytes
    tensors: tuple[Tensor, ...]

    @property
    def size(self) -> int:
        return len(self.header) + sum(_num_bytes(tensor) for tensor in self.tensors)

    def chunks(self) -> Iterator[memoryview]:
        yield memoryview(self.header)
        yield from map(raw_bytes, self.tensors)


def tensor_bytes(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> TensorBytes:
    """Large elements first, so that each tensor starts at a multiple of its element. Raises KeyError for a dtype
    that the format does not have."""
    order = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    said: dict[str, object] = {"__metadata__": dict(metadata)}
    end = 0
    for name in order:
        start, end = end, end + _num_bytes(tensors[name])
        shape, dtype = list(tensors[name].shape), DTYPES[tensors[name].dtype]
        said[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return TensorBytes(len(text).to_bytes(8, "little") + text, tuple(tensors[name] for name in order))


def _num_bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
