"""事件回调 of the simulator over real HTTP: what it tells, how it is signed, and how long it goes on calling."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from fxiaoke_client import Client

from connectors.fxiaoke.simulator.events import decrypt, encrypt, sign
from tests.catcher import wait_for

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
ORDER = ("timestamp", "nonce", "messageId", "retryTimes", "enterpriseAccount", "encryptedContent")


class Subscriber(http.server.ThreadingHTTPServer):
    """Is somebody who takes events; `answers` says how, one call after the other and then the last for ever."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taking)
        self.answers = ["success"]
        self.late: Callable[[], None] = lambda: None
        self.calls: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hooks"


class Taking(http.server.BaseHTTPRequestHandler):
    server: Subscriber

    def do_POST(self) -> None:
        body = orjson.loads(self.rfile.read(int(self.headers["content-length"])))
        answers = self.server.answers
        how = answers.pop(0) if len(answers) > 1 else answers[0]
        self.server.calls.append(body)
        if how == "late":
            self.server.late()
        sealed = encrypt(KEY, b"success" if how != "another word" else b"fail")
        answer = {"timestamp": 1760000000123, "nonce": "n", "encryptedResult": sealed}
        signature = sign(KEY, *answer.values()) if how != "unsigned" else ""
        raw = orjson.dumps({"signature": signature, **answer}) if how != "plain" else b"success"
        self.send_response(500 if how == "error" else 200)
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def subscriber() -> Iterator[Subscriber]:
    with Subscriber() as served:
        thread = threading.Thread(target=served.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield served
        served.shutdown()


@pytest.fixture
def told(api: Client, subscriber: Subscriber) -> Iterator[Subscriber]:
    api.admin.settings(event_retry_seconds=[0.05, 0.1], event_timeout_seconds=60.0)
    api.admin.post("events", {"url": subscriber.url, "key": KEY, "objects": ["AccountObj"]})
    yield subscriber
    api.admin.post("events", {"url": None})


def plain(call: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(decrypt(KEY, call["encryptedContent"]))
    return found


def test_every_change_is_told_once_signed_and_thin(api: Client, told: Subscriber) -> None:
    api.admin.settings(event_types="named")
    one = api.made()
    api.update(one, remark="x")
    wait_for(lambda: len(told.calls) == 2)
    for action in ("delete", "restore"):
        api.admin.post(action, {"object": "AccountObj", "id": one})
    api.admin.post("delete", {"object": "AccountObj", "id": one, "physical": True})
    api.admin.post("create", {"object": "complaint__c", "fields": {"name": "WT-9"}})
    wait_for(lambda: len(told.calls) == 5)
    kinds = sorted(plain(call)["eventType"] for call in told.calls)
    assert kinds == ["create", "invalid", "invalid", "recover", "update"]
    for call in told.calls:
        assert call["signature"] == sign(KEY, *(call[name] for name in ORDER if name in call))
        assert "retryTimes" not in call
        inside = plain(call)
        assert set(inside) == {"tenantId", "eventType", "apiName", "dataId", "timestamp", "messageId"}
        assert (inside["apiName"], inside["dataId"], inside["messageId"]) == ("AccountObj", one, call["messageId"])
    assert len({call["messageId"] for call in told.calls}) == 5


@pytest.mark.parametrize("how", ["error", "late", "plain", "unsigned", "another word"])
def test_what_is_not_answered_properly_is_told_again(api: Client, told: Subscriber, how: str) -> None:
    told.answers = [how, "success"]
    api.admin.settings(event_retry_timestamp="fresh")
    made = ""

    def ends() -> list[bool]:
        sent = api.admin.post("events")["sent"]
        return [call["accepted"] for call in sent if call["plain"]["dataId"] == made]

    def late() -> None:
        """Answers when the vendor waits no longer; whatever comes after is waited for."""
        api.admin.settings(event_timeout_seconds=60.0)
        wait_for(lambda: made and ends())

    told.late = late
    if how == "late":
        api.admin.settings(event_timeout_seconds=0.3, event_retry_seconds=[1.0])
    made = api.made()
    wait_for(lambda: len(ends()) == 2)
    assert ends() == [False, True]
    first, again = told.calls
    assert again["retryTimes"] == 1
    assert again["messageId"] == first["messageId"]
    assert again["timestamp"] >= first["timestamp"]
    assert again["signature"] == sign(KEY, *(again[name] for name in ORDER))


def test_it_gives_up_after_the_last_repetition(api: Client, told: Subscriber) -> None:
    told.answers = ["error"]
    api.made()
    wait_for(lambda: len(told.calls) == 3)
    assert [call.get("retryTimes") for call in told.calls] == [None, 1, 2]
    assert len({call["timestamp"] for call in told.calls}) == 1, "a repetition keeps its time unless the switch says so"


def test_the_switches_lose_repeat_turn_round_and_spoil_calls(api: Client, told: Subscriber) -> None:
    def sent() -> list[Any]:
        found: list[Any] = api.admin.post("events")["sent"]
        return found

    before = len(sent())
    api.admin.settings(event_types="unknown", event_signature="wrong", event_retry_seconds=[], event_repeats_every=1)
    api.made()
    wait_for(lambda: len(told.calls) == 2)
    assert {call["signature"] for call in told.calls} == {"0" * 40}
    assert {plain(call)["eventType"] for call in told.calls} == {"data_create_v9"}
    assert told.calls[0]["messageId"] == told.calls[1]["messageId"]
    api.admin.settings(event_signature="right", event_repeats_every=0, event_reverses=True, event_types="update")
    ids = [api.made(name=f"{number}") for number in range(2)]
    wait_for(lambda: len(told.calls) == 4)
    assert {plain(call)["dataId"] for call in told.calls[2:]} == set(ids)
    # A call arrives here before its answer is noted there: what is counted first must be complete.
    wait_for(lambda: len(sent()) == before + 4)
    api.admin.settings(event_reverses=False, event_loses_every=1)
    api.made()
    wait_for(lambda: len(sent()) == before + 5)
    assert len(told.calls) == 4
    api.admin.settings(event_loses_every=0, event_api_writes=False, event_kinds=["create"])
    api.made()
    quiet = api.admin.post("create", {"object": "AccountObj", "fields": {"name": "在界面新建"}})["id"]
    wait_for(lambda: len(told.calls) == 5)
    assert plain(told.calls[-1])["dataId"] == quiet, "what people do in the screens is told, what the API does is not"


def test_the_console_takes_no_key_of_another_form_and_calls_this_machine_only(api: Client, told: Subscriber) -> None:
    for wrong in ({"key": "short"}, {"key": KEY[:-1]}, {"url": "https://hub.example.com/hooks"}):
        with pytest.raises(RuntimeError, match="10006"):
            api.admin.post("events", {"url": told.url, "key": KEY, **wrong})
    api.admin.settings(event_first_retry_times="zero")
    api.admin.post("events", {"test": True})
    wait_for(lambda: len(told.calls) == 1)
    assert told.calls[0]["retryTimes"] == 0
    assert "dataId" not in plain(told.calls[0])
