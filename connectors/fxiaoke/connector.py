"""The Fxiaoke (纷享销客) connector: the contract of `connectors.base` over the vendor's Open API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from typing import Any

from connectors.base import (
    Bound,
    Capabilities,
    CheckLine,
    ConnectorContext,
    Cursor,
    Deletes,
    Fetched,
    IdPage,
    NativeRecord,
    ObjectDescription,
    Op,
    Page,
    WriteRequest,
    WriteResult,
)
from connectors.directory import Branch, Region, Staff
from connectors.errors import Unsupported
from connectors.fxiaoke.callbacks import Hearing
from connectors.fxiaoke.client import Client
from connectors.fxiaoke.descriptions import Descriptions
from connectors.fxiaoke.directory import StaffDirectory
from connectors.fxiaoke.experiments import ASKED_ALONE, Experiments
from connectors.fxiaoke.owning import OWNER
from connectors.fxiaoke.pool import Pool
from connectors.fxiaoke.proof import prove
from connectors.fxiaoke.reading import Reader
from connectors.fxiaoke.rehearsal import QUESTIONS as REHEARSED
from connectors.fxiaoke.rehearsal import Rehearsal
from connectors.fxiaoke.settings import HOST_REGIONS, HOSTS, read_settings
from connectors.fxiaoke.survey import Surveyor
from connectors.fxiaoke.windows import MAX_OFFSET
from connectors.fxiaoke.writing import Writer
from connectors.preparing import FieldNeed, Finding
from connectors.regions import region_of
from connectors.settling import Settled

_DELETES = {"hidden": Deletes.NONE, "filtered": Deletes.FEED, "listed": Deletes.FLAG}


class FxiaokeConnector(Hearing):
    """Reads and writes one Fxiaoke tenant; threads may share it."""

    kind = "fxiaoke"
    allowed_hosts = HOSTS

    @staticmethod
    def region(settings: Mapping[str, Any]) -> str:
        """Returns where the cloud of `base_url` lies, by `connectors.regions`."""
        return region_of([str(settings.get("base_url", "https://open.fxiaoke.com"))], HOST_REGIONS)

    def __init__(self, settings: Mapping[str, Any], context: ConnectorContext) -> None:
        self._settings = read_settings(settings, context.system)
        self._context = context
        self._pool = Pool(self._settings.workers)
        self._client = Client(self._settings, context)
        self._descriptions = Descriptions(self._client, self._settings, context)
        self._reader = Reader(self._client, self._descriptions, self._pool, self._settings, context)
        self._experiments = Experiments(self._client, self._settings, context)
        self._directory = StaffDirectory(self._client, self._descriptions, self._reader, self._settings, context)
        self._writer = Writer(self._client, self._reader, self._descriptions, self._pool, self._settings, context)
        self.hear_events(self._settings, context)

    def __repr__(self) -> str:
        return f"FxiaokeConnector({self._context.system})"

    def capabilities(self, object: str) -> Capabilities:
        """Declares what the object can do; the key counts as unique unless the tenant's description denies it."""
        settings = self._settings
        proven = self._descriptions.is_unique(object, settings.key_of(object))
        return Capabilities(
            incremental=True,
            cursor_resolution=0.001,
            visibility_lag=settings.index_lag,
            deletes=_DELETES[settings.invalid_records],
            conditional_write=True,
            external_key_unique=settings.external_key_unique and proven is not False,
            strong_read_by_key=False,
            own_call_fields=(OWNER,),
            can_create=Op.CREATE in self._writer.ops(object),
            can_update=Op.UPDATE in self._writer.ops(object),
            can_delete=Op.DELETE in self._writer.ops(object),
            can_restore=Op.RESTORE in self._writer.ops(object),
            returns_nulls=settings.trust_nulls,
            shows_actor=True,
            ordered_versions=True,
            batch_size=settings.batch_size,
            rows_per_call=1,
            page_size=settings.page_limit,
            max_window_rows=None if settings.paging == "keyset" else MAX_OFFSET,
        )

    def check(self) -> Sequence[CheckLine]:
        """Proves sign-in, caller, operator, and per object each permission and the unique key; changes nothing."""
        lines = prove(self._client, self._descriptions, self._settings)
        lines += self._directory.proofs() if all(line.ok for line in lines[:3]) else ()
        return [*lines, *self.prove_events(self._client, self._settings, signed_in=lines[0].ok)]

    def staff(self) -> Sequence[Staff]:
        """Returns every employee, of those too who left, where the vendor lists them."""
        return self._directory.staff()

    def branches(self) -> Sequence[Branch]:
        """Returns every department."""
        return self._directory.branches()

    def regions(self) -> Sequence[Region]:
        """Returns every region by the vendor's own code."""
        return self._directory.regions()

    def describe(self, object: str) -> ObjectDescription:
        """Describes an object as the tenant has it now."""
        return self._descriptions.read(object)

    def objects(self) -> Mapping[str, str]:
        """Returns the tenant's objects that are enabled, as its people call them."""
        listed = self._descriptions.listed()
        return {
            name: str(row.get("describeDisplayName")) for name, row in listed.items() if row.get("isActive") is True
        }

    def questions(self) -> Mapping[str, bool]:
        """Returns what is open about this tenant, and whether it needs a test record."""
        return {**dict.fromkeys(self._experiments.tries, False), **dict.fromkeys(REHEARSED, True)}

    def settle(self, object: str, question: str | None, write: bool) -> Iterator[Settled]:
        """Tries open questions out; one about writes brings the others about writes along, on the same record.

        Raises SchemaDrift where the tenant has no such object.
        """
        self._descriptions.read(object)
        for name, attempt in self._experiments.tries.items():
            if question == name or (question is None and name not in ASKED_ALONE):
                yield from attempt(object)
        if write and question not in self._experiments.tries:
            parts = (self._client, self._reader, self._descriptions, self._experiments, self._settings, self._context)
            yield from Rehearsal(*parts).settle(object)

    def survey(self, object: str, needs: Sequence[FieldNeed]) -> Sequence[Finding]:
        """Says how every need of the mappings stands; Fxiaoke has no public interface that makes a field."""
        return Surveyor(self._descriptions, self._settings, self._context.system).survey(object, needs)

    def changes(self, object: str, fields: Sequence[str], cursor: Cursor | None, limit: int) -> Page:
        """Reads the next page of the change stream."""
        return self._reader.changes(object, fields, cursor, limit)

    def changes_from(self, object: str, fields: Sequence[str], cursor: Cursor | None, limit: int, bound: Bound) -> Page:
        """Reads the next page; a listing leaves out what was created before the bound."""
        return self._reader.changes(object, fields, cursor, limit, bound)

    def list_ids_from(self, object: str, cursor: Cursor | None, limit: int, bound: Bound) -> IdPage:
        """Enumerates the visible records without those created before the bound."""
        return self._reader.list_ids(object, cursor, limit, bound)

    def selecting(self, object: str, only: Mapping[str, Sequence[str]]) -> FxiaokeConnector:
        """Returns this connector, for which an object is the records whose fields each hold one of the values."""
        narrowed = copy(self)
        narrowed._reader = self._reader.selecting(object, only)
        return narrowed

    def count(self, object: str, bound: Bound | None) -> int | None:
        """Returns how many records a listing has before it."""
        return self._reader.count(object, bound)

    def deletions(self, object: str, cursor: Cursor | None, limit: int) -> Page:
        """Reads the invalid records; raises Unsupported where they leave the queries without a trace."""
        if self._settings.invalid_records == "filtered":
            return self._reader.deletions(object, cursor, limit)
        system = self._context.system
        raise Unsupported(
            f"{system} {object}: Fxiaoke has no feed of deletions; reconcile finds them",
            f"{system} {object}：纷享销客没有删除记录流；由对账发现删除",
            system=system,
            object=object,
        )

    def fetch(self, object: str, ids: Sequence[str], fields: Sequence[str]) -> Mapping[str, Fetched]:
        """Reads records strongly by id."""
        return self._reader.fetch(object, ids, fields)

    def find(self, object: str, field: str, values: Sequence[str], fields: Sequence[str]) -> Sequence[NativeRecord]:
        """Finds records by a field's values, after the index lag.

        Looks at the description first: whether a create may be repeated is asked right after a look for its hub id.
        """
        if field == self._settings.external_key:
            self._descriptions.kept(object)
        return self._reader.find(object, field, values, fields)

    def list_ids(self, object: str, cursor: Cursor | None, limit: int) -> IdPage:
        """Enumerates every visible record."""
        return self._reader.list_ids(object, cursor, limit)

    def write(self, requests: Sequence[WriteRequest]) -> Sequence[WriteResult]:
        """Writes a batch, one result each, in the same order."""
        return self._writer.write(requests)

    def estimate(self, object: str, reads: int, creates: int) -> int:
        """Returns the calls of a first load: one for each page and one for each create."""
        return -(-reads // self._settings.page_limit) + creates

    def close(self) -> None:
        """Ends the threads."""
        self._pool.close()
