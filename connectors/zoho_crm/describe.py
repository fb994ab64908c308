"""What Zoho says about its modules and fields, and the proof of the connection's credentials.

Source: Zoho API v8 fields-meta, modules-api, get-org-data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from connectors.base import CheckLine, FieldDescription, ObjectDescription
from connectors.errors import AuthRejected, ConnectorError, SchemaDrift
from connectors.zoho_crm.answers import PERMISSION, refusal, violation
from connectors.zoho_crm.calls import BULK_API, Api
from connectors.zoho_crm.modules import READ_ONLY
from connectors.zoho_crm.reading import LINK, LINK_MODULE, Reader

# Metadata calls Tag a text; records carry a list of objects.
_KINDS = {"Tag": "tags"}
_EMPTY_OPTION = "-None-"
# What metadata call the target of What_Id, which is any module.
_ANY_MODULE = "se_module"
# Records carry it and writes need it, whether metadata name it or not.
_MODULE_OF_LINK = FieldDescription(LINK_MODULE, "Module of What_Id", "text", None, False, True, False)
_OPERATIONS = (("creatable", "CREATE", "新建"), ("editable", "UPDATE", "修改"), ("deletable", "DELETE", "删除"))


class Describer:
    """Reads metadata and proves what the credentials may do."""

    def __init__(self, api: Api, reader: Reader) -> None:
        self._api, self._reader = api, reader
        self._settings = api.settings
        self._unique: dict[str, bool] = {}

    def external_key_unique(self, object: str) -> bool:
        """Tells whether Zoho refuses a second record with one hub id, as last described, else as configured."""
        return self._settings.external_key_unique and self._unique.get(object, True)

    def describe(self, object: str) -> ObjectDescription:
        """Describes a module by its field metadata. Raises SchemaDrift where the module is not there."""
        module = self._module(object)
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
        return ObjectDescription(object, str(module.get("plural_label") or module.get("module_name") or object), fields)

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

    # --- check ----------------------------------------------------------------------------------------------------

    def check(self) -> list[CheckLine]:
        """Proves sign-in, then every scope by a harmless read, then what the profile and the scopes allow to write."""
        lines = [self._try("sign-in", "sign-in works", "登录成功", self._api.tokens.current)]
        if not lines[0].ok:
            return lines
        lines.append(self._try("ZohoCRM.org.READ", "the organisation is readable", "组织信息可读", self._organisation))
        if self._settings.bulk_read_above:
            can, zh = "large modules are loaded by bulk read", "大模块可批量读取"
            lines.append(self._try("ZohoCRM.bulk.READ", can, zh, self._bulk_read))
        return [*lines, *(line for name in self._settings.objects for line in self._check_object(name))]

    def _bulk_read(self) -> None:
        """Asks for a job that is none, which only who may read jobs is told."""
        answer = self._api.call("GET", "/read/1", "check bulk read", read=True, base=BULK_API)
        if answer.status != 404 and answer.code in PERMISSION:
            raise AuthRejected(
                f"{self._api.system}: bulk read is not permitted ({answer.code}); grant ZohoCRM.bulk.READ, without it "
                "a first load of a large module goes by pages and takes more calls",
                f"{self._api.system}：不允许批量读取（{answer.code}）；请授予 ZohoCRM.bulk.READ，"
                "否则大模块首次加载改为逐页读取，占用更多调用",
                missing="ZohoCRM.bulk.READ",
                system=self._api.system,
            )

    def _check_object(self, object: str) -> list[CheckLine]:
        module = f"ZohoCRM.modules.{object.lower()}"
        lines = [
            self._try(
                f"ZohoCRM.settings {object}",
                f"{object}: fields are described",
                f"{object}：字段可描述",
                lambda: self.describe(object),
            ),
            self._try(
                f"{module}.READ", f"{object}: records are readable", f"{object}：记录可读", lambda: self._read(object)
            ),
        ]
        if object not in READ_ONLY:
            lines.append(
                self._try(
                    f"ZohoCRM.coql.READ {object}",
                    f"{object}: records are found by hub id, needed for recovery",
                    f"{object}：可按统一编号查找（异常恢复所需）",
                    lambda: self._reader.query(object, ["id"], "id is not null", 1),
                )
            )
        if self._settings.deleted_feed:
            lines.append(
                self._try(
                    f"{module} deleted",
                    f"{object}: deletes are seen",
                    f"{object}：可读取删除记录",
                    lambda: self._reader.deleted_page(object, 1, 1, None),
                )
            )
        if object in READ_ONLY:
            return lines
        return [*lines, self._check_key(object), *self._check_writes(object, module)]

    def _check_key(self, object: str) -> CheckLine:
        key, name = self._settings.external_key, f"{object}.{self._settings.external_key}"
        if self._unique.get(object):
            return CheckLine(name, True, f"{object}: {key} is unique", f"{object}：{key} 已设为唯一")
        return CheckLine(
            name,
            False,
            f"{object}: {key} is missing or not unique; create it as a text field that allows no duplicates, "
            "without it a lost answer to a create needs a person",
            f"{object}：{key} 不存在或未设唯一；请建立禁止重复的单行文本字段，否则新建结果不明时须人工处理",
        )

    def _check_writes(self, object: str, module: str) -> list[CheckLine]:
        described = cache(lambda: self._module(object))

        def line(flag: str, operation: str, zh: str) -> CheckLine:
            name, verb = f"{module}.{operation}", operation.lower()

            def prove() -> None:
                if not self._granted(module, operation) or described().get(flag) is False:
                    raise self._not_permitted(object, name, verb, zh)

            return self._try(name, f"{object}: {verb} is permitted", f"{object}：允许{zh}", prove)

        return [line(*rights) for rights in _OPERATIONS]

    def _granted(self, module: str, operation: str) -> bool:
        """Tells whether the token's scopes hold an operation; a token that does not name its scopes may hold it."""
        scopes = {scope.lower() for scope in self._api.tokens.current().scopes}
        enough = {f"{owner}.{right}" for owner in (module, "zohocrm.modules") for right in (operation, "all")}
        if operation != "DELETE":
            enough |= {f"{module}.write", "zohocrm.modules.write"}
        return not scopes or bool(scopes & {scope.lower() for scope in enough})

    def _not_permitted(self, object: str, name: str, verb: str, zh: str) -> AuthRejected:
        return AuthRejected(
            f"{self._api.system} {object}: {verb} is not permitted; grant {name} and the profile permission",
            f"{self._api.system} {object}：不允许{zh}，请授予 {name} 与角色权限",
            missing=name,
            system=self._api.system,
            object=object,
        )

    def _organisation(self) -> None:
        self._list("/org", "org", "org")

    def _read(self, object: str) -> None:
        params = {"per_page": "1"}
        self._reader.rows_of(self._reader.list_page(object, ["id"], params, None), object, "list records")

    def _try(self, name: str, en: str, zh: str, prove: Callable[[], object]) -> CheckLine:
        try:
            prove()
        except ConnectorError as refused:
            return CheckLine(name, False, refused.en, refused.zh)
        return CheckLine(name, True, en, zh)


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
