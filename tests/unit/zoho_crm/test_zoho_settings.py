"""Settings fix the origin, and wrong ones are all named at once without their values."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.addresses import Egress
from connectors.errors import SettingsInvalid
from connectors.zoho_crm.accounts import data_center_of
from connectors.zoho_crm.settings import ALLOWED_HOSTS, DATA_CENTERS, EVERY_DATA_CENTER, read_settings


@pytest.mark.parametrize("data_center", sorted(DATA_CENTERS))
def test_a_data_center_fixes_both_origins(data_center: str) -> None:
    settings = read_settings({"data_center": data_center}, "zoho")
    assert (settings.accounts_origin, settings.api_origin) == DATA_CENTERS[data_center]
    assert settings.accepts_api_domain(settings.api_origin + "/")
    others = [api for name, (_, api) in DATA_CENTERS.items() if name != data_center]
    assert not any(settings.accepts_api_domain(api) for api in others)


def test_a_sandbox_has_its_own_host_and_the_production_api_domain() -> None:
    settings = read_settings({"data_center": "eu", "environment": "sandbox"}, "zoho")
    assert settings.api_origin == "https://sandbox.zohoapis.eu"
    assert settings.accepts_api_domain("https://www.zohoapis.eu")
    assert {"accounts.zoho.eu", "www.zohoapis.eu", "sandbox.zohoapis.eu"} <= set(ALLOWED_HOSTS)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8123", "http://localhost:8123/", "http://[::1]:8123"])
def test_loopback_may_replace_the_origin(url: str) -> None:
    settings = read_settings({"api_url": url, "accounts_url": url}, "zoho")
    assert settings.api_origin == settings.accounts_origin == url.rstrip("/")
    assert not settings.accepts_api_domain("https://www.zohoapis.com.cn")


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        ({"api_url": "https://evil.example"}, "api_url"),
        ({"api_url": "http://10.0.0.1"}, "api_url"),
        ({"api_url": "ftp://127.0.0.1"}, "api_url"),
        ({"data_center": "mars"}, "data_center"),
        ({"page_size": 201}, "page_size"),
        ({"batch_size": 101}, "batch_size"),
        ({"grant": "client_credentials"}, "org_id"),
        ({"client_secret": "hunter2hunter2"}, "client_secret"),
        ({"token_pause": 5}, "token_pause"),
        ({"redirect_uri": "http://hub.example/callback"}, "redirect_uri"),
        ({"redirect_uri": "https://hub.example/callback?x=1"}, "redirect_uri"),
        ({"redirect_uri": "hub.example/callback"}, "redirect_uri"),
    ],
)
def test_wrong_settings_are_named_without_their_values(raw: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingsInvalid) as refused:
        read_settings(raw, "zoho")
    assert named in refused.value.en
    assert named in refused.value.zh
    assert "hunter2" not in refused.value.en + refused.value.zh


def test_every_problem_is_listed() -> None:
    with pytest.raises(SettingsInvalid) as refused:
        read_settings({"overlap": -1, "unknown": 1, "workers": 99}, "zoho")
    assert all(name in refused.value.en for name in ("overlap", "unknown", "workers"))


@pytest.mark.parametrize("url", ["https://hub.example/callback", "http://localhost:8080/callback", "http://127.0.0.1/"])
def test_a_redirect_address_is_https_or_of_this_machine(url: str) -> None:
    assert read_settings({"redirect_uri": url}, "zoho").redirect_uri == url


def test_the_data_center_that_only_third_parties_name_is_on_no_list_of_allowed_hosts() -> None:
    """Its connection needs `http.approved_hosts` beside `data_center: uk`, else no call leaves."""
    settings = read_settings({"data_center": "uk"}, "zoho")
    assert (settings.accounts_origin, settings.api_origin) == EVERY_DATA_CENTER["uk"]
    assert not [host for host in ALLOWED_HOSTS if host.endswith(".uk")]
    with pytest.raises(SettingsInvalid, match="approved"):
        Egress(ALLOWED_HOSTS).admit(settings.accounts_origin)
    assert Egress((*ALLOWED_HOSTS, "accounts.zoho.uk")).admit(settings.accounts_origin)


@pytest.mark.parametrize("data_center", sorted(EVERY_DATA_CENTER))
def test_hosts_name_their_data_center_and_look_alikes_none(data_center: str) -> None:
    accounts, api = EVERY_DATA_CENTER[data_center]
    own = [accounts, accounts + "/", api, *(api.replace("www.", f"{kind}.") for kind in ("sandbox", "developer"))]
    assert {data_center_of(host) for host in own} == {data_center}
    for host in (
        accounts + ".evil.example",
        accounts.replace("https", "http"),
        "https://evil" + accounts[8:],
        api + ":8443",
    ):
        assert data_center_of(host) is None
