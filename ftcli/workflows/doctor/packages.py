"""Does what ftcli stands on work: Python, the packages, the extras."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires, version

from ftcli.broken_install import WITH_TORCH, broken_install
from ftcli.plans.health import Check

REQUIRED = {
    "torch": "torch",
    "torchvision": "torchvision",
    "timm": "timm",
    "safetensors": "safetensors",
    "numpy": "numpy",
    "pillow": "PIL",
    "scikit-learn": "sklearn",
}
"""As they are installed -> as they are imported."""
_OF_THE_EXTRA = re.compile(r"^([\w.\-]+)[^;]*;.*\bextra == [\"']([\w\-]+)[\"']")
_FOR_DEVELOPERS = "dev"


def package_checks() -> tuple[Check, ...]:
    """ftcli, Python, and each package, imported for real."""
    python = platform.python_version()
    facts = (("python", python), ("platform", platform.platform()))
    return (
        Check(
            "ftcli",
            "ok",
            f"{installed_version('ftcli') or 'a checkout'}, Python {python} on {platform.system()}",
            facts=facts,
        ),
        *(_package(name, module) for name, module in REQUIRED.items()),
        *_builds(),
    )


def extra_checks() -> tuple[Check, ...]:
    """What can be installed beside ftcli, an extra a check."""
    return tuple(_extra(extra, packages) for extra, packages in sorted(_extras().items()))


def installed_version(package: str) -> str | None:
    """None where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _package(name: str, module: str) -> Check:
    try:
        imported = import_module(module)
    except Exception as error:  # a broken package fails in any way it likes
        broken = broken_install(error)
        remedy = (broken and broken.remedy) or f"pip install --force-reinstall {name}"
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        return Check(name, "problem", f"cannot be imported: {reason}", remedy)
    found = str(getattr(imported, "__version__", "")) or installed_version(name) or "of an unknown version"
    return Check(name, "ok", found, facts=(("version", found),))


def _builds() -> Iterator[Check]:
    """torch and torchvision that work side by side, though one is for CUDA and the other is not."""
    builds = {name: _build(name) for name in ("torch", "torchvision")}
    if all(builds.values()) and len(set(builds.values())) > 1:
        found = " and ".join(f"{name} is built for {build}" for name, build in builds.items())
        yield Check("one build", "note", found, WITH_TORCH)


def _build(name: str) -> str:
    """cpu, cu130: what follows the + of a version; nothing where it has none."""
    return (installed_version(name) or "").partition("+")[2]


def _extras() -> dict[str, list[str]]:
    """The extras that ftcli's own metadata name, each with its packages; empty in a checkout that is not installed."""
    found: dict[str, list[str]] = {}
    for line in _requirements():
        match = _OF_THE_EXTRA.match(line)
        if match and match[2] != _FOR_DEVELOPERS:
            found.setdefault(match[2], []).append(match[1])
    return found


def _requirements() -> list[str]:
    try:
        return requires("ftcli") or []
    except PackageNotFoundError:
        return []


def _extra(extra: str, packages: list[str]) -> Check:
    have = {package: installed_version(package) for package in packages}
    missing = [package for package, found in have.items() if found is None]
    facts = tuple(have.items())
    if missing:
        told = f"not installed ({', '.join(missing)})"
        return Check(f"extra {extra}", "note", told, f"pip install 'ftcli[{extra}]'", facts)
    return Check(f"extra {extra}", "ok", ", ".join(f"{p} {found}" for p, found in have.items()), facts=facts)
