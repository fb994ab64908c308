"""Setting the org up through the API: custom fields are created, and options added, with the vendor's rules and limits.

Source: Zoho API create-custom-field (v7, v8), update-custom-fields (v7, v8), and the published fields document.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from starlette.responses import Response

from connectors.zoho_crm.simulator.answers import Failure, RowRefused, answer
from connectors.zoho_crm.simulator.metadata import store_named
from connectors.zoho_crm.simulator.records import ModuleStore, Org
from connectors.zoho_crm.simulator.schema import PROFILES, FieldSpec, User

MOST = 5
_PERMISSION = "Crm_Implied_Customize_Zoho_CRM"
_LENGTHS = {"text": (255, 255), "email": (100, 100), "phone": (30, 30), "website": (450, 450), "integer": (9, 9),
            "bigint": (18, 18), "double": (18, 16), "currency": (16, 16), "percent": (5, 5)}  # fmt: skip
"""The longest and the usual length of a type."""
_AREAS = {"small": 2000, "large": 32000, "rich_text": 50000}
_PLAIN = {"date", "datetime", "boolean"}
_UNIQUE = {"text", "email", "phone", "integer", "bigint", "website"}
_UNTOLD = {"multiselectpicklist", "autonumber", "fileupload", "imageupload", "userlookup", "multiselectlookup",
           "multiuserlookup", "formula", "rollup_summary", "address"}  # fmt: skip
"""Types that the vendor has and this org does not make."""
_RESERVED = {"id", "module", "layout", "data", "trigger", "fields"}
_PERMISSIONS = {"read_write", "read_only", "hidden"}


def create(org: Org, params: Mapping[str, str], body: Any, user: User) -> Response:
    """Answers POST /settings/fields?module=; a field is usable after `field_lag` seconds."""
    store = org.modules[store_named(org, params.get("module"))]
    _admit(org, user)

    def make(row: Mapping[str, Any], place: str) -> dict[str, Any]:
        spec = _Maker(org, store, row, place).spec()
        org.fields_to_come.append((org.clock.now() + org.settings.field_lag, store.spec.api_name, spec))
        _assign(store, spec.api_name, row.get("profiles"), user)
        settle(org)
        return _done(spec, "field created")

    return _each(org, body, make, 201)


def update(org: Org, params: Mapping[str, str], body: Any, user: User, field_id: str | None = None) -> Response:
    """Answers PATCH /settings/fields?module= and PATCH /settings/fields/{id}?module=."""
    store = org.modules[store_named(org, params.get("module"))]
    _admit(org, user)

    def change(row: Mapping[str, Any], place: str) -> dict[str, Any]:
        wanted = field_id or row.get("id")
        spec = next((one for one in store.spec.fields.values() if one.field_id == wanted), None)
        if spec is None:
            raise _wrong("id", place)
        changed = _changed(org, store, spec, row, place)
        store.put_field(changed)
        _assign(store, spec.api_name, row.get("profiles"), user)
        return _done(changed, "field updated")

    return _each(org, body, change, 200)


def settle(org: Org) -> None:
    """Puts the fields that have become usable into their modules."""
    due = [entry for entry in org.fields_to_come if entry[0] <= org.clock.now()]
    org.fields_to_come = [entry for entry in org.fields_to_come if entry not in due]
    for _, module, spec in due:
        org.modules[module].put_field(spec)


def _admit(org: Org, user: User) -> None:
    if org.settings.field_creation == "no_edition":
        raise Failure(403, "FEATURE_NOT_SUPPORTED", "this feature is not supported in your edition", {})
    if org.settings.field_creation == "no_permission" or not user.admin:
        raise Failure(403, "NO_PERMISSION", "permission denied", {"permissions": [_PERMISSION]})


def _each(org: Org, body: Any, act: Callable[[Mapping[str, Any], str], dict[str, Any]], success: int) -> Response:
    rows = body.get("fields") if isinstance(body, dict) else None
    if rows is None:
        raise Failure(400, "MANDATORY_NOT_FOUND", "required field not found", _at("fields", "$"))
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        details = _at("fields", "$") | {"expected_data_type": "jsonarray"}
        raise Failure(400, "INVALID_DATA", "invalid data", details)
    if len(rows) > MOST:
        raise Failure(400, "LIMIT_EXCEEDED", "the limit is exceeded", {"limit": MOST})
    before = (list(org.fields_to_come), {name: store.spec for name, store in org.modules.items()})
    results = []
    for number, row in enumerate(rows):
        try:
            results.append(act(row, f"$.fields[{number}]"))
        except RowRefused as refused:
            results.append(refused.result())
            if org.settings.field_calls == "whole":
                _undo(org, *before)
                return answer({"fields": [refused.result()]}, 400)
    good = sum(result["status"] == "success" for result in results)
    return answer({"fields": results}, success if good == len(results) else 207 if good else 400)


def _undo(org: Org, to_come: list[tuple[float, str, FieldSpec]], specs: Mapping[str, Any]) -> None:
    org.fields_to_come = to_come
    for name, spec in specs.items():
        org.modules[name].spec = spec


def _done(spec: FieldSpec, message: str) -> dict[str, Any]:
    return {"code": "SUCCESS", "details": {"id": spec.field_id}, "message": message, "status": "success"}


def _at(name: str, place: str) -> dict[str, Any]:
    return {"api_name": name, "json_path": f"{place}.{name}"}


def _wrong(name: str, place: str, **more: Any) -> RowRefused:
    return RowRefused("INVALID_DATA", "invalid data", _at(name, place) | more)


def _assign(store: ModuleStore, name: str, profiles: Any, user: User) -> None:
    """Notes what profiles may do with a field; one hidden from the caller's own profile is out of its sight."""
    for entry in profiles or ():
        store.profiles.setdefault(name, {})[str(entry["id"])] = entry["permission_type"]
        if entry["id"] == user.profile_id and entry["permission_type"] == "hidden":
            store.hidden_fields.add(name)


class _Maker:
    """Makes one field of what a call says of it; raises RowRefused for the first thing that is wrong."""

    def __init__(self, org: Org, store: ModuleStore, row: Mapping[str, Any], place: str) -> None:
        self._org, self._store, self._row, self._place = org, store, row, place
        coming = [spec for _, module, spec in org.fields_to_come if module == store.spec.api_name]
        self._known = [*store.spec.fields.values(), *coming]

    def spec(self) -> FieldSpec:
        row, place = self._row, self._place
        label, kind = self._label(), row.get("data_type")
        if kind is None:
            raise RowRefused("MANDATORY_NOT_FOUND", "required field not found", _at("data_type", place))
        if kind in _UNTOLD:
            raise RowRefused("NOT_SUPPORTED", "not supported", _at("data_type", place))
        known = [*_LENGTHS, "textarea", *sorted(_PLAIN), "picklist", "lookup"]
        if kind not in known:
            raise _wrong("data_type", place, supported_values=known)
        _check_profiles(row.get("profiles"), place)
        name = self._name(label)
        self._check_room()
        return FieldSpec(
            name,
            kind,
            self._length(kind),
            custom=True,
            unique=self._unique(kind),
            picklist=self._options()[0] if kind == "picklist" else (),
            lookup=self._target() if kind == "lookup" else "",
            field_id=self._org.next_id(),
            label=label,
            shown=self._options()[1] if kind == "picklist" else (),
        )

    def _label(self) -> str:
        label, most = self._row.get("field_label"), self._org.settings.field_label_length
        if label is None:
            raise RowRefused("MANDATORY_NOT_FOUND", "required field not found", _at("field_label", self._place))
        if not isinstance(label, str) or not label.strip():
            raise _wrong("field_label", self._place)
        if len(label) > most:
            raise _wrong("field_label", self._place, maximum_length=most)
        if any(spec.shown_label.casefold() == label.strip().casefold() for spec in self._known):
            raise RowRefused("DUPLICATE_DATA", "duplicate field label", _at("field_label", self._place))
        return label.strip()

    def _name(self, label: str) -> str:
        """Returns the API name that the vendor makes of a label; of one without Latin letters a numbered one."""
        name = "_".join(re.findall(r"[A-Za-z0-9]+", label)) if label.isascii() else ""
        if not name or not name[0].isalpha():
            name = f"field{sum(spec.custom for spec in self._known) + 1}"
        if name.casefold() in _RESERVED:
            details = _at("field_label", self._place)
            raise RowRefused("RESERVED_KEYWORD_NOT_ALLOWED", "system-defined keyword", details)
        if any(spec.api_name.casefold() == name.casefold() for spec in self._known):
            raise RowRefused("DUPLICATE_DATA", "duplicate api name", _at("field_label", self._place))
        return name

    def _check_room(self) -> None:
        settings = self._org.settings
        custom = sum(spec.custom for spec in self._known)
        unique = sum(spec.custom and spec.unique for spec in self._known)
        if custom >= settings.custom_fields_per_module:
            raise _full(settings.custom_fields_per_module, "field_label", self._place)
        if self._row.get("unique") and unique >= settings.unique_fields_per_module:
            raise _full(settings.unique_fields_per_module, "unique", self._place)

    def _length(self, kind: str) -> int:
        if kind == "textarea":
            area = self._row.get("textarea")
            if not isinstance(area, dict) or area.get("type") not in _AREAS:
                details = _at("textarea", self._place) | {"dependee": _at("data_type", self._place)}
                raise RowRefused("DEPENDENT_FIELD_MISSING", "dependent field missing", details)
            return _AREAS[area["type"]]
        if kind not in _LENGTHS:
            return 120
        most, usual = _LENGTHS[kind]
        length = self._row.get("length", usual)
        if not isinstance(length, int) or not 1 <= length <= most:
            details = _at("length", self._place) | {"range": {"from": 1, "to": most}}
            raise RowRefused("DEPENDENT_MISMATCH", "the given length value seems to be invalid", details)
        return length

    def _unique(self, kind: str) -> bool:
        return _read_unique(self._row.get("unique"), kind, self._place)

    def _options(self) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
        listed = self._row.get("pick_list_values")
        if not listed:
            details = {"expected_fields": [_at("pick_list_values", self._place), _at("global_picklist", self._place)]}
            raise RowRefused("EXPECTED_DEPENDENT_FIELD_MISSING", "picklist values expected", details)
        pairs = _read_options(self._org, listed, self._place, ())
        return tuple(value for value, _ in pairs), tuple(pair for pair in pairs if pair[0] != pair[1])

    def _target(self) -> str:
        lookup = self._row.get("lookup")
        module = lookup.get("module") if isinstance(lookup, dict) else None
        name = module.get("api_name") if isinstance(module, dict) else None
        if name is None or not isinstance(lookup, dict) or not lookup.get("display_label"):
            raise RowRefused("MANDATORY_NOT_FOUND", "required field not found", _at("lookup", self._place))
        if name not in self._org.modules:
            raise _wrong("lookup", self._place)
        return str(name)


def _full(limit: int, name: str, place: str) -> RowRefused:
    details = {"limit": limit, "limit_due_to": [_at(name, place)]}
    return RowRefused("LIMIT_EXCEEDED", "The field has reached its maximum creation limit", details)


def _check_profiles(profiles: Any, place: str) -> None:
    listed = profiles if isinstance(profiles, list) else [] if profiles is None else [None]
    known = {profile["id"] for profile in PROFILES}
    for entry in listed:
        if not isinstance(entry, dict) or entry.get("id") not in known:
            raise _wrong("profiles", place)
        if entry.get("permission_type") not in _PERMISSIONS:
            raise _wrong("permission_type", place, supported_values=sorted(_PERMISSIONS))


def _read_unique(unique: Any, kind: str, place: str) -> bool:
    if not unique:
        return False
    if kind not in _UNIQUE:
        raise RowRefused("NOT_ALLOWED", "unique is not allowed for this type", _at("unique", place))
    if isinstance(unique, dict) and unique.get("case_sensitive") is not False:
        raise _wrong("case_sensitive", place)
    return not (isinstance(unique, dict) and unique.get("_disable"))


def _read_options(org: Org, listed: Any, place: str, known: tuple[str, ...]) -> list[tuple[str, str]]:
    """Returns (value, label) of the options of a call."""
    if not isinstance(listed, list) or not all(isinstance(option, dict) for option in listed):
        raise _wrong("pick_list_values", place, expected_data_type="jsonarray")
    if org.settings.options_per_call and len(listed) > org.settings.options_per_call:
        raise _full(org.settings.options_per_call, "pick_list_values", place)
    pairs: list[tuple[str, str]] = []
    for number, option in enumerate(listed):
        here, label = f"{place}.pick_list_values[{number}]", option.get("display_value")
        value = option.get("actual_value", label)
        if label is None or value is None:
            raise RowRefused("MANDATORY_NOT_FOUND", "required field not found", _at("display_value", here))
        if len(str(label)) > 120 or len(str(value)) > 120:
            raise _wrong("display_value", here, maximum_length=120)
        if any(label == shown or value == kept for kept, shown in pairs) or value in known:
            raise RowRefused("DUPLICATE_DATA", "duplicate display_value", _at("display_value", here))
        pairs.append((str(value), str(label)))
    return pairs


def _changed(org: Org, store: ModuleStore, spec: FieldSpec, row: Mapping[str, Any], place: str) -> FieldSpec:
    """Returns a field with what a call changes; raises RowRefused."""
    if not spec.custom and ("field_label" in row or not org.settings.standard_options):
        raise RowRefused("NOT_ALLOWED", "system-defined fields cannot be updated", _at("id", place))
    if "data_type" in row and row["data_type"] != spec.data_type:
        raise _wrong("data_type", place)
    _check_profiles(row.get("profiles"), place)
    changed = replace(spec, label=str(row.get("field_label", spec.label)))
    if "length" in row:
        if spec.data_type not in _LENGTHS:
            raise RowRefused("NOT_ALLOWED", "the length cannot be updated", _at("length", place))
        changed = replace(changed, length=int(row["length"]))
    if "unique" in row:
        changed = replace(changed, unique=_read_unique(row["unique"], spec.data_type, place))
        if changed.unique and not spec.unique:
            _check_made_unique(org, store, spec, place)
    if "pick_list_values" in row:
        if spec.data_type != "picklist":
            raise RowRefused("NOT_ALLOWED", "the field has no options", _at("pick_list_values", place))
        changed = _with_options(org, changed, row["pick_list_values"], place)
    return changed


def _check_made_unique(org: Org, store: ModuleStore, spec: FieldSpec, place: str) -> None:
    others = sum(one.custom and one.unique for one in store.spec.fields.values())
    if others >= org.settings.unique_fields_per_module:
        raise _full(org.settings.unique_fields_per_module, "unique", place)
    values = [str(row.fields[spec.api_name]).casefold() for row in store.rows.values()
              if not row.deleted and row.fields.get(spec.api_name) is not None]  # fmt: skip
    if len(set(values)) < len(values):
        raise RowRefused("DUPLICATE_DATA", "the field holds duplicate values", _at("unique", place))


def _with_options(org: Org, spec: FieldSpec, listed: Any, place: str) -> FieldSpec:
    """Returns a picklist with the options of a call; options are known by id or by value, others are new."""
    known = {spec.option_id(value): value for value in spec.picklist}
    if not isinstance(listed, list) or not all(isinstance(option, dict) for option in listed):
        raise _wrong("pick_list_values", place, expected_data_type="jsonarray")
    if any(option.get("id") and option["id"] not in known for option in listed):
        raise _wrong("id", f"{place}.pick_list_values")
    labels = dict(spec.shown)
    full = [
        {"display_value": labels.get(known[option["id"]], known[option["id"]]), "actual_value": known[option["id"]]}
        | {name: option[name] for name in ("display_value",) if name in option}
        if option.get("id")
        else option
        for option in listed
    ]
    fresh = [option for option in listed if not option.get("id")]
    _read_options(org, fresh, place, spec.picklist)
    pairs = dict(_read_options(org, full, place, ()))
    kept = tuple(value for value in spec.picklist if value in pairs or org.settings.option_updates == "add")
    values = (*kept, *(value for value in pairs if value not in kept))
    shown = {**{value: label for value, label in labels.items() if value in kept}, **pairs}
    return replace(spec, picklist=values, shown=tuple((v, text) for v, text in shown.items() if v != text))
