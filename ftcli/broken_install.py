"""An error of importing torch or its company, told as what it is: an installation to be mended."""

from __future__ import annotations

from ftcli.errors import MachineError

WITH_TORCH = (
    "install both together, from the same place and for the same CUDA: "
    "pip install --force-reinstall torch torchvision"
)
PACKAGES = ("torch", "torchvision", "timm", "numpy", "PIL", "sklearn", "safetensors")
"""As they are imported; none of them is optional."""


def broken_install(error: BaseException) -> MachineError | None:
    """What is wrong with the installation that this error, or one that it came from, is the sign of; None of others."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        found = _told(cause)
        if found is not None:
            return found
        cause = cause.__cause__ or cause.__context__
    return None


def _told(error: BaseException) -> MachineError | None:
    text = str(error).strip().partition("\n")[0]
    if isinstance(error, (RuntimeError, ImportError)) and "torchvision::" in text and "not exist" in text:
        what = f"torch and torchvision do not belong together: {text}"
        return MachineError(what, remedy=f"{WITH_TORCH}; then ftcli doctor")
    package = (getattr(error, "name", None) or "").partition(".")[0]
    if isinstance(error, ImportError) and package in PACKAGES:
        what = f"{package} is not installed, or broken: {text}"
        return MachineError(what, remedy="pip install --force-reinstall ftcli; then ftcli doctor")
    if isinstance(error, OSError) and _is_library(text):
        return MachineError(
            f"a library of torch cannot be loaded: {text}", remedy=f"{WITH_TORCH}; then ftcli doctor"
        )
    return None


def _is_library(text: str) -> bool:
    """What the dynamic loader says of libtorch, libcudart and the like."""
    return "cannot open shared object file" in text or "undefined symbol" in text
