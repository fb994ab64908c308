"""The Zoho CRM connector through zcrmsdk (API v2): the parts of the REST backend over the SDK's way to the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.admission import Admission, Invitation
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
from connectors.errors import SchemaDrift
from connectors.zoho_crm.bulk import BulkLoad
from connectors.zoho_crm.checking import Checker
from connectors.zoho_crm.deletions import Deletions
from connectors.zoho_crm.describe import Describer
from connectors.zoho_crm.modules import READ_ONLY
from connectors.zoho_crm.sdk_api import SdkApi
from connectors.zoho_crm.sdk_reading import SdkReader
from connectors.zoho_crm.settings import ALLOWED_HOSTS, read_settings
from connectors.zoho_crm.signing_in import SigningIn
from connectors.zoho_crm.streams import Streams
from connectors.zoho_crm.writing import Writer


class ZohoSdkConnector:
    """Reads and writes the modules of one organisation by the SDK. Raises SettingsInvalid for wrong settings.

    It has the contract and `Bounded`, and nothing that API v2 or the SDK cannot do: no count, no conditional header.
    """

    kind = "zoho_crm"
    allowed_hosts = ALLOWED_HOSTS

    def __init__(self, settings: Mapping[str, Any], context: ConnectorContext) -> None:
        self._settings = read_settings(settings, context.system)
        self._system = context.system
        self._api = SdkApi(self._settings, context)
        self._reader = SdkReader(self._api)
        self._describer = Describer(self._api, self._reader)
        self._streams = Streams(self._reader, BulkLoad(self._reader, self._describer.describe))
        self._deletions = Deletions(self._reader)
        self._writer = Writer(self._reader, self._describer.unique_fields)
        self._checker = Checker(self._api, self._reader, self._describer)
        self._signing_in = SigningIn(self._settings, context)

    def capabilities(self, object: str) -> Capabilities:
        """Declares what a module can do; `conditional_write` is a read just before, `can_clear` the SDK's own limit."""
        self._admit(object)
        writable = object not in READ_ONLY
        return Capabilities(
            incremental=True,
            sorted_by_cursor=True,
            cursor_resolution=1.0,
            visibility_lag=self._settings.visibility_lag,
            deletes=Deletes.FEED if self._settings.deleted_feed else Deletes.NONE,
            conditional_write=writable,
            external_key_field=writable,
            external_key_unique=writable and self._describer.external_key_unique(object),
            strong_read_by_key=writable,
            can_create=writable,
            can_delete=writable,
            can_clear=False,
            can_restore=False,
            returns_nulls=True,
            shows_actor=True,
            ordered_versions=True,
            batch_size=self._settings.batch_size,
            page_size=self._settings.page_size,
        )

    def check(self) -> Sequence[CheckLine]:
        """Proves the credentials, scope by scope."""
        return self._checker.check()

    def invite(self, by_link: bool) -> Invitation:
        """Says how a person authorises the hub."""
        return self._signing_in.invite(by_link)

    def admit(self, brought: str, by_link: bool) -> Admission:
        """Exchanges the code for a refresh token, as the other backend does: the SDK would keep it in plain text."""
        return self._signing_in.admit(brought, by_link)

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
        return self._reader.find(object, field, values, fields)

    def list_ids(self, object: str, cursor: Cursor | None, limit: int) -> IdPage:
        """Enumerates every visible record."""
        self._admit(object)
        return self._streams.list_ids(object, cursor, limit)

    def write(self, requests: Sequence[WriteRequest]) -> Sequence[WriteResult]:
        """Writes a batch."""
        for request in requests[:1]:
            self._admit(request.object)
        return self._writer.write(requests)

    def close(self) -> None:
        """Removes the SDK's files; the HTTP session belongs to the context."""
        self._api.close()

    def _admit(self, object: str) -> None:
        if object not in self._settings.objects:
            raise SchemaDrift(
                f"{self._system}: {object} is not among the connection's objects; add it to `objects` in the settings",
                f"{self._system}：{object} 不在该连接的对象列表中，请在配置的 objects 中添加",
                system=self._system,
                object=object,
            )
