"""Proves a connection step by step: sign-in, operator, then each object's permission and unique key."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

from connectors.base import CheckLine, ConnectorContext
from connectors.errors import AuthRejected, ConnectorError, ProtocolViolation, SchemaDrift
from connectors.fxiaoke.client import OBJECT_LIST, Client
from connectors.fxiaoke.descriptions import Descriptions
from connectors.fxiaoke.envelope import Call, Rejected, protocol_violation
from connectors.fxiaoke.links import LOOKUP
from connectors.fxiaoke.reading import Reader
from connectors.fxiaoke.settings import FxiaokeSettings


def prove(
    client: Client, descriptions: Descriptions, reader: Reader, settings: FxiaokeSettings, context: ConnectorContext
) -> list[CheckLine]:
    """Returns one line per proof; what cannot be tried without an earlier proof is left out.

    Raises RetryLater, RateLimited and QuotaExhausted, which say nothing about the credentials.
    """
    token = _try("token", client.tokens.renew, "a fresh access token was given", "已取得新的访问令牌")
    if not token.ok:
        return [token]

    def list_objects() -> None:
        try:
            client.read(OBJECT_LIST, "", {})
        except Rejected as no:
            raise protocol_violation(Call(context.system, OBJECT_LIST, "", read=True), no) from None

    operator = _try("operator", list_objects, "the operator may call the API", "操作员可以调用接口")
    if not operator.ok:
        return [token, operator]
    proofs = (_prove_object(name, descriptions, reader, settings) for name in settings.objects)
    return [token, operator, *chain.from_iterable(proofs)]


def _prove_object(
    object: str, descriptions: Descriptions, reader: Reader, settings: FxiaokeSettings
) -> list[CheckLine]:
    described = _try(
        f"describe {object}", lambda: descriptions.read(object), "the object is described", "可读取对象描述"
    )
    read = _try(f"read {object}", lambda: reader.changes(object, (), None, 1), "records can be read", "可读取记录")
    lines = [described, read]
    if described.ok:
        lines.append(_key_line(object, descriptions, settings))
        lines.extend(_link_lines(object, descriptions))
    return lines


def _link_lines(object: str, descriptions: Descriptions) -> list[CheckLine]:
    """Returns which fields carry what a contact log is about; without any, logs belong to nobody."""
    links = descriptions.links(object, (LOOKUP,))
    if links is None:
        return []
    shown = ", ".join(sorted(links.carried)) or "-"
    return [
        CheckLine(
            f"links {object}",
            bool(links.carried),
            f"the customer of a contact log is carried by: {shown}",
            f"销售记录通过以下字段关联客户：{shown}",
        )
    ]


def _key_line(object: str, descriptions: Descriptions, settings: FxiaokeSettings) -> CheckLine:
    key = settings.external_key
    field = descriptions.kept(object).fields.get(key)
    name = f"key {object}.{key}"
    if field is None or not field.writable:
        return CheckLine(
            name,
            False,
            f"{object} has no writable field {key}; create a unique text field, or name the right one in external_key",
            f"{object} 没有可写字段 {key}；请新建唯一的单行文本字段，或在 external_key 中填写正确的字段",
        )
    if field.unique:
        hint = "" if settings.external_key_unique else "; set external_key_unique: true to use it for recovery"
        hint_zh = "" if settings.external_key_unique else "；可设置 external_key_unique: true 以用于恢复"
        return CheckLine(name, True, f"the key is unique{hint}", f"统一编号字段唯一{hint_zh}")
    ok = not settings.external_key_unique
    return CheckLine(
        name,
        ok,
        f"{key} is not marked unique, so an unclear create is asked about; mark it unique in Fxiaoke",
        f"{key} 未设为唯一，结果不明的新建需人工确认；请在纷享销客中设为唯一",
    )


def _try(name: str, act: Callable[[], object], en: str, zh: str) -> CheckLine:
    try:
        act()
    except (AuthRejected, ProtocolViolation, SchemaDrift) as failed:
        return _failed(name, failed)
    return CheckLine(name, True, en, zh)


def _failed(name: str, error: ConnectorError) -> CheckLine:
    return CheckLine(name, False, f"{error.code} {error.en}", f"{error.code} {error.zh}")
