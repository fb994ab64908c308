"""Sign-in: one token for everybody, renewed in time, and never asked for in a hurry."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from zoho_lab import CREDENTIALS, LabContext, connect

from connectors.errors import AuthRejected, ConnectorError, QuotaExhausted, RateLimited, RetryLater, SettingsInvalid

TOKEN_PATH = "/oauth/v2/token"


def read(zoho: Any) -> None:
    zoho.changes("Contacts", ("Mobile",), None, 200)


def asked(context: LabContext) -> int:
    return dict(context.http.calls()).get("token", 0)


def test_eight_threads_and_two_connectors_share_one_token(org: Any) -> None:
    second = org.connect()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: read(org.zoho if n % 2 else second), range(16)))
    assert asked(org.context) == 1


def test_a_token_kept_by_another_process_is_used(org: Any) -> None:
    read(org.zoho)
    later = LabContext(tokens=org.context.tokens)
    read(connect(org.url, later))
    assert asked(later) == 0


def test_a_token_is_renewed_five_minutes_ahead(org: Any) -> None:
    read(org.zoho)
    org.context.clock.offset += 3600 - 310
    read(org.zoho)
    assert asked(org.context) == 1
    org.context.clock.offset += 20
    read(org.zoho)
    assert asked(org.context) == 2


def test_a_token_killed_by_the_vendor_is_renewed_once_and_the_call_repeated(org: Any) -> None:
    native_id = org.create()
    read(org.zoho)
    org.admin.advance(4000)
    read(org.zoho)
    assert asked(org.context) == 2
    org.admin.advance(4000)
    assert org.update(native_id, Mobile="+8613900000001").native_id == native_id
    assert asked(org.context) == 3


def test_eight_threads_renew_a_killed_token_once(org: Any) -> None:
    read(org.zoho)
    org.admin.advance(4000)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: read(org.zoho), range(8)))
    assert asked(org.context) == 2


def test_a_fresh_token_that_is_refused_too_ends_it(org: Any) -> None:
    read(org.zoho)
    org.fault("GET", "/Contacts", "auth_expired", times=0)
    with pytest.raises(AuthRejected):
        read(org.zoho)
    assert asked(org.context) == 2


@pytest.mark.parametrize(
    ("name", "value", "missing"),
    [
        ("client_id", "1000.OTHER", "client_id, client_secret"),
        ("client_secret", "wrong-secret", "client_secret"),
        ("refresh_token", "1000.wrong", "refresh_token"),
    ],
)
def test_wrong_credentials_name_what_to_replace_and_no_secret(org: Any, name: str, value: str, missing: str) -> None:
    zoho = connect(org.url, LabContext(credentials={**CREDENTIALS, name: value}))
    with pytest.raises(AuthRejected) as refused:
        read(zoho)
    assert refused.value.missing == missing
    assert not any(secret in str(refused.value) for secret in (value, *CREDENTIALS.values()))
    assert [line.ok for line in zoho.check()] == [False]


@pytest.mark.parametrize("status", [200, 400])
def test_a_throttled_sign_in_waits_ten_minutes_without_asking_again(org: Any, status: int) -> None:
    org.admin.settings(tokens_per_window=0, throttle_status=status)
    waits = []
    for _ in range(3):
        with pytest.raises(RateLimited) as limited:
            read(org.zoho)
        waits.append(limited.value.after)
    assert waits[0] == 600
    assert all(590 < after <= 600 for after in waits)
    assert asked(org.context) == 1
    org.admin.settings(tokens_per_window=10)
    org.context.clock.offset += 601
    read(org.zoho)
    assert asked(org.context) == 2


@pytest.mark.parametrize("error", ["invalid_scope", "missing_org_info", "something_new", "<b>x</b> secret"])
def test_configuration_errors_stop(org: Any, error: str) -> None:
    org.fault("POST", TOKEN_PATH, "vendor_error", status=200, body={"error": error})
    with pytest.raises(AuthRejected) as refused:
        read(org.zoho)
    assert "<b>" not in str(refused.value)


@pytest.mark.parametrize("action", ["http_502_html", "http_500", "timeout_before_commit", "reset_before_commit"])
def test_an_outage_of_the_sign_in_is_tried_later_and_asked_once(org: Any, action: str) -> None:
    org.fault("POST", TOKEN_PATH, action, seconds=0)
    with pytest.raises(RetryLater):
        read(org.zoho)
    assert asked(org.context) == 1


@pytest.mark.parametrize("body", [{}, {"access_token": ""}, {"access_token": "x", "expires_in": "soon"}, []])
def test_an_answer_without_a_token_is_not_taken(org: Any, body: object) -> None:
    org.fault("POST", TOKEN_PATH, "vendor_error", status=200, body=body)
    with pytest.raises(ConnectorError):
        read(org.zoho)
    assert org.context.tokens.get("access_token") is None


def test_a_token_of_another_data_center_is_refused(org: Any) -> None:
    body = {"access_token": "1000.elsewhere", "expires_in": 3600, "api_domain": "https://www.zohoapis.eu"}
    org.fault("POST", TOKEN_PATH, "vendor_error", status=200, body=body)
    with pytest.raises(SettingsInvalid) as refused:
        read(org.zoho)
    assert "data_center" in refused.value.en
    assert org.context.tokens.get("access_token") is None


@pytest.mark.parametrize("lifetime", [{"expires_in": 3_600_000}, {"expires_in_sec": 3600, "expires_in": 3_600_000}])
def test_old_answers_count_in_milliseconds(org: Any, lifetime: dict[str, int]) -> None:
    org.fault("POST", TOKEN_PATH, "vendor_error", status=200, body={"access_token": "1000.old", **lifetime})
    tokens = org.zoho._reader.api.tokens
    left = tokens.current().expires_at - org.context.clock.now()
    assert 3500 < left <= 3600
    assert "1000.old" not in repr(tokens.current()) + repr(tokens)


def test_client_credentials_sign_in(org: Any) -> None:
    read(org.connect(grant="client_credentials", org_id="60001234567"))
    with pytest.raises(AuthRejected) as refused:
        read(org.connect(LabContext(), grant="client_credentials", org_id="1"))
    assert refused.value.missing == "org_id"


# --- limits -----------------------------------------------------------------------------------------------------------


def test_too_many_calls_at_once_wait_longer_each_time(org: Any) -> None:
    zoho = org.connect(throttle_patience=0)
    read(zoho)
    body = {"code": "TOO_MANY_REQUESTS", "details": {}, "message": "concurrency limit", "status": "error"}
    org.fault("GET", "/Contacts", "vendor_error", status=429, body=body, times=3)
    waits = []
    for _ in range(3):
        with pytest.raises(RateLimited) as limited:
            read(zoho)
        waits.append(limited.value.after)
    # With jitter: between half of 2, 4 and 8 seconds and the whole of them.
    assert [1.0 <= after / 2**n <= 2.0 for n, after in enumerate(waits)] == [True] * 3
    read(zoho)


def test_a_bought_rate_is_kept_by_sleeping_on_the_clock(org: Any) -> None:
    zoho = org.connect(rate=1.0)
    for _ in range(5):
        read(zoho)
    assert 3 < org.context.clock.offset <= 4


def test_throttling_that_lasts_is_a_spent_quota(org: Any) -> None:
    read(org.zoho)
    org.fault("GET", "/Contacts", "http_429", times=0)
    with pytest.raises(RateLimited):
        read(org.zoho)
    org.context.clock.offset += 301
    with pytest.raises(QuotaExhausted):
        read(org.zoho)


def test_spent_credits_pause_without_further_calls(org: Any) -> None:
    read(org.zoho)
    org.admin.settings(credits_per_day=8)
    with pytest.raises(QuotaExhausted) as spent:
        list(map(read, [org.zoho] * 12))
    assert spent.value.resets_at is not None
    before = sum(org.calls().values())
    with pytest.raises(QuotaExhausted):
        read(org.zoho)
    assert sum(org.calls().values()) == before
    org.admin.settings(credits_per_day=1000)
    org.context.clock.offset += 301
    read(org.zoho)
