"""Every row of the token endpoint's errors against the simulator: the class, what to look at, and no second try."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from zoho_lab import CREDENTIALS, LabContext, connect

from connectors.errors import (
    AuthRejected,
    ConnectorError,
    ProtocolViolation,
    RateLimited,
    RetryLater,
    SettingsInvalid,
)
from connectors.zoho_crm.settings import SCOPES

TOKEN_PATH = "/oauth/v2/token$"
ORG = "60001234567"


def asked(org: Any) -> int:
    """Returns how many sign-ins reached the vendor."""
    return sum(count for path, count in org.admin.calls()["paths"].items() if path == "POST /oauth/v2/token")


def fails(org: Any, **settings: Any) -> ConnectorError:
    with pytest.raises(ConnectorError) as failed:
        org.connect(**settings)._reader.api.tokens.current()
    return failed.value


def with_credentials(org: Any, **changes: str) -> None:
    org.context._secrets |= changes


# What is arranged at the vendor -> settings, credentials -> class, what is missing, the words in their order.
Row = tuple[dict[str, Any], dict[str, Any], dict[str, str], type[ConnectorError], str, tuple[str, ...]]
ROWS: Mapping[str, Row] = {
    "refresh token wrong": ({}, {}, {"refresh_token": "1000.wrong"}, AuthRejected, "refresh_token",
                            ("crmhub connect zoho", "data_center")),
    "client unknown": ({}, {}, {"client_id": "1000.OTHER"}, AuthRejected, "client_id, client_secret",
                       ("data_center", "api-console.zoho.com.cn", "client_id", "client_secret")),
    "secret wrong": ({}, {}, {"client_secret": "wrong"}, AuthRejected, "client_secret",
                     ("client_secret", "data_center")),
    "client of another data centre": ({"registered_elsewhere": "invalid_client"}, {}, {}, AuthRejected,
                                      "client_id, client_secret", ("data_center", "client_id")),
    "token of another data centre": ({"registered_elsewhere": "invalid_code"}, {}, {}, AuthRejected, "refresh_token",
                                     ("crmhub connect zoho", "data_center")),
    "redirect address": ({"registered_elsewhere": "invalid_redirect_uri"}, {}, {}, AuthRejected, "redirect_uri",
                         ("redirect_uri", "--link")),
    "scope": ({}, {"grant": "client_credentials", "org_id": ORG, "scopes": ["ZohoCRM.nonsense"]}, {}, AuthRejected,
              "scopes", ("scopes",)),
    "organisation": ({}, {"grant": "client_credentials", "org_id": "1"}, {}, AuthRejected, "org_id",
                     ("org_id", "zgid")),
    "throttle answered 200": ({"tokens_per_window": 0, "throttle_status": 200}, {}, {}, RateLimited, "", ("600 s",)),
    "throttle answered 400": ({"tokens_per_window": 0, "throttle_status": 400}, {}, {}, RateLimited, "", ("600 s",)),
    "page with status 200": ({"token_page_status": 200}, {}, {}, RetryLater, "", ("did not answer", "proxy")),
    "page with status 404": ({"token_page_status": 404}, {}, {}, RetryLater, "", ("did not answer", "proxy")),
    "page with status 503": ({"token_page_status": 503}, {}, {}, RetryLater, "", ("did not answer", "proxy")),
    "domain of another data centre": ({"api_domain": "https://www.zohoapis.eu"}, {}, {}, SettingsInvalid, "",
                                      ("data centre eu", "data_center is cn")),
    "domain on no list": ({"api_domain": "https://www.zohoapis.example"}, {}, {}, SettingsInvalid, "",
                          ("unknown to crmhub",)),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS)
def test_every_row_says_what_to_do_and_is_asked_once(org: Any, row: str) -> None:
    arranged, settings, credentials, kind, missing, words = ROWS[row]
    org.admin.settings(**arranged)
    with_credentials(org, **credentials)
    error = fails(org, **settings)
    assert type(error) is kind
    assert getattr(error, "missing", "") == missing
    places = [error.en.find(word) for word in words]
    assert -1 not in places, error.en
    assert places == sorted(places), error.en
    assert error.zh != error.en
    assert error.zh.startswith("zoho：")
    secrets = [*CREDENTIALS.values(), *credentials.values()]
    assert not any(secret in text for secret in secrets for text in (error.en, error.zh, repr(error)))
    assert asked(org) == 1
    assert org.context.tokens.get("access_token") is None


@pytest.mark.parametrize("error", ["something_new", "<b>x</b> secret", "", 7, None])
def test_an_error_that_nobody_knows_stops_and_shows_no_foreign_text(org: Any, error: object) -> None:
    org.fault("POST", TOKEN_PATH, "vendor_error", status=200, body={"error": error})
    failed = fails(org)
    assert type(failed) is AuthRejected
    assert "<b>" not in failed.en + failed.zh
    assert "client_id" in failed.en


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_in_json_is_no_outage(org: Any, status: int) -> None:
    org.fault("POST", TOKEN_PATH, "vendor_error", status=status, body={"message": "no"})
    assert type(fails(org)) is ProtocolViolation


def test_a_foreign_domain_never_moves_the_calls(org: Any) -> None:
    org.admin.settings(api_domain="https://www.zohoapis.eu")
    fails(org)
    assert org.context.tokens.get("access_token") is None
    org.admin.settings(api_domain="")
    assert org.zoho._reader.api.tokens.current()
    assert org.zoho._reader.api.settings.api_origin == org.url


def test_a_new_refresh_token_that_comes_along_is_left_alone(org: Any) -> None:
    org.admin.settings(refresh_repeats_token=True)
    org.zoho._reader.api.tokens.current()
    assert "refresh" not in json.loads(org.context.tokens.get("access_token"))
    assert org.context.secret("refresh_token") == CREDENTIALS["refresh_token"]


# --- nobody asks in vain --------------------------------------------------------------------------------------------


def eight_ask(org: Any) -> list[ConnectorError]:
    """Lets eight threads, each with a connector of its own, ask at once; returns what they failed with."""
    start = Barrier(8)

    def ask(_: int) -> ConnectorError:
        tokens = org.connect()._reader.api.tokens
        start.wait()
        with pytest.raises(ConnectorError) as failed:
            tokens.current()
        return failed.value

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(ask, range(8)))


@pytest.mark.parametrize(
    ("arranged", "kind"),
    [
        ({"registered_elsewhere": "invalid_code"}, AuthRejected),
        ({"api_domain": "https://www.zohoapis.eu"}, SettingsInvalid),
        ({"token_page_status": 503}, RetryLater),
        ({"tokens_per_window": 0}, RateLimited),
    ],
)
def test_eight_that_wait_for_a_failed_sign_in_share_its_answer(
    org: Any, arranged: dict[str, Any], kind: type[ConnectorError]
) -> None:
    # Slow enough that all eight have come before the first answer.
    slow = {"match": {"path_regex": TOKEN_PATH}, "action": "slow", "ms": 1000, "times": 1}
    org.admin.faults([slow])
    org.admin.settings(**arranged)
    errors = eight_ask(org)
    assert {type(error) for error in errors} == {kind}
    if kind is not RateLimited:
        assert len({error.en for error in errors}) == 1
    assert asked(org) == 1


def test_eight_that_wait_for_a_renewal_share_the_token(org: Any) -> None:
    org.admin.faults([{"match": {"path_regex": TOKEN_PATH}, "action": "slow", "ms": 1000}])
    start = Barrier(8)

    def ask(_: int) -> str:
        tokens = org.connect()._reader.api.tokens
        start.wait()
        return str(tokens.current().value)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1
    assert asked(org) == 1


def test_who_comes_after_a_refusal_asks_again(org: Any) -> None:
    org.admin.settings(registered_elsewhere="invalid_code")
    fails(org)
    fails(org)
    assert asked(org) == 2
    org.admin.settings(registered_elsewhere="")
    assert org.zoho._reader.api.tokens.current()


def test_an_outage_is_asked_about_ever_more_seldom(org: Any) -> None:
    org.admin.settings(token_page_status=503)
    counts, elapsed = [], 0.0
    for _ in range(40):
        assert type(fails(org)) is RetryLater
        org.context.clock.offset += 60
        elapsed += 60
        counts.append(asked(org))
    assert counts[:4] == [1, 2, 3, 4], "the first pauses are short"
    assert counts[-1] <= 11
    assert counts[-1] - counts[-11] <= 2, "in the end every ten minutes"
    org.admin.settings(token_page_status=0)
    org.context.clock.offset += 600
    assert org.zoho._reader.api.tokens.current()
    org.admin.settings(token_page_status=503)
    org.context.clock.offset += 3600
    before = asked(org)
    fails(org)
    fails(org)
    assert asked(org) == before + 2, "after a success the count begins anew"


def test_a_clock_set_back_does_not_lengthen_a_pause(org: Any) -> None:
    org.admin.settings(tokens_per_window=0)
    fails(org)
    org.context.clock.offset -= 86_400
    limited = fails(org)
    assert isinstance(limited, RateLimited)
    assert limited.after <= 600
    assert asked(org) == 1


# --- a token counts for the credentials and hosts it was asked with -------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "settings"),
    [
        ({"refresh_token": "1000.simulated.refresh.second"}, {}),
        ({}, {"grant": "client_credentials", "org_id": ORG}),
    ],
)
def test_other_credentials_drop_the_kept_token(org: Any, changed: dict[str, str], settings: dict[str, Any]) -> None:
    first = org.zoho._reader.api.tokens.current()
    with_credentials(org, **changed)
    assert org.connect(**settings)._reader.api.tokens.current().value != first.value
    assert asked(org) == 2


def test_a_running_connector_notices_other_credentials_within_seconds(org: Any) -> None:
    tokens = org.zoho._reader.api.tokens
    first = tokens.current()
    with_credentials(org, refresh_token="1000.simulated.refresh.second")
    assert tokens.current() is first
    org.context.clock.offset += 16
    second = tokens.current()
    assert second.value != first.value
    org.context.clock.offset += 16
    assert tokens.current() is second
    assert asked(org) == 2


def test_a_secret_that_is_away_for_a_while_does_not_stop_a_good_token(org: Any) -> None:
    tokens = org.zoho._reader.api.tokens
    first = tokens.current()
    away = org.context._secrets.pop("client_secret")
    org.context.clock.offset += 16
    assert tokens.current() is first
    with pytest.raises(SettingsInvalid):
        org.connect()._reader.api.tokens.current()
    org.context._secrets["client_secret"] = away
    org.context.clock.offset += 3600
    assert tokens.current() is not first


def test_a_token_of_one_host_is_never_sent_to_another(org: Any) -> None:
    """The same store, moved to another data centre: here another address stands for it."""
    org.zoho._reader.api.tokens.current()
    elsewhere = org.url.replace("127.0.0.1", "localhost")
    org.admin.settings(api_domain=elsewhere)
    moved = connect(elsewhere, org.context)
    moved._reader.api.tokens.current()
    assert asked(org) == 2


def test_scopes_asked_for_by_default_are_known_to_the_vendor(org: Any) -> None:
    zoho = org.connect(LabContext(), grant="client_credentials", org_id=ORG)
    assert set(zoho._reader.api.tokens.current().scopes) == set(SCOPES)
