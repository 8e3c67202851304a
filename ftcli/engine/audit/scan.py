"""Every image of the data opened once and fingerprinted, or recalled from the last time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ftcli.engine.audit.cache import Kept, cache_file, read_cache, recalled, stamp_of, write_cache
from ftcli.engine.audit.fingerprint import Fingerprint, fingerprint
from ftcli.errors import DataError
from ftcli.plans.data_splits import DataSplits
from ftcli.stopping import at_safe_points, safe_point

Scanned = Fingerprint | DataError


@at_safe_points()
def scan(
    splits: DataSplits, workers: int, on_progress: Callable[[int, int], None], *, cached: bool = True
) -> list[Scanned]:
    """Per example its fingerprint, or why it cannot be read."""
    files = splits.files if cached else None
    path = cache_file(splits.source)
    before = read_cache(path) if files else {}
    after: dict[str, Kept] = {}

    def look(index: int) -> tuple[Scanned, Kept | None]:
        if files is None:
            return _fingerprint(splits, index), None
        return _look(splits, index, files[index], before.get(_name(files[index])))

    found: list[Scanned] = []
    with ThreadPoolExecutor(max(workers, 1)) as pool:
        try:
            for index, (result, kept) in enumerate(pool.map(look, range(len(splits.examples)))):
                safe_point()
                found.append(result)
                if kept is not None and files is not None:
                    after[_name(files[index])] = kept
                on_progress(index + 1, len(splits.examples))
        except BaseException:  # Ctrl-C: the pool would decode the rest before it ends
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    if files and _changed(before, after):
        write_cache(path, after)
    return found


def _look(splits: DataSplits, index: int, file: Path, kept: Kept | None) -> tuple[Scanned, Kept | None]:
    known = recalled(kept, file)
    if known is not None:
        return known.fingerprint, known
    stamp = stamp_of(file)  # before the image is read: a file that changes meanwhile is read again next time
    found = _fingerprint(splits, index)
    if stamp is None or isinstance(found, DataError):
        return found, None
    return found, Kept(stamp, found)


def _fingerprint(splits: DataSplits, index: int) -> Scanned:
    try:
        return fingerprint(splits.load(index))
    except DataError as error:
        return error


def _name(file: Path) -> str:
    return str(file.absolute())


def _changed(before: dict[str, Kept], after: dict[str, Kept]) -> bool:
    return {n: k.stamp for n, k in before.items()} != {n: k.stamp for n, k in after.items()}
