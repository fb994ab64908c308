"""The API as zcrmsdk reaches it: the calls of the connector's parts, made through the SDK and answered as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from connectors.base import ConnectorContext
from connectors.errors import Unsupported
from connectors.zoho_crm.answers import ABSENT, Answer, refusal
from connectors.zoho_crm.calls import Api, FileCaps
from connectors.zoho_crm.sdk import on_worker
from connectors.zoho_crm.sdk_session import Rejected, Row, Session
from connectors.zoho_crm.sdk_tokens import SdkTokens
from connectors.zoho_crm.sdk_transport import Line, Purpose
from connectors.zoho_crm.sdk_values import Unfit, clears
from connectors.zoho_crm.settings import ZohoSettings

COQL_ROWS = 200
"""What one COQL call of API v2 returns at most."""
SIGN_IN_PATH = "/oauth/v2/token"
_SINCE = "If-Modified-Since"


def within_sdk(settings: ZohoSettings) -> ZohoSettings:
    """Returns settings with what API v2 and the SDK cannot do taken out."""
    return settings.model_copy(
        update={
            "coql_page_size": min(settings.coql_page_size, COQL_ROWS),
            "conditional_updates": "batch_read_before_write",
            "condition_batches": False,
            "repeat_creates": "insert",
            "listing": settings.listing if settings.listing in ("list", "coql") else "list",
            "bulk_read_above": 0,
            "scopes": tuple(scope for scope in settings.scopes if not scope.startswith("ZohoCRM.users.")),
        }
    )


class SdkApi(Api):
    """Calls the API through the SDK; what the SDK sends goes out by `Api.call`, as every other call does."""

    root = "/crm/v2"

    def __init__(self, settings: ZohoSettings, context: ConnectorContext) -> None:
        super().__init__(within_sdk(settings), context)
        sign_in_url = f"{settings.accounts_origin}{SIGN_IN_PATH}"
        tokens = SdkTokens(settings, context, lambda form: self._session.sign_in(form))
        line = Line(f"{settings.api_origin}{self.root}", sign_in_url, partial(Api.call, self), tokens.accounts.exchange)
        origins = (settings.api_origin, sign_in_url)
        self._session = Session(context.system, origins, line, tokens.held, tokens.accounts.keep)
        self.tokens = tokens

    def close(self) -> None:
        """Removes what the SDK wrote to disk."""
        self._session.close()

    def call(
        self,
        method: str,
        path: str,
        operation: str,
        *,
        read: bool,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        cost: int = 1,
        base: str | None = None,
        file: FileCaps | None = None,
    ) -> Answer:
        """Makes one call through the SDK. Raises what `Api.call` does, and Unsupported for what the SDK cannot do."""
        if base is not None or file is not None:
            raise self._cannot(method, path)
        purpose, wanted = Purpose(operation, read, cost), dict(params or {})
        parts = path.strip("/").split("/")

        def turn() -> Answer:
            # Signed in beforehand: under the SDK's own lock nobody else could.
            self.tokens.current()
            if read:
                return self._read_through(purpose, parts, wanted, (headers or {}).get(_SINCE), body)
            return self._write_through(purpose, method, parts, wanted, body)

        try:
            return on_worker(turn)
        except Rejected:
            pass
        raise self._cannot(method, path)

    def _read_through(
        self, purpose: Purpose, parts: Sequence[str], wanted: Mapping[str, str], since: str | None, body: Any
    ) -> Answer:
        session = self._session
        match parts:
            case ["org"]:
                return session.organisation(purpose)
            case ["settings", "modules"]:
                return session.modules(purpose)
            case ["settings", "fields"]:
                return session.fields(purpose, wanted["module"])
            case ["coql"]:
                return session.query(purpose, body["select_query"])
            case [module]:
                return session.list(purpose, module, wanted, since)
            case [module, "deleted"]:
                return session.deleted(purpose, module, wanted, since)
            # v2 shows one record with its texts whole.
            case [module, native_id] | [module, native_id, "actions", "fetch_full_data"]:
                return session.get(purpose, module, native_id, wanted)
        raise self._cannot("GET", "/".join(parts))

    def _write_through(
        self, purpose: Purpose, method: str, parts: Sequence[str], wanted: Mapping[str, str], body: Any
    ) -> Answer:
        match method, parts:
            case "DELETE", [module]:
                return self._session.delete(purpose, module, wanted)
            case "POST", [module, "upsert"]:
                return self._send_rows(purpose, method, module, body, body["duplicate_check_fields"])
            case (("POST" | "PUT"), [module]):
                return self._send_rows(purpose, method, module, body, None)
        raise self._cannot(method, "/".join(parts))

    def _send_rows(
        self, purpose: Purpose, method: str, module: str, body: Mapping[str, Any], keys: Sequence[str] | None
    ) -> Answer:
        """Sends the rows that the SDK takes and answers for all; it would refuse a batch for one row of a hundred."""
        results: dict[int, Mapping[str, Any]] = {}
        rows = dict(enumerate(self._without_clears(module, method, keys, body["data"], results)))
        prepared = self._session.prepare(module, [row for index, row in rows.items() if index not in results])
        places = [index for index in rows if index not in results]
        good = {}
        for index, record in zip(places, prepared, strict=True):
            if isinstance(record, Unfit):
                results[index] = _refused(record)
            else:
                good[index] = record
        if good:
            answer = self._write_records(purpose, method, module, list(good.values()), body["trigger"], keys)
            if answer.rows is None or len(answer.rows) != len(good):
                return answer
            results |= dict(zip(good, answer.rows, strict=True))
            return Answer(answer.status, {"data": [results[index] for index in rows]}, answer.at)
        return Answer(400, {"data": [results[index] for index in rows]}, None)

    def _write_records(
        self,
        purpose: Purpose,
        method: str,
        module: str,
        records: Sequence[Any],
        trigger: Sequence[str],
        keys: Sequence[str] | None,
    ) -> Answer:
        try:
            return self._session.write(purpose, method, module, records, trigger, keys)
        except Rejected as rejected:
            result = _result("MANDATORY_NOT_FOUND" if rejected.missing else "INVALID_DATA", rejected.field)
        # One row is answered for; of several the writer sends halves, as after any refusal of a whole request.
        return Answer(400, {"data": [result]} if len(records) == 1 else result, None)

    def _without_clears(
        self,
        module: str,
        method: str,
        keys: Sequence[str] | None,
        rows: Sequence[Row],
        results: dict[int, Mapping[str, Any]],
    ) -> Sequence[Row]:
        """Returns rows without the empty values that the SDK cannot send, where leaving them out says the same.

        That is so in a new record, and where the field is empty already; any other row is refused in `results`.
        """
        fields = self._session.learn(module)
        emptied = {index: names for index, row in enumerate(rows) if (names := clears(row, fields))}
        creates = method == "POST" and keys is None
        current = self._held_now(module, rows, emptied) if emptied and method == "PUT" else {}
        bare = list(rows)
        for index, names in emptied.items():
            shown = current.get(index, {} if creates else dict.fromkeys(names, True))
            if filled := [name for name in names if shown.get(name) is not None]:
                results[index] = _refused(Unfit(filled[0], clears=True))
            bare[index] = {name: value for name, value in rows[index].items() if name not in names}
        return bare

    def _held_now(self, module: str, rows: Sequence[Row], emptied: Mapping[int, Sequence[str]]) -> Mapping[int, Row]:
        """Returns what the records of some rows hold now; one that is not there at all holds nothing."""
        ids = {index: str(rows[index]["id"]) for index in emptied}
        names = ",".join(dict.fromkeys(name for each in emptied.values() for name in each))
        wanted = {"ids": ",".join(ids.values()), "fields": names, "per_page": str(len(ids))}
        found = self._rows_shown(module, self._session.list(Purpose(f"list {module}", read=True), module, wanted, None))
        # A list may not show a row yet that was written a moment ago; reads of one record do.
        for native_id in (one for one in ids.values() if one not in found):
            purpose = Purpose(f"get {module}", read=True)
            found |= self._rows_shown(module, self._session.get(purpose, module, native_id, {"fields": names}))
        return {index: found.get(native_id, {}) for index, native_id in ids.items()}

    def _rows_shown(self, module: str, answer: Answer) -> dict[str, Row]:
        if not answer.ok and answer.code not in ABSENT:
            raise refusal(answer, self.system, module, "read what a write would empty")
        rows = answer.rows if answer.ok else None
        return {str(row["id"]): row for row in rows or () if isinstance(row, Mapping) and "id" in row}

    def _cannot(self, method: str, path: str) -> Unsupported:
        what = f"{method} {path.strip('/').partition('/')[0]}"
        return Unsupported(
            f"{self.system}: zcrmsdk cannot do this ({what}); use backend: rest",
            f"{self.system}：zcrmsdk 不支持该操作（{what}），请改用 backend: rest",
            system=self.system,
        )


def _refused(unfit: Unfit) -> Mapping[str, Any]:
    return _result("CANNOT_CLEAR" if unfit.clears else "INVALID_DATA", unfit.field)


def _result(code: str, field: str | None) -> Mapping[str, Any]:
    """Returns a refusal in the form of the API's results per row."""
    details = {} if field is None else {"api_name": field}
    return {"code": code, "details": details, "message": "refused before it was sent", "status": "error"}
