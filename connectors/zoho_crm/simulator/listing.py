"""Reading records: lists with their paging walls, single records, and what was deleted."""

from __future__ import annotations

import secrets
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any

from starlette.responses import Response

from connectors.zoho_crm.simulator.answers import Failure, answer, empty, invalid, whole_number
from connectors.zoho_crm.simulator.records import ModuleStore, Org, Row
from connectors.zoho_crm.simulator.schema import User
from connectors.zoho_crm.simulator.values import SINGLE_READ

MAX_FIELDS = 50
PAGE = 200
_SORTS = {"id", "Created_Time", "Modified_Time"}
_BOUND = ("fields", "per_page", "sort_by", "sort_order", "ids", "cvid", "converted", "territory_id", "include_child")


@dataclass(frozen=True, slots=True)
class _Token:
    """What a page token stands for: who may use it with which parameters, and where the walk goes on."""

    user_id: str
    module: str
    bound: tuple[str | None, ...]
    after: tuple[int, int]
    page: int
    rows: int
    expires: float


class PageTokens:
    """The page tokens given out, forgotten some time after they expired."""

    def __init__(self) -> None:
        self._tokens: dict[str, _Token] = {}

    def give(self, token: _Token) -> str:
        """Returns the text of a new token."""
        text = secrets.token_hex(48)
        self._tokens[text] = token
        if len(self._tokens) > 20_000:
            self._tokens = dict(list(self._tokens.items())[-10_000:])
        return text

    def take(self, text: str) -> _Token | None:
        """Returns what a token stands for; it may be used again."""
        return self._tokens.get(text)


@dataclass(frozen=True, slots=True)
class ListCall:
    """One list request."""

    user: User
    version: str
    params: Mapping[str, str]
    since: int | None = None

    @property
    def old(self) -> bool:
        """Tells whether it is a version without mandatory fields and page tokens."""
        return self.version in ("v2", "v2.1")


def read_since(header: str | None) -> int | None:
    """Reads If-Modified-Since (ISO 8601 with offset) in whole seconds; raises Failure 400."""
    if header is None:
        return None
    try:
        moment = datetime.fromisoformat(header)
    except ValueError:
        raise invalid("invalid data", header="If-Modified-Since") from None
    if moment.tzinfo is None:
        raise invalid("invalid data", header="If-Modified-Since")
    return int(moment.timestamp())


def list_records(org: Org, store: ModuleStore, tokens: PageTokens, call: ListCall) -> tuple[Response, int]:
    """Answers GET /{module}; returns the answer and its number of rows."""
    if store.spec.api_name == "Notes" and org.settings.notes_for_admins_only and not call.user.admin:
        raise Failure(403, "NOT_SUPPORTED", "the module is not supported for this user", {})
    names = read_fields(store, call)
    per_page, sort_by, descending = _read_sort(call)
    page, token = _read_page(org, store, tokens, call, per_page)
    keys, since_at = _keys(store, sort_by, call)
    kept = converted_wanted(call.params)
    walk = _walk(org, store, keys, since_at, descending, token.after if token else None, kept)
    if token is None:
        for _ in range((page - 1) * per_page):
            if next(walk, None) is None:
                break
    found: list[tuple[Row, tuple[int, int]]] = []
    for row, key in walk:
        found.append((row, key))
        if len(found) > per_page:
            break
    more = len(found) > per_page
    found = found[:per_page]
    if not found:
        return empty(304 if call.since is not None else 204), 0
    information = _page_notes(call, per_page, len(found), page, more)
    if not call.old:
        information |= {"sort_by": sort_by, "sort_order": "desc" if descending else "asc"}
        served = (token.rows if token else (page - 1) * per_page) + len(found)
        information |= _next(org, store, tokens, call, found[-1][1], page, served, more)
    show = shower(org, store, names)
    return answer({"data": [show(row) for row, _ in found], "info": information}), len(found)


def _page_notes(call: ListCall, per_page: int, count: int, page: int, more: bool) -> dict[str, Any]:
    notes: dict[str, Any] = {"per_page": per_page, "count": count, "page": page, "more_records": more}
    return notes if call.old else notes | {"call": False, "email": False}


def _next(
    org: Org,
    store: ModuleStore,
    tokens: PageTokens,
    call: ListCall,
    last: tuple[int, int],
    page: int,
    served: int,
    more: bool,
) -> dict[str, Any]:
    notes: dict[str, Any] = {"next_page_token": None, "previous_page_token": None, "page_token_expiry": None}
    if more:
        expires = org.clock.now() + org.settings.page_token_lifetime
        token = _Token(call.user.user_id, store.spec.api_name, _bound(call), last, page + 1, served, expires)
        notes |= {"next_page_token": tokens.give(token), "page_token_expiry": org.iso(expires)}
    return notes


def _bound(call: ListCall) -> tuple[str | None, ...]:
    since = None if call.since is None else str(call.since)
    return (*(call.params.get(name) for name in _BOUND), since)


def read_fields(store: ModuleStore, call: ListCall) -> list[str] | None:
    """Returns the fields asked for, without those nobody can see; raises Failure where there are none or too many."""
    text = call.params.get("fields")
    if not text:
        if call.old:
            return None
        details = {"param_name": "fields"}
        raise Failure(400, "REQUIRED_PARAM_MISSING", "One of the expected parameter is missing", details)
    names = [name.strip() for name in text.split(",") if name.strip()]
    if len(names) > MAX_FIELDS and not call.old:
        details = {"limit": str(MAX_FIELDS), "param_name": "fields"}
        raise Failure(400, "LIMIT_EXCEEDED", "The limit for the fields parameter is exceeded", details)
    return [name for name in names if store.visible(name) or name.startswith("$")]


def _read_sort(call: ListCall) -> tuple[int, str, bool]:
    per_page = whole_number(call.params, "per_page", PAGE)
    if not 1 <= per_page <= PAGE:
        raise invalid("invalid data", param_name="per_page", maximum=PAGE)
    sort_by = call.params.get("sort_by", "id")
    sort_order = call.params.get("sort_order", "desc")
    if sort_by not in _SORTS:
        raise invalid("invalid data", param_name="sort_by")
    if sort_order not in ("asc", "desc"):
        raise invalid("invalid data", param_name="sort_order")
    if call.params.get("cvid"):
        raise invalid("invalid data", param_name="cvid")
    return per_page, sort_by, sort_order == "desc"


def _read_page(
    org: Org, store: ModuleStore, tokens: PageTokens, call: ListCall, per_page: int
) -> tuple[int, _Token | None]:
    settings, text = org.settings, call.params.get("page_token")
    if text is None or call.old:
        page = max(1, whole_number(call.params, "page", 1))
        wall = settings.v2_discrete_rows if call.old else settings.discrete_rows
        if wall and page * per_page > wall:
            message = "please use page_token to fetch records beyond the limit"
            raise Failure(400, "DISCRETE_PAGINATION_LIMIT_EXCEEDED", message, {"limit": wall})
        return page, None
    if "page" in call.params:
        details = {"param_names": ["page", "page_token"]}
        raise Failure(400, "AMBIGUITY_DURING_PROCESSING", "page and page_token cannot be used together", details)
    if call.since is not None and not settings.since_with_page_token:
        raise invalid("invalid data", header="If-Modified-Since", param_name="page_token")
    token = tokens.take(text)
    if token is None or token.user_id != call.user.user_id:
        raise invalid("invalid data", param_name="page_token")
    if token.expires <= org.clock.now():
        raise Failure(400, "EXPIRED_VALUE", "page_token is expired", {"param_name": "page_token"})
    if token.bound != _bound(call) or token.module != store.spec.api_name:
        message = "the given params do not match the params of the page_token"
        raise Failure(400, "TOKEN_BOUND_DATA_MISMATCH", message, {"param_name": "page_token"})
    if token.rows >= settings.token_rows:
        raise Failure(400, "PAGINATION_LIMIT_EXCEEDED", "the limit is exceeded", {"limit": settings.token_rows})
    return token.page, token


def converted_wanted(params: Mapping[str, str]) -> frozenset[bool]:
    """Reads `converted`: false (default) hides converted leads, true shows them alone, both shows all."""
    wanted = {"false": {False}, "true": {True}, "both": {False, True}}.get(params.get("converted", "false"))
    if wanted is None:
        raise invalid("invalid data", param_name="converted")
    return frozenset(wanted)


def _keys(store: ModuleStore, sort_by: str, call: ListCall) -> tuple[list[tuple[int, int]] | list[int], int]:
    """Returns the ascending sort keys of the rows asked for, and where the first wanted one stands."""
    changed = store.by_modified
    first = 0 if call.since is None else bisect_left(changed, (call.since, 0))
    if wanted := call.params.get("ids"):
        listed = [part.strip() for part in wanted.split(",") if part.strip()]
        if len(listed) > 100:
            details = {"limit": "100", "param_name": "ids"}
            raise Failure(400, "LIMIT_EXCEEDED", "The limit for the ids parameter is exceeded", details)
        found = [row for part in listed if (row := store.live(part)) is not None]
        kept = {row.number: row for row in found if call.since is None or row.modified >= call.since}
        return sorted(_key(row, sort_by) for row in kept.values()), 0
    if sort_by == "Modified_Time":
        return changed, first
    if call.since is not None:
        rows = (store.rows[str(number)] for _, number in changed[first:])
        return sorted(_key(row, sort_by) for row in rows), 0
    return (store.by_id if sort_by == "id" else store.by_created), 0


def _key(row: Row, sort_by: str) -> tuple[int, int]:
    times = {"id": row.number, "Created_Time": row.created, "Modified_Time": row.modified}
    return times[sort_by], row.number


def _walk(
    org: Org,
    store: ModuleStore,
    keys: list[tuple[int, int]] | list[int],
    first: int,
    descending: bool,
    after: tuple[int, int] | None,
    converted: frozenset[bool],
) -> Iterator[tuple[Row, tuple[int, int]]]:
    """Yields the visible rows in order, going on after a key."""
    bare = bool(keys) and isinstance(keys[0], int)
    mark: Any = after[1] if after and bare else after
    low, high = first, len(keys)
    if mark is not None and descending:
        high = bisect_left(keys, mark)
    elif mark is not None:
        low = max(first, bisect_right(keys, mark))
    youngest = org.clock.now() - org.settings.list_lag if org.settings.list_lag else None
    for position in range(high - 1, low - 1, -1) if descending else range(low, high):
        key = keys[position]
        pair = (key, key) if isinstance(key, int) else key
        row = store.rows[str(pair[1])]
        if (
            row.is_listed(org.settings.approval_in_lists)
            and row.converted in converted
            and (youngest is None or row.modified <= youngest)
        ):
            yield row, pair


_VIRTUAL = {"$approval_state": "approved", "$approved": True, "$editable": True, "$in_merge": False,
            "$review": None, "$has_more": {}, "$taxable": None}  # fmt: skip


def shower(org: Org, store: ModuleStore, names: list[str] | None) -> Callable[[Row], dict[str, Any]]:
    """Returns how a list shows a row: the fields asked for, and always the id."""
    if names is None:
        return lambda row: whole_record(store, row, "v2")
    told = "$se_module" in names and "What_Id" in store.spec.fields
    names = [name for name in names if name != "$se_module"]
    plain = list(dict.fromkeys([name for name in names if name[0] != "$"] + ["id"]))
    single = [name for name in plain if name != "id" and store.spec.fields[name].data_type in SINGLE_READ]
    plain = [name for name in plain if name not in single]
    extra = {name: _VIRTUAL.get(name) for name in names if name[0] == "$"}
    if org.settings.single_in_lists == "null":
        extra |= dict.fromkeys(single)
    if told and org.settings.se_module_in_lists:
        plain.append("$se_module")
    rich = [name for name in org.settings.rich_text_fields.split(",") if name in plain]
    if len(plain) == 1:
        return lambda row: {"id": row.record_id, **extra}
    pick = itemgetter(*plain)

    def show(row: Row) -> dict[str, Any]:
        shown = dict(zip(plain, pick(row.fields), strict=True))
        for name in rich:
            if isinstance(value := shown[name], str):
                shown[name] = value[:500]
        return {**shown, **extra} if extra else shown

    return show


def whole_record(store: ModuleStore, row: Row, version: str, most_rows: int = 200) -> dict[str, Any]:
    """Returns a record with every field, as the single GET shows it; long subforms are cut and `$has_more` says so."""
    fields = row.fields
    if store.hidden_fields:
        fields = {name: value for name, value in fields.items() if name not in store.hidden_fields}
    if version in ("v2", "v2.1"):
        approval = {"delegate": False, "approve": False, "reject": False, "resubmit": False}
        return {**fields, "$approved": True, "$approval": approval, "$editable": True, "$currency_symbol": "¥"}
    long = [
        name
        for name, spec in store.spec.fields.items()
        if spec.data_type in SINGLE_READ and len(fields.get(name) or ()) > most_rows
    ]
    cut = {name: fields[name][:most_rows] for name in long}
    return {**fields, **_VIRTUAL, **cut, "$has_more": dict.fromkeys(long, True)}


def get_record(org: Org, store: ModuleStore, record_id: str, call: ListCall) -> tuple[Response, int]:
    """Answers GET /{module}/{id}."""
    if not record_id.isascii() or not record_id.isdigit():
        raise invalid("the id given seems to be invalid", id=record_id, expected_data_type="bigint")
    row = store.live(record_id)
    if row is None or (row.hidden and org.settings.hidden_get == "absent"):
        if org.settings.absent_get_status == 204:
            return empty(204), 0
        raise invalid("the id given seems to be invalid", id=record_id)
    if row.hidden:
        raise Failure(403, "NO_PERMISSION", "permission denied to read", {"permissions": [], "id": record_id})
    if call.since is not None and row.modified < call.since:
        return empty(304), 0
    return answer({"data": [whole_record(store, row, call.version, org.settings.subform_rows_shown)]}), 1


def list_deleted(org: Org, store: ModuleStore, call: ListCall) -> tuple[Response, int]:
    """Answers GET /{module}/deleted; the recycle bin keeps 60 days, traces of the gone last 120 days."""
    kind = call.params.get("type", "all")
    if kind not in ("all", "recycle", "permanent"):
        details = {"param_name": "type", "supported_values": ["all", "recycle", "permanent"]}
        raise Failure(400, "PATTERN_NOT_MATCHED", "Please check whether the input values are correct", details)
    per_page, page = whole_number(call.params, "per_page", PAGE), max(1, whole_number(call.params, "page", 1))
    if not 1 <= per_page <= PAGE:
        raise invalid("invalid data", param_name="per_page", maximum=PAGE)
    if org.settings.deleted_rows and page * per_page > org.settings.deleted_rows:
        raise Failure(400, "DISCRETE_PAGINATION_LIMIT_EXCEEDED", "the limit is exceeded", {})
    gone = [
        (row, state)
        for row in store.gone.values()
        if call.since is None or row.deleted >= call.since
        if (state := bin_state(org, row)) and kind in ("all", state)
    ]
    gone.sort(key=lambda pair: (-pair[0].deleted, -pair[0].number))
    shown = gone[(page - 1) * per_page : page * per_page]
    if not shown:
        not_modified = call.since is not None and org.settings.deleted_none_status == 304
        return empty(304 if not_modified else 204), 0
    data_rows = [_gone(org, store, row, state) for row, state in shown]
    notes = {"per_page": per_page, "count": len(shown), "page": page, "more_records": len(gone) > page * per_page}
    return answer({"data": data_rows, "info": notes}), len(shown)


def bin_state(org: Org, row: Row) -> str:
    """Returns where a deleted record is: `recycle`, `permanent`, or an empty text when all trace is gone."""
    if row.merged_into and not org.settings.merge_lists_loser:
        return ""
    age = org.clock.now() - row.deleted
    if not row.permanent and not org.settings.recycled_trace and age > org.settings.recycle_days * 86_400:
        return ""
    if age > org.settings.permanent_days * 86_400:
        return ""
    return "permanent" if row.permanent or age > org.settings.recycle_days * 86_400 else "recycle"


def _gone(org: Org, store: ModuleStore, row: Row, state: str) -> dict[str, Any]:
    kept = state == "recycle"
    creator = row.fields["Created_By"]
    return {
        "id": row.record_id,
        "type": state,
        "display_name": row.fields.get(store.spec.name_field) if kept else None,
        "deleted_by": org.users[row.deleted_by].short() if kept else None,
        "created_by": {"name": creator["name"], "id": creator["id"]} if kept else None,
        "deleted_time": org.iso(row.deleted),
    }
