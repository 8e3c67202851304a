"""Is this machine fit to train on: versions, devices, folders, and what to do about what is not."""

from __future__ import annotations

from ftcli.plans.health import Check, Health
from ftcli.workflows.doctor.packages import extra_checks, package_checks
from ftcli.workflows.doctor.places import place_checks


def examine(*, online: bool = False) -> Health:
    """Looks and measures for about a second; changes nothing. Only with `online` is the hub asked.

    What is broken is part of the answer, never an error: a doctor is called where nothing else works.
    """
    packages = package_checks()
    works = all(check.status != "problem" for check in packages if check.name in ("torch", "torchvision"))
    devices = _devices() if works else ()
    return Health((*packages, *extra_checks(), *devices, *place_checks(), *(_hub() if online else ())))


def _devices() -> tuple[Check, ...]:
    """Imports torch, which has just been seen to work."""
    from ftcli.workflows.doctor.devices import device_checks

    return device_checks()


def _hub() -> tuple[Check, ...]:
    from ftcli.workflows.doctor.hub import hub_checks

    return hub_checks()
