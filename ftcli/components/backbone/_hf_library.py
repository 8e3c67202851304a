"""transformers: imported late, as that takes seconds, and kept quiet, as it talks a lot."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ftcli.errors import ModelError

_LOGGERS = ("transformers", "huggingface_hub", "bitsandbytes")


def library() -> Any:
    """The package. Raises ModelError where it is not installed."""
    try:
        with quietly():
            import transformers
    except ImportError as error:
        what = f"hf/ needs the package transformers: {error}"
        raise ModelError(what, remedy="pip install 'ftcli[hf]'") from error
    return transformers


@contextmanager
def quietly() -> Iterator[None]:
    """Without log lines below errors, progress bars and warnings, all three as they were afterwards."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), _no_bars():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def _no_bars() -> Iterator[None]:
    from huggingface_hub.utils import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )
    from transformers.utils import logging as bars

    of_hub, of_library = not are_progress_bars_disabled(), bars.is_progress_bar_enabled()
    disable_progress_bars()
    bars.disable_progress_bar()
    try:
        yield
    finally:
        if of_hub:
            enable_progress_bars()
        if of_library:
            bars.enable_progress_bar()
