"""Proves a connection step by step: sign-in, caller, operator, then each object and each of its functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import chain

from connectors.base import CheckLine
from connectors.errors import AuthRejected, ConnectorError, ProtocolViolation, SchemaDrift
from connectors.fxiaoke.client import Client
from connectors.fxiaoke.descriptions import Descriptions
from connectors.fxiaoke.envelope import ADDRESS
from connectors.fxiaoke.links import LOOKUP
from connectors.fxiaoke.permissions import DIRECTORY, share
from connectors.fxiaoke.settings import FxiaokeSettings
from connectors.fxiaoke.trying import Trier


def prove(client: Client, descriptions: Descriptions, settings: FxiaokeSettings) -> list[CheckLine]:
    """Returns one line per proof; what cannot be tried without an earlier proof is left out.

    Raises RetryLater, RateLimited and QuotaExhausted, which say nothing about the credentials.
    """
    token = _try("token", client.tokens.renew, "a fresh access token was given", "已取得新的访问令牌")
    if not token.ok:
        return [replace(token, ends=True)]
    operator = _try("operator", descriptions.listed, "the operator may call the API", "操作员可以调用接口")
    if operator.name == "address":
        return [token, replace(operator, ends=True)]
    address = CheckLine(
        "address",
        True,
        "the app's IP allow list lets this host in (or holds none)",
        "应用的 IP 白名单允许本机（或未设白名单）",
    )
    if not operator.ok:
        return [token, address, replace(operator, ends=True)]
    prover = _Prover(descriptions, settings, Trier(client, descriptions, settings))
    return [token, address, operator, *chain.from_iterable(map(prover.object, settings.objects))]


class _Prover:
    """Proves objects one by one."""

    def __init__(self, descriptions: Descriptions, settings: FxiaokeSettings, trier: Trier) -> None:
        self._descriptions, self._settings, self._trier = descriptions, settings, trier

    def object(self, name: str) -> list[CheckLine]:
        """Returns the proofs of one object: description, list, single read, key, links and functions."""
        described = self._describe(name)
        label = f"{self._descriptions.kept(name).label} {name}" if described.ok else name
        listed, first = self._trier.read(name, label)
        if not described.ok:
            return [described, listed]
        lines = [described, listed, self._trier.get(name, label, first)]
        if name in DIRECTORY:
            return lines
        lines += [_key_line(name, self._descriptions, self._settings), *_link_lines(name, self._descriptions)]
        return [*lines, *self._trier.writes(name, label)]

    def _describe(self, name: str) -> CheckLine:
        line = f"describe {name}"
        try:
            self._descriptions.read(name)
        except AuthRejected as refused:
            en, zh = share(name, name)
            return CheckLine(line, False, f"{refused.en}: {en}", f"{refused.zh}：{zh}")
        except (ProtocolViolation, SchemaDrift) as failed:
            return replace(_failed(line, failed), unprepared=isinstance(failed, SchemaDrift))
        return CheckLine(line, True, "the object is described", "可读取对象描述")


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
    key = settings.key_of(object)
    field = descriptions.kept(object).fields.get(key)
    name = f"key {object}.{key}"
    if field is None or not field.writable:
        return CheckLine(
            name,
            False,
            f"{object} has no writable field {key}; create a unique text field, or name the right one in external_keys",
            f"{object} 没有可写字段 {key}；请新建唯一的单行文本字段，或在 external_keys 中填写正确的字段",
            unprepared=True,
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
        unprepared=not ok,
    )


def _try(name: str, act: Callable[[], object], en: str, zh: str) -> CheckLine:
    try:
        act()
    except (AuthRejected, ProtocolViolation, SchemaDrift) as failed:
        foreign = isinstance(failed, AuthRejected) and failed.missing == ADDRESS
        return _failed("address" if foreign else name, failed)
    return CheckLine(name, True, en, zh)


def _failed(name: str, error: ConnectorError) -> CheckLine:
    return CheckLine(name, False, f"{error.code} {error.en}", f"{error.code} {error.zh}")
