"""Work in threads whose results come in order, so many ahead and no more: what waits would fill the memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from ftcli.stopping import safe_point

T = TypeVar("T")
R = TypeVar("R")
AHEAD = 8
"""Results that may wait for each thread."""


def in_order(work: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """`work` of each item. Between two results signals are obeyed; then, and on errors, what waits is dropped."""
    waiting: deque[Future[R]] = deque()
    threads = max(workers, 1)
    pool = ThreadPoolExecutor(threads)
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= threads * AHEAD:
                safe_point()
                yield waiting.popleft().result()
        while waiting:
            safe_point()
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
