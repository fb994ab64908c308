"""Checks and stores one value as a field's type demands."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any

from connectors.zoho_crm.simulator.answers import RowRefused
from connectors.zoho_crm.simulator.lists import without_deleted
from connectors.zoho_crm.simulator.records import Org
from connectors.zoho_crm.simulator.schema import NOTE_PARENT, FieldSpec

_EMAIL = re.compile(r"[A-Za-z0-9._%+\-']+@[A-Za-z0-9\-]+(\.[A-Za-z0-9\-]+)*\.[A-Za-z]{2,}")
_PHONE = re.compile(r"[0-9+()\-./ ,;xX#*]+")
_WEBSITE = re.compile(r"(https?://)?[^\s/]+\.[^\s]+")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_DATETIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(Z|[+-]\d{2}:\d{2})")
_TEXTUAL = {"text", "textarea", "email", "phone", "website"}
SINGLE_READ = frozenset({"subform", "multiselectlookup", "multiuserlookup"})
"""Fields that only the single GET shows (Zoho API get-records)."""


def store_value(org: Org, spec: FieldSpec, raw: Any, json_path: str) -> Any:
    """Returns the value as the vendor keeps and shows it; raises RowRefused INVALID_DATA."""
    if raw is None:
        return None
    if spec.api_name == "Tag":
        return _tags(org, spec, raw, json_path)
    if spec.data_type in _TEXTUAL:
        return _text(org, spec, raw, json_path)
    if spec.data_type in _READERS:
        return _READERS[spec.data_type](org, spec, raw, json_path)
    raise _wrong(spec, json_path, spec.data_type)


def _wrong(spec: FieldSpec, json_path: str, expected: str) -> RowRefused:
    details = {"expected_data_type": expected, "api_name": spec.api_name, "json_path": json_path}
    return RowRefused("INVALID_DATA", "invalid data", details)


def _text(org: Org, spec: FieldSpec, raw: Any, json_path: str) -> str | None:
    if not isinstance(raw, str):
        raise _wrong(spec, json_path, spec.data_type)
    text = raw.strip() if org.settings.trim_text else raw
    if not text:
        return None
    if len(text) > spec.length:
        details = {"maximum_length": spec.length, "api_name": spec.api_name, "json_path": json_path}
        raise RowRefused("INVALID_DATA", "invalid data", details)
    pattern = {"email": _EMAIL, "phone": _PHONE, "website": _WEBSITE}.get(spec.data_type)
    if pattern and not pattern.fullmatch(text):
        raise _wrong(spec, json_path, spec.data_type)
    return text


def _date(org: Org, spec: FieldSpec, raw: Any, json_path: str) -> str:
    if isinstance(raw, str) and _DATE.fullmatch(raw):
        try:
            return date.fromisoformat(raw).isoformat()
        except ValueError:
            pass
    raise _wrong(spec, json_path, "date")


def _moment(org: Org, spec: FieldSpec, raw: Any, json_path: str) -> str:
    if isinstance(raw, str) and _DATETIME.fullmatch(raw):
        try:
            return org.iso(datetime.fromisoformat(raw).timestamp())
        except ValueError:
            pass
    raise _wrong(spec, json_path, "datetime")


def _integer(org: Org, spec: FieldSpec, raw: Any, json_path: str) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int):
        raise _wrong(spec, json_path, "integer")
    if len(str(abs(raw))) > spec.length:
        details = {"maximum_length": spec.length, "api_name": spec.api_name, "json_path": json_path}
        raise RowRefused("INVALID_DATA", "invalid data", details)
    return raw


def _number(org: Org, spec: FieldSpec, raw: Any, json_path: str) -> float | int:
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        raise _wrong(spec, json_path, spec.data_type)
    return raw


def _boolean(org: Org, spec: FieldSpec, raw: Any, json_path: str) -> bool:
    if not isinstance(raw, bool):
        raise _wrong(spec, json_path, "boolean")
    return raw


def _choice(org: Org, spec: FieldSpec, raw: Any, json_path: str) -> str | None:
    if not isinstance(raw, str):
        raise _wrong(spec, json_path, "picklist")
    if raw in ("", "-None-"):
        return None
    if raw not in spec.picklist and org.settings.unlisted_picklist == "reject":
        raise _wrong(spec, json_path, "picklist")
    return raw


def _linked(org: Org, spec: FieldSpec, raw: Any, json_path: str) -> dict[str, Any]:
    linked_id = raw.get("id") if isinstance(raw, dict) else None
    if spec.lookup == NOTE_PARENT:
        return _note_parent(org, spec, raw, json_path)
    store = org.modules.get(spec.lookup)
    row = store.live(str(linked_id)) if store and linked_id is not None else None
    if row is None or store is None:
        raise _wrong(spec, json_path, "jsonobject" if not isinstance(raw, dict) else "bigint")
    return {"name": row.fields.get(store.spec.name_field), "id": row.record_id}


def _note_parent(org: Org, spec: FieldSpec, raw: Any, json_path: str) -> dict[str, Any]:
    """Returns the record that a note belongs to; its module must be named (Zoho API notes)."""
    module = raw.get("module") if isinstance(raw, dict) else None
    store = org.modules.get(str(module.get("api_name"))) if isinstance(module, dict) else None
    row = store.live(str(raw.get("id"))) if store else None
    if row is None or store is None:
        raise _wrong(spec, json_path, "jsonobject")
    named = {"api_name": store.spec.api_name, "id": store.spec.module_id}
    return {"name": row.fields.get(store.spec.name_field), "id": row.record_id, "module": named}


def _subform(org: Org, spec: FieldSpec, raw: Any, json_path: str) -> list[dict[str, Any]]:
    if not isinstance(raw, list) or not all(isinstance(line, dict) for line in raw):
        raise _wrong(spec, json_path, "jsonarray")
    return [{**line, "id": str(line.get("id") or org.next_id())} for line in without_deleted(raw)]


def _several_links(org: Org, spec: FieldSpec, raw: Any, json_path: str) -> list[dict[str, Any]]:
    """Returns links of a linking module: each has an id of its own and names its record under the field."""
    if not isinstance(raw, list) or not all(isinstance(line, dict) for line in raw):
        raise _wrong(spec, json_path, "jsonarray")
    read = _owner if spec.data_type == "multiuserlookup" else _linked
    return [
        {
            spec.api_name: read(org, spec, line.get(spec.api_name, line), json_path),
            "id": str(line.get("id") or org.next_id()) if spec.api_name in line else org.next_id(),
        }
        for line in without_deleted(raw)
    ]


def _choices(org: Org, spec: FieldSpec, raw: Any, json_path: str) -> list[str]:
    if not isinstance(raw, list):
        raise _wrong(spec, json_path, "jsonarray")
    return [text for one in dict.fromkeys(raw) if (text := _choice(org, spec, one, json_path)) is not None]


def _opaque(org: Org, spec: FieldSpec, raw: Any, json_path: str) -> Any:
    if not isinstance(raw, dict | list):
        raise _wrong(spec, json_path, spec.data_type)
    return raw


def _owner(org: Org, spec: FieldSpec, raw: Any, json_path: str) -> dict[str, str]:
    user = org.users.get(str(raw.get("id"))) if isinstance(raw, dict) else None
    if user is None or not user.active:
        raise RowRefused("INVALID_DATA", "invalid data", {"api_name": spec.api_name, "json_path": json_path})
    return user.lookup()


def _tags(org: Org, spec: FieldSpec, raw: Any, json_path: str) -> list[dict[str, Any]]:
    named = isinstance(raw, list) and all(isinstance(tag, dict) and tag.get("name") for tag in raw)
    if not named:
        details = {"expected_data_type": "jsonarray", "api_name": "Tag", "json_path": json_path}
        raise RowRefused("INVALID_DATA", "invalid data", details)
    names = dict.fromkeys(str(tag["name"]) for tag in raw)
    if any(len(name) > 25 for name in names):
        too_long = {"maximum_length": 25, "api_name": "Tag", "json_path": json_path}
        raise RowRefused("INVALID_DATA", "invalid data", too_long)
    return [org.tag(spec.field_id, name) for name in names]


_READERS: dict[str, Any] = {
    "date": _date,
    "datetime": _moment,
    "integer": _integer,
    "bigint": _integer,
    "double": _number,
    "currency": _number,
    "percent": _number,
    "boolean": _boolean,
    "picklist": _choice,
    "multiselectpicklist": _choices,
    "lookup": _linked,
    "ownerlookup": _owner,
    "subform": _subform,
    "multiselectlookup": _several_links,
    "multiuserlookup": _several_links,
    "jsonarray": _opaque,
    "event_reminder": _opaque,
    "ALARM": _opaque,
    "RRULE": _opaque,
}
