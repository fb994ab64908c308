"""The Fxiaoke (纷享销客) connector: the contract of `connectors.base` over the vendor's Open API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    Page,
    WriteRequest,
    WriteResult,
)
from connectors.errors import Unsupported
from connectors.fxiaoke.callbacks import Hearing
from connectors.fxiaoke.client import Client
from connectors.fxiaoke.descriptions import Descriptions
from connectors.fxiaoke.pool import Pool
from connectors.fxiaoke.proof import prove
from connectors.fxiaoke.reading import Reader
from connectors.fxiaoke.settings import HOSTS, read_settings
from connectors.fxiaoke.writing import OWNER, Writer


class FxiaokeConnector(Hearing):
    """Reads and writes one Fxiaoke tenant; threads may share it."""

    kind = "fxiaoke"
    allowed_hosts = HOSTS

    def __init__(self, settings: Mapping[str, Any], context: ConnectorContext) -> None:
        self._settings = read_settings(settings, context.system)
        self._context = context
        self._pool = Pool(self._settings.workers)
        self._client = Client(self._settings, context)
        self._descriptions = Descriptions(self._client, self._settings, context)
        self._reader = Reader(self._client, self._descriptions, self._pool, self._settings, context)
        self._writer = Writer(self._client, self._reader, self._descriptions, self._pool, self._settings, context)
        self.hear_events(self._settings, context)

    def __repr__(self) -> str:
        return f"FxiaokeConnector({self._context.system})"

    def capabilities(self, object: str) -> Capabilities:
        """Declares what the object can do; the key counts as unique unless the tenant's description denies it."""
        settings = self._settings
        proven = self._descriptions.is_unique(object, settings.external_key)
        return Capabilities(
            incremental=True,
            cursor_resolution=0.001,
            visibility_lag=settings.index_lag,
            deletes=Deletes.NONE,
            conditional_write=True,
            external_key_unique=settings.external_key_unique and proven is not False,
            strong_read_by_key=False,
            own_call_fields=(OWNER,),
            can_delete=object not in settings.append_only,
            can_restore=object not in settings.append_only,
            returns_nulls=settings.trust_nulls,
            shows_actor=True,
            ordered_versions=True,
            batch_size=settings.batch_size,
            page_size=settings.page_limit,
        )

    def check(self) -> Sequence[CheckLine]:
        """Proves sign-in, operator, and per object the permission to read and the unique key; never writes."""
        lines = prove(self._client, self._descriptions, self._reader, self._settings, self._context)
        return [*lines, *self.prove_events(self._client, self._settings, signed_in=lines[0].ok)]

    def describe(self, object: str) -> ObjectDescription:
        """Describes an object as the tenant has it now."""
        return self._descriptions.read(object)

    def changes(self, object: str, fields: Sequence[str], cursor: Cursor | None, limit: int) -> Page:
        """Reads the next page of the change stream."""
        return self._reader.changes(object, fields, cursor, limit)

    def changes_from(self, object: str, fields: Sequence[str], cursor: Cursor | None, limit: int, bound: Bound) -> Page:
        """Reads the next page; a listing leaves out what was created before the bound."""
        return self._reader.changes(object, fields, cursor, limit, bound)

    def list_ids_from(self, object: str, cursor: Cursor | None, limit: int, bound: Bound) -> IdPage:
        """Enumerates the visible records without those created before the bound."""
        return self._reader.list_ids(object, cursor, limit, bound)

    def count(self, object: str, bound: Bound | None) -> int | None:
        """Returns how many records a listing has before it."""
        return self._reader.count(object, bound)

    def deletions(self, object: str, cursor: Cursor | None, limit: int) -> Page:
        """Raises Unsupported: invalid records leave the queries without a trace."""
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
        """Finds records by a field's values, after the index lag."""
        return self._reader.find(object, field, values, fields)

    def list_ids(self, object: str, cursor: Cursor | None, limit: int) -> IdPage:
        """Enumerates every visible record."""
        return self._reader.list_ids(object, cursor, limit)

    def write(self, requests: Sequence[WriteRequest]) -> Sequence[WriteResult]:
        """Writes a batch, one result each, in the same order."""
        return self._writer.write(requests)

    def close(self) -> None:
        """Ends the threads and keeps the day's count of calls."""
        self._pool.close()
        self._client.pace.save()
