"""A complete listing cut into ranges of ids that several calls read side by side.

The cursor holds every range that is not read to its end: after which id, and until which. Each page is the next one of
the first range; that range then goes behind the others. While a page is on its way to the hub, the next pages of the
other ranges are read ahead, at most one each of the first `workers` ranges. A page that was not read ahead, by whatever
cause, is read when it is asked for: what has been delivered depends on the cursor alone.

Calls for N rows, P a query and W workers: one count, at most W - 1 cuts of one row each, and ceil(N / P) pages, since a
range holds a whole number of pages. 250,000 rows, 2,000 a query, 8 workers: 1 + 7 + 125 calls, 383 credits.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from threading import Lock

from connectors.base import Bound, NativeRecord
from connectors.errors import ConnectorError, ProtocolViolation
from connectors.zoho_crm.abreast import abreast
from connectors.zoho_crm.answers import violation
from connectors.zoho_crm.keyset import Keyset, Window
from connectors.zoho_crm.reading import Reader, Rows

MOST_OFFSET = 100_000
"""How far LIMIT and OFFSET of a query reach together (COQL-Limitations)."""
OLDER_OFFSET = 10_000
"""What older documents of the vendor say of the same."""
_PAGES_UNCOUNTED = 10
"""Pages of a range where the vendor does not say how many records there are."""

Part = Sequence[str | None]
Read = tuple[tuple[NativeRecord, ...], Rows]


@dataclass(frozen=True, slots=True)
class _Ask:
    """Is one page to be read. `begun` tells listings apart: a page from before a listing began is none of its own."""

    object: str
    begun: float | None
    fields: tuple[str, ...]
    window: Window
    limit: int


class Ranges:
    """Cuts listings of one connection into ranges and reads them side by side."""

    def __init__(self, reader: Reader, keyset: Keyset) -> None:
        self._reader, self._keyset = reader, keyset
        self._workers = reader.api.settings.workers
        self._reach = MOST_OFFSET
        self._ahead: dict[_Ask, Future[Read]] = {}
        self._pool: ThreadPoolExecutor | None = None
        self._lock = Lock()

    def cut(self, object: str, limit: int, bound: Bound | None) -> tuple[list[list[str | None]], float | None]:
        """Returns the ranges of a module, and the server's clock before the first page where a cut was asked for.

        Where the vendor refuses an offset, its older limit is tried, and then the module stays in one piece.
        """
        for reach in (self._reach, OLDER_OFFSET):
            try:
                return self._cut(object, limit, bound, reach)
            except ProtocolViolation:
                self._reach = OLDER_OFFSET
        return [[None, None]], None

    def _cut(
        self, object: str, limit: int, bound: Bound | None, reach: int
    ) -> tuple[list[list[str | None]], float | None]:
        size = min(limit, self._keyset.page_size(object))
        step, wanted = self._step(object, size, reach)
        cuts: list[str] = []
        begun: float | None = None
        while wanted is None or len(cuts) < wanted:
            left = self._workers if wanted is None else wanted - len(cuts)
            found = self._cuts(object, step, min(left, reach // step), Window(cuts[-1] if cuts else None, None, bound))
            begun = min(at for _, at in found) if begun is None else begun
            new = [one for one, _ in found if one is not None]
            cuts += new
            if len(new) < len(found):
                break
        ends: list[str | None] = [None, *cuts, None]
        return [[after, until] for after, until in pairwise(ends)], begun

    def _step(self, object: str, size: int, reach: int) -> tuple[int, int | None]:
        """Returns how many rows a range holds, a whole number of pages, and how many cuts that makes, where known.

        Fewer than two pages for each of two ranges are not cut: the calls for it would cost more time than they save.
        """
        total = self._reader.count(object)
        if total is None:
            return min(_PAGES_UNCOUNTED * size, reach // size * size), None
        pages = -(-total // size)
        ranges = max(1, min(self._workers, pages // 2))
        step = min(-(-pages // ranges) * size, reach // size * size) if pages else size
        return step, max(0, -(-total // step) - 1) if ranges > 1 or total > reach else 0

    def _cuts(self, object: str, step: int, wanted: int, window: Window) -> list[tuple[str | None, float]]:
        """Returns the last ids of as many ranges in a window as offsets reach, with the server's clock."""

        def last_of(number: int) -> tuple[str | None, float]:
            page = self._reader.query(object, ["id"], window.condition(), 1, offset=number * step - 1)
            return (str(page.rows[0]["id"]) if page.rows else None), page.at

        return abreast(self._workers, last_of, range(1, max(1, wanted) + 1))

    def page(
        self,
        object: str,
        fields: Sequence[str],
        parts: Sequence[Part],
        begun: float | None,
        limit: int,
        bound: Bound | None,
        *,
        alone: bool,
    ) -> tuple[tuple[NativeRecord, ...], Rows, list[list[str | None]]]:
        """Returns the next page of the first range and the ranges that are left after it.

        The first page of a listing is read `alone`: who asks for it may leave the rest to another process.
        """
        first = self._ask(object, fields, parts[0], begun, limit, bound)
        if alone:
            records, page = self._read(first)
            return records, page, self._after(object, parts, page)
        fresh = self._start(
            object, [self._ask(object, fields, part, begun, limit, bound) for part in self._near(parts)]
        )
        records, page = self._take(first, again=first not in fresh)
        left = self._after(object, parts, page)
        self._start(object, [self._ask(object, fields, part, begun, limit, bound) for part in self._near(left)])
        return records, page, left

    def close(self) -> None:
        """Forgets what was read ahead and ends the threads."""
        with self._lock:
            pool, self._pool = self._pool, None
            self._ahead.clear()
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)

    def _ask(
        self, object: str, fields: Sequence[str], part: Part, begun: float | None, limit: int, bound: Bound | None
    ) -> _Ask:
        return _Ask(object, begun, tuple(fields), Window(part[0], part[1], bound), limit)

    def _read(self, ask: _Ask) -> Read:
        return self._keyset.page(ask.object, ask.fields, ask.window, ask.limit)

    def _near(self, parts: Sequence[Part]) -> Sequence[Part]:
        return parts[: self._workers]

    def _start(self, object: str, asks: Sequence[_Ask]) -> set[_Ask]:
        """Reads ahead what is not read ahead yet and drops what is not wanted any more; returns what it started."""
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(max_workers=self._workers, thread_name_prefix="zoho-range")
            for stale in [one for one in self._ahead if one.object == object and one not in asks]:
                self._ahead.pop(stale).cancel()
            fresh = [one for one in asks if one not in self._ahead]
            self._ahead |= {one: self._pool.submit(self._read, one) for one in fresh}
            return set(fresh)

    def _take(self, ask: _Ask, *, again: bool) -> Read:
        """Returns a page; what failed ahead of time is read again, since its cause may be gone."""
        with self._lock:
            future = self._ahead.pop(ask)
        try:
            return future.result()
        except ConnectorError:
            if not again:
                raise
        return self._read(ask)

    def _after(self, object: str, parts: Sequence[Part], page: Rows) -> list[list[str | None]]:
        """Returns the ranges that are left. Raises ProtocolViolation where a page leaves its range or stands still."""
        after, until = parts[0]
        numbers = [int(str(row["id"])) for row in page.rows]
        last = max(numbers, default=None)
        inside = all((after is None or one > int(after)) and (until is None or one <= int(until)) for one in numbers)
        if not inside or (page.more and last is None):
            raise violation(
                self._reader.api.system, object, "a page leaves its range of ids", "返回页超出其 id 区间或没有推进"
            )
        window, rest = [list(part) for part in parts[1 : self._workers]], [list(p) for p in parts[self._workers :]]
        return [*window, *([[str(last), until]] if page.more else []), *rest]
