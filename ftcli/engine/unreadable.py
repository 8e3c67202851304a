"""Several examples that cannot be read, told as one error."""

from __future__ import annotations

from collections.abc import Sequence

from ftcli.errors import DataError

SHOWN = 10


def all_at_once(errors: Sequence[DataError], what: str, remedy: str) -> DataError:
    """The error itself where there is one; else the first ten, with where each is. `what`: "1,000 images"."""
    if len(errors) == 1:
        return errors[0]
    told = [f"{error.where}: {error.what}" for error in errors[:SHOWN]]
    if len(errors) > SHOWN:
        told.append(f"and {len(errors) - SHOWN} more")
    return DataError(f"{len(errors)} of {what} cannot be read: {'; '.join(told)}", remedy=remedy)
