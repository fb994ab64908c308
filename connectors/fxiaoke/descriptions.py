"""Reads how the tenant describes an object and keeps the answer for a while."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from threading import Lock
from typing import Any

from connectors.base import ConnectorContext, FieldDescription, ObjectDescription
from connectors.errors import SchemaDrift
from connectors.fxiaoke.attributes import Cascade, cascades_of, decimals_of, members_of, options_of
from connectors.fxiaoke.client import OBJECT_DESCRIBE, OBJECT_LIST, Client
from connectors.fxiaoke.envelope import Call, Reason, Rejected, protocol_violation
from connectors.fxiaoke.links import LOG, LOOKUP, RELATED, Links, links_of
from connectors.fxiaoke.settings import FxiaokeSettings

# The server computes these types, or their form is out of scope. Source: Fxiaoke guide/values.
_READ_ONLY_TYPES = frozenset(
    {"auto_number", "formula", "count", "quote", "group", "signature", "embedded_object_list", "rich_text"}
)
_SERVER_FIELDS = frozenset(
    {
        "_id", "version", "is_deleted", "life_status", "lock_status", "lock_rule", "lock_user", "tenant_id", "package",
        "created_by", "last_modified_by", "last_modified_time", "owner_department",
        "owner_department_id", "out_owner", "object_describe_id", "object_describe_api_name", "extend_obj_data_id",
        "related_api_names",
    }
)  # fmt: skip
CREATED_AT = "create_time"
"""Is written when a record is created and never again. Source: Fxiaoke data/create, hasSpecifyTime."""
CREATED_BY = "created_by"
"""Is written when a record is created, and only where the connection says so. Source: Fxiaoke hasSpecifyCreatedBy."""
LIST_TYPES = frozenset(
    {
        "select_many", "employee", "employee_many", "department", "department_many", "out_employee",
        "object_reference_many", "image", "file_attachment",
    }
)  # fmt: skip


class Descriptions:
    """Describes objects; threads may share it."""

    def __init__(self, client: Client, settings: FxiaokeSettings, context: ConnectorContext) -> None:
        self._client, self._settings, self._context = client, settings, context
        self._kept: dict[str, tuple[float, ObjectDescription, Links | None]] = {}
        self._lock = Lock()

    def read(self, object: str) -> ObjectDescription:
        """Reads the description from the tenant. Raises SchemaDrift when the object is not there."""
        described = self.raw(object)
        if described is None:
            raise self._absent(object)
        made, links = to_description(object, described, self._settings.retired_option_mark), None
        if self._settings.specify_created_by:
            made = _with_creator(made)
        if object == LOG:
            links = links_of(made.fields, self._settings.log_links, self._settings.log_linked_objects)
            made = links.described(made)
        with self._lock:
            self._kept[object] = (self._context.clock.now(), made, links)
        return made

    def raw(self, object: str) -> Mapping[str, Any] | None:
        """Reads the description as the tenant tells it, None where it describes no such object."""
        # Two official pages put apiName in two places, and both were used against production.
        body = {
            "apiName": object,
            "includeDetail": False,
            "data": {"apiName": object, "includeDetail": False},
        }
        try:
            payload = self._client.read(OBJECT_DESCRIBE, object, body).payload
        except Rejected as no:
            if no.reason is Reason.PERMISSION:
                call = Call(self._context.system, OBJECT_DESCRIBE, object, read=True)
                raise protocol_violation(call, no) from None
            return None
        described = (payload.get("data") or {}).get("describe")
        whole = isinstance(described, Mapping) and isinstance(described.get("fields"), Mapping)
        return described if whole else None

    def listed(self) -> dict[str, Mapping[str, Any]]:
        """Returns what the tenant lists of every object that the operator may know, by API name."""
        try:
            payload = self._client.read(OBJECT_LIST, "", {}).payload
        except Rejected as no:
            raise protocol_violation(Call(self._context.system, OBJECT_LIST, "", read=True), no) from None
        found = (payload.get("data") or {}).get("objects")
        rows = [row for row in found if isinstance(row, Mapping)] if isinstance(found, list) else []
        return {str(row.get("describeApiName")): row for row in rows}

    def kept(self, object: str) -> ObjectDescription:
        """Returns a description that is at most `describe_ttl` old."""
        with self._lock:
            read_at, made, _ = self._kept.get(object, (0.0, None, None))
        if made is None or self._context.clock.now() - read_at > self._settings.describe_ttl:
            return self.read(object)
        return made

    def links(self, object: str, names: Iterable[str]) -> Links | None:
        """Returns how the tenant links contact logs, or None where none of these fields is a link of one."""
        if object != LOG or {LOOKUP, RELATED}.isdisjoint(names):
            return None
        self.kept(object)
        with self._lock:
            return self._kept[object][2]

    def age(self, object: str) -> float | None:
        """Returns how old the kept description is, or None when there is none."""
        with self._lock:
            kept = self._kept.get(object)
        return None if kept is None else self._context.clock.now() - kept[0]

    def is_unique(self, object: str, field: str) -> bool | None:
        """Tells whether the kept description calls a field unique; None when nothing is known."""
        with self._lock:
            kept = self._kept.get(object)
        if kept is None:
            return None
        found = kept[1].fields.get(field)
        return found is not None and found.unique

    def labels(self, object: str) -> dict[str, str]:
        """Returns the labels of the kept description, without asking for one."""
        with self._lock:
            kept = self._kept.get(object)
        return {} if kept is None else {name: field.label for name, field in kept[1].fields.items()}

    def _absent(self, object: str) -> SchemaDrift:
        system = self._context.system
        return SchemaDrift(
            f"{system} {object}: Fxiaoke does not describe this object; check its API name and that it is enabled",
            f"{system} {object}：纷享销客没有返回该对象的描述；请检查对象 API 名称及是否启用",
            system=system,
            object=object,
        )


def field_absent(system: str, object: str, names: Sequence[str]) -> SchemaDrift:
    """Returns the error of fields that the mapping uses and the object does not have."""
    shown = ", ".join(names)
    return SchemaDrift(
        f"{system} {object}: no such active field: {shown}; create it in Fxiaoke or take it out of the mapping",
        f"{system} {object}：字段不存在或已停用：{shown}；请在纷享销客中创建，或从映射中去掉",
        system=system,
        object=object,
    )


def to_description(object: str, described: Mapping[str, Any], retired_mark: str) -> ObjectDescription:
    """Makes a description of the vendor's; fields that are switched off are left out."""
    cascades = cascades_of(described["fields"])
    fields = {
        name: _to_field(name, spec, cascades.get(name), retired_mark)
        for name, spec in described["fields"].items()
        if isinstance(spec, Mapping) and spec.get("is_active") is not False
    }
    return ObjectDescription(object=object, label=str(described.get("display_name") or object), fields=fields)


def _with_creator(made: ObjectDescription) -> ObjectDescription:
    creator = made.fields.get(CREATED_BY)
    fields = {} if creator is None else {CREATED_BY: replace(creator, writable=True)}
    return replace(made, fields={**made.fields, **fields})


def is_writable(name: str, spec: Mapping[str, Any]) -> bool:
    """Tells whether a field takes a value from outside, at least when a record is created."""
    if name == CREATED_AT:
        return True
    kind = str(spec.get("type", ""))
    return kind not in _READ_ONLY_TYPES and name not in _SERVER_FIELDS and spec.get("is_readonly") is not True


def _to_field(name: str, spec: Mapping[str, Any], by_parent: Cascade | None, retired_mark: str) -> FieldDescription:
    length = spec.get("max_length")
    parent = spec.get("cascade_parent_api_name")
    return FieldDescription(
        api_name=name,
        label=str(spec.get("label") or name),
        kind=str(spec.get("type", "")),
        length=int(length) if length else None,
        required=spec.get("is_required") is True,
        writable=is_writable(name, spec),
        unique=spec.get("is_unique") is True,
        options=options_of(spec, retired_mark),
        lookup=spec.get("target_api_name"),
        masked=spec.get("is_show_mask") is True,
        retired=options_of(spec, retired_mark, retired=True) or None,
        parent=str(parent) if parent else None,
        by_parent=by_parent,
        decimals=decimals_of(spec),
        members=members_of(spec),
    )
