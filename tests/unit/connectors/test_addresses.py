"""Where a connection may go: the egress rules of both profiles."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from pathlib import Path

import pytest
from loopback import RealClock, make_certificate, serving

from connectors.addresses import Egress, is_public
from connectors.errors import SettingsInvalid
from connectors.http import HttpClient, HttpPolicy

PRODUCTION = Egress(("open.example.com", ".zohoapis.example"))
LAB = Egress(("open.example.com",), "lab")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.100.100.200", "100.64.0.1",
        "0.0.0.0", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.0.8", "192.0.2.1", "198.18.0.1", "192.88.99.1",
        "::1", "::", "fe80::1", "fc00::1", "ff02::1", "fec0::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::", "2001::1",
        "2001:db8::1",
    ],
)  # fmt: skip
def test_an_address_that_is_not_public_is_told(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "47.95.164.112", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_a_public_address_is_told(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "url",
    ["https://open.example.com/x?q=1", "https://OPEN.example.com:443/", "https://www.zohoapis.example/crm/v8"],
)
def test_production_admits_listed_hosts(url: str) -> None:
    assert PRODUCTION.admit(url).hostname


@pytest.mark.parametrize(
    "url",
    [
        "http://open.example.com/", "https://open.example.com:8443/", "https://evil.example/", "https://zohoapis.example/",
        "https://evilzohoapis.example/", "https://open.example.com.evil.example/", "https://user@open.example.com/",
        "https://open.example.com@evil.example/", "https://open.example.com/#x", "https://open.example.com/\n",
        "https://open.example.com\\@evil.example/", "https://open.example.com\t/", "https://пример.example/",
        "http://127.0.0.1/", "https://127.0.0.1/", "https://localhost/", "https://2130706433/", "ftp://open.example.com/",
        "file:///etc/passwd", "https:///x", "https://open.example.com:x/", "https://[::1", "",
    ],
)  # fmt: skip
def test_production_refuses_everything_else(url: str) -> None:
    with pytest.raises(SettingsInvalid):
        PRODUCTION.admit(url)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8123/", "http://localhost:1/", "http://[::1]:5/", "https://127.0.0.2/"]
)
def test_the_lab_admits_loopback(url: str) -> None:
    assert LAB.admit(url).hostname
    with pytest.raises(SettingsInvalid):
        PRODUCTION.admit(url)


@pytest.mark.parametrize(
    "url", ["http://open.example.com/", "http://192.168.1.1/", "http://127.1/", "https://evil.example/"]
)
def test_the_lab_admits_nothing_else(url: str) -> None:
    with pytest.raises(SettingsInvalid):
        LAB.admit(url)


@pytest.mark.parametrize("disguise", ["127.1", "2130706433", "0x7f.1", "localhost"])
def test_a_disguised_loopback_is_refused_by_its_address(disguise: str) -> None:
    with pytest.raises(SettingsInvalid):
        Egress((disguise,)).resolve(disguise, 443)


def test_one_bad_address_among_good_ones_refuses_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def both(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, 1, 6, "", (each, 443)) for each in ("8.8.8.8", "10.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    with pytest.raises(SettingsInvalid):
        PRODUCTION.resolve("open.example.com", 443)


def test_the_checked_address_is_the_one_connected_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A name that resolves to something else later is checked again with its next connection."""
    asked: list[str] = []
    true_lookup = socket.getaddrinfo

    def rebinding(host: str, *rest: object, **named: object) -> object:
        if host == "open.example.com":
            asked.append(host)
            host = "127.0.0.1" if len(asked) == 1 else "10.255.255.1"
        return true_lookup(host, *rest, **named)  # type: ignore[arg-type]

    certificate = make_certificate(tmp_path)
    with serving(certificate) as server:
        monkeypatch.setattr(socket, "getaddrinfo", rebinding)
        port = server.server_address[1]
        egress = Egress(("open.example.com",), "lab", ports=(port,))
        client = HttpClient(HttpPolicy(egress, ca_bundle=str(certificate)), RealClock())
        answer = client.send("GET", f"https://open.example.com:{port}/", operation="x", read=True)
        assert answer.status == 200
        assert server.requests[0][2]["Host"] == f"open.example.com:{port}"
        assert server.server_names == ["open.example.com"]
        client.close()
        with pytest.raises(SettingsInvalid):
            client.send("GET", f"https://open.example.com:{port}/", operation="x", read=True)
        assert len(server.requests) == 1
    assert asked == ["open.example.com"] * 2


def test_a_refused_address_reaches_nobody() -> None:
    with serving() as server:
        client = HttpClient(HttpPolicy(Egress(("open.example.com",))), RealClock())
        for url in (server.url, f"https://127.0.0.1:{server.server_address[1]}/"):
            with pytest.raises(SettingsInvalid):
                client.send("GET", url, operation="x", read=True)
        assert server.requests == []
        assert client.calls() == {}
