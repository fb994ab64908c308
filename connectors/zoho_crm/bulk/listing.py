"""The complete listing of a large module by Bulk Read.

Where it stands is in the cursor: the job, then the row of its file. So a process that was killed goes on with the same
job, and at the row where it stood once it has fetched the file again. Waiting for a job takes the form of pages without
records: the engine keeps the cursor, may stop or yield between two of them, and none sleeps longer than `NAP`.

What changed after the first job was made is delivered by the walk that follows, as after any listing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from threading import Lock
from typing import Any

from connectors.base import Bound, Cursor, NativeRecord, ObjectDescription
from connectors.errors import TooLarge
from connectors.zoho_crm.answers import violation
from connectors.zoho_crm.bulk.columns import Described, Layout, columns_for, lacking, layout_of
from connectors.zoho_crm.bulk.files import FileBounds, ResultFile
from connectors.zoho_crm.bulk.filling import fill
from connectors.zoho_crm.bulk.jobs import COMPLETED, FAILURE, Jobs, Made
from connectors.zoho_crm.bulk.reasons import Damaged, Hostile, NotOffered, TokenLost
from connectors.zoho_crm.modules import ONLY_LISTED
from connectors.zoho_crm.reading import Reader, Row

BULK = "bulk"
NAP = 5.0
"""Seconds that one page waits at most."""
FIRST_LOOK = 2.0
"""Seconds until the first look at a job; each next pause is twice as long, up to `bulk_look_seconds`."""
_DESCRIBED_FOR = 600.0
_FILES_KEPT = 2
_FETCHES = 3
"""How often a damaged file is fetched before the stream stops."""
_JOBS = 2
"""How many jobs for one page of a module may fail or get lost before pages do the rest."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Is what a listing is to give: the records of a module with these fields, without those before the bound."""

    object: str
    fields: tuple[str, ...]
    bound: Bound | None = None

    @property
    def cut_off(self) -> str:
        """Returns the bound as a text to compare."""
        return "" if self.bound is None else f"{self.bound.field} {self.bound.earliest}"


@dataclass(frozen=True, slots=True)
class BulkPlace:
    """Is where a bulk load stands.

    `begun` is the server's clock when the first job was made; `made_at` and `look_at` are ours. `count` is None until
    the job is completed; `row` counts the rows of its file that were delivered, `before` those of the files
    before it, and `mark` tells which file it is. `over` says how often it began anew.
    """

    begun: float
    job: str
    made_at: float
    look_at: float
    bound: str = ""
    page: int = 1
    token: str | None = None
    looks: int = 0
    count: int | None = None
    more: bool = False
    following: str | None = None
    row: int = 0
    before: int = 0
    mark: str = ""
    naps: int = 0
    damaged: int = 0
    failed: int = 0
    over: int = 0

    @property
    def delivered(self) -> int:
        """Returns how many records were delivered so far."""
        return self.before + self.row


@dataclass(frozen=True, slots=True)
class Loaded:
    """Is one page of a bulk load, the place after it, and whether more follows."""

    records: tuple[NativeRecord, ...]
    place: BulkPlace
    more: bool


@dataclass(slots=True)
class _Held:
    """Is a file that is being read, with how its columns are read for these fields."""

    file: ResultFile
    fields: tuple[str, ...]
    layout: Layout


class BulkLoad:
    """Loads whole modules of one connection. Raises NotOffered where pages have to do it."""

    def __init__(self, reader: Reader, describe: Callable[[str], ObjectDescription]) -> None:
        self._reader, self._describe = reader, describe
        self._settings, self._context = reader.api.settings, reader.api.context
        self._jobs = Jobs(reader.api)
        self._bounds = FileBounds()
        self._files: OrderedDict[str, _Held] = OrderedDict()
        self._fields: dict[str, tuple[float, Described]] = {}
        self._guard = Lock()

    # --- deciding -------------------------------------------------------------------------------------------------

    def begin(self, asked: Asked) -> BulkPlace | None:
        """Makes the first job where a module has more records than pages should read; None where it has not."""
        above = self._settings.bulk_read_above
        if not above or asked.object in ONLY_LISTED:
            return None
        number = self._reader.count(asked.object)
        if number is None or number <= above:
            return None
        return self._start(asked)

    def place_of(self, object: str, cursor: Cursor | None) -> BulkPlace | None:
        """Returns the place that a cursor of a bulk load names, None for any other cursor."""
        if cursor is None or cursor.get("mode") != BULK or cursor.get("object") != object:
            return None
        if cursor.get("origin") != self._settings.api_origin:
            return None
        try:
            return BulkPlace(**cursor["place"])
        except (KeyError, TypeError):
            return None

    def cursor_of(self, object: str, place: BulkPlace) -> dict[str, Any]:
        """Returns the cursor of a place."""
        return {"object": object, "origin": self._settings.api_origin, "mode": BULK, "place": asdict(place)}

    # --- going on -------------------------------------------------------------------------------------------------

    def go_on(self, asked: Asked, place: BulkPlace, limit: int) -> Loaded:
        """Waits, looks at the job or delivers the next rows, whichever is due."""
        if not self._settings.bulk_read_above:
            raise NotOffered("it was switched off (bulk_read_above)")
        if place.bound != asked.cut_off:
            raise NotOffered("the cut-off was changed meanwhile")
        now = self._context.clock.now()
        # A clock that was set back makes nobody wait longer.
        due = min(place.look_at, now + self._settings.bulk_look_seconds)
        if due > now:
            self._context.clock.sleep(min(due - now, NAP))
        if due - now > NAP:
            return Loaded((), replace(place, look_at=due, naps=place.naps + 1), True)
        if place.count is None:
            place, ready = self._look(asked, place)
            if not ready:
                return Loaded((), place, True)
        return self._deliver(asked, place, limit)

    def close(self) -> None:
        """Lets go of the files."""
        with self._guard:
            self._files.clear()

    def _first(self) -> float:
        return min(FIRST_LOOK, self._settings.bulk_look_seconds)

    def _look(self, asked: Asked, place: BulkPlace) -> tuple[BulkPlace, bool]:
        """Returns the place after a look at the job, and whether its file is there."""
        state = self._jobs.look(asked.object, place.job)
        if state is None or state.name == FAILURE:
            return self._again(asked, place, "failed" if state else "was lost"), False
        if state.name == COMPLETED:
            return replace(place, count=state.count, more=state.more, following=state.token), True
        now = self._context.clock.now()
        made_at = min(place.made_at, now)
        if now - made_at > self._settings.bulk_patience:
            raise NotOffered(f"the job was not done after {self._settings.bulk_patience:.0f} s (bulk_patience)")
        pause = min(self._settings.bulk_look_seconds, FIRST_LOOK * 2.0 ** min(place.looks + 1, 16))
        return replace(place, made_at=made_at, looks=place.looks + 1, look_at=now + pause), False

    def _deliver(self, asked: Asked, place: BulkPlace, limit: int) -> Loaded:
        count = place.count or 0
        if not count:
            return self._ended(asked, place, ())
        try:
            held = self._open(asked, place)
            if held is None:
                return Loaded((), self._again(asked, place, "was lost"), True)
            place = place if held.file.mark == place.mark else replace(place, mark=held.file.mark, row=0)
            held.file.go_to(place.row)
            cells = held.file.take(min(limit, count - place.row))
            after = place.row + len(cells)
            if len(cells) < min(limit, count - place.row) or (after == count and held.file.take(1)):
                raise Damaged(f"it does not hold the {count} rows it should", "记录数与任务不符")
            rows: Sequence[Row] = [held.layout.row_of(one) for one in cells]
        except Hostile as hostile:
            raise self._violation(asked.object, hostile) from None
        except Damaged as damaged:
            return Loaded((), self._spoiled(asked.object, place, damaged), True)
        rows = fill(self._reader, asked.object, rows, asked.fields, lacking(rows, held.layout))
        records = self._reader.records(asked.object, rows, asked.fields)
        place = replace(place, row=after, damaged=0, failed=0)
        if after < count:
            return Loaded(records, place, True)
        return self._ended(asked, place, records)

    def _ended(self, asked: Asked, place: BulkPlace, records: tuple[NativeRecord, ...]) -> Loaded:
        """Returns the last page of a file; where more follows, with the job of the next one."""
        if not place.more:
            self._drop(place.job)
            return Loaded(records, place, False)
        if place.count == 0:
            raise violation(
                self._context.system,
                asked.object,
                "an empty bulk read file says that more follows",
                "空文件却称还有更多记录",
            )
        # The token is preferred to the number: a delete moves what a number means.
        following = replace(place, page=place.page + 1, token=place.following, failed=0, before=place.delivered)
        place, done = self._renewed(asked, following), place.job
        self._drop(done)
        return Loaded(records, place, True)

    # --- files ----------------------------------------------------------------------------------------------------

    def _open(self, asked: Asked, place: BulkPlace) -> _Held | None:
        """Returns the file of a job, fetched where it is not at hand; None where the vendor no longer keeps it."""
        with self._guard:
            held = self._files.get(place.job)
        if held is None or held.fields != asked.fields:
            file = held.file if held else self._fetch(asked.object, place.job)
            if file is None:
                return None
            described = self._described(asked.object)
            layout = layout_of(file.header, asked.fields, described, self._settings.bulk_unreadable)
            held = _Held(file, asked.fields, layout)
        with self._guard:
            self._files[place.job] = held
            self._files.move_to_end(place.job)
            while len(self._files) > _FILES_KEPT:
                self._files.popitem(last=False)
        return held

    def _fetch(self, object: str, job: str) -> ResultFile | None:
        try:
            body = self._jobs.download(object, job)
        except TooLarge:
            most = self._settings.bulk_file_bytes
            raise NotOffered(f"the file is larger than {most} bytes (bulk_file_bytes)") from None
        return None if body is None else ResultFile(body, self._bounds)

    def _described(self, object: str) -> Described:
        """Returns the fields of a module, described anew after a while."""
        now = self._context.clock.now()
        with self._guard:
            at, described = self._fields.get(object, (0.0, {}))
        if not described or not 0 <= now - at < _DESCRIBED_FOR:
            described = self._describe(object).fields
            with self._guard:
                self._fields[object] = (now, described)
        return described

    def _drop(self, job: str) -> None:
        with self._guard:
            self._files.pop(job, None)

    def _spoiled(self, object: str, place: BulkPlace, damaged: Damaged) -> BulkPlace:
        self._drop(place.job)
        if place.damaged + 1 >= _FETCHES:
            raise self._violation(object, damaged)
        now = self._context.clock.now()
        return replace(place, damaged=place.damaged + 1, look_at=now + self._first())

    def _violation(self, object: str, damaged: Damaged) -> Exception:
        return violation(
            self._context.system,
            object,
            f"the bulk read file cannot be used: {damaged.en}; `bulk_read_above: 0` reads by pages instead",
            f"批量读取文件无法使用：{damaged.zh}；可设 bulk_read_above: 0 改为逐页读取",
        )

    # --- jobs -----------------------------------------------------------------------------------------------------

    def _start(self, asked: Asked, over: int = 0) -> BulkPlace:
        made = self._make(asked, 1, None)
        now = self._context.clock.now()
        return BulkPlace(made.at, made.job, now, now + self._first(), asked.cut_off, over=over)

    def _again(self, asked: Asked, place: BulkPlace, how: str) -> BulkPlace:
        """Has another job made for the same page."""
        self._drop(place.job)
        if place.failed + 1 >= _JOBS:
            raise NotOffered(f"the job {how} twice")
        return self._renewed(asked, replace(place, failed=place.failed + 1))

    def _renewed(self, asked: Asked, place: BulkPlace) -> BulkPlace:
        try:
            made = self._make(asked, place.page, place.token)
        except TokenLost:
            if place.over:
                raise NotOffered("the token of the next page was lost twice") from None
            return self._start(asked, over=1)
        now = self._context.clock.now()
        fresh = BulkPlace(place.begun, made.job, now, now + self._first(), place.bound, place.page, place.token)
        return replace(fresh, before=place.before, failed=place.failed, over=place.over)

    def _make(self, asked: Asked, page: int, token: str | None) -> Made:
        settings, described = self._settings, self._described(asked.object)
        columns = columns_for(asked.fields, described, settings.bulk_unreadable, settings.bulk_columns)
        return self._jobs.make(asked.object, columns, asked.bound, page, token)
