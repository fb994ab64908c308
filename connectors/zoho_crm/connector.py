"""The Zoho CRM connector, API v8: one object that answers the contract by its parts."""

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
from connectors.directory import Staff
from connectors.errors import SchemaDrift, Unsupported
from connectors.zoho_crm.bulk import BulkLoad
from connectors.zoho_crm.calls import Api
from connectors.zoho_crm.deletions import Deletions
from connectors.zoho_crm.describe import Describer
from connectors.zoho_crm.directory import UserDirectory
from connectors.zoho_crm.modules import NOTES, READ_ONLY
from connectors.zoho_crm.notes import notes_of
from connectors.zoho_crm.reading import Reader
from connectors.zoho_crm.settings import ALLOWED_HOSTS, read_settings
from connectors.zoho_crm.streams import Streams
from connectors.zoho_crm.writing import Writer


class ZohoCrmConnector:
    """Reads and writes the modules of one Zoho CRM organisation. Raises SettingsInvalid for wrong settings."""

    kind = "zoho_crm"
    allowed_hosts = ALLOWED_HOSTS

    def __init__(self, settings: Mapping[str, Any], context: ConnectorContext) -> None:
        self._settings = read_settings(settings, context.system)
        self._system = context.system
        api = Api(self._settings, context)
        self._reader = Reader(api)
        self._describer = Describer(api, self._reader)
        self._bulk = BulkLoad(self._reader, self._describer.describe)
        self._streams = Streams(self._reader, self._bulk)
        self._deletions = Deletions(self._reader)
        self._writer = Writer(self._reader)
        self._directory = UserDirectory(api)

    def capabilities(self, object: str) -> Capabilities:
        """Declares what a module can do; versions are Modified_Time, which resolves one second."""
        self._admit(object)
        return Capabilities(
            incremental=True,
            sorted_by_cursor=True,
            cursor_resolution=1.0,
            visibility_lag=self._settings.visibility_lag,
            deletes=Deletes.FEED if self._settings.deleted_feed else Deletes.NONE,
            conditional_write=object not in READ_ONLY,
            external_key_field=object not in READ_ONLY,
            external_key_unique=object not in READ_ONLY and self._describer.external_key_unique(object),
            strong_read_by_key=object not in READ_ONLY,
            can_create=object not in READ_ONLY,
            can_delete=object not in READ_ONLY,
            can_restore=False,
            returns_nulls=True,
            shows_actor=True,
            ordered_versions=True,
            batch_size=self._settings.batch_size,
            page_size=max(self._settings.page_size, self._settings.coql_page_size),
        )

    def check(self) -> Sequence[CheckLine]:
        """Proves the credentials, scope by scope."""
        return self._describer.check()

    def describe(self, object: str) -> ObjectDescription:
        """Describes a module and its fields."""
        self._admit(object)
        return self._describer.describe(object)

    def changes(self, object: str, fields: Sequence[str], cursor: Cursor | None, limit: int) -> Page:
        """Reads the next page of the change stream."""
        self._admit(object)
        return self._streams.changes(object, fields, cursor, limit)

    def changes_from(self, object: str, fields: Sequence[str], cursor: Cursor | None, limit: int, bound: Bound) -> Page:
        """Reads the next page; a listing leaves out what lies before the bound."""
        self._admit(object)
        return self._streams.changes(object, fields, cursor, limit, bound)

    def list_ids_from(self, object: str, cursor: Cursor | None, limit: int, bound: Bound) -> IdPage:
        """Enumerates the visible records without those before the bound."""
        self._admit(object)
        return self._streams.list_ids(object, cursor, limit, bound)

    def count(self, object: str, bound: Bound | None) -> int | None:
        """Counts a module; with a bound nobody can say without the search index, which lags."""
        self._admit(object)
        return self._reader.count(object) if bound is None else None

    def deletions(self, object: str, cursor: Cursor | None, limit: int) -> Page:
        """Reads the next page of the delete feed."""
        self._admit(object)
        return self._deletions.read(object, cursor, limit)

    def fetch(self, object: str, ids: Sequence[str], fields: Sequence[str]) -> Mapping[str, Fetched]:
        """Reads records strongly by id."""
        self._admit(object)
        return self._reader.fetch(object, ids, fields)

    def find(self, object: str, field: str, values: Sequence[str], fields: Sequence[str]) -> Sequence[NativeRecord]:
        """Finds records by hub id."""
        self._admit(object)
        self._refuse_read_only(object)
        return self._reader.find(object, field, values, fields)

    def list_ids(self, object: str, cursor: Cursor | None, limit: int) -> IdPage:
        """Enumerates every visible record."""
        self._admit(object)
        return self._streams.list_ids(object, cursor, limit)

    def staff(self) -> Sequence[Staff]:
        """Returns every user of the organisation, those too who left."""
        return self._directory.staff()

    def notes(self, object: str, native_id: str, fields: Sequence[str]) -> Sequence[NativeRecord]:
        """Reads the notes of one record, which needs no administrator."""
        self._admit(object)
        self._admit(NOTES)
        return list(notes_of(self._reader, object, native_id, fields))

    def write(self, requests: Sequence[WriteRequest]) -> Sequence[WriteResult]:
        """Writes a batch."""
        for request in requests[:1]:
            self._admit(request.object)
            self._refuse_read_only(request.object)
        return self._writer.write(requests)

    def close(self) -> None:
        """Ends what is read ahead and lets go of bulk files; the HTTP session belongs to the context."""
        self._streams.close()
        self._bulk.close()

    def _admit(self, object: str) -> None:
        if object not in self._settings.objects:
            raise SchemaDrift(
                f"{self._system}: {object} is not among the connection's objects; add it to `objects` in the settings",
                f"{self._system}：{object} 不在该连接的对象列表中，请在配置的 objects 中添加",
                system=self._system,
                object=object,
            )

    def _refuse_read_only(self, object: str) -> None:
        if object in READ_ONLY:
            raise Unsupported(
                f"{self._system} {object}: the module is only read: it has no hub id and is never written",
                f"{self._system} {object}：该模块只读：没有统一编号字段，也不写入",
                system=self._system,
                object=object,
            )
