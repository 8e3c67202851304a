"""What a backbone has forgotten, in a line."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from ftcli.plans.forgetting import Forgetting
from ftcli.report import numbers
from ftcli.report.safe_text import plain


def forgetting_view(forgetting: Forgetting | None) -> Iterator[Text]:
    """Nothing where it was not measured."""
    if forgetting is not None:
        images = numbers.count(forgetting.num_images)
        before, after = numbers.accuracy(forgetting.before), numbers.accuracy(forgetting.after)
        yield plain(f"forgetting: the old head on {images} images: {before} before, {after} now")
