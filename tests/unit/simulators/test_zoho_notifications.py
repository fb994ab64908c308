"""The simulated notification channels keep the vendor's rules, and the callbacks come as unreliable as switched."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from zoho_client import ZohoClient

from connectors.simulation.server import RunningSimulator, start_simulator
from tests.catcher import Catcher, catching, wait_for

SECOND = "1000.simulated.refresh.second"
DAY, WEEK = 86_400, 604_800


@pytest.fixture(scope="module")
def quiet_org() -> Iterator[RunningSimulator]:
    with start_simulator("zoho_crm") as running:
        yield running


@pytest.fixture
def zoho(quiet_org: RunningSimulator) -> ZohoClient:
    quiet_org.admin.reset()
    return ZohoClient(quiet_org)


@pytest.fixture
def catcher() -> Iterator[Catcher]:
    with catching() as made:
        yield made


def channel(url: str = "http://127.0.0.1:9/x", **changes: Any) -> dict[str, Any]:
    known = {"channel_id": "1000001", "events": ["Contacts.all"], "token": "told", "notify_url": url}
    return known | changes


def after(seconds: float) -> str:
    return datetime.fromtimestamp(time.time() + seconds, UTC).isoformat(timespec="seconds")


def send(zoho: ZohoClient, method: str, *rows: Any, version: str = "v8") -> Any:
    return zoho.call(method, "actions/watch", version, json={"watch": list(rows)})


def life(answer: Any) -> float:
    (event,) = answer.json()["watch"][0]["details"]["events"]
    return datetime.fromisoformat(event["channel_expiry"]).timestamp() - time.time()


def first(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["watch"][0]["code"]


@pytest.mark.parametrize(
    ("version", "asked", "granted"),
    [
        ("v8", None, 3600),
        ("v8", WEEK - 60, WEEK - 60),
        ("v8", WEEK + 60, 3600),
        ("v8", -60, 3600),
        ("v2", DAY - 60, DAY - 60),
        ("v2", DAY + 60, 3600),
    ],
)
def test_an_expiry_beyond_the_maximum_is_granted_as_one_hour(
    zoho: ZohoClient, version: str, asked: float | None, granted: float
) -> None:
    row = channel() if asked is None else channel(channel_expiry=after(asked))
    answer = send(zoho, "POST", row, version=version)
    assert first(answer) == (201, "SUCCESS")
    assert abs(life(answer) - granted) < 10


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"channel_id": None}, "MANDATORY_NOT_FOUND"),
        ({"channel_id": "abc"}, "INVALID_DATA"),
        ({"channel_id": str(2**63)}, "INVALID_DATA"),
        ({"events": []}, "MANDATORY_NOT_FOUND"),
        ({"events": ["Contacts.insert"]}, "INVALID_DATA"),
        ({"events": ["Nobodies.all"]}, "INVALID_DATA"),
        ({"token": "x" * 51}, "INVALID_DATA"),
        ({"notify_url": None}, "MANDATORY_NOT_FOUND"),
        ({"notify_url": "https://hub.example/x"}, "INVALID_DATA"),
        ({"channel_expiry": "2026-01-01"}, "INVALID_DATA"),
    ],
)
def test_a_wrong_channel_is_refused_and_the_others_stand(zoho: ZohoClient, changes: dict[str, Any], code: str) -> None:
    wrong = channel(**changes)
    assert first(send(zoho, "POST", wrong)) == (400, code)
    both = send(zoho, "POST", channel(channel_id="2"), wrong)
    assert both.status_code == 207
    assert [row["code"] for row in both.json()["watch"]] == ["SUCCESS", code]
    assert [one["channel_id"] for one in zoho.admin.post("watch")["channels"]] == ["2"]


def test_details_show_one_row_for_each_module_of_a_channel_of_ones_own(zoho: ZohoClient) -> None:
    assert zoho.get("actions/watch").status_code == 204
    send(zoho, "POST", channel(events=["Contacts.create", "Contacts.edit", "Accounts.all"]), channel(channel_id="2"))
    rows = zoho.get("actions/watch", channel_id="1000001").json()["watch"]
    assert [(row["resource_name"], row["events"]) for row in rows] == [
        ("Contacts", ["Contacts.create", "Contacts.edit"]),
        ("Accounts", ["Accounts.all"]),
    ]
    assert rows[0]["notify_on_related_action"] is True, "the default, which is why it is always set"
    page = zoho.get("actions/watch", per_page="2").json()
    assert (len(page["watch"]), page["info"]["more_records"]) == (2, True)
    zoho.sign_in(refresh_token=SECOND)
    assert zoho.get("actions/watch").status_code == 204
    assert first(send(zoho, "PUT", channel())) == (400, "NOT_SUBSCRIBED")


def test_put_replaces_patch_adds_or_takes_away_delete_ends(zoho: ZohoClient) -> None:
    assert first(send(zoho, "PUT", channel())) == (400, "NOT_SUBSCRIBED")
    send(zoho, "POST", channel(channel_expiry=after(DAY)))
    replaced = send(zoho, "PUT", channel(events=["Accounts.edit"]))
    assert first(replaced) == (200, "SUCCESS")
    assert abs(life(replaced) - 3600) < 10, "PUT replaces the expiry too"

    def events() -> list[str]:
        found: list[str] = zoho.admin.post("watch")["channels"][0]["events"]
        return found

    assert first(send(zoho, "PATCH", {"channel_id": "1000001", "events": ["Contacts.edit"]})) == (200, "SUCCESS")
    assert events() == ["Accounts.edit", "Contacts.edit"]
    flat = {"channel_id": "1000001", "events": ["Accounts.edit"], "_delete_events": True}
    assert first(zoho.call("PATCH", "actions/watch", json=flat)) == (200, "SUCCESS")
    assert events() == ["Contacts.edit"]
    both = zoho.call("DELETE", "actions/watch", params={"channel_ids": "1000001,2"})
    assert both.status_code == 207
    assert [row["code"] for row in both.json()["watch"]] == ["SUCCESS", "NOT_SUBSCRIBED"]
    gone = zoho.call("DELETE", "actions/watch", params={"channel_ids": "1000001"})
    assert first(gone) == (400, "NOT_SUBSCRIBED")


def test_a_scope_is_needed(zoho: ZohoClient) -> None:
    code = zoho.admin.post("tokens", {"grant": {"scopes": "ZohoCRM.modules.ALL"}})["grant"]
    zoho.sign_in(grant_type="authorization_code", code=code)
    refused = send(zoho, "POST", channel())
    assert (refused.status_code, refused.json()["code"]) == (401, "OAUTH_SCOPE_MISMATCH")


def test_a_callback_names_what_changed_and_repeats_the_token(zoho: ZohoClient, catcher: Catcher) -> None:
    send(zoho, "POST", channel(f"{catcher.url}/secret?a=1"))
    one, two = (zoho.insert(Last_Name=name) for name in "甲乙")
    catcher.until(2)
    answer = zoho.write("PUT", "Contacts", {"id": one, "Mobile": "1"}, {"id": two, "Mobile": "2"})
    assert answer.status_code == 200
    told = catcher.until(3)[2]
    assert (told["module"], told["operation"], told["ids"]) == ("Contacts", "update", [one, two])
    assert (told["channel_id"], told["token"], told["query_params"]) == ("1000001", "told", {"a": "1"})
    assert abs(told["server_time"] / 1000 - time.time()) < 300
    assert "1" not in [value for row in told["affected_fields"] for value in row.values()]
    assert [body["operation"] for body in catcher.bodies[:2]] == ["insert", "insert"]


def sent(zoho: ZohoClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = zoho.admin.post("watch")["sent"]
    return found


@pytest.mark.parametrize("silenced", [False, True])
def test_automations_off_may_silence_a_channel(zoho: ZohoClient, catcher: Catcher, silenced: bool) -> None:
    zoho.admin.settings(watch_silenced_by_trigger=silenced)
    send(zoho, "POST", channel(catcher.url))
    zoho.insert()
    loud = zoho.write("POST", "Contacts", {"Last_Name": "响"}, trigger=None).json()["data"][0]["details"]["id"]
    catcher.until(1 if silenced else 2)
    wait_for(lambda: loud in [one for body in catcher.bodies for one in body["ids"]])
    assert len(catcher.bodies) == (1 if silenced else 2)


def test_an_expired_a_dropped_and_a_leavers_channel_are_silent(zoho: ZohoClient, catcher: Catcher) -> None:
    send(zoho, "POST", channel(catcher.url), channel(catcher.url, channel_id="2", channel_expiry=after(DAY)))
    zoho.admin.advance(3700)
    zoho.sign_in()
    zoho.insert()
    assert [body["channel_id"] for body in catcher.until(1)] == ["2"]
    zoho.admin.post("watch", {"drop": "2"})
    with pytest.raises(RuntimeError, match="no such channel"):
        zoho.admin.post("watch", {"drop": "2"})
    zoho.insert(Last_Name="无人听")
    send(zoho, "POST", channel(catcher.url, channel_id="3"))
    user = next(row["id"] for row in zoho.get("users", type="CurrentUser").json()["users"])
    zoho.admin.post("user", {"id": user, "active": False})
    made = {"object": "Contacts", "fields": {"Last_Name": "离职后"}}
    zoho.admin.post("create", made)
    zoho.admin.settings(watch_outlives_user=True)
    heard = zoho.admin.post("create", made)["id"]
    wait_for(lambda: len(sent(zoho)) == 2)
    assert [body["ids"] for body in catcher.bodies[1:]] == [[heard]]


def test_callbacks_get_lost_come_twice_and_out_of_order(zoho: ZohoClient, catcher: Catcher) -> None:
    send(zoho, "POST", channel(catcher.url))
    zoho.admin.settings(watch_loses_every=3, watch_repeats_every=2)
    ids = [zoho.insert(Last_Name=f"顺{n}") for n in range(4)]
    wait_for(lambda: len(sent(zoho)) == 6)
    heard = [body["ids"][0] for body in catcher.bodies]
    assert sorted(heard) == sorted([ids[0], ids[1], ids[1], ids[3], ids[3]])
    assert [one["status"] for one in sent(zoho)].count(0) == 1
    catcher.bodies.clear()
    zoho.admin.settings(watch_loses_every=0, watch_repeats_every=0, watch_reverses=True)
    for name in "子丑":
        zoho.insert(Last_Name=name)
    wait_for(lambda: len(catcher.bodies) == 2)


@pytest.mark.parametrize("retries", [0, 2])
def test_a_callback_that_fails_is_tried_again_only_where_switched(
    zoho: ZohoClient, catcher: Catcher, retries: int
) -> None:
    zoho.admin.settings(watch_retries=retries)
    send(zoho, "POST", channel(catcher.url))
    catcher.status = 500
    zoho.insert()
    wait_for(lambda: sent(zoho))
    assert (len(catcher.bodies), sent(zoho)[0]["status"]) == (1 + retries, 500)


def test_a_delete_tells_of_the_activities_that_go_with_it(zoho: ZohoClient, catcher: Catcher) -> None:
    send(zoho, "POST", channel(catcher.url, events=["Contacts.delete", "Tasks.all"]))
    contact = zoho.insert()
    zoho.write("POST", "Tasks", {"Subject": "回访", "Who_Id": {"id": contact}})
    zoho.call("DELETE", f"Contacts/{contact}")
    told = sorted((body["module"], body["operation"]) for body in catcher.until(3))
    assert told == [("Contacts", "delete"), ("Tasks", "delete"), ("Tasks", "insert")]
