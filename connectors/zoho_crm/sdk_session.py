"""One connection's calls through zcrmsdk: reads and writes of records, COQL, metadata and sign-in.

Source: zcrmsdk 3.1.0 (record_operations, query_operations, common_api_handler, utility).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from tempfile import TemporaryDirectory
from typing import Any

from connectors.base import WriteUnclear
from connectors.errors import ProtocolViolation, SettingsInvalid
from connectors.zoho_crm.answers import Answer, refusal
from connectors.zoho_crm.sdk import Sdk, load, on_worker, put_in_place
from connectors.zoho_crm.sdk_transport import Line, Purpose
from connectors.zoho_crm.sdk_values import Details, Unfit, plain, record_of

Row = Mapping[str, Any]
_DESCRIBING = Purpose("describe fields", read=True)
_NUMBERS = ("ids", "page", "per_page")


class Rejected(Exception):
    """Says that the SDK refused a request by itself and sent nothing; `field` where it named one."""

    def __init__(self, field: str | None, *, missing: bool = False) -> None:
        super().__init__(field)
        self.field, self.missing = field, missing


class Session:
    """Is one connection's use of the SDK; every method blocks until the SDK's thread has had its turn.

    `origins` are those of the API and of the sign-in address. `current` gives the access token to sign with, `keep`
    takes the one that the SDK was given.
    """

    def __init__(
        self,
        system: str,
        origins: tuple[str, str],
        line: Line,
        current: Callable[[], str | None],
        keep: Callable[[str], None],
    ) -> None:
        self._system, self._origins, self._line = system, origins, line
        self._current, self._keep = current, keep
        self._signing_in = False
        self._folder: TemporaryDirectory[str] | None = None
        self._mine: Any = None
        self._known: dict[str, Details] = {}

    def __repr__(self) -> str:
        return f"Session({self._system})"

    def close(self) -> None:
        """Removes the metadata files."""
        folder, self._folder, self._mine = self._folder, None, None
        self._known.clear()
        if folder is not None:
            folder.cleanup()

    def sign_in(self, form: Mapping[str, str]) -> None:
        """Has the SDK ask for an access token; what came of it, `keep` and the line know."""

        def ask() -> None:
            sdk = self._take()
            token = self._mine.token
            token.client_id, token.client_secret = form["client_id"], form["client_secret"]
            token.refresh_token = form["refresh_token"]
            self._signing_in = True
            try:
                token.authenticate(_Sink())
            except sdk.failed:
                return
            finally:
                self._signing_in = False
                token.client_id = token.client_secret = token.refresh_token = ""

        on_worker(ask)

    # --- calls ----------------------------------------------------------------------------------------------------

    def list(self, purpose: Purpose, module: str, wanted: Mapping[str, str], since: str | None) -> Answer:
        """Lists records, changed since an instant where one is given."""

        def call(sdk: Sdk) -> Any:
            parameters = _parameters(sdk, sdk.record.GetRecordsParam, wanted)
            headers = _since(sdk, sdk.record.GetRecordsHeader, since)
            return sdk.record.RecordOperations().get_records(module, parameters, headers)

        return self._ask(purpose, call, module)

    def get(self, purpose: Purpose, module: str, native_id: str, wanted: Mapping[str, str]) -> Answer:
        """Reads one record."""

        def call(sdk: Sdk) -> Any:
            parameters = _parameters(sdk, sdk.record.GetRecordParam, wanted)
            return sdk.record.RecordOperations().get_record(int(native_id), module, parameters, sdk.headers())

        return self._ask(purpose, call, module)

    def deleted(self, purpose: Purpose, module: str, wanted: Mapping[str, str], since: str | None) -> Answer:
        """Reads the delete feed."""

        def call(sdk: Sdk) -> Any:
            parameters = _parameters(sdk, sdk.record.GetDeletedRecordsParam, wanted)
            headers = _since(sdk, sdk.record.GetDeletedRecordsHeader, since)
            return sdk.record.RecordOperations().get_deleted_records(module, parameters, headers)

        return self._ask(purpose, call)

    def query(self, purpose: Purpose, text: str) -> Answer:
        """Reads records by COQL."""

        def call(sdk: Sdk) -> Any:
            body = sdk.query.BodyWrapper()
            body.set_select_query(text)
            return sdk.query.QueryOperations().get_records(body)

        return self._ask(purpose, call)

    def fields(self, purpose: Purpose, module: str) -> Answer:
        """Describes a module's fields, and forgets what the SDK knew of any module, so that it learns them anew."""

        def call(sdk: Sdk) -> Any:
            self._known.clear()
            if os.path.exists(file := sdk.utility.get_file_name()):
                os.remove(file)
            return sdk.fields.FieldsOperations(module).get_fields()

        return self._ask(purpose, call)

    def modules(self, purpose: Purpose) -> Answer:
        """Lists the modules."""
        return self._ask(purpose, lambda sdk: sdk.modules.ModulesOperations().get_modules(sdk.headers()))

    def organisation(self, purpose: Purpose) -> Answer:
        """Reads the organisation."""
        return self._ask(purpose, lambda sdk: sdk.org.OrgOperations().get_organization())

    def prepare(self, module: str, rows: Sequence[Row]) -> Sequence[Any | Unfit]:
        """Returns each row as the SDK's record, or why the SDK would not take it."""

        def make() -> Sequence[Any | Unfit]:
            sdk = self._take()
            self._learn(sdk, module)
            return [_record(row, self._known[module], sdk) for row in rows]

        return on_worker(make)

    def write(
        self,
        purpose: Purpose,
        method: str,
        module: str,
        records: Sequence[Any],
        trigger: Sequence[str],
        keys: Sequence[str] | None = None,
    ) -> Answer:
        """Creates (POST), updates (PUT) or, with `keys` to tell records by, upserts prepared records.

        Raises Rejected where the SDK refused and nothing was sent, WriteUnclear.
        """

        def call(sdk: Sdk) -> Any:
            body = sdk.record.BodyWrapper()
            body.set_data(list(records))
            body.set_trigger(list(trigger))
            operations = sdk.record.RecordOperations()
            if keys is not None:
                body.set_duplicate_check_fields(list(keys))
                return operations.upsert_records(module, body)
            return (operations.update_records if method == "PUT" else operations.create_records)(module, body)

        return self._ask(purpose, call, module)

    def delete(self, purpose: Purpose, module: str, wanted: Mapping[str, str]) -> Answer:
        """Deletes records by their ids."""

        def call(sdk: Sdk) -> Any:
            parameters = _parameters(sdk, sdk.record.DeleteRecordsParam, wanted)
            return sdk.record.RecordOperations().delete_records(module, parameters)

        return self._ask(purpose, call)

    def learn(self, module: str) -> Details:
        """Returns what the SDK knows of a module's fields, and thereby which types it demands."""

        def look() -> Details:
            self._learn(self._take(), module)
            return self._known[module]

        return on_worker(look)

    # --- how a call is made ---------------------------------------------------------------------------------------

    def _ask(self, purpose: Purpose, call: Callable[[Sdk], Any], module: str | None = None) -> Answer:
        def turn() -> Answer:
            sdk = self._take()
            if module is not None:
                self._learn(sdk, module)
            self._line.begin(purpose)
            response, rejected = _tried(sdk, lambda: call(sdk))
            if self._line.failure is not None:
                raise self._line.failure
            if self._line.answer is None:
                raise rejected or Rejected(None)
            return self._read(sdk, purpose, response, self._line.answer)

        return on_worker(turn)

    def _read(self, sdk: Sdk, purpose: Purpose, response: Any, answer: Answer) -> Answer:
        found = None if response is None else response.get_object()
        if found is not None:
            return Answer(answer.status, plain(found, sdk.initializer.json_details), answer.at)
        if answer.content is None:
            return answer
        # An answer that the SDK could not read looks as if there had been none: it is never "no records".
        if not purpose.read:
            raise WriteUnclear("zcrmsdk could not read Zoho's answer to the write")
        raise self._unread(purpose)

    def _learn(self, sdk: Sdk, module: str) -> None:
        """Lets the SDK read a module's fields and those of the modules that it links to."""
        if module in self._known:
            return
        self._line.begin(_DESCRIBING)
        _, rejected = _tried(sdk, lambda: sdk.utility.get_fields(module))
        answer = self._line.answer
        if self._line.failure is not None:
            raise self._line.failure
        if answer is not None and not answer.ok:
            raise refusal(answer, self._system, module, "read fields")
        if rejected is not None:
            raise self._unread(_DESCRIBING)
        file = sdk.utility.get_file_name()
        # A field of a type that the SDK does not know is kept without a name, and would fail every write.
        kept = {
            name: {field: detail for field, detail in fields.items() if detail}
            for name, fields in sdk.initializer.get_json(file).items()
        }
        sdk.utility.write_to_file(file, kept)
        self._known[module] = kept[module.lower()]

    def _take(self) -> Sdk:
        """Puts this connection in place of the one that called last."""
        sdk = load()
        if self._mine is None:
            self._folder = _private_folder(self._system)
            store = sdk.store(lambda: None if self._signing_in else self._current(), self._keep)
            self._mine = sdk.start(*self._origins, self._folder.name, store)
        put_in_place(sdk, self._mine, self._line)
        return sdk

    def _unread(self, purpose: Purpose) -> ProtocolViolation:
        return ProtocolViolation(
            f"{self._system}: zcrmsdk could not read Zoho's answer ({purpose.operation}); the stream stops. "
            "See the vendor's status page, or use backend: rest",
            f"{self._system}：zcrmsdk 无法解析 Zoho 的返回（{purpose.operation}），已停止读取；"
            "请查看厂商的服务状态，或改用 backend: rest",
            system=self._system,
        )


class _Sink:
    """Takes the header that a sign-in makes; the transport signs by itself."""

    def add_header(self, name: str, value: str) -> None:
        """Keeps nothing."""


def _tried(sdk: Sdk, call: Callable[[], Any]) -> tuple[Any, Rejected | None]:
    """Returns what a call gave, or what the SDK refused about it. Its errors may quote values: they end here."""
    try:
        return call(), None
    except sdk.failed as error:
        details = getattr(error, "details", None) or {}
    missing = str(details.get("keys", "")).strip("[]'").split("'")[0]
    return None, Rejected(missing or str(details.get("field", "")) or None, missing=bool(missing))


def _record(row: Row, fields: Details, sdk: Sdk) -> Any | Unfit:
    try:
        return record_of(row, fields, sdk.makers)
    except Unfit as unfit:
        return unfit


def _parameters(sdk: Sdk, names: Any, wanted: Mapping[str, str]) -> Any:
    """Returns query parameters in the types that the SDK demands; ids one by one."""
    made = sdk.parameters()
    for name, text in wanted.items():
        for value in text.split(",") if name == "ids" else (text,):
            made.add(getattr(names, name), int(value) if name in _NUMBERS else value)
    return made


def _since(sdk: Sdk, names: Any, since: str | None) -> Any:
    made = sdk.headers()
    if since is not None:
        made.add(names.if_modified_since, datetime.fromisoformat(since))
    return made


def _private_folder(system: str) -> TemporaryDirectory[str]:
    try:
        return TemporaryDirectory(prefix="crmhub-zcrmsdk-", ignore_cleanup_errors=True)
    except OSError:
        pass
    raise SettingsInvalid(
        f"{system}: zcrmsdk needs a temporary folder to write to; name one in TMPDIR, or use backend: rest",
        f"{system}：zcrmsdk 需要可写的临时目录，请设置 TMPDIR，或改用 backend: rest",
        system=system,
    )
