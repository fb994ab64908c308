"""Decides where a connection may go: allowed hosts, then every address that a name resolves to."""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from connectors.errors import SettingsInvalid

Profile = Literal["production", "lab"]
Endpoint = tuple[str, int]
Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# is_global is necessary and not sufficient: each of these is global, or a disguise of another address, on Python 3.11.
_REFUSED = tuple(
    ip_network(net)
    for net in ("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "240.0.0.0/4")
) + tuple(ip_network(net) for net in ("2001::/23", "fec0::/10", "64:ff9b:1::/48"))
_PLACE = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d+)?")
_NAT64 = IPv6Network("64:ff9b::/96")
# Where clouds that use private addresses answer with the machine's own credentials.
_METADATA = frozenset({ip_address("fd00:ec2::254"), ip_address("fd20:ce::254")})


def is_public(address: Address) -> bool:
    """Tells whether an address is an ordinary public one, looking through IPv6 forms that carry an IPv4 address."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
    if not address.is_global or address.is_multicast or address.is_reserved or address.is_unspecified:
        return False
    return not any(address in net for net in _REFUSED if net.version == address.version)


def is_loopback(address: Address) -> bool:
    """Tells whether an address is this machine, mapped forms included."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback


@dataclass(frozen=True, slots=True)
class Egress:
    """Says where one connection may go.

    `hosts` are exact names (`open.example.com`) or suffixes with a leading dot (`.example.com`, which does not admit
    `example.com` itself). The lab profile also admits loopback, there on any port and without TLS. A name of `inner`
    may also lie in one of `networks`, which are private: a self-hosted system, a proxy, a key service of the bank.
    """

    hosts: tuple[str, ...]
    profile: Profile = "production"
    ports: tuple[int, ...] = (443,)
    inner: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()

    def admit(self, url: str) -> SplitResult:
        """Returns the parts of an allowed URL. Raises SettingsInvalid for any other."""
        if not url.isascii() or any(char <= " " or char == "\x7f" or char == "\\" for char in url):
            raise _refused("an address with a control or non-ASCII character", "地址含有控制字符或非 ASCII 字符")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            parts, host, port = urlsplit(""), None, None
        if not host or parts.scheme not in ("https", "http"):
            raise _refused("an address that is not https://host/...", "地址不是 https://主机/… 的形式")
        if "@" in parts.netloc or "#" in url:
            raise _refused(f"{host}: an address with a user name or a fragment", f"{host}:地址带有用户名或片段")
        if not _PLACE.fullmatch(parts.netloc):
            raise _refused("a host with an escape or a zone id", "主机名含转义字符或区域标识")
        if self._lab_loopback(host):
            return parts
        if parts.scheme != "https" or (443 if port is None else port) not in self.ports:
            raise _refused(f"{host}: only https on port {self._ports()}", f"{host}:仅允许 https、端口 {self._ports()}")
        if not _listed(host, self.hosts):
            raise _refused(
                f"{host} is not a host of this kind of system; correct the address in the settings or have it approved",
                f"{host} 不是该类系统的主机,请在配置中更正地址,或申请批准",
            )
        return parts

    def resolve(self, host: str, port: int) -> Sequence[Endpoint]:
        """Resolves a host once and returns the addresses to connect to, all of them checked.

        Raises SettingsInvalid when any address is not allowed, OSError when the name does not resolve.
        """
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        endpoints: dict[Endpoint, None] = {}
        for *_, sockaddr in found:
            text = str(sockaddr[0])
            address = ip_address(text.partition("%")[0])
            if not self._may_connect(host, address):
                raise _refused(
                    f"{host} resolves to an address that is not public; check DNS and the configured address",
                    f"{host} 解析到非公网地址,请检查 DNS 与所配置的地址",
                )
            endpoints[(text, port)] = None
        return tuple(endpoints)

    def _lab_loopback(self, host: str) -> bool:
        if self.profile != "lab":
            return False
        if host == "localhost":
            return True
        try:
            return is_loopback(ip_address(host))
        except ValueError:
            return False

    def _may_connect(self, host: str, address: Address) -> bool:
        if is_public(address) or (self.profile == "lab" and is_loopback(address)):
            return True
        if address in _METADATA or not _listed(host, self.inner):
            return False
        return any(address in net for net in self.networks if net.version == address.version)

    def _ports(self) -> str:
        return ", ".join(map(str, self.ports))


def _listed(host: str, hosts: tuple[str, ...]) -> bool:
    name = host.rstrip(".").lower()
    return any(name.endswith(entry) if entry.startswith(".") else name == entry for entry in hosts)


def _refused(en: str, zh: str) -> SettingsInvalid:
    return SettingsInvalid(f"connection refused by the egress rules: {en}", f"出站规则拒绝连接:{zh}")
