"""What decides the bytes of an entry, put into one name. Pure: whatever is left out here is never asked for again."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Mapping
from functools import cache
from hashlib import sha256
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ftcli.plans.inputs import Inputs

BLOCK = 2**20
IMAGES_VERSION = 1
"""Raised whenever `engine.images.prepare` would give other pixels."""
LIBRARIES = ("torch", "torchvision", "pillow", "numpy")
DECODERS = ("jpg", "libtiff", "webp")


@cache
def versions() -> Mapping[str, str]:
    """Of everything that turns a file into numbers: another one may round otherwise."""
    from PIL import features

    found = {name: version(name) for name in LIBRARIES}
    found |= {name: str(features.version(name)) for name in DECODERS}
    ours = import_module("ftcli").__version__  # by name: the package's face stands above this room
    return found | {"ftcli": ours, "images": str(IMAGES_VERSION), "machine": platform.machine()}


def of_file(path: Path) -> bytes:
    """Its content, 32 bytes. Raises OSError."""
    digest = sha256()
    with path.open("rb", buffering=0) as file:
        while block := file.read(BLOCK):  # whatever it is called, it may be of any size
            digest.update(block)
    return digest.digest()


def of_pixels(image_CHW: Tensor) -> bytes:
    """The content of an image that is in no file of its own, 32 bytes: of what it looks like, prepared."""
    raw = image_CHW.detach().to("cpu").contiguous()
    return sha256(f"{raw.dtype} {tuple(raw.shape)} ".encode() + raw.numpy().tobytes()).digest()


def of_preparation(preprocessing: Inputs, max_pixels: int, made_with: Mapping[str, str]) -> str:
    """How an image becomes prepared pixels.

    `max_pixels`: an image that a recipe refuses must not come from a run of one that took it.
    What is done later, normalising and the order of channels, is part of it too: it costs nothing but room.
    """
    return _digest(preprocessing=preprocessing.to_dict(), max_pixels=max_pixels, versions=dict(made_with))


def of_images(preparation: str, contents: Iterable[bytes]) -> str:
    """Prepared images as a set."""
    return _digest(preparation=preparation, contents=sorted(content.hex() for content in contents))


def of_examples(contents: Iterable[bytes]) -> str:
    """Examples in their order."""
    return sha256(b"".join(contents)).hexdigest()


def of_features(
    *,
    examples: str,
    preparation: str,
    prefix: str,
    precision: str,
    batch_size: int,
    at_once: int | None = None,
    device: str,
    seed: int = 0,
    view: int = 0,
    augment: Mapping[str, Any] | None = None,
    made_with: Mapping[str, str],
) -> str:
    """What the first layers of a network make of examples.

    `prefix` is a digest of their weights and of what they are; `augment` None where images are shown as evaluation
    sees them. A network may round otherwise in a batch of another size, or in parts of one, and on another device.
    """
    return _digest(
        examples=examples,
        preparation=preparation,
        prefix=prefix,
        precision=precision,
        batch_size=batch_size,
        at_once=at_once,
        device=device,
        seed=seed,
        view=view,
        augment=None if augment is None else dict(augment),
        versions=dict(made_with),
    )


def of_effect(**parts: object) -> str:
    """What another precision makes of a network's features; the parts are whatever decides it."""
    return _digest(**parts)


def device_name(device: str) -> str:
    """Which arithmetic a device has: "cpu AVX512 1 threads", "cuda NVIDIA H200"."""
    if device.startswith("cuda"):
        return f"cuda {torch.cuda.get_device_name(device)} {torch.version.cuda}"
    capability = torch.backends.cpu.get_cpu_capability()
    return f"{device} {capability} {torch.get_num_threads()} threads"


def _digest(**parts: Any) -> str:
    return sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
