"""The proof of a connection: sign-in, then every scope on its own, then what the profile and the scopes allow to write.

Each line names one scope or permission, and where it fails what the hub cannot do without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from connectors.base import CheckLine
from connectors.errors import AuthRejected, ConnectorError
from connectors.zoho_crm import scopes, watch
from connectors.zoho_crm.answers import PERMISSION, SCOPE_MISMATCH, refusal
from connectors.zoho_crm.calls import BULK_API, Api
from connectors.zoho_crm.describe import Describer
from connectors.zoho_crm.licence import compare
from connectors.zoho_crm.modules import READ_ONLY
from connectors.zoho_crm.reading import Reader

_OPERATIONS = (("creatable", "CREATE", "新建"), ("editable", "UPDATE", "修改"), ("deletable", "DELETE", "删除"))
# Scopes of the organisation as a whole; each is proven by a harmless read, and only where it is configured.
_ORG, _USERS = "ZohoCRM.org.READ", "ZohoCRM.users.READ"
_NO_CHANNEL = "10000000000000"
_CURRENT_USER = {"type": "CurrentUser", "per_page": "1"}


class Checker:
    """Proves what the credentials may do; never writes."""

    def __init__(self, api: Api, reader: Reader, describer: Describer) -> None:
        self._api, self._reader, self._describer = api, reader, describer
        self._settings = api.settings

    def check(self) -> list[CheckLine]:
        """Returns one line per proof; only the first where the sign-in fails."""
        lines = [self._try("sign-in", "sign-in works", "登录成功", self._api.tokens.current)]
        if not lines[0].ok:
            return lines
        if scopes.allows(self._settings.scopes, _ORG):
            lines += self._check_organisation()
        if scopes.allows(self._settings.scopes, _USERS):
            lines.append(self._prove(_USERS, _USERS, partial(self._get, "/users", _CURRENT_USER, _USERS)))
        bulk = "ZohoCRM.bulk.READ"
        if self._settings.bulk_read_above:
            lines.append(self._prove(bulk, bulk, self._bulk_read))
        modules: dict[str, Mapping[str, Any]] = {}
        scope = "ZohoCRM.settings.modules.READ"
        lines.append(self._prove(scope, scope, lambda: modules.update(self._describer.modules())))
        return [*lines, *(line for name in self._settings.objects for line in self._check_object(name, modules))]

    def check_channels(self) -> list[CheckLine]:
        """Returns the proof that channels may be opened: by the scopes that the token names, and by a look at them."""

        def prove() -> None:
            granted = self._api.tokens.current().scopes
            if granted and not scopes.allows(granted, watch.SCOPE):
                raise self._scope_missing(watch.SCOPE)
            # No channel bears this number. Only who may ask is told so.
            watch.Watch(self._api).look(_NO_CHANNEL)

        return [self._prove(watch.SCOPE, watch.SCOPE, prove)]

    def _check_organisation(self) -> list[CheckLine]:
        """Proves the scope, and holds `edition` and `users` against what was bought."""
        shown: list[Mapping[str, Any]] = []
        line = self._prove(_ORG, _ORG, lambda: shown.extend(self._get("/org", {}, _ORG)))
        licence = compare(self._settings, shown[0]) if shown else None
        return [line, *([] if licence is None else [licence])]

    def _bulk_read(self) -> None:
        """Asks for a job that is none, which only who may read jobs is told."""
        answer = self._api.call("GET", "/read/1", "check bulk read", read=True, base=BULK_API)
        if answer.status != 404 and answer.code in PERMISSION:
            raise refusal(answer, self._api.system, "bulk read", "read it")

    def _check_object(self, object: str, modules: Mapping[str, Mapping[str, Any]]) -> list[CheckLine]:
        module = f"ZohoCRM.modules.{object.lower()}"
        fields, coql, read = "ZohoCRM.settings.fields.READ", "ZohoCRM.coql.READ", f"{module}.READ"
        lines = [
            self._prove(f"{fields} {object}", fields, lambda: self._describer.describe_fields(object)),
            self._prove(read, read, lambda: self._read(object)),
        ]
        if object not in READ_ONLY:
            query = partial(self._reader.query, object, ["id"], "id is not null", 1)
            lines.append(self._prove(f"{coql} {object}", coql, query))
        if self._settings.deleted_feed:
            feed = partial(self._reader.deleted_page, object, 1, 1, None)
            lines.append(self._prove(f"{module} deleted", read, feed))
        if object in READ_ONLY:
            return lines
        return [*lines, self._check_key(object), *self._check_writes(object, module, modules.get(object))]

    def _check_key(self, object: str) -> CheckLine:
        key, name = self._settings.external_key, f"{object}.{self._settings.external_key}"
        if self._describer.key_is_unique(object):
            return CheckLine(name, True, f"{object}: {key} is unique", f"{object}：{key} 已设为唯一")
        return CheckLine(
            name,
            False,
            f"{object}: {key} is missing or not unique; create it as a text field that allows no duplicates, "
            "without it a lost answer to a create needs a person",
            f"{object}：{key} 不存在或未设唯一；请建立禁止重复的单行文本字段，否则新建结果不明时须人工处理",
            unprepared=True,
        )

    def _check_writes(self, object: str, module: str, described: Mapping[str, Any] | None) -> list[CheckLine]:
        """Proves write rights by granted scopes and the module's flags; a token that names no scopes may hold any."""
        granted = self._api.tokens.current().scopes

        def prove(flag: str, scope: str, verb: str, zh: str) -> None:
            if granted and not scopes.allows(granted, scope):
                raise self._scope_missing(scope)
            if described is not None and described.get(flag) is False:
                raise AuthRejected(
                    f"the scope is granted, but the profile of the hub's user may not {verb} in {object}; grant it",
                    f"已授予该 scope，但集成用户的权限配置不允许在 {object} 中{zh}，请在 Zoho 中授予",
                    missing=f"profile permission {object} {verb}",
                    system=self._api.system,
                    object=object,
                )

        return [
            self._prove(
                f"{module}.{right}", f"{module}.{right}", partial(prove, flag, f"{module}.{right}", right.lower(), zh)
            )
            for flag, right, zh in _OPERATIONS
        ]

    def _get(self, path: str, params: Mapping[str, str], doing: str) -> list[Mapping[str, Any]]:
        answer = self._api.get(path, f"check {doing}", params)
        if not answer.ok:
            raise refusal(answer, self._api.system, doing, "read it")
        rows = answer.content.get(path.strip("/")) if isinstance(answer.content, Mapping) else None
        return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []

    def _read(self, object: str) -> None:
        params = {"per_page": "1"}
        self._reader.rows_of(self._reader.list_page(object, ["id"], params, None), object, "list records")

    def _prove(self, name: str, scope: str, prove: Callable[[], object]) -> CheckLine:
        """Returns the line of one proof; a failed one says what is lost without the scope."""

        def try_it() -> None:
            try:
                prove()
            except AuthRejected as refused:
                # The vendor says that a scope is missing, but not which one.
                raise self._scope_missing(scope) if refused.missing.startswith(SCOPE_MISMATCH) else refused from None

        line = self._try(name, "works", "可用", try_it)
        if line.ok:
            return line
        en, zh = scopes.lost(scope)
        return CheckLine(name, False, f"{line.en}. Without it {en}", f"{line.zh}。缺少时{zh}")

    def _scope_missing(self, scope: str) -> AuthRejected:
        system = self._api.system
        return AuthRejected(
            f"the scope {scope} was not granted; add it to `scopes` and authorise again with `crmhub connect {system}`",
            f"未授予 {scope}；请加入 scopes 后用 `crmhub connect {system}` 重新授权",
            missing=scope,
            system=system,
        )

    def _try(self, name: str, en: str, zh: str, prove: Callable[[], object]) -> CheckLine:
        try:
            prove()
        except ConnectorError as refused:
            return CheckLine(name, False, refused.en, refused.zh)
        return CheckLine(name, True, en, zh)
