"""Channels and callbacks of the connector, against the simulator over real HTTP: what is granted counts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.channels import Channel, Hint, Notify, Receive, Subscription
from connectors.errors import (
    AuthRejected,
    ConnectorError,
    ProtocolViolation,
    RateLimited,
    RetryLater,
    SchemaDrift,
    SettingsInvalid,
)
from connectors.zoho_crm.watch import MOST_IDS, receive
from tests.catcher import catching

TOKEN, OTHER = "t" * 40, "o" * 40
CHANNEL = "90000000000001"
WEEK = 604_800


def wanted(url: str = "http://127.0.0.1:9/hooks/secret", **changes: Any) -> Subscription:
    known = {"channel_id": CHANNEL, "objects": ("Contacts", "Accounts"), "token": TOKEN, "url": url}
    return Subscription(**(known | changes))


def channels(org: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = org.admin.post("watch")["channels"]
    return found


def about(life: float, seconds: float) -> bool:
    return abs(life - seconds) < 30


def test_the_connector_offers_channels_and_callbacks(org: Any) -> None:
    assert isinstance(org.zoho, Notify)
    assert isinstance(org.zoho, Receive)


def test_a_channel_tells_of_creates_edits_and_deletes_and_of_nothing_related(org: Any) -> None:
    channel = org.zoho.open_channel(wanted())
    assert (channel.channel_id, channel.objects) == (CHANNEL, ("Contacts", "Accounts"))
    assert about(channel.life, 518_400)
    (kept,) = channels(org)
    assert kept["events"] == [f"{m}.{a}" for m in ("Contacts", "Accounts") for a in ("create", "edit", "delete")]
    assert kept["flags"] == {"notify_on_related_action": False, "return_affected_field_values": False}
    assert kept["token"] == TOKEN
    shown = org.zoho.look_at_channel(CHANNEL)
    assert shown is not None
    assert (set(shown.objects), shown.token, shown.url) == ({"Contacts", "Accounts"}, TOKEN, wanted().url)
    assert about(shown.life, 518_400)


@pytest.mark.parametrize("lifetime", [599, WEEK - 3599, WEEK + 1])
def test_no_lifetime_is_asked_for_that_the_vendor_would_cut_to_an_hour(org: Any, lifetime: float) -> None:
    with pytest.raises(SettingsInvalid, match="channel_lifetime"):
        org.connect(channel_lifetime=lifetime)


def test_the_life_that_was_granted_counts_not_the_one_asked_for(org: Any) -> None:
    # The vendor's clock is an hour and a half behind ours: the expiry asked for lies beyond its maximum.
    org.admin.advance(-5400)
    channel = org.connect(channel_lifetime=601_200.0).open_channel(wanted())
    assert about(channel.life, 3600)


def test_a_renewal_replaces_token_and_address_and_extends_the_life(org: Any) -> None:
    org.zoho.open_channel(wanted())
    org.advance(400_000)
    moved = wanted("http://127.0.0.1:9/hooks/moved", token=OTHER, objects=("Contacts",))
    channel = org.zoho.renew_channel(moved)
    assert channel is not None
    assert channel.objects == ("Contacts",)
    assert about(channel.life, 518_400)
    (kept,) = channels(org)
    assert (kept["token"], kept["notify_url"]) == (OTHER, moved.url)
    assert {event.partition(".")[0] for event in kept["events"]} == {"Contacts"}


def test_a_channel_that_is_gone_is_none_and_closing_it_again_is_no_error(org: Any) -> None:
    assert org.zoho.renew_channel(wanted()) is None
    assert org.zoho.look_at_channel(CHANNEL) is None
    org.zoho.open_channel(wanted())
    org.zoho.close_channel(CHANNEL)
    assert channels(org) == []
    org.zoho.close_channel(CHANNEL)
    assert org.zoho.renew_channel(wanted()) is None
    org.zoho.open_channel(wanted())
    org.advance(518_500)
    assert org.zoho.look_at_channel(CHANNEL) is None


def test_a_channel_whose_details_hide_the_token_is_still_one(org: Any) -> None:
    org.admin.settings(watch_shows_token=False)
    org.zoho.open_channel(wanted())
    shown = org.zoho.look_at_channel(CHANNEL)
    assert shown is not None
    assert shown.token is None


def partly(*refused: dict[str, Any]) -> list[dict[str, Any]]:
    event = {
        "channel_expiry": "2099-01-01T00:00:00+08:00",
        "resource_uri": "https://www.zohoapis.com.cn/crm/v8/Contacts",
        "resource_id": "1",
        "resource_name": "联系人",
        "channel_id": CHANNEL,
    }
    good = {"code": "SUCCESS", "details": {"events": [event]}, "message": "m", "status": "success"}
    return [good, *refused]


def answering(org: Any, method: str, status: int, body: Any) -> None:
    org.fault(method, "/actions/watch", "vendor_error", status=status, body=body)


def test_what_was_granted_in_part_is_told_by_module_and_in_any_language(org: Any) -> None:
    refused = {"code": "NOT_SUPPORTED", "details": {}, "message": "m", "status": "error"}
    answering(org, "POST", 207, {"watch": partly(refused)})
    assert org.zoho.open_channel(wanted()).objects == ("Contacts",)


@pytest.mark.parametrize(
    ("status", "code", "raised"),
    [
        (400, "INVALID_MODULE", SchemaDrift),
        (400, "NOT_SUPPORTED", AuthRejected),
        (403, "NO_PERMISSION", AuthRejected),
        (500, "INTERNAL_ERROR", RetryLater),
    ],
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_refusal_has_its_class(org: Any, status: int, code: str, raised: type[Exception], wrapped: bool) -> None:
    error = {"code": code, "details": {}, "message": "m", "status": "error"}
    answering(org, "POST", status, {"watch": [error]} if wrapped else error)
    with pytest.raises(raised) as refused:
        org.zoho.open_channel(wanted())
    assert TOKEN not in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_missing_scope_is_named(org: Any) -> None:
    granted = "ZohoCRM.modules.ALL,ZohoCRM.settings.ALL"
    code = org.admin.post("tokens", {"grant": {"scopes": granted}})["grant"]
    form = {"grant_type": "authorization_code", "client_id": "1000.SIMULATED", "code": code}
    answer = org.context.http.send(
        "POST",
        f"{org.url}/oauth/v2/token",
        operation="grant",
        read=False,
        form=form | {"client_secret": "simulated-secret"},
    )
    org.context._secrets = {**org.context._secrets, "refresh_token": answer.json()["refresh_token"]}
    with pytest.raises(AuthRejected) as refused:
        org.connect().open_channel(wanted())
    assert refused.value.missing == "ZohoCRM.notifications.ALL"


def test_an_opening_that_broke_off_is_not_sent_again_by_itself(org: Any) -> None:
    org.fault("POST", "/actions/watch", "reset_after_commit")
    with pytest.raises(RetryLater):
        org.zoho.open_channel(wanted())
    assert org.calls()["watch post"] == 1
    assert len(channels(org)) == 1
    assert org.zoho.look_at_channel(CHANNEL) is not None


def test_a_renewal_that_broke_off_is_sent_again(org: Any) -> None:
    org.zoho.open_channel(wanted())
    org.fault("PUT", "/actions/watch", "reset_after_commit")
    assert org.zoho.renew_channel(wanted(token=OTHER)) is not None
    assert channels(org)[0]["token"] == OTHER


CALLS = {
    "POST": lambda zoho: zoho.open_channel(wanted()),
    "PUT": lambda zoho: zoho.renew_channel(wanted()),
    "GET": lambda zoho: zoho.look_at_channel(CHANNEL),
    "DELETE": lambda zoho: zoho.close_channel(CHANNEL),
}
LASTING = {
    "http_500": RetryLater,
    "http_502_html": RetryLater,
    "http_503": RetryLater,
    "http_429": RateLimited,
    "reset_before_commit": RetryLater,
    "reset_after_commit": RetryLater,
    "truncated_json": ProtocolViolation,
}


@pytest.mark.parametrize("action", LASTING)
@pytest.mark.parametrize("method", CALLS)
def test_every_fault_at_every_call_has_its_class_and_shows_no_secret(org: Any, method: str, action: str) -> None:
    org.zoho.open_channel(wanted())
    org.fault(method, "/actions/watch", action, times=9)
    # Of an opening that was answered unreadably nobody knows whether it was done.
    expected = RetryLater if method == "POST" else LASTING[action]
    with pytest.raises(expected) as raised:
        CALLS[method](org.zoho)
    assert isinstance(raised.value, ConnectorError)
    assert TOKEN not in raised.value.en + raised.value.zh
    assert "secret" not in raised.value.en + raised.value.zh
    org.admin.faults([])
    org.zoho.close_channel(CHANNEL)


@pytest.mark.parametrize("method", CALLS)
def test_an_expired_access_token_is_renewed_on_the_way(org: Any, method: str) -> None:
    org.zoho.open_channel(wanted())
    org.fault(method, "/actions/watch", "auth_expired")
    CALLS[method](org.zoho)
    assert len(channels(org)) == (0 if method == "DELETE" else 1)


# Callbacks.


def callback(**changes: Any) -> bytes:
    body = {
        "server_time": 1_718_117_126_473,
        "query_params": {},
        "module": "Contacts",
        "resource_uri": "https://www.zohoapis.com.cn/crm/v2/Contacts",
        "ids": ["5843104000000301007"],
        "affected_fields": [{"5843104000000301007": ["Mobile"]}],
        "affected_values": [{"5843104000000301007": [{"Mobile": "+8613800000000"}]}],
        "operation": "update",
        "channel_id": CHANNEL,
        "token": TOKEN,
    }
    return json.dumps(body | changes).encode()


def test_a_callback_hints_at_ids_and_at_nothing_else(org: Any) -> None:
    assert org.zoho.receive(callback(), CHANNEL, [TOKEN]) == Hint(
        "Contacts", ("5843104000000301007",), 1_718_117_126.473
    )
    assert org.zoho.receive(callback(channel_id=int(CHANNEL)), CHANNEL, [OTHER, TOKEN]) is not None
    assert org.zoho.receive(callback(module="Deals"), CHANNEL, [TOKEN]) == Hint("", (), 1_718_117_126.473)


@pytest.mark.parametrize(
    "body",
    [
        callback(token=OTHER),
        callback(token=None),
        callback(token=TOKEN[:-1]),
        callback(token=[TOKEN]),
        callback(token=""),
        callback(channel_id="90000000000002"),
        callback(channel_id=True),
        callback(channel_id=None),
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff" * 100,
        b"[" * 100_000,
    ],
)
def test_what_does_not_name_channel_and_token_is_nobody(body: bytes) -> None:
    assert receive(body, CHANNEL, [TOKEN]) is None
    assert receive(body, CHANNEL, []) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"ids": None},
        {"ids": "5843104000000301007"},
        {"ids": ["../x", "1 or 1=1", "", "1" * 21, None, {}, -1, "٣"]},
        {"operation": "edit"},
        {"operation": None},
        {"operation": ["update"]},
    ],
)
def test_nothing_but_ids_of_a_known_operation_is_taken(changes: dict[str, Any]) -> None:
    hint = receive(callback(**changes), CHANNEL, [TOKEN])
    assert hint is not None
    assert hint.native_ids == ()


def test_ids_are_bounded_and_times_are_plausible() -> None:
    many = receive(callback(ids=[str(10**17 + n) for n in range(5000)]), CHANNEL, [TOKEN])
    assert many is not None
    assert len(many.native_ids) == MOST_IDS
    for odd in (True, "1718117126473", -1, 10**15, 1.5, None):
        hint = receive(callback(server_time=odd), CHANNEL, [TOKEN])
        assert hint is not None
        assert hint.sent_at is None


def test_a_channel_shows_no_secret() -> None:
    shown = repr(wanted()) + repr(Channel(CHANNEL, ("Contacts",), 1.0, TOKEN, "http://127.0.0.1:9/hooks/secret"))
    assert TOKEN not in shown
    assert "secret" not in shown


def test_what_the_vendor_really_calls_is_understood(org: Any) -> None:
    with catching() as catcher:
        org.zoho.open_channel(wanted(f"{catcher.url}/secret"))
        made = org.create("王")
        org.edit(made, Mobile="+8613800000000")
        org.delete(made)
        bodies = catcher.until(3)
    assert sorted(body["operation"] for body in bodies) == ["delete", "insert", "update"]
    for body in bodies:
        hint = org.zoho.receive(json.dumps(body).encode(), CHANNEL, [TOKEN])
        assert hint is not None
        assert (hint.object, hint.native_ids) == ("Contacts", (made,))
