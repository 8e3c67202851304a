"""The Hugging Face hub where it cannot be reached: a quick no, and what is in its cache."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub import constants, get_session
from huggingface_hub.errors import LocalEntryNotFoundError

from ftcli.offline import OFFLINE, is_offline

_ANSWER_SECONDS = 10.0


@contextmanager
def without_waiting() -> Iterator[None]:
    """Downloads in this block look in the cache alone when the hub does not answer, or must not be asked.

    The hub's client would ask six times, with 23 seconds of pauses, for every file that it tries. Raises
    ConnectionError for what is not in the cache then.
    """
    before = constants.HF_HUB_OFFLINE
    reason = OFFLINE if before or is_offline() else why_unreachable()
    constants.HF_HUB_OFFLINE = reason is not None
    try:
        yield
    except LocalEntryNotFoundError as error:
        told = reason if reason == OFFLINE else f"{constants.ENDPOINT} cannot be reached ({reason})"
        raise ConnectionError(told) from error
    finally:
        constants.HF_HUB_OFFLINE = before


def why_unreachable() -> str | None:
    """The reason in a line; None when it answers. Asked through the hub's own session, and so the user's proxies."""
    try:
        get_session().head(constants.ENDPOINT, timeout=_ANSWER_SECONDS)
    except Exception as error:  # as many kinds as there are transports
        return str(error).strip().partition("\n")[0] or type(error).__name__
    return None
