"""Inserts, updates, upserts and deletes, row by row, with the vendor's results in input order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from starlette.responses import Response

from connectors.zoho_crm.simulator import activities, lists
from connectors.zoho_crm.simulator.activity_fields import ACTIVITIES, SE_MODULE
from connectors.zoho_crm.simulator.answers import Failure, RowRefused, answer, invalid
from connectors.zoho_crm.simulator.records import ModuleStore, Org, Row
from connectors.zoho_crm.simulator.schema import User
from connectors.zoho_crm.simulator.states import refuse_change
from connectors.zoho_crm.simulator.values import store_value

_TRIGGERS = {"approval", "workflow", "blueprint", "pathfinder", "orchestration"}
MAX_ROWS = 100


@dataclass(slots=True)
class WriteCall:
    """One write request: who writes, whether automations run, and the time it must not have changed since."""

    user: User
    workflows: bool = True
    unmodified_since: int | None = None
    fault: Mapping[str, Any] | None = None
    replaces_lists: bool = False
    check_fields: list[str] | None = None
    operation: str = ""
    written: list[Row] = field(default_factory=list)


def read_rows(body: Any) -> list[Any]:
    """Returns the rows of a write body; raises Failure when it is no list of 1 to 100 rows."""
    rows = body.get("data") if isinstance(body, dict) else None
    if rows is None:
        raise Failure(400, "MANDATORY_NOT_FOUND", "required field not found", {"api_name": "data"})
    if not isinstance(rows, list) or not rows:
        raise invalid("body", api_name="data", expected_data_type="jsonarray")
    if len(rows) > MAX_ROWS:
        raise Failure(400, "LIMIT_EXCEEDED", "Number of records exceeds the limit", {"limit": MAX_ROWS})
    return rows


def read_call(org: Org, body: Any, user: User, operation: str, module: str) -> WriteCall:
    """Reads `trigger` and notes it; automations run unless it is a list without `workflow`."""
    trigger = body.get("trigger") if isinstance(body, dict) else None
    if trigger is not None and (not isinstance(trigger, list) or set(trigger) - _TRIGGERS):
        raise invalid("invalid data", api_name="trigger", expected_data_type="jsonarray")
    shown = "omitted" if trigger is None else ",".join(sorted(trigger)) or "[]"
    org.triggers[f"{operation} {module} trigger={shown}"] += 1
    return WriteCall(user, workflows=trigger is None or "workflow" in trigger, operation=operation)


def read_check_fields(store: ModuleStore, body: Any) -> list[str] | None:
    """Reads `duplicate_check_fields`; only unique fields and the vendor's own duplicate field are allowed."""
    listed = body.get("duplicate_check_fields")
    if listed is None:
        return None
    if not isinstance(listed, list) or any(name not in store.spec.indexed for name in listed):
        raise invalid("invalid data", api_name="duplicate_check_fields")
    return listed


def read_unmodified_since(org: Org, header: str | None, version: str) -> int | None:
    """Reads If-Unmodified-Since in whole seconds; v2 ignores it unless switched on."""
    if header is None or (version == "v2" and not org.settings.conditional_v2):
        return None
    try:
        moment = datetime.fromisoformat(header)
    except ValueError:
        raise invalid("invalid data", header="If-Unmodified-Since") from None
    if moment.tzinfo is None:
        raise invalid("invalid data", header="If-Unmodified-Since")
    return int(moment.timestamp())


def insert(org: Org, store: ModuleStore, rows: list[Any], call: WriteCall) -> Response:
    """Answers POST /{module}."""
    return _finish(org, _each(rows, call, lambda row, place: insert_row(org, store, row, place, call)), 201)


def update(org: Org, store: ModuleStore, rows: list[Any], call: WriteCall) -> Response:
    """Answers PUT /{module} and PUT /{module}/{id}."""
    _refuse_changed(org, store, rows, call)
    return _finish(org, _each(rows, call, lambda row, place: update_row(org, store, row, place, call)), 200)


def upsert(org: Org, store: ModuleStore, rows: list[Any], call: WriteCall) -> Response:
    """Answers POST /{module}/upsert."""
    if store.spec.api_name in ACTIVITIES and not org.settings.upsert_activities:
        raise Failure(400, "NOT_SUPPORTED", "upsert is not supported for this module", {})
    results = _each(rows, call, lambda row, place: _upsert(org, store, row, place, call))
    if len(rows) == 1 and results[0]["code"] == "ALREADY_MODIFIED":
        raise Failure(412, "ALREADY_MODIFIED", _ALREADY, results[0]["details"])
    inserted = all(result.get("action") == "insert" for result in results)
    return _finish(org, results, org.settings.upsert_inserted_status if inserted else 200)


def delete(org: Org, store: ModuleStore, ids: list[str], call: WriteCall) -> Response:
    """Answers DELETE /{module}?ids= and DELETE /{module}/{id}; records go to the recycle bin."""
    if len(ids) > MAX_ROWS:
        raise Failure(400, "LIMIT_EXCEEDED", "Number of records exceeds the limit", {"limit": MAX_ROWS})
    return _finish(org, _each(ids, call, lambda row_id, place: _delete(org, store, str(row_id), call)), 200)


def recycle(org: Org, store: ModuleStore, row: Row, user: User, parent_id: str = "") -> None:
    """Moves a live record to the recycle bin, and with it its activities and notes."""
    store.leave(row)
    row.deleted, row.deleted_by, row.deleted_with = org.now(), user.user_id, parent_id
    if not org.settings.cascade_deletes:
        return
    for child_store, child in activities.linked_to(
        org, row.record_id, (*ACTIVITIES, "Notes"), ("Who_Id", "What_Id", "Parent_Id")
    ):
        recycle(org, child_store, child, user, row.record_id)


def _each(rows: list[Any], call: WriteCall, act: Callable[[Any, int], dict[str, Any]]) -> list[dict[str, Any]]:
    results = []
    for place, row in enumerate(rows):
        try:
            _strike(call, place)
            results.append(act(row, place))
        except RowRefused as refused:
            results.append(refused.result())
    return results


def _strike(call: WriteCall, place: int) -> None:
    """Refuses the row that a `row_error` fault names."""
    fault = call.fault
    if fault and fault.get("action") == "row_error" and int(fault.get("row", 0)) == place:
        details = {"json_path": f"$.data[{place}].{fault.get('field', 'id')}"}
        if "field" in fault:
            details["api_name"] = str(fault["field"])
        raise RowRefused(str(fault.get("code", "INVALID_DATA")), str(fault.get("message", "invalid data")), details)


def _finish(org: Org, results: list[dict[str, Any]], success: int) -> Response:
    good = sum(result["status"] == "success" for result in results)
    status = success if good == len(results) else (207 if good else org.settings.all_failed_status)
    return answer({"data": results}, status)


def insert_row(org: Org, store: ModuleStore, payload: Any, place: int, call: WriteCall) -> dict[str, Any]:
    """Adds one record and returns its result; raises RowRefused."""
    values = _check(org, store, payload, place, None, call)
    now = org.now()
    row = Row(org.next_id(), {}, now, now)
    fields: dict[str, Any] = dict.fromkeys(store.spec.fields)
    fields |= {"id": row.record_id, "Owner": call.user.lookup(), "Tag": [], "Email_Opt_Out": False}
    if "Email_Opt_Out" not in store.spec.fields:
        del fields["Email_Opt_Out"]
    fields |= activities.born_with(org, store)
    fields |= {name: value for name, value in values.items() if value is not None}
    fields |= {"Created_By": call.user.lookup(), "Created_Time": org.iso(now)}
    row.fields = _stamped(org, store, fields, call.user, now)
    row.searched, row.searchable_at = None, org.clock.now() + org.settings.search_lag
    store.enter(row)
    _automate(org, store, row, call)
    return _success(org, row, call, "record added")


def update_row(org: Org, store: ModuleStore, payload: Any, place: int, call: WriteCall) -> dict[str, Any]:
    """Changes one record and returns its result; raises RowRefused."""
    row = _target(org, store, payload, place)
    if org.settings.conditional_batch == "per_row" and _is_changed(org, row, call):
        raise RowRefused("ALREADY_MODIFIED", _ALREADY, _versions(org, row))
    values = _check(org, store, payload, place, row, call)
    write_fields(org, store, row, values, call.user)
    _automate(org, store, row, call)
    return _success(org, row, call, "record updated")


def _upsert(org: Org, store: ModuleStore, payload: Any, place: int, call: WriteCall) -> dict[str, Any]:
    if not isinstance(payload, dict):
        raise RowRefused("INVALID_DATA", "invalid data", {"json_path": f"$.data[{place}]"})
    matched, name = (None, None) if payload.get("id") else _match(store, payload, call.check_fields)
    if matched is None and not payload.get("id"):
        return {**insert_row(org, store, payload, place, call), "action": "insert", "duplicate_field": None}
    if matched is not None:
        payload = {**payload, "id": matched}
    row = store.live(str(payload["id"]))
    if row is not None and _is_changed(org, row, call):
        raise RowRefused("ALREADY_MODIFIED", _ALREADY, _versions(org, row))
    return {**update_row(org, store, payload, place, call), "action": "update", "duplicate_field": name}


def _match(store: ModuleStore, payload: Mapping[str, Any], listed: list[str] | None) -> tuple[str | None, str | None]:
    """Finds the record an upsert means: by the listed fields (else the vendor's own), and always the unique ones."""
    names = list(listed) if listed else [store.spec.duplicate_field]
    names += [name for name, spec in store.spec.fields.items() if spec.unique and name not in names]
    for name in names:
        value = payload.get(name)
        if name in store.index and value not in (None, "") and (ids := store.holders(name, str(value).strip())):
            return min(ids), name
    return None, None


def _delete(org: Org, store: ModuleStore, record_id: str, call: WriteCall) -> dict[str, Any]:
    row = store.live(record_id)
    if row is None:
        raise RowRefused("INVALID_DATA", "the id given seems to be invalid", {"id": record_id})
    if row.hidden:
        raise RowRefused("NO_PERMISSION", "permission denied", {"id": record_id, "permissions": []})
    refuse_change(row, None)
    recycle(org, store, row, call.user)
    return {"code": "SUCCESS", "details": {"id": record_id}, "message": "record deleted", "status": "success"}


def _target(org: Org, store: ModuleStore, payload: Any, place: int) -> Row:
    if not isinstance(payload, dict):
        raise RowRefused("INVALID_DATA", "invalid data", {"json_path": f"$.data[{place}]"})
    record_id = payload.get("id")
    if record_id in (None, ""):
        details = {"api_name": "id", "json_path": f"$.data[{place}].id"}
        raise RowRefused("MANDATORY_NOT_FOUND", "required field not found", details)
    row = store.live(str(record_id))
    if row is None:
        raise RowRefused("INVALID_DATA", "the id given seems to be invalid", {"id": record_id, "api_name": "id"})
    if row.hidden:
        raise RowRefused("NO_PERMISSION", "permission denied", {"id": record_id, "permissions": []})
    refuse_change(row, payload)
    if row.converted:
        raise RowRefused("ID_ALREADY_CONVERTED", "id already converted", {"id": record_id})
    return row


def write_fields(org: Org, store: ModuleStore, row: Row, values: Mapping[str, Any], user: User) -> None:
    """Gives a record new values; the time is stamped even when nothing changed."""
    now = org.now()
    if org.clock.now() >= row.searchable_at:
        row.searched = row.fields
    row.searchable_at = org.clock.now() + org.settings.search_lag
    store.change(row, _stamped(org, store, {**row.fields, **values}, user, now), now)


def _stamped(org: Org, store: ModuleStore, fields: dict[str, Any], user: User, now: int) -> dict[str, Any]:
    fields |= {"Modified_By": user.lookup(), "Modified_Time": org.iso(now)}
    if "Full_Name" in store.spec.fields:
        fields["Full_Name"] = org.full_name(fields)
    return activities.derive(org, store, fields, user)


def _check(org: Org, store: ModuleStore, payload: Any, place: int, row: Row | None, call: WriteCall) -> dict[str, Any]:
    """Returns the checked values of a row; raises RowRefused for the first that the vendor refuses."""
    if not isinstance(payload, dict):
        raise RowRefused("INVALID_DATA", "invalid data", {"json_path": f"$.data[{place}]"})
    values: dict[str, Any] = {}
    present, appends = row.fields if row else {}, lists.appended(payload, place)
    for name, raw in payload.items():
        spec = store.visible(name)
        if raw is None and row is not None and not org.settings.null_clears:
            continue
        if spec is None and name != "Layout" and not name.startswith("$") and org.settings.unknown_field == "reject":
            raise RowRefused("INVALID_DATA", "invalid data", _where(name, place))
        if spec is not None and spec.lookup == SE_MODULE:
            values |= activities.link(org, raw, payload.get("$se_module"), _where(name, place))
        elif spec is not None and not spec.read_only:
            fresh = store_value(org, spec, raw, f"$.data[{place}].{name}")
            adds, whole = name in appends, call.replaces_lists
            values[name] = lists.joined(spec, raw, fresh, present.get(name), replaces=whole, appends=adds)
    for name, spec in store.spec.fields.items():
        if spec.required and (row is None or name in values) and values.get(name) is None:
            raise RowRefused("MANDATORY_NOT_FOUND", "required field not found", _where(name, place))
    activities.check(org, store, present, values, f"$.data[{place}]")
    _refuse_by_rule(org, store, values, place)
    _refuse_duplicate(org, store, values, place, row)
    if "Owner" in values and values["Owner"] is None:
        del values["Owner"]
    if "Tag" in values and values["Tag"] is None:
        values["Tag"] = []
    return values


def _where(name: str, place: int) -> dict[str, Any]:
    return {"api_name": name, "json_path": f"$.data[{place}].{name}"}


def _refuse_by_rule(org: Org, store: ModuleStore, values: Mapping[str, Any], place: int) -> None:
    for rule in org.refusals:
        name = rule["field"]
        if rule["module"] == store.spec.api_name and name in values and values[name] == rule["value"]:
            code, message = rule.get("code", "INVALID_DATA"), rule.get("message", "invalid data")
            raise RowRefused(code, message, _where(name, place))


def _refuse_duplicate(org: Org, store: ModuleStore, values: Mapping[str, Any], place: int, row: Row | None) -> None:
    for name, spec in store.spec.fields.items():
        if not spec.unique or values.get(name) is None:
            continue
        others = store.holders(name, values[name]) - ({row.record_id} if row else set())
        if others:
            existing = min(others)
            details = _where(name, place) | {"id": existing}
            if org.settings.duplicate_details == "duplicate_record":
                module = {"api_name": store.spec.api_name, "id": store.spec.module_id}
                details = _where(name, place) | {"duplicate_record": {"id": existing, "module": module}}
            raise RowRefused("DUPLICATE_DATA", "duplicate data", details)


def _automate(org: Org, store: ModuleStore, row: Row, call: WriteCall) -> None:
    """Runs the org's workflows on a saved record, as the writing user."""
    if not call.workflows:
        return
    for rule in org.automations:
        if rule["module"] != store.spec.api_name:
            continue
        empty = rule.get("when_empty")
        when = rule.get("when") or {}
        if empty and row.fields.get(empty) is not None:
            continue
        if all(row.fields.get(name) == value for name, value in when.items()):
            known = {name: value for name, value in rule["set"].items() if name in store.spec.fields}
            write_fields(org, store, row, known, call.user)


_ALREADY = "Record updated time has already passed if-unmodified-since time"


def _is_changed(org: Org, row: Row, call: WriteCall) -> bool:
    if call.unmodified_since is None:
        return False
    if org.settings.conditional_equal_passes:
        return row.modified > call.unmodified_since
    return row.modified >= call.unmodified_since


def _refuse_changed(org: Org, store: ModuleStore, rows: list[Any], call: WriteCall) -> None:
    """Refuses the whole request with 412 when one of its records has changed since."""
    if call.unmodified_since is not None and len(rows) > 1:
        if org.settings.conditional_batch == "refused":
            raise invalid("invalid data", header="If-Unmodified-Since")
        if org.settings.conditional_batch != "whole":
            return
    for payload in rows:
        row = store.live(str(payload.get("id"))) if isinstance(payload, dict) else None
        if row is not None and not row.hidden and _is_changed(org, row, call):
            raise Failure(412, "ALREADY_MODIFIED", _ALREADY, _versions(org, row))


def _versions(org: Org, row: Row) -> dict[str, Any]:
    def short(name: str) -> dict[str, Any]:
        return {"name": row.fields[name]["name"], "id": row.fields[name]["id"]}

    return {
        "id": row.record_id,
        "Modified_Time": row.fields["Modified_Time"],
        "Created_Time": row.fields["Created_Time"],
        "Modified_By": short("Modified_By"),
        "Created_By": short("Created_By"),
    }


def _success(org: Org, row: Row, call: WriteCall, message: str) -> dict[str, Any]:
    call.written.append(row)
    details = {**_versions(org, row), "$approval_state": "approval_pending" if row.awaits_approval else "approved"}
    return {"code": "SUCCESS", "details": details, "message": message, "status": "success"}
