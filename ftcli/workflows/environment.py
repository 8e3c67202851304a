"""What a run ran on: enough to tell two machines apart."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ftcli.plans.training_plan import Machine

PACKAGES = (
    "torch",
    "torchvision",
    "timm",
    "transformers",
    "datasets",
    "peft",
    "bitsandbytes",
    "numpy",
    "pillow",
    "safetensors",
    "scikit-learn",
    "torchmetrics",
)


def environment(machine: Machine) -> dict[str, Any]:
    """Versions, processor and device, for environment.json."""
    return {
        "ftcli": _version("ftcli"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "device": machine.device,
        "gpu": _gpu_name() if machine.device == "cuda" else None,
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _gpu_name() -> str:
    import torch

    return torch.cuda.get_device_name()
