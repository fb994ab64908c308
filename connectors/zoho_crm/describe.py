"""What Zoho says about its modules and fields.

Source: Zoho API v8 fields-meta, modules-api.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.base import FieldDescription, ObjectDescription
from connectors.errors import SchemaDrift
from connectors.zoho_crm.answers import refusal, violation
from connectors.zoho_crm.calls import Api
from connectors.zoho_crm.reading import LINK, LINK_MODULE, Reader

# Metadata calls Tag a text; records carry a list of objects.
_KINDS = {"Tag": "tags"}
_EMPTY_OPTION = "-None-"
# What metadata call the target of What_Id, which is any module.
_ANY_MODULE = "se_module"
# Records carry it and writes need it, whether metadata name it or not.
_MODULE_OF_LINK = FieldDescription(LINK_MODULE, "Module of What_Id", "text", None, False, True, False)


class Describer:
    """Reads metadata."""

    def __init__(self, api: Api, reader: Reader) -> None:
        self._api, self._reader = api, reader
        self._settings = api.settings
        self._unique: dict[str, bool] = {}

    def external_key_unique(self, object: str) -> bool:
        """Tells whether Zoho refuses a second record with one hub id, as last described, else as configured."""
        return self._settings.external_key_unique and self._unique.get(object, True)

    def unique_fields(self, object: str) -> frozenset[str]:
        """Asks which fields of a module admit no duplicates now."""
        entries = self._list("/settings/fields", "fields", object, {"module": object})
        return frozenset(field.api_name for field in map(_field, entries) if field.unique)

    def describe(self, object: str) -> ObjectDescription:
        """Describes a module by its field metadata. Raises SchemaDrift where the module is not there."""
        module = self._module(object)
        fields = self.describe_fields(object)
        return ObjectDescription(object, str(module.get("plural_label") or module.get("module_name") or object), fields)

    def describe_fields(self, object: str) -> Mapping[str, FieldDescription]:
        """Describes the fields of a module. Raises SchemaDrift where it shows none."""
        entries = self._list("/settings/fields", "fields", object, {"module": object})
        if not entries:
            raise SchemaDrift(
                f"{self._api.system} {object}: the module shows no fields; check its name and the profile's permission",
                f"{self._api.system} {object}：模块没有可见字段，请检查模块名与角色权限",
                system=self._api.system,
                object=object,
            )
        self._reader.catalogue.remember(object, entries)
        fields = {field.api_name: field for field in map(_field, entries)}
        if LINK in fields:
            fields.setdefault(LINK_MODULE, _MODULE_OF_LINK)
        key = fields.get(self._settings.external_key)
        self._unique[object] = key is not None and key.unique
        return fields

    def modules(self) -> Mapping[str, Mapping[str, Any]]:
        """Returns what the metadata say of every module that the user may see, by API name."""
        return {str(module.get("api_name")): module for module in self._list("/settings/modules", "modules", "modules")}

    def key_is_unique(self, object: str) -> bool:
        """Tells whether the hub id field was described as unique."""
        return self._unique.get(object, False)

    def _module(self, object: str) -> Mapping[str, Any]:
        modules = self._list("/settings/modules", "modules", object)
        found = next((module for module in modules if module.get("api_name") == object), None)
        if found is None or found.get("api_supported") is False:
            raise SchemaDrift(
                f"{self._api.system} {object}: there is no such module; check its API name and the tab permission",
                f"{self._api.system} {object}：没有该模块，请检查模块 API 名称与标签页权限",
                system=self._api.system,
                object=object,
            )
        return found

    def _list(
        self, path: str, key: str, object: str, params: Mapping[str, str] | None = None
    ) -> Sequence[Mapping[str, Any]]:
        answer = self._api.get(path, f"describe {key}", params)
        if not answer.ok:
            raise refusal(answer, self._api.system, object, f"read {key}")
        if answer.content is None:
            return ()
        listed = answer.content.get(key) if isinstance(answer.content, Mapping) else None
        if not isinstance(listed, list) or not all(isinstance(entry, Mapping) for entry in listed):
            raise violation(self._api.system, object, f"the metadata has no {key}", f"元数据缺少 {key}")
        return listed


def _field(entry: Mapping[str, Any]) -> FieldDescription:
    name = str(entry["api_name"])
    allowed = entry.get("operation_type") or {}
    read_only = entry.get("read_only") or entry.get("field_read_only")
    lookup = (entry.get("lookup") or {}).get("module")
    target = lookup.get("api_name") if isinstance(lookup, Mapping) else lookup
    return FieldDescription(
        api_name=name,
        label=str(entry.get("field_label") or name),
        kind=_KINDS.get(name, str(entry.get("data_type"))),
        length=entry.get("length"),
        required=bool(entry.get("system_mandatory")),
        writable=not read_only and bool(allowed.get("api_create", True) and allowed.get("api_update", True)),
        unique=bool(entry.get("unique")),
        options=_options(entry),
        lookup=None if target == _ANY_MODULE else target,
    )


def _options(entry: Mapping[str, Any]) -> Mapping[str, str] | None:
    listed = entry.get("pick_list_values")
    if not listed:
        return None
    used = [option for option in listed if option.get("type", "used") == "used"]
    pairs = {str(option["actual_value"]): str(option.get("display_value", "")) for option in used}
    return {value: label for value, label in pairs.items() if value != _EMPTY_OPTION}
