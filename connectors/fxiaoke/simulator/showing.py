"""How a stored record looks in an answer: companions, id form, masks, absent nulls, projection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connectors.fxiaoke.simulator.objects import region_names
from connectors.fxiaoke.simulator.records import Record
from connectors.fxiaoke.simulator.schema import (
    DEPARTMENT_TYPES,
    EMPLOYEE_TYPES,
    LOOKUP_TYPES,
    REGION_TYPES,
    RELATED_TYPE,
    SELECT_TYPES,
    FieldType,
    ObjectType,
)
from connectors.fxiaoke.simulator.staff import open_id_of
from connectors.fxiaoke.simulator.tenant import Tenant

REGION_NAMES = region_names()
Change = Callable[[dict[str, Any], Any], None]


class Showcase:
    """Renders the records of one object for one call."""

    def __init__(
        self, tenant: Tenant, kind: ObjectType, converted: bool, nulls: bool, projection: tuple[str, ...] = ()
    ) -> None:
        self._tenant = tenant
        self._kind = kind
        self._converted = converted
        self._projection = projection
        wanted = [f for f in kind.fields.values() if f.active and (not projection or f.api_name in projection)]
        self._empty: dict[str, Any] = {f.api_name: None for f in wanted} if nulls else {}
        self._changes = [(f.api_name, change) for f in wanted if (change := self._change_for(f)) is not None]
        self._inactive = [f.api_name for f in kind.fields.values() if not f.active]
        self._noise: dict[str, Any] = {
            "tenant_id": "700001",
            "object_describe_api_name": kind.api_name,
            "object_describe_id": "5f0000000000000000000001",
            "package": "CRM",
            "total_num": 1,
        }

    def show(self, record: Record) -> dict[str, Any]:
        """Returns the record as the API answers it."""
        if self._projection:
            shown = {**self._empty, **{name: record[name] for name in self._projection if name in record}}
            shown["_id"] = record["_id"]
        else:
            shown = {**self._noise, **self._empty, **record}
            shown["searchAfterId"] = [str(record["last_modified_time"]), record["_id"]]
        for name in self._inactive:
            shown.pop(name, None)
        for name, change in self._changes:
            value = shown.get(name)
            if value is not None:
                change(shown, value)
        return shown

    def _change_for(self, found: FieldType) -> Change | None:
        name = found.api_name
        if found.type in EMPLOYEE_TYPES:
            return self._employee(name)
        if found.type in DEPARTMENT_TYPES:
            return self._department(name)
        if found.type in LOOKUP_TYPES:
            return self._lookup(name, str(found.target))
        if found.type == RELATED_TYPE:
            return self._related
        labels = REGION_NAMES if found.type in REGION_TYPES else {c.value: c.label for c in found.choices}
        if found.type == "select_many":
            return _labelled(name, lambda value: [labels.get(item, item) for item in value])
        if found.type in SELECT_TYPES or found.type in REGION_TYPES:
            return _labelled(name, lambda value: labels.get(value, value))
        if name in self._tenant.settings.masked_fields:
            return _masked(name)
        return self._team if name == "relevant_team" and self._converted else None

    def _employee(self, name: str) -> Change:
        directory, converted = self._tenant.directory, self._converted
        met: dict[str, list[Any]] = {}

        def change(shown: dict[str, Any], value: list[str]) -> None:
            key = ",".join(value)
            people = met.get(key)
            if people is None:
                people = met[key] = [directory.shown(user_id, converted) for user_id in value]
            if converted:
                shown[name] = [open_id_of(user_id) for user_id in value]
            if people:
                shown[f"{name}__r"] = people[0]
                shown[f"{name}__l"] = people

        return change

    def _department(self, name: str) -> Change:
        names = self._tenant.directory.departments

        def change(shown: dict[str, Any], value: list[str]) -> None:
            if value:
                shown[f"{name}__r"] = {"deptId": value[0], "deptName": names.get(value[0], "")}
                shown[f"{name}__l"] = [{"deptId": item, "deptName": names.get(item, "")} for item in value]

        return change

    def _lookup(self, name: str, target: str) -> Change:
        table = self._tenant.tables[target]

        def change(shown: dict[str, Any], value: str) -> None:
            found = table.get(value)
            if found is not None:
                shown[f"{name}__r"] = found.get("name")
                shown[f"{name}__relation_ids"] = value

        return change

    def _related(self, shown: dict[str, Any], value: list[dict[str, str]]) -> None:
        """Adds the present display name of each record; a link shows it although the link itself has not changed."""
        shown["related_object_data"] = [
            {**item, "name": (self._tenant.tables[item["describe_api_name"]].get(item["id"]) or {}).get("name", "")}
            for item in value
        ]

    def _team(self, shown: dict[str, Any], value: list[dict[str, Any]]) -> None:
        shown["relevant_team"] = [
            {**member, "teamMemberEmployee": [open_id_of(user) for user in member["teamMemberEmployee"]]}
            for member in value
        ]


def _labelled(name: str, label: Callable[[Any], Any]) -> Change:
    key = f"{name}__r"

    def change(shown: dict[str, Any], value: Any) -> None:
        shown[key] = label(value)

    return change


def _masked(name: str) -> Change:
    def change(shown: dict[str, Any], value: str) -> None:
        shown[name] = mask(value)

    return change


def mask(value: str) -> str:
    """Hides the middle of a phone number or the local part of an e-mail address."""
    local, at, domain = value.rpartition("@")
    if at:
        return f"{local[:1]}***@{domain}"
    return value[:3] + "*" * max(len(value) - 7, 4) + value[-4:]
