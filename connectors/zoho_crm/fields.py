"""What one field must be like: how it is asked for, and whether one that is there serves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from connectors.preparing import FieldNeed, Finding, Form, State
from connectors.zoho_crm import prepare_steps as steps

Entry = Mapping[str, Any]
"""Is one field of the metadata."""

EMPTY_OPTION = "-None-"
_LONGEST_LINE, _SMALL_AREA = 255, 2000
# Metadata calls Tag a text; records carry a list of objects. The target of What_Id is any module.
_KINDS = {"Tag": "tags"}
_ANY_MODULE = "se_module"
_LABEL_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*")
_KNOWN = frozenset(
    {"text", "textarea", "phone", "email", "website", "integer", "bigint", "double", "currency", "percent", "date",
     "datetime", "boolean", "picklist", "multiselectpicklist", "lookup", "ownerlookup", "userlookup", "autonumber"}
)  # fmt: skip
"""Types that are judged; one that Zoho adds later is taken as it is."""
_BODIES: Mapping[Form, Mapping[str, Any]] = {
    Form.INTEGER: {"data_type": "integer", "length": 9},
    Form.DECIMAL: {"data_type": "double", "length": 16, "decimal_place": 2},
    Form.FLAG: {"data_type": "boolean"},
    Form.DATE: {"data_type": "date"},
    Form.INSTANT: {"data_type": "datetime"},
    Form.PHONE: {"data_type": "phone", "length": 30},
    Form.EMAIL: {"data_type": "email", "length": 100},
}


def named_label(api_name: str) -> str | None:
    """Returns the label of which the vendor makes this API name, None where no label does.

    The name follows from the label and cannot be given or changed through the API (Zoho API update-custom-fields).
    """
    return api_name.replace("_", " ") if _LABEL_WORD.fullmatch(api_name) else None


def body_of(object: str, need: FieldNeed) -> dict[str, Any]:
    """Returns a field as POST /settings/fields takes it."""
    label = named_label(need.api_name) or need.api_name
    body: dict[str, Any] = {"field_label": label}
    match need.form:
        case Form.TEXT:
            body |= {"data_type": "text", "length": min(need.length or _LONGEST_LINE, _LONGEST_LINE)}
        case Form.LONG_TEXT:
            small = (need.length or _SMALL_AREA + 1) <= _SMALL_AREA
            body |= {"data_type": "textarea", "textarea": {"type": "small" if small else "large"}}
        case Form.CHOICE:
            body |= {"data_type": "picklist", "pick_list_values": [_option(value) for value in need.options]}
        case Form.LINK:
            shown = f"{object} {label}"[: steps.LABEL_LENGTH]
            body |= {"data_type": "lookup", "lookup": {"module": {"api_name": need.target}, "display_label": shown}}
        case form:
            body |= _BODIES[form]
    if need.key:
        # Case-sensitive uniqueness is not offered; hub ids are lower case.
        body["unique"] = {"case_sensitive": False}
    return body


def _option(value: str) -> dict[str, str]:
    return {"display_value": value, "actual_value": value}


def values_of(entry: Entry) -> dict[str, Mapping[str, Any]]:
    """Returns the options in use by their stored value."""
    listed = entry.get("pick_list_values") or []
    used = [option for option in listed if option.get("type", "used") == "used"]
    return {str(o["actual_value"]): o for o in used if str(o.get("actual_value")) != EMPTY_OPTION}


def option_rows(entry: Entry, need: FieldNeed) -> list[dict[str, str]]:
    """Returns every option of a picklist as PATCH /settings/fields takes them: those that are there, then the new."""
    there = values_of(entry)
    kept = [
        {"id": str(option["id"]), "display_value": str(option["display_value"]), "actual_value": value}
        for value, option in there.items()
    ]
    return kept + [_option(value) for value in need.options if value not in there]


def judge(object: str, need: FieldNeed, entry: Entry) -> Finding:
    """Says whether a field that is there serves a need."""
    wrong = _wrong_key(need, entry) if need.key else _wrong_field(need, entry)
    if wrong is not None:
        return Finding(need.api_name, State.WRONG, *wrong, steps=steps.put_right(object, need, wrong))
    lacking = _lacking(need, entry)
    return Finding(need.api_name, State.LACKS_OPTIONS if lacking else State.READY, options=lacking)


def _lacking(need: FieldNeed, entry: Entry) -> tuple[str, ...]:
    if not need.written or entry.get("data_type") not in ("picklist", "multiselectpicklist"):
        return ()
    there = values_of(entry)
    return tuple(value for value in need.options if value not in there)


def _wrong_key(need: FieldNeed, entry: Entry) -> tuple[str, str] | None:
    kind, length = entry.get("data_type"), entry.get("length")
    if kind != "text":
        return steps.wrong_kind(str(kind), ("text",))
    if not entry.get("unique"):
        return steps.not_unique()
    if not _writable(entry):
        return steps.read_only()
    if isinstance(length, int) and need.length and length < need.length:
        return steps.too_short(length, need.length)
    return None


def _wrong_field(need: FieldNeed, entry: Entry) -> tuple[str, str] | None:
    kind = _KINDS.get(need.api_name, str(entry.get("data_type")))
    if need.kinds and kind in _KNOWN and kind not in need.kinds:
        return steps.wrong_kind(kind, sorted(need.kinds & _KNOWN))
    if need.written and not _writable(entry):
        return steps.read_only()
    target = _target(entry)
    if need.target and target and target not in (need.target, _ANY_MODULE):
        return steps.wrong_target(target, need.target)
    return None


def _target(entry: Entry) -> str | None:
    module = (entry.get("lookup") or {}).get("module")
    return module.get("api_name") if isinstance(module, Mapping) else module


def _writable(entry: Entry) -> bool:
    allowed = entry.get("operation_type") or {}
    read_only = entry.get("read_only") or entry.get("field_read_only")
    return not read_only and bool(allowed.get("api_create", True) and allowed.get("api_update", True))
