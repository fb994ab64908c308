"""What a write makes of fields that hold several values: rows of subforms, links to several records, several options.

Source: Zoho API update-records, subforms and multi-select fields. From v3 on a row or link that is not sent stays, one
sent with `_delete` goes; v2 replaced the whole list, which is from an engineer's knowledge.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.zoho_crm.simulator.answers import RowRefused
from connectors.zoho_crm.simulator.schema import FieldSpec

_KEEPING = frozenset({"subform", "multiselectlookup", "multiuserlookup"})
_APPENDED = "$append_values"


def appended(payload: Mapping[str, Any], place: int) -> frozenset[str]:
    """Returns the fields whose options a row adds to; raises RowRefused for a flag that is no map."""
    flags = payload.get(_APPENDED, {})
    if not isinstance(flags, dict) or not all(isinstance(flag, bool) for flag in flags.values()):
        details = {"api_name": _APPENDED, "json_path": f"$.data[{place}].{_APPENDED}"}
        raise RowRefused("INVALID_DATA", "invalid data", {"expected_data_type": "jsonobject", **details})
    return frozenset(name for name, flag in flags.items() if flag)


def without_deleted(lines: list[Any]) -> list[Any]:
    """Returns the lines that a write wants to see, which are those without `_delete`."""
    return [line for line in lines if "_delete" not in line]


def joined(spec: FieldSpec, raw: Any, fresh: Any, present: Any, *, replaces: bool, appends: bool) -> Any:
    """Returns what a field holds after a write: `raw` as sent, `fresh` as read from it, `present` as it was.

    A line with the id of one that is there changes the values it names. Any other is new.
    """
    if not isinstance(fresh, list) or not present:
        return fresh
    if spec.data_type == "multiselectpicklist":
        return list(dict.fromkeys([*present, *fresh])) if appends else fresh
    if spec.data_type not in _KEEPING or replaces:
        return fresh
    gone = {str(line.get("id")) for line in raw if "_delete" in line}
    changed = {str(line["id"]): line for line in fresh}
    kept = [{**old, **changed.pop(str(old["id"]), {})} for old in present if str(old["id"]) not in gone]
    return [*kept, *changed.values()]
