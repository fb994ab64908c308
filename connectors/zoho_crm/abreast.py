"""Several calls at once, as many as the connection may make."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def abreast(workers: int, work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Returns what each piece of work gives, in order; the first error ends it."""
    if workers < 2 or len(items) < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(max_workers=min(workers, len(items)), thread_name_prefix="zoho") as pool:
        return list(pool.map(work, items))
