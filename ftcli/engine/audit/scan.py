"""Every image or text of the data opened once and fingerprinted, or recalled from the last time."""

from __future__ import annotations

from collections.abc import Callable

from ftcli.engine.ahead import in_order
from ftcli.engine.audit.cache import cache_file, read_cache, write_cache
from ftcli.engine.audit.fingerprint import Fingerprint, fingerprint
from ftcli.engine.audit.text_print import TextPrint, text_print
from ftcli.engine.cache.home import stamps_folder
from ftcli.engine.cache.stamps import Content, Stamps, stamp_of
from ftcli.errors import DataError
from ftcli.plans.data_splits import DataSplits
from ftcli.stopping import at_safe_points

Scanned = Fingerprint | TextPrint | DataError


@at_safe_points()
def scan(
    splits: DataSplits, workers: int, on_progress: Callable[[int, int], None], *, cached: bool = True
) -> list[Scanned]:
    """Per example its fingerprint, or why it cannot be read."""
    files = splits.files if cached and not splits.texts else None
    path = cache_file(splits.source)
    before = read_cache(path) if files else {}
    stamps = Stamps(splits.source, stamps_folder()) if files else None
    after: dict[bytes, Fingerprint] = {}

    def look(index: int) -> tuple[Content | None, Scanned]:
        content = stamps.look(files[index]) if stamps and files else None
        known = before.get(content.digest) if content else None
        return content, known or _fingerprint(splits, index)

    found: list[Scanned] = []
    indices = range(len(splits.examples))
    for index, (content, result) in zip(indices, in_order(look, indices, workers), strict=True):
        found.append(result)
        # a file that changed while it was read is read again the next time
        if files and content and isinstance(result, Fingerprint) and content.stamp == stamp_of(files[index]):
            after[content.digest] = result
        on_progress(index + 1, len(indices))
    if stamps:
        stamps.keep()
    if after.keys() != before.keys():
        write_cache(path, after)
    return found


def _fingerprint(splits: DataSplits, index: int) -> Scanned:
    try:
        content = splits.load(index)
        return text_print(content) if splits.texts else fingerprint(content)
    except DataError as error:
        return error
    except (
        Exception
    ) as error:  # as where images are prepared: what decodes may be of a mode that cannot be converted
        return DataError(f"cannot use the image: {error or type(error).__name__}")
