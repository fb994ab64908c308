"""Reads what settings say about connections: pins, proxies and the networks of a bank's own systems."""

from __future__ import annotations

import re
from base64 import b64decode
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from hub.kernel.timetable import Malformed

Network = IPv4Network | IPv6Network

_PRIVATE = tuple(ip_network(net) for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"))
_PIN = re.compile(r"sha256/([A-Za-z0-9+/]{43}=)")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}\Z)(?:{_LABEL}(?:\.{_LABEL})*|(?:\.{_LABEL}){{2,}})")
_PROXY = re.compile(r"https?://([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:]{2,45}\]):\d{1,5}/?")


def parse_pin(text: str) -> bytes:
    """Returns the SHA-256 of a public key from `sha256/BASE64` (RFC 7469, without quotes). Raises Malformed."""
    found = _PIN.fullmatch(text)
    if found is None:
        raise Malformed(
            "is no pin: sha256/ and the base64 of the SHA-256 of the server's public key (44 letters)",
            "不是有效的公钥指纹：sha256/ 加服务器公钥 SHA-256 的 base64（44 个字符）",
        )
    return b64decode(found[1])


def check_pins(pins: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the pins. Raises Malformed for a single one: without a backup a new key would end the connection."""
    if pins and len({parse_pin(pin) for pin in pins}) < 2:
        raise Malformed(
            "needs at least two different pins, one of them of a backup key that is not in use yet",
            "至少需要两个不同的公钥指纹，其中一个为尚未启用的备用密钥",
        )
    return pins


def parse_host(text: str) -> str:
    """Returns a host name, an address, or the suffix `.bank.example` of at least two parts. Raises Malformed."""
    if _HOST.fullmatch(text) is None and (text.startswith(".") or not _is_address(text)):
        raise Malformed(
            "is no host: crm.bank.example, an address, or .bank.example for every name below it; in lower case, "
            "names in other scripts as xn--…",
            "不是有效主机：crm.bank.example、IP 地址，或以 .bank.example 表示其下所有名称；小写，非拉丁域名写作 xn--…",
        )
    return text


def names_number(host: str) -> bool:
    """Tells whether a resolver takes a name for an address in another spelling: `2130706433`, `0x7f.1`, `127.1`.

    Source: WHATWG URL, "ends in a number checker".
    """
    last = host.rstrip(".").rpartition(".")[2].lower()
    return last.isdecimal() or re.fullmatch(r"0x[0-9a-f]*", last) is not None


def is_public_host(host: str) -> bool:
    """Tells whether a host in a URL can be reached from outside, as far as its spelling says."""
    if _is_address(host):
        address = ip_address(host)
        inner = getattr(address, "ipv4_mapped", None) or address
        return inner.is_global and not inner.is_multicast and not inner.is_reserved
    name = host.rstrip(".").lower()
    return name != "localhost" and not name.endswith(".localhost") and not names_number(name)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def parse_network(text: str) -> Network:
    """Returns a network that is wholly private (RFC 1918, RFC 4193). Raises Malformed."""
    try:
        found = ip_network(text)
    except ValueError:
        found = None
    if found is None or not any(_within(found, net) for net in _PRIVATE):
        raise Malformed(
            "is no private network such as 10.20.0.0/16; loopback, link-local and shared addresses cannot be approved",
            "不是私有网段（如 10.20.0.0/16）；回环、链路本地和共享地址不能批准",
        )
    return found


def _within(inner: Network, outer: Network) -> bool:
    if isinstance(inner, IPv4Network):
        return isinstance(outer, IPv4Network) and inner.subnet_of(outer)
    return isinstance(outer, IPv6Network) and inner.subnet_of(outer)


def parse_proxy(url: str) -> tuple[str, int]:
    """Returns host and port of a proxy `http://HOST:PORT`. Raises Malformed."""
    parts = urlsplit(url) if _PROXY.fullmatch(url) else None
    port = int(url.rstrip("/").rpartition(":")[2]) if parts else 0
    if parts is None or parts.hostname is None or not 0 < port < 65536:
        raise Malformed(
            "does not have the form http://HOST:PORT (or https://); user and password go into proxy_credentials",
            "格式应为 http://主机:端口（或 https://）；用户名与口令请放到 proxy_credentials",
        )
    return parts.hostname, port
