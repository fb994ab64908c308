"""What the vendor demands of calls, events, tasks and cases beyond their fields, and what hangs on their parents.

Source: Zoho API v8 insert-records (Call_Duration, Participants), Kaizen posts on Who_Id, What_Id and $se_module.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from connectors.zoho_crm.simulator.activity_fields import LINKABLE
from connectors.zoho_crm.simulator.answers import RowRefused
from connectors.zoho_crm.simulator.records import ModuleStore, Org, Row
from connectors.zoho_crm.simulator.schema import User

_LENGTH = re.compile(r"(\d{1,4}):([0-5]\d)")
_MOST_PARTICIPANTS = 50

Values = Mapping[str, Any]


def link(org: Org, raw: Any, module: Any, where: Mapping[str, Any]) -> dict[str, Any]:
    """Returns What_Id with `$se_module`; raises RowRefused unless the module is named and the record is in it."""
    if raw is None:
        return {"What_Id": None, "$se_module": None}
    store = org.modules[module] if isinstance(module, str) and module in LINKABLE else None
    row = store.live(str(raw.get("id"))) if store is not None and isinstance(raw, dict) else None
    if store is None or row is None:
        raise RowRefused("INVALID_DATA", "invalid data", dict(where))
    return {
        "What_Id": {"name": row.fields.get(store.spec.name_field), "id": row.record_id},
        "$se_module": module,
    }


def check(org: Org, store: ModuleStore, present: Values, values: Values, path: str) -> None:
    """Raises RowRefused where a row, as it would then stand, breaks a rule of its module."""
    match store.spec.api_name:
        case "Calls" if {"Call_Duration", "Call_Type"} & values.keys():
            _check_length(org, {**present, **values}, path)
        case "Events":
            if {"Start_DateTime", "End_DateTime"} & values.keys():
                _check_span({**present, **values}, path)
            _check_participants(values.get("Participants"), path)


def _where(name: str, path: str) -> dict[str, Any]:
    return {"api_name": name, "json_path": f"{path}.{name}"}


def _check_length(org: Org, fields: Values, path: str) -> None:
    where, text = _where("Call_Duration", path), fields.get("Call_Duration")
    if not isinstance(text, str) or not _LENGTH.fullmatch(text):
        raise RowRefused("INVALID_DATA", "invalid data", {**where, "expected_data_type": "mm:ss"})
    missed = fields.get("Call_Type") == "Missed"
    if not missed and _seconds(text) == 0:
        details = {**where, "dependee": _where("Call_Type", path)}
        raise RowRefused("DEPENDENT_MISMATCH", "Call Duration can not be zero.", details)
    if missed and _seconds(text) and org.settings.missed_call_length == "zero":
        raise RowRefused("INVALID_DATA", "invalid data", where)


def _seconds(text: str) -> int:
    found = _LENGTH.fullmatch(text)
    return int(found[1]) * 60 + int(found[2]) if found else 0


def _check_span(fields: Values, path: str) -> None:
    start, end = (datetime.fromisoformat(fields[name]) for name in ("Start_DateTime", "End_DateTime"))
    if end <= start:
        raise RowRefused("INVALID_DATA", "invalid data", _where("End_DateTime", path))


def _check_participants(listed: Any, path: str) -> None:
    if isinstance(listed, list) and len(listed) > _MOST_PARTICIPANTS:
        details = {**_where("Participants", path), "limit": _MOST_PARTICIPANTS}
        raise RowRefused("LIMIT_EXCEEDED", "the limit is exceeded", details)


def born_with(org: Org, store: ModuleStore) -> dict[str, Any]:
    """Returns what a new record has before its own values: the number of a case, a task's status, empty links."""
    match store.spec.api_name:
        case "Cases":
            return {"Case_Number": org.next_case_number(), "Comments": [], "No_of_comments": 0}
        case "Tasks":
            return {"Status": "Not Started", "Priority": "Normal", "$se_module": None}
        case "Calls":
            return {"CTI_Entry": False, "$se_module": None}
        case "Events":
            return {"All_day": False, "Participants": [], "$se_module": None}
    return {}


def derive(org: Org, store: ModuleStore, fields: dict[str, Any], user: User) -> dict[str, Any]:
    """Adds what the vendor computes itself when a record is saved."""
    match store.spec.api_name:
        case "Calls":
            fields["Call_Duration_in_seconds"] = _seconds(str(fields["Call_Duration"]))
        case "Tasks":
            done = fields.get("Status") == "Completed"
            fields["Closed_Time"] = (fields.get("Closed_Time") or org.iso(org.now())) if done else None
        case "Cases":
            if text := fields.get("Add_Comment"):
                comment = {"commented_by": user.short()["name"], "commented_time": org.iso(org.now())}
                fields["Comments"] = [*(fields.get("Comments") or []), {**comment, "comment_content": text}]
                fields |= {"Add_Comment": None, "No_of_comments": len(fields["Comments"])}
    return fields


def linked_to(org: Org, record_id: str, modules: Sequence[str], names: Sequence[str]) -> list[tuple[ModuleStore, Row]]:
    """Returns the live records of some modules that link to a record by one of some fields, each once."""
    found = [(store, row) for store, name, row in links_to(org, record_id) if name in names]
    kept = {row.record_id: (store, row) for store, row in found if store.spec.api_name in modules}
    return list(kept.values())


def links_to(org: Org, record_id: str) -> list[tuple[ModuleStore, str, Row]]:
    """Returns every link to a record: module, field and linking record."""
    return [
        (store, name, row)
        for store in org.modules.values()
        for name in store.spec.links
        for child_id in sorted(store.holders(name, record_id))
        if (row := store.live(child_id)) is not None
    ]
