"""Every image or text of the data opened once and fingerprinted, or recalled from the last time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ftcli.engine.audit.cache import cache_file, read_cache, write_cache
from ftcli.engine.audit.fingerprint import Fingerprint, fingerprint
from ftcli.engine.audit.text_print import TextPrint, text_print
from ftcli.engine.cache.home import stamps_folder
from ftcli.engine.cache.stamps import Content, contents_of, stamp_of
from ftcli.errors import DataError
from ftcli.plans.data_splits import DataSplits
from ftcli.stopping import at_safe_points, safe_point

Scanned = Fingerprint | TextPrint | DataError


@at_safe_points()
def scan(
    splits: DataSplits, workers: int, on_progress: Callable[[int, int], None], *, cached: bool = True
) -> list[Scanned]:
    """Per example its fingerprint, or why it cannot be read."""
    files = splits.files if cached and not splits.texts else None
    path = cache_file(splits.source)
    before = read_cache(path) if files else {}
    contents = contents_of(dict(enumerate(files)), splits.source, stamps_folder(), workers) if files else {}
    after: dict[bytes, Fingerprint] = {}

    def look(index: int) -> Scanned:
        known = before.get(contents[index].digest) if index in contents else None
        return known or _fingerprint(splits, index)

    found: list[Scanned] = []
    with ThreadPoolExecutor(max(workers, 1)) as pool:
        try:
            for index, result in enumerate(pool.map(look, range(len(splits.examples)))):
                safe_point()
                found.append(result)
                if files and isinstance(result, Fingerprint) and _is_still(contents.get(index), files[index]):
                    after[contents[index].digest] = result
                on_progress(index + 1, len(splits.examples))
        except BaseException:  # Ctrl-C: the pool would decode the rest before it ends
            pool.shutdown(wait=False, cancel_futures=True)
            raise
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


def _is_still(content: Content | None, file: Path) -> bool:
    """A file that changes while it is read is read again the next time."""
    return content is not None and content.stamp == stamp_of(file)
