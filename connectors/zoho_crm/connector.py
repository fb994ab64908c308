"""The Zoho CRM connector, API v8: one object that answers the contract by its parts."""

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
    Op,
    Page,
    WriteRequest,
    WriteResult,
)
from connectors.channels import Channel, Hint, Subscription
from connectors.directory import Staff
from connectors.errors import SchemaDrift, Unsupported
from connectors.preparing import FieldNeed, Finding
from connectors.pricing import Price
from connectors.zoho_crm.bulk import BulkLoad
from connectors.zoho_crm.calls import Api
from connectors.zoho_crm.checking import Checker
from connectors.zoho_crm.conditions import price
from connectors.zoho_crm.deletions import Deletions
from connectors.zoho_crm.describe import Describer
from connectors.zoho_crm.directory import UserDirectory
from connectors.zoho_crm.modules import NOTES, READ_ONLY
from connectors.zoho_crm.notes import notes_of
from connectors.zoho_crm.prepare import Preparer
from connectors.zoho_crm.reading import Reader
from connectors.zoho_crm.settings import ALLOWED_HOSTS, read_settings
from connectors.zoho_crm.signing_in import SigningIn
from connectors.zoho_crm.streams import Streams
from connectors.zoho_crm.watch import Watch, receive
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
        self._writer = Writer(self._reader, self._describer.unique_fields)
        self._checker = Checker(api, self._reader, self._describer)
        self._signing_in = SigningIn(self._settings, context)
        self._preparer = Preparer(api)
        self._directory = UserDirectory(api)
        self._clock = context.clock
        self._watch = Watch(api)

    def capabilities(self, object: str) -> Capabilities:
        """Declares what a module can do; versions are Modified_Time, which resolves one second."""
        self._admit(object)
        writable = object not in READ_ONLY
        unique = writable and self._describer.external_key_unique(object)
        return Capabilities(
            incremental=True,
            sorted_by_cursor=True,
            cursor_resolution=1.0,
            visibility_lag=self._settings.visibility_lag,
            deletes=Deletes.FEED if self._settings.deleted_feed else Deletes.NONE,
            conditional_write=writable,
            external_key_field=writable,
            external_key_unique=unique,
            strong_read_by_key=writable,
            upsert=unique and self._writer.upserts(object),
            can_create=writable,
            can_delete=writable,
            can_clear=self._settings.clears,
            can_restore=False,
            returns_nulls=True,
            shows_actor=True,
            ordered_versions=True,
            batch_size=self._settings.batch_size,
            page_size=max(self._settings.page_size, self._settings.coql_page_size),
        )

    def check(self) -> Sequence[CheckLine]:
        """Proves the credentials, scope by scope."""
        return self._checker.check()

    def invite(self, by_link: bool) -> Invitation:
        """Says how a person authorises the hub."""
        return self._signing_in.invite(by_link)

    def admit(self, brought: str, by_link: bool) -> Admission:
        """Exchanges the code, or proves client credentials."""
        return self._signing_in.admit(brought, by_link)

    def describe(self, object: str) -> ObjectDescription:
        """Describes a module and its fields."""
        self._admit(object)
        return self._describer.describe(object)

    def objects(self) -> Mapping[str, str]:
        """Returns the modules that the hub's user sees, as its people call them."""
        modules = self._describer.modules()
        return {name: str(module.get("plural_label") or name) for name, module in modules.items()}

    def survey(self, object: str, needs: Sequence[FieldNeed]) -> Sequence[Finding]:
        """Says which fields and options the hub needs and the module lacks."""
        self._admit(object)
        return self._preparer.survey(object, needs)

    def prepare(self, object: str, needs: Sequence[FieldNeed]) -> Sequence[Finding]:
        """Makes what is missing, as far as the organisation lets the API do it."""
        self._admit(object)
        return self._preparer.prepare(object, needs)

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

    def price(self, object: str, op: Op, versions: Sequence[str | None]) -> Price:
        """Returns what writes cost in calls and API credits; it calls nobody."""
        self._admit(object)
        return price(op, versions, self._clock.now(), self._settings)

    def check_channels(self) -> Sequence[CheckLine]:
        """Proves that notification channels may be opened."""
        return self._checker.check_channels()

    def open_channel(self, wanted: Subscription) -> Channel:
        """Opens a notification channel."""
        self._admit_all(wanted)
        return self._watch.open(wanted)

    def renew_channel(self, wanted: Subscription) -> Channel | None:
        """Replaces everything of a channel and extends its life."""
        self._admit_all(wanted)
        return self._watch.renew(wanted)

    def look_at_channel(self, channel_id: str) -> Channel | None:
        """Returns a channel as it stands."""
        return self._watch.look(channel_id)

    def close_channel(self, channel_id: str) -> None:
        """Ends a channel."""
        self._watch.close(channel_id)

    def receive(self, body: bytes, channel_id: str, tokens: Sequence[str]) -> Hint | None:
        """Makes a hint out of a callback; one about a module that is not ours names no record."""
        hint = receive(body, channel_id, tokens)
        return hint if hint is None or hint.object in self._settings.objects else Hint("", (), hint.sent_at)

    def close(self) -> None:
        """Ends what is read ahead and lets go of the files of bulk loads; the HTTP session belongs to the context."""
        self._streams.close()
        self._bulk.close()

    def _admit_all(self, wanted: Subscription) -> None:
        for name in wanted.objects:
            self._admit(name)

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
