"""The simulated accounts server beyond the refresh: grant tokens, consent, limits, revocation, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from zoho_client import ZohoClient

from connectors.simulation.server import RunningSimulator, start_simulator

CALLBACK = "https://hub.example/oauth/callback"
READING = "ZohoCRM.modules.contacts.READ"
ASKED = {
    "response_type": "code",
    "client_id": "1000.SIMULATED",
    "scope": READING,
    "redirect_uri": CALLBACK,
    "access_type": "offline",
    "prompt": "consent",
    "state": "s-1",
}


@pytest.fixture(scope="module")
def empty_org() -> Iterator[RunningSimulator]:
    with start_simulator("zoho_crm") as running:
        yield running


@pytest.fixture
def zoho(empty_org: RunningSimulator) -> ZohoClient:
    """An empty org, started over for each test, with the vendor's limits."""
    empty_org.admin.reset()
    return ZohoClient(empty_org)


def consent(zoho: ZohoClient, **changes: str | None) -> requests.Response:
    params = {name: value for name, value in {**ASKED, **changes}.items() if value is not None}
    return requests.get(f"{zoho.base}/oauth/v2/auth", params=params, allow_redirects=False, timeout=10)


def callback(answer: requests.Response) -> dict[str, str]:
    assert answer.status_code == 302, answer.text
    address = answer.headers["location"]
    assert address.startswith(CALLBACK + "?")
    return dict(parse_qsl(urlsplit(address).query))


def exchange(zoho: ZohoClient, code: str, **more: str) -> Any:
    return zoho.token(grant_type="authorization_code", code=code, **more).json()


def test_consent_leads_back_with_code_place_and_state(zoho: ZohoClient) -> None:
    given = callback(consent(zoho))
    assert (given["location"], given["accounts-server"], given["state"]) == ("cn", zoho.base, "s-1")
    issued = exchange(zoho, given["code"], redirect_uri=CALLBACK)
    assert issued["scope"] == READING
    assert "access_token" in zoho.token(refresh_token=issued["refresh_token"]).json()
    zoho.admin.settings(accounts_server="https://accounts.zoho.eu", data_center="eu")
    given = callback(consent(zoho, state=None))
    assert (given["location"], given["accounts-server"]) == ("eu", "https://accounts.zoho.eu")
    assert "state" not in given


def test_a_code_of_the_link_wants_its_address_and_works_once(zoho: ZohoClient) -> None:
    code = callback(consent(zoho))["code"]
    assert exchange(zoho, code) == {"error": "invalid_redirect_uri"}
    assert exchange(zoho, code, redirect_uri="https://elsewhere.example") == {"error": "invalid_redirect_uri"}
    assert "refresh_token" in exchange(zoho, code, redirect_uri=CALLBACK)
    assert exchange(zoho, code, redirect_uri=CALLBACK) == {"error": "invalid_code"}


def test_a_code_dies_after_three_minutes(zoho: ZohoClient) -> None:
    code = callback(consent(zoho))["code"]
    zoho.admin.advance(181)
    assert exchange(zoho, code, redirect_uri=CALLBACK) == {"error": "invalid_code"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_id": "1000.OTHER"},
        {"redirect_uri": "https://elsewhere.example"},
        {"scope": "nonsense"},
        {"scope": None},
        {"response_type": "token"},
    ],
)
def test_a_wrong_request_ends_on_a_page_and_leads_nowhere(zoho: ZohoClient, wrong: dict[str, str | None]) -> None:
    answer = consent(zoho, **wrong)
    assert (answer.status_code, "location" in answer.headers) == (400, False)
    assert "text/html" in answer.headers["content-type"]


def test_a_user_may_refuse(zoho: ZohoClient) -> None:
    zoho.admin.settings(consent="reject")
    assert callback(consent(zoho)) == {"state": "s-1", "error": "access_denied"}


def test_a_refresh_token_needs_offline_access_and_later_the_prompt(zoho: ZohoClient) -> None:
    def gives(**changes: str | None) -> bool:
        return "refresh_token" in exchange(zoho, callback(consent(zoho, **changes))["code"], redirect_uri=CALLBACK)

    assert not gives(access_type="online")
    assert not gives(prompt=None), "the user has consented before"
    assert gives()


def test_ten_grant_tokens_in_ten_minutes(zoho: ZohoClient) -> None:
    codes = [callback(consent(zoho))["code"] for _ in range(9)]
    codes.append(zoho.admin.post("tokens", {"grant": {}})["grant"])
    assert len(set(codes)) == 10
    assert consent(zoho).status_code == 400
    with pytest.raises(RuntimeError, match="ten grant tokens"):
        zoho.admin.post("tokens", {"grant": {}})
    zoho.admin.advance(601)
    assert consent(zoho).status_code == 302


def test_ten_refresh_tokens_in_ten_minutes_and_twenty_live_ones(zoho: ZohoClient) -> None:
    zoho.admin.settings(grants_per_window=100)

    def obtain() -> Any:
        return exchange(zoho, zoho.admin.post("tokens", {"grant": {}})["grant"])

    first = obtain()
    access = {"Authorization": f"Zoho-oauthtoken {first['access_token']}"}
    for _ in range(9):
        assert "refresh_token" in obtain()
    assert obtain()["error"] == "Access Denied"
    zoho.admin.advance(601)
    # The token of the console is the oldest of the user, `first` the second.
    kept = [obtain() for _ in range(9)]
    assert "access_token" in zoho.token().json()
    assert zoho.get("org", headers=access).status_code == 200
    kept.append(obtain())
    assert zoho.token().json() == {"error": "invalid_code"}, "the 21st pushed the oldest out"
    zoho.admin.advance(601)
    kept.append(obtain())
    assert zoho.token(refresh_token=first["refresh_token"]).json() == {"error": "invalid_code"}
    assert zoho.get("org", headers=access).json()["code"] == "INVALID_TOKEN", "its access tokens die with it"
    assert "access_token" in zoho.token(refresh_token=kept[-1]["refresh_token"]).json()


def test_each_token_has_its_own_scopes(zoho: ZohoClient) -> None:
    client = {"grant_type": "client_credentials", "soid": "ZohoCRM.60001234567"}
    narrow = zoho.token(**client, scope=READING).json()
    wide = zoho.token(**client, scope=f"{READING},ZohoCRM.org.READ").json()
    assert "refresh_token" not in narrow
    assert (narrow["scope"], wide["scope"]) == (READING, f"{READING} ZohoCRM.org.READ")
    statuses = [
        zoho.get("org", headers={"Authorization": f"Zoho-oauthtoken {token['access_token']}"}).status_code
        for token in (narrow, wide)
    ]
    assert statuses == [401, 200]
    assert zoho.token(**{**client, "soid": "ZohoCRM.1"}, scope=READING).json() == {"error": "missing_org_info"}


def test_a_revoked_refresh_token_is_dead_with_its_access_tokens(zoho: ZohoClient) -> None:
    assert zoho.get("org").status_code == 200
    gone = {"token": "1000.simulated.refresh"}
    assert requests.post(f"{zoho.base}/oauth/v2/token/revoke", data=gone, timeout=10).json() == {"status": "success"}
    assert zoho.get("org").json()["code"] == "INVALID_TOKEN"
    assert zoho.token().json() == {"error": "invalid_code"}


@pytest.mark.parametrize("error", ["invalid_client", "invalid_code"])
def test_a_client_of_another_data_center_is_a_switch(zoho: ZohoClient, error: str) -> None:
    zoho.admin.settings(registered_elsewhere=error)
    assert (zoho.token().status_code, zoho.token().json()) == (200, {"error": error})
    assert consent(zoho).status_code == 400


def test_answers_of_other_times_are_switches(zoho: ZohoClient) -> None:
    zoho.admin.settings(expires_in_milliseconds=True, refresh_repeats_token=True, api_domain="https://www.zohoapis.eu")
    old = zoho.token().json()
    assert (old["expires_in_sec"], old["expires_in"]) == (3600, 3_600_000)
    assert (old["refresh_token"], old["api_domain"]) == ("1000.simulated.refresh", "https://www.zohoapis.eu")
    zoho.admin.settings(token_page_status=200)
    page = zoho.token()
    assert (page.status_code, page.headers["content-type"].split(";")[0]) == (200, "text/html")


def test_the_call_ledger_tells_sign_ins_apart(zoho: ZohoClient) -> None:
    zoho.admin.reset_calls()
    exchange(zoho, callback(consent(zoho))["code"], redirect_uri=CALLBACK)
    zoho.token()
    zoho.token(grant_type="client_credentials")
    assert zoho.admin.calls()["calls"] == {"consent": 1, "token code": 1, "token": 1, "token client": 1}
