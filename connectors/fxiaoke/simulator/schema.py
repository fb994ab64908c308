"""What an object and a field are, and how `describe` shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

TEXT_TYPES = frozenset({"text", "long_text", "email", "url", "phone_number", "html_rich_text"})
NUMBER_TYPES = frozenset({"number", "currency", "percentile"})
TIME_TYPES = frozenset({"date", "date_time", "time"})
SELECT_TYPES = frozenset({"select_one", "record_type"})
EMPLOYEE_TYPES = frozenset({"employee", "employee_many", "out_employee"})
DEPARTMENT_TYPES = frozenset({"department", "department_many"})
REGION_TYPES = ("country", "province", "city", "district")
LIST_TYPES = EMPLOYEE_TYPES | DEPARTMENT_TYPES | {"select_many", "object_reference_many", "image", "file_attachment"}
LOOKUP_TYPES = frozenset({"object_reference", "master_detail"})
RELATED_TYPE = "what_list_data"
"""The type of `related_object_data` [unverified]: records of any object, each named with its object."""
COMPUTED_TYPES = frozenset({"auto_number", "formula", "count", "quote", "group"})
DEFAULT_LENGTHS = {"text": 255, "long_text": 5000, "phone_number": 100, "email": 100, "url": 1000}


@dataclass(frozen=True, slots=True)
class Choice:
    """One option of a select field; a disabled one may stand in old records but cannot be written."""

    value: str
    label: str
    disabled: bool = False
    children: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def describe(self, retired_mark: str) -> dict[str, Any]:
        """Returns the option as `describe` lists it; how it marks a retired one is [unverified]."""
        shown: dict[str, Any] = {"label": self.label, "value": self.value}
        if self.disabled:
            shown[retired_mark] = True
        if self.children:
            shown["child_options"] = [{name: list(values)} for name, values in self.children.items()]
        return shown


@dataclass(frozen=True, slots=True)
class FieldType:
    """One field of an object. Source: Fxiaoke object describe, field attributes."""

    api_name: str
    label: str
    type: str
    define_type: str = "package"
    required: bool = False
    unique: bool = False
    readonly: bool = False
    active: bool = True
    max_length: int | None = None
    decimal_places: int = 0
    choices: tuple[Choice, ...] = ()
    parent: str | None = None
    target: str | None = None
    on_target_delete: str = "set_null"
    default: Any = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def computed(self) -> bool:
        """Tells whether only the server writes the field."""
        system = self.define_type == "system" and not self.required  # a custom object's name is a system field, too
        return self.readonly or system or self.type in COMPUTED_TYPES

    @property
    def length(self) -> int | None:
        """Returns the longest text the field takes."""
        return self.max_length or DEFAULT_LENGTHS.get(self.type)

    @property
    def takes_other(self) -> bool:
        """Tells whether a free text may stand beside the option 其他."""
        return self.type in SELECT_TYPES and self.choice("other") is not None

    def choice(self, value: str) -> Choice | None:
        """Returns the option with a value."""
        return next((option for option in self.choices if option.value == value), None)

    def describe(self, masked: bool = False, retired_mark: str = "not_usable") -> dict[str, Any]:
        """Returns the field as `describe` lists it."""
        shown: dict[str, Any] = {
            "api_name": self.api_name,
            "label": self.label,
            "type": self.type,
            "define_type": self.define_type,
            "is_required": self.required,
            "is_unique": self.unique,
            "is_active": self.active,
            "is_index": self.type not in {"long_text", "group", RELATED_TYPE},
            "help_text": "",
            "description": "",
            "default_is_expression": False,
            "create_time": 1_600_000_000_000,
            "status": "released",
        }
        if self.computed:
            shown["is_readonly"] = True
        if self.default is not None:
            shown["default_value"] = self.default
        if masked:
            shown |= {"is_show_mask": True, "remove_mask_roles": {}}
        return shown | self._type_attributes(retired_mark) | dict(self.extra)

    def _type_attributes(self, retired_mark: str) -> dict[str, Any]:
        if self.type in TEXT_TYPES:
            return {"max_length": self.length, "min_length": 0, "pattern": ""}
        if self.type in NUMBER_TYPES:
            return {"length": 14, "decimal_places": self.decimal_places, "round_mode": 4, "default_to_zero": False}
        if self.type in TIME_TYPES:
            pattern = "yyyy-MM-dd" if self.type == "date" else "yyyy-MM-dd HH:mm"
            return {"date_format": pattern, "time_zone": "GMT+8", "not_use_multitime_zone": False}
        if self.type in EMPLOYEE_TYPES | DEPARTMENT_TYPES:
            return {"is_single": not self.type.endswith("_many")}
        if self.type in SELECT_TYPES | {"select_many"}:
            shown: dict[str, Any] = {"options": [option.describe(retired_mark) for option in self.choices]}
            return shown | ({"cascade_parent_api_name": self.parent} if self.parent else {})
        if self.type in REGION_TYPES:
            return {"cascade_parent_api_name": self.parent} if self.parent else {}
        if self.type in LOOKUP_TYPES:
            return {
                "target_api_name": self.target,
                "target_related_list_name": f"{self.api_name}_list",
                "target_related_list_label": self.label,
                "wheres": [],
                "action_on_target_delete": self.on_target_delete,
            }
        return {}


@dataclass(slots=True)
class ObjectType:
    """One object of the tenant; its fields may be changed while the simulator runs, as administrators do."""

    api_name: str
    label: str
    fields: dict[str, FieldType]
    id_field: str = "_id"
    readable_only: bool = False
    active: bool = True
    icon: str = "A_201611_16_1.png"

    @property
    def custom(self) -> bool:
        """Tells whether the object lives under the custom path."""
        return self.api_name.endswith("__c")

    def uniques(self) -> tuple[str, ...]:
        """Returns the fields whose values the server keeps unique."""
        return tuple(name for name, kind in self.fields.items() if kind.unique and kind.active)

    def listing(self) -> dict[str, Any]:
        """Returns the object as `object/list` shows it."""
        return {
            "describeApiName": self.api_name,
            "describeDisplayName": self.label,
            "defineType": "custom" if self.custom else "package",
            "isActive": self.active,
            "iconPath": self.icon,
        }

    def as_bought(self) -> ObjectType:
        """Returns the object without what administrators have made of it."""
        kept = {name: kind for name, kind in self.fields.items() if not name.endswith("__c")}
        types = kept["record_type"]
        kept["record_type"] = replace(types, choices=tuple(c for c in types.choices if c.value == types.default))
        return replace(self, fields=kept)

    def change_field(self, name: str, changes: object) -> None:
        """Changes, adds or (with `remove`) removes one field; raises ValueError for a wrong attribute."""
        if not isinstance(changes, Mapping):
            raise ValueError(f"field {name}: `changes` holds its attributes by name")
        if changes.get("remove"):
            if self.fields.pop(name, None) is None:
                raise ValueError(f"unknown field {name}")
            return
        plain = {key: value for key, value in changes.items() if key not in {"choices", "disable", "enable"}}
        present = self.fields.get(name)
        try:
            kind = replace(present, **plain) if present else FieldType(api_name=name, **plain)
        except TypeError as wrong:
            raise ValueError(f"field {name}: {wrong}") from None
        if "choices" in changes:
            kind = replace(kind, choices=tuple(Choice(str(c["value"]), str(c["label"])) for c in changes["choices"]))
        for word, disabled in (("disable", True), ("enable", False)):
            wanted = {str(value) for value in changes.get(word, ())}
            if wanted - {option.value for option in kind.choices}:
                raise ValueError(f"field {name} has no option {sorted(wanted)[0]}")
            kind = replace(
                kind,
                choices=tuple(replace(c, disabled=disabled) if c.value in wanted else c for c in kind.choices),
            )
        self.fields[name] = kind


def choices_of(text: str, separator: str = ", ") -> tuple[Choice, ...]:
    """Reads options written as `value=label`."""
    pairs = (part.partition("=") for part in text.split(separator))
    return tuple(Choice(value, label) for value, _, label in pairs)


def new_field(name: str, label: str, kind: str, **more: Any) -> FieldType:
    """Makes a field; `choices` may be one text, and the suffix tells a custom field."""
    more.setdefault("define_type", "custom" if name.endswith("__c") else "package")
    if isinstance(more.get("choices"), str):
        more["choices"] = choices_of(more["choices"])
    return FieldType(name, label, kind, **more)
