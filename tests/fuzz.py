"""How many examples Hypothesis tries: a test's own number; 5,000 with `make fuzz`, which chooses the profile `fuzz`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings

LONG = 5_000
relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
settings.register_profile("fuzz", relaxed, max_examples=LONG, print_blob=True)


def fuzz(short: int, check: Callable[..., None], told: Callable[[int, int], None], **drawn: Any) -> None:
    """Calls `check` with what is drawn, so many times; tells the fixture `fault_count` of them."""
    tried = failed = 0

    long = settings.default.max_examples == LONG

    @settings(relaxed, max_examples=LONG if long else short)
    @given(**drawn)
    def trial(**values: Any) -> None:
        nonlocal tried, failed
        tried += 1
        try:
            check(**values)
        except Exception:
            failed += 1
            raise

    try:
        trial()
    finally:
        told(tried, tried - failed)
