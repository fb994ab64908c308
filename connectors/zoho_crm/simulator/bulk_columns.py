"""What a file of Bulk Read shows: its columns, joins to linked records by a dot, and events as a calendar.

Source: Zoho API v8 bulk-read and its limitations (ICS for events alone; joins; fields that no file shows).
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

from connectors.zoho_crm.simulator.answers import Failure
from connectors.zoho_crm.simulator.records import ModuleStore, Org
from connectors.zoho_crm.simulator.schema import FieldSpec

_UNFIT = frozenset({"jsonarray", "event_reminder", "RRULE", "ALARM", "subform"})
_Show = Callable[[Mapping[str, Any]], str]


def columns_of(org: Org, store: ModuleStore, asked: Any) -> tuple[str, ...]:
    """Returns the columns that a job asks for, or all that a file can show; raises Failure."""
    settings = org.settings
    if asked is None:
        every = [one for one in store.spec.fields.values() if store.visible(one.api_name)]
        return tuple(one.api_name for one in every if one.data_type not in _UNFIT and one.api_name != "Tag")
    if not isinstance(asked, list) or not all(isinstance(name, str) for name in asked):
        raise _refused("INVALID_REQUEST", "fields must be a list of names")
    if len(asked) > settings.bulk_columns:
        raise _refused("LIMIT_EXCEEDED", "too many fields", {"limit": settings.bulk_columns})
    if len({name.partition(".")[0] for name in asked if "." in name}) > settings.bulk_joins:
        raise _refused("JOIN_LIMIT_EXCEEDED", "too many joins", {"limit": settings.bulk_joins})
    for name in asked:
        _check(org, store, name)
    return tuple(asked)


def _check(org: Org, store: ModuleStore, name: str) -> None:
    settings = org.settings
    if name == "$se_module" and "What_Id" in store.spec.fields and settings.bulk_se_module:
        return
    spec = _linked_field(org, store, name) if "." in name else store.visible(name)
    if spec is None:
        raise _refused("FIELD_NOT_AVAILABLE", "the field is not available")
    if spec.data_type in _UNFIT or (spec.api_name == "Tag" and ("." in name or settings.bulk_tags == "refused")):
        raise _refused("FIELD_NOT_SUPPORTED", "the field is not supported", {"api_name": name})


def _linked_field(org: Org, store: ModuleStore, name: str) -> FieldSpec | None:
    link, _, field = name.partition(".")
    spec = store.visible(link)
    target = org.modules.get(spec.lookup) if spec is not None and spec.data_type == "lookup" else None
    return target.visible(field) if target is not None else None


def write_csv(
    org: Org, store: ModuleStore, columns: Iterable[str], rows: Iterable[Mapping[str, Any]], out: TextIO
) -> None:
    """Writes the rows as the vendor's CSV, with the API names in its first line."""
    settings = org.settings
    cut = set(settings.rich_text_fields.split(",")) if settings.bulk_cuts_rich_text else set()
    shows = [_show(org, store, name, name in cut) for name in columns]
    writer = csv.writer(out)
    writer.writerow([settings.bulk_id_header if name == "id" else name for name in columns])
    writer.writerows([show(fields) for show in shows] for fields in rows)


def _show(org: Org, store: ModuleStore, name: str, cuts: bool) -> _Show:
    link, dot, field = name.partition(".")
    if not dot:
        return lambda fields: _cell(fields.get(name), cuts)
    target = org.modules[store.spec.fields[link].lookup]

    def follow(fields: Mapping[str, Any]) -> str:
        row = target.live(str(linked["id"])) if (linked := fields.get(link)) else None
        return _cell(row.fields.get(field), cuts) if row is not None and not row.hidden else ""

    return follow


def _cell(value: Any, cut: bool) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return str(value.get("id", ""))
    if isinstance(value, list):
        return ";".join(str(one["name"] if isinstance(one, dict) else one) for one in value)
    return str(value)[:500] if cut else str(value)


def write_calendar(rows: Iterable[Mapping[str, Any]]) -> str:
    """Returns events as an iCalendar text (RFC 5545)."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//simulated//CRM//EN"]
    for fields in rows:
        lines += ["BEGIN:VEVENT", f"UID:{fields['id']}"]
        for name, property_name in (("Start_DateTime", "DTSTART"), ("End_DateTime", "DTEND")):
            if fields.get(name):
                moment = datetime.fromisoformat(fields[name]).astimezone(UTC)
                lines.append(f"{property_name}:{moment:%Y%m%dT%H%M%SZ}")
        for name, property_name in (("Event_Title", "SUMMARY"), ("Venue", "LOCATION"), ("Description", "DESCRIPTION")):
            if fields.get(name):
                lines.append(f"{property_name}:{_escaped(str(fields[name]))}")
        lines.append("END:VEVENT")
    return "\r\n".join([*lines, "END:VCALENDAR", ""])


def _escaped(text: str) -> str:
    for mark in "\\;,":
        text = text.replace(mark, f"\\{mark}")
    return text.replace("\n", "\\n")


def _refused(code: str, message: str, details: Mapping[str, Any] | None = None) -> Failure:
    return Failure(400, code, message, details)
