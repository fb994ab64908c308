"""The guard of outgoing calls: every disguise of an address, at every place of the settings that names one."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from connectors.addresses import Egress, is_public
from connectors.errors import RetryLater, SettingsInvalid
from connectors.http import HttpClient, HttpPolicy
from hub.kernel.errors import ConfigInvalid
from hub.kernel.settings import Transport, load_settings
from hub.kernel.settings_check import cross_check
from hub.outbound import http_policy, open_service
from tests.security.test_transport import hub
from tests.unit.connectors.loopback import RealClock, make_certificate, serving

# Spellings that the resolver of the C library takes for an address; each is written as the host of a URL.
SPELLINGS = (
    "2130706433", "0x7f000001", "0x7f.1", "0x7f.0.0.1", "017700000001", "0177.0.0.1", "127.1", "127.0.1", "127.0.0.1",
    "127.255.255.254", "0", "0.0.0.0", "10.0.0.1", "167772161", "0xa000001", "012.0.0.1", "172.16.0.1", "192.168.0.1",
    "169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518", "100.100.100.200",
    "1684301000", "0x646464c8", "100.64.0.1", "192.0.0.8", "192.0.0.170", "198.18.0.1", "203.0.113.1", "224.0.0.1",
    "239.255.255.250", "240.0.0.1", "255.255.255.255", "localhost",
)  # fmt: skip
LITERALS = (
    "::1", "::", "::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::127.0.0.1",
    "64:ff9b::a9fe:a9fe", "64:ff9b::6464:64c8", "64:ff9b:1::7f00:1", "2002:7f00:1::", "2002:a9fe:a9fe::1",
    "2002:c0a8:1::1", "2001:0:7f00:1::", "fe80::1", "fe80::a9fe:a9fe", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1",
    "ff0e::1", "2001:db8::1", "100::1",
)  # fmt: skip


@pytest.mark.parametrize("host", SPELLINGS)
def test_no_spelling_of_an_inner_address_is_connected_to(host: str) -> None:
    """Even a host that somebody approved under that spelling: what it resolves to is what counts."""
    approved = Egress((host,))
    assert approved.admit(f"https://{host}/").hostname == host
    with pytest.raises(SettingsInvalid, match="not public"):
        approved.resolve(host, 443)


@pytest.mark.parametrize("text", LITERALS)
def test_no_ipv6_form_of_an_inner_address_is_public(text: str) -> None:
    assert not is_public(ip_address(text))
    with pytest.raises(SettingsInvalid):
        Egress(("api.vendor.example",)).admit(f"https://[{text}]/")
    with pytest.raises(SettingsInvalid, match="not public"):
        Egress((text,)).resolve(text, 443)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.vendor.example@evil.example/", "https://evil.example@api.vendor.example/",
        "https://user:word@api.vendor.example/", "https://api.vendor.example:443@evil.example/",
        "https://api.vendor.example#@evil.example/", "https://evil.example#api.vendor.example",
        "https://api.vendor.example/#x", "https://api.vendor.example\\@evil.example/",
        "https://evil.example\\.api.vendor.example/", "https://api.vendor.example\r\nHost: evil.example/",
        "https://api.vendor.example/\r\nX: y", "https://api.vendor.example/\0",
        "https://api.vendor.example\t.evil.example/", "https://api.vendor.example /",
        "https://api.vendor.example.evil.example/", "https://api.vendor.example%2eevil.example/",
        "https://api.vendor.example%00.evil.example/", "https://api。vendor。example/", "https://аpi.vendor.example/",
        "https://api.vendor.example：443/", "https://ⓐpi.vendor.example/", "https://[::1%25lo]/",
        "https://[fe80::1%eth0]/", "https://api.vendor.example:80/",
        "https://api.vendor.example:0/", "https://api.vendor.example:99999/", "http://api.vendor.example/",
        "HTTP://api.vendor.example/", "gopher://api.vendor.example/", "file:///etc/passwd", "//api.vendor.example/",
        "https:api.vendor.example", "https:///api.vendor.example/", "https://", "", "javascript:alert(1)",
        "https://vendor.example/", "https://xapi.vendor.example/", "https://.api.vendor.example/",
        "https://[api.vendor.example]/", "https://[::1]api.vendor.example/",
    ],
)  # fmt: skip
@pytest.mark.parametrize("profile", ["production", "lab"])
def test_no_url_trick_leads_elsewhere(url: str, profile: Any) -> None:
    with pytest.raises(SettingsInvalid):
        Egress(("api.vendor.example",), profile).admit(url)


@pytest.mark.parametrize(
    ("address", "admitted"),
    [
        ("10.20.1.2", True), ("10.21.1.2", False), ("fd12:3456::7", True), ("fd00:ec2::254", False),
        ("127.0.0.1", False), ("169.254.169.254", False), ("::ffff:127.0.0.1", False), ("8.8.8.8", True),
    ],
)  # fmt: skip
def test_an_approved_network_admits_approved_hosts_only(
    address: str, admitted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = [(socket.AF_INET, 1, 6, "", (address, 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer)
    transport = Transport(approved_hosts=("crm.bank.example",), approved_networks=("10.20.0.0/16", "fd00::/8"))
    egress = http_policy(hub(tmp_path, profile="production"), "one", transport, ("api.vendor.example",)).egress
    reach(egress, "crm.bank.example", admitted)
    reach(egress, "api.vendor.example", address == "8.8.8.8")


def reach(egress: Egress, host: str, admitted: bool) -> None:
    if admitted:
        assert egress.resolve(host, 443)
        return
    with pytest.raises(SettingsInvalid, match="not public"):
        egress.resolve(host, 443)


@pytest.mark.parametrize("host", ["169.254.169.254", "127.0.0.1", "localhost", "2130706433", "[::1]", "10.1.2.3"])
def test_services_and_proxies_stand_under_the_same_guard(host: str, tmp_path: Path) -> None:
    production = hub(tmp_path, profile="production")
    service = open_service(production, "vault", f"https://{host}:8200/v1")
    with pytest.raises(SettingsInvalid, match="not public"):
        service.send("GET", f"https://{host}:8200/v1", operation="x", read=True)
    proxied = open_service(
        production, "idp", "https://idp.bank.example/", Transport.model_construct(proxy=f"http://{host}:3128")
    )
    with pytest.raises(SettingsInvalid, match="not public"):
        proxied.send("GET", "https://idp.bank.example/", operation="x", read=True)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "x.localhost", "2130706433", "0x7f.1", "127.1", "10.1.2.3", "[::1]"]
)  # fmt: skip
def test_callbacks_are_never_sent_inside(host: str) -> None:
    settings = {"callbacks": {"listen": "127.0.0.1:9470", "public_url": f"https://{host}/hooks"}}
    assert [place for place, _ in cross_check(settings)] == [("callbacks", "public_url")]


@pytest.mark.parametrize(
    "host", ["HUB.example", ".example", "*.example", "hub..example", "-a.example", "пример.рф", "a b", ""]
)
def test_approved_hosts_are_names_and_not_patterns(host: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="approved_hosts"):
        hub(tmp_path, f"{{approved_hosts: ['{host}']}}")


@pytest.fixture
def rebound(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Makes a name lead to this machine first and to a cloud's metadata from then on; tells what was asked."""
    asked: list[str] = []
    true_lookup = socket.getaddrinfo

    def lookup(host: str, *rest: Any, **named: Any) -> Any:
        if host == "open.example.com":
            asked.append(host)
            host = "127.0.0.1" if len(asked) == 1 else "169.254.169.254"
        return true_lookup(host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    return asked


def test_a_retry_is_checked_again(rebound: list[str], tmp_path: Path) -> None:
    """The first attempt fails after it connected; the name has moved meanwhile, and the second goes nowhere."""
    certificate = make_certificate(tmp_path)
    with serving(certificate) as server:
        server.script = [lambda handler: (handler.connection.close(), setattr(handler, "close_connection", True))]
        port = server.server_address[1]
        policy = HttpPolicy(Egress(("open.example.com",), "lab", (port,)), ca_bundle=str(certificate))
        with pytest.raises((SettingsInvalid, RetryLater), match="not public"):
            HttpClient(policy, RealClock()).send("GET", f"https://open.example.com:{port}/", operation="x", read=True)
        assert (len(server.requests), server.server_names) == (1, ["open.example.com"])
        assert len(rebound) == 2


def test_the_settings_of_a_connection_open_no_other_way(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    shipped = (Path(__file__).parents[2] / "config" / "hub.yaml").read_text(encoding="utf-8")
    file = tmp_path / "config" / "hub.yaml"
    file.write_text(shipped.replace("https://open.fxiaoke.com", "http://169.254.169.254"), encoding="utf-8")
    with pytest.raises(ConfigInvalid, match="not https"):
        load_settings(tmp_path)
