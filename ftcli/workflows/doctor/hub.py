"""Does the Hugging Face hub answer; asked only when the user wants to know."""

from __future__ import annotations

from huggingface_hub.constants import ENDPOINT

from ftcli.components.backbone._hub import why_unreachable
from ftcli.offline import VARIABLE, is_offline
from ftcli.plans.health import Check


def hub_checks() -> tuple[Check, ...]:
    if is_offline():
        return (Check("hub", "note", f"not asked: {VARIABLE} is set", "unset it to download weights"),)
    reason = why_unreachable()
    if reason is None:
        return (Check("hub", "ok", f"{ENDPOINT} answers"),)
    remedy = (
        "weights: a file of yours, or a network; HTTPS_PROXY where there is a proxy; HF_ENDPOINT for a mirror"
    )
    return (Check("hub", "note", f"{ENDPOINT} cannot be reached: {reason}", remedy),)
