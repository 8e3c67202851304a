"""Whether the user has said that nothing may be downloaded: `--offline`, or HF_HUB_OFFLINE in the environment."""

from __future__ import annotations

import os

VARIABLE = "HF_HUB_OFFLINE"
"""The Hugging Face hub's own, read by its client when that is imported; ftcli obeys it for every other source too."""
OFFLINE = f"nothing is downloaded: --offline was given, or {VARIABLE} is set"
_YES = ("1", "ON", "YES", "TRUE")


def go_offline(asked: bool) -> None:
    """Before anything heavy is imported; never takes back what the environment says."""
    if asked:
        os.environ[VARIABLE] = "1"


def is_offline() -> bool:
    return os.environ.get(VARIABLE, "").upper() in _YES
