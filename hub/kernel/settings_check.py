"""What must hold between the parts of `config/hub.yaml`; looks at the raw tree, so that it finds all it can at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from hub.kernel.errors import Text
from hub.kernel.secrets import looks_secret, names_secret
from hub.kernel.transport import is_public_host

Place = tuple[str | int, ...]
Finding = tuple[Place, Text]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_LOCAL = re.compile(r"(localhost|127\.[0-9.]+|\[::1\])?(:\d+)?")


def cross_check(content: Mapping[str, Any]) -> Iterator[Finding]:
    """Yields where names do not meet, a secret stands in the open or a connection is not protected."""
    production = content.get("profile", "production") != "lab"
    systems, entities = _table(content.get("systems")), _table(content.get("entities"))
    for section, names in (("systems", systems), ("entities", entities)):
        yield from _check_names(section, names)
    for name, system in systems.items():
        yield from _check_settings(("systems", name, "settings"), _table(_table(system).get("settings")), production)
    for name, entity in entities.items():
        yield from _check_entity(name, _table(entity), list(systems))
    yield from _check_schedule(_table(content.get("schedule")), entities)
    yield from _check_daemon(_table(content.get("daemon")), _table(content.get("store")).get("url"))
    yield from _check_callbacks(_table(content.get("callbacks")), production)
    yield from _check_sinks(_table(_table(content.get("audit")).get("sinks")), production)
    yield from _check_web(_table(content.get("web")), production)
    if production:
        yield from _check_store(_table(content.get("store")).get("url"))


def _table(node: object) -> Mapping[str, Any]:
    return node if isinstance(node, Mapping) else {}


def _check_names(section: str, names: Mapping[str, Any]) -> Iterator[Finding]:
    for name in names:
        if not _NAME.fullmatch(str(name)):
            yield (
                (section, name),
                Text(
                    f"`{section}`: a name is lower-case letters, digits and _, starting with a letter",
                    f"`{section}`：名称应为小写字母、数字和下划线，并以字母开头",
                ),
            )


def _check_settings(place: Place, settings: Mapping[str, Any], production: bool) -> Iterator[Finding]:
    for path, value in _leaves(settings):
        key = ".".join(map(str, (*place, *path)))
        if not isinstance(value, str):
            continue
        if names_secret(str(path[-1])) or looks_secret(value):
            yield (
                (*place, *path),
                Text(
                    f"`{key}` looks like a secret; put it under credentials as env:NAME or file:PATH",
                    f"`{key}` 疑似密钥；请放到 credentials 下，以 env:变量名 或 file:路径 引用",
                ),
            )
        elif production and value.lower().startswith("http://"):
            yield (
                (*place, *path),
                Text(
                    f"`{key}` is not https; plain http is admitted only on loopback with `profile: lab`",
                    f"`{key}` 不是 https；仅 profile: lab 时允许本机回环的 http",
                ),
            )


def _leaves(node: object, path: Place = ()) -> Iterator[tuple[Place, object]]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from _leaves(value, (*path, str(key)))
    elif isinstance(node, list):
        for position, value in enumerate(node):
            yield from _leaves(value, (*path, position))
    elif path:
        yield path, node


def _check_entity(name: str, entity: Mapping[str, Any], systems: list[str]) -> Iterator[Finding]:
    listed = [system for system in entity.get("systems") or [] if isinstance(system, str)]
    for key, names, allowed in (("systems", listed, systems), ("prefer", entity.get("prefer") or [], listed)):
        place = ("entities", name, key)
        if not isinstance(names, list):
            continue
        for position, system in enumerate(names):
            if system not in allowed:
                known = ", ".join(allowed)
                yield (
                    (*place, position),
                    Text(
                        f"`{'.'.join(place)}` names a system that is not among: {known}",
                        f"`{'.'.join(place)}` 中的系统不在其列：{known}",
                    ),
                )
        if len(set(map(str, names))) != len(names):
            yield place, Text(f"`{'.'.join(place)}` names a system twice", f"`{'.'.join(place)}` 重复列出同一系统")


def _check_schedule(schedule: Mapping[str, Any], entities: Mapping[str, Any]) -> Iterator[Finding]:
    place: Place = ("schedule", "by_entity")
    for name, item in _table(schedule.get("by_entity")).items():
        if name not in entities:
            known = ", ".join(map(str, entities))
            yield (
                (*place, name),
                Text(
                    f"`schedule.by_entity` names an entity that is not among: {known}",
                    f"`schedule.by_entity` 中的业务实体不在其列：{known}",
                ),
            )
            continue
        listed = _table(entities[name]).get("systems") or []
        for system in _table(_table(item).get("systems")):
            if system not in listed:
                known = ", ".join(map(str, listed))
                yield (
                    (*place, name, "systems", system),
                    Text(
                        f"`schedule.by_entity.{name}.systems` names a system that is not among: {known}",
                        f"`schedule.by_entity.{name}.systems` 中的系统不在其列：{known}",
                    ),
                )


def _check_daemon(daemon: Mapping[str, Any], url: object) -> Iterator[Finding]:
    if daemon.get("dispatch") == "workers" and not str(url).startswith("postgresql"):
        yield (
            ("daemon", "dispatch"),
            Text(
                "`daemon.dispatch: workers` needs a PostgreSQL in store.url; an embedded store belongs to one process",
                "`daemon.dispatch: workers` 需要 store.url 为 PostgreSQL；嵌入式存储仅供单进程使用",
            ),
        )


def _check_callbacks(callbacks: Mapping[str, Any], production: bool) -> Iterator[Finding]:
    listen, url = callbacks.get("listen"), callbacks.get("public_url")
    if (listen is None) != (url is None):
        there, lacking = ("listen", "public_url") if url is None else ("public_url", "listen")
        yield (
            ("callbacks", there),
            Text(
                f"`callbacks.{there}` needs `callbacks.{lacking}`; set both, or neither to switch callbacks off",
                f"`callbacks.{there}` 须与 `callbacks.{lacking}` 同时设置；均不设置则关闭回调",
            ),
        )
    if not isinstance(url, str):
        return
    if url.lower().startswith("http://") and (production or _LOCAL.fullmatch(url[7:].split("/")[0]) is None):
        yield (
            ("callbacks", "public_url"),
            Text(
                "`callbacks.public_url` is not https; plain http is admitted only on loopback with `profile: lab`",
                "`callbacks.public_url` 不是 https；仅 profile: lab 时允许本机回环的 http",
            ),
        )
    elif production and not is_public_host(urlsplit(url).hostname or ""):
        yield (
            ("callbacks", "public_url"),
            Text(
                "`callbacks.public_url` names an address that no system can reach from outside; use a public host name",
                "`callbacks.public_url` 的地址无法从外部访问；请使用公网主机名",
            ),
        )


def _check_sinks(sinks: Mapping[str, Any], production: bool) -> Iterator[Finding]:
    for name, sink in sinks.items():
        item = _table(sink)
        place: Place = ("audit", "sinks", name)
        if production and item.get("tls") is False:
            yield (
                (*place, "tls"),
                Text(
                    f"`audit.sinks.{name}`: syslog without TLS is admitted only with `profile: lab`",
                    f"`audit.sinks.{name}`：仅 profile: lab 时允许不加密的 syslog",
                ),
            )
        if production and str(item.get("url")).lower().startswith("http://"):
            yield (
                (*place, "url"),
                Text(
                    f"`audit.sinks.{name}` is not https; plain http is admitted only on loopback with `profile: lab`",
                    f"`audit.sinks.{name}` 不是 https；仅 profile: lab 时允许本机回环的 http",
                ),
            )
        if item.get("kind") == "file" and re.match(r"(\./)?var(/|$)", str(item.get("path"))):
            yield (
                (*place, "path"),
                Text(
                    f"`audit.sinks.{name}` lies in var/, beside the database; name another disk or machine",
                    f"`audit.sinks.{name}` 位于 var/（与数据库同处）；请放到其他磁盘或主机",
                ),
            )


def _check_web(web: Mapping[str, Any], production: bool) -> Iterator[Finding]:
    listen, url, oidc = web.get("listen"), web.get("public_url"), _table(web.get("oidc"))
    if (listen is None) != (url is None):
        there, lacking = ("listen", "public_url") if url is None else ("public_url", "listen")
        yield (
            ("web", there),
            Text(
                f"`web.{there}` needs `web.{lacking}`; set both, or neither",
                f"`web.{there}` 须与 `web.{lacking}` 同时设置",
            ),
        )
    for place, address in ((("web", "public_url"), url), (("web", "oidc", "issuer"), oidc.get("issuer"))):
        plain = isinstance(address, str) and address.lower().startswith("http://")
        if plain and (production or _LOCAL.fullmatch(str(address)[7:].split("/")[0]) is None):
            name = ".".join(place)
            yield (
                place,
                Text(
                    f"`{name}` is not https; plain http is admitted only on loopback with `profile: lab`",
                    f"`{name}` 不是 https；仅 profile: lab 时允许本机回环的 http",
                ),
            )
    if production and isinstance(listen, str) and not _LOCAL.fullmatch(listen) and web.get("certificate") is None:
        yield (
            ("web", "listen"),
            Text(
                "`web.listen` is open to other machines without TLS; name `web.certificate`, or listen on 127.0.0.1 "
                "behind a proxy that ends TLS",
                "`web.listen` 对其他主机开放但未启用 TLS；请设置 `web.certificate`，"
                "或仅监听 127.0.0.1 并由代理处理 TLS",
            ),
        )


def _check_store(url: object) -> Iterator[Finding]:
    if not isinstance(url, str) or not url.startswith("postgresql"):
        return
    hosts, modes = _database_hosts(url)
    if modes != ["verify-full"] and not all(host.startswith("/") or _LOCAL.fullmatch(host) for host in hosts):
        yield (
            ("store", "url"),
            Text(
                "`store.url` reaches another host without ?sslmode=verify-full; add it, and "
                "&sslrootcert=PATH where the server's authority is the bank's own",
                "`store.url` 连接其他主机，须带 ?sslmode=verify-full；服务器证书由行内 CA 签发时另加 &sslrootcert=路径",
            ),
        )


def _database_hosts(url: str) -> tuple[list[str], list[str]]:
    """Returns every host and every sslmode that a database address names, wherever libpq would read them."""
    place, _, options = url.partition("://")[2].partition("?")
    given = parse_qs(options, keep_blank_values=True)
    named = [unquote(place.partition("/")[0].rpartition("@")[2]), *given.get("host", []), *given.get("hostaddr", [])]
    hosts = [host.strip() for name in named for host in name.split(",")]
    return [*hosts, *(f"service {name}" for name in given.get("service", []))], given.get("sslmode", [])
