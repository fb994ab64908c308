"""The receiver over real HTTP: every answer is the same whatever a call says, and nothing grows without bounds."""

from __future__ import annotations

import http.client
import logging
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from hub.operations.hearing import Call
from hub.schedule.callbacks import Bell
from hub.schedule.management import Listener
from hub.web.hooks import receiver
from hub.web.hooks.receiver import BOUNDS, BURST, MOST_BODY, MOST_CALLS, RATE, Inbox, make_receiver


@dataclass
class Clock:
    at: float = 1_790_000_000.0

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


@dataclass
class Served:
    inbox: Inbox
    clock: Clock
    port: int

    def send(self, method: str, path: str, body: bytes | None = b"{}") -> tuple[int, bytes, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request(method, path, body)
        answer = connection.getresponse()
        found = answer.status, answer.read(), {key.lower(): value for key, value in answer.getheaders()}
        connection.close()
        return found


@pytest.fixture
def served() -> Iterator[Served]:
    clock = Clock()
    inbox = Inbox(clock)
    settings = SimpleNamespace(callbacks=SimpleNamespace(listen="127.0.0.1:0"))
    listener = Listener(settings, make_receiver(inbox), ("callbacks", "listen"), BOUNDS)  # type: ignore[arg-type]
    yield Served(inbox, clock, listener.port)
    listener.close()


def test_every_post_is_answered_alike_and_kept_as_it_came(served: Served) -> None:
    answers = [served.send("POST", path, b'{"token": "x"}') for path in ("/hooks/secret", "/other", "/", "/a/b/c?q=1")]
    assert {(status, body) for status, body, _ in answers} == {(200, b"")}
    assert len({frozenset(headers) - {"date"} for _, _, headers in answers}) == 1
    assert "server" not in answers[0][2]
    calls, refused = served.inbox.take()
    assert [call.path for call in calls] == ["secret", "other", "", "c"]
    assert {call.body for call in calls} == {b'{"token": "x"}'}
    assert not refused
    assert served.inbox.take() == ([], {})


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_no_other_method_is_taken(served: Served, method: str) -> None:
    assert served.send(method, "/hooks/secret", None)[:2] == (404, b"")
    calls, refused = served.inbox.take()
    assert (calls, refused) == ([], {"not_here": 1})


def test_a_huge_body_is_cut_off_whether_its_length_is_told_or_not(served: Served) -> None:
    assert served.send("POST", "/x", b" " * MOST_BODY)[0] == 200
    status, _, headers = served.send("POST", "/x", b" " * (MOST_BODY + 1))
    assert (status, headers["connection"]) == (413, "close")
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)
    connection.request("POST", "/x", (b" " * 65_536 for _ in range(5)), encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()
    calls, refused = served.inbox.take()
    assert ([len(call.body) for call in calls], refused) == ([MOST_BODY], {"too_large": 2})


def test_a_body_that_never_ends_is_not_waited_for(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver, "SECONDS", 0.2)
    with socket.create_connection(("127.0.0.1", served.port), 20) as stream:
        stream.sendall(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert stream.recv(100).startswith(b"HTTP/1.1 408")
    assert served.inbox.take() == ([], {"too_slow": 1})


def test_a_head_that_never_ends_is_cut_off(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port), 20) as stream:
        stream.sendall(b"POST /x HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 200_000)
        assert stream.recv(100).startswith(b"HTTP/1.1 400")
    assert served.inbox.take() == ([], {})


def test_a_flood_is_refused_and_the_place_refills_with_time(served: Served) -> None:
    for _ in range(int(BURST)):
        assert served.inbox.put(Call("x", b""))
    assert served.send("POST", "/x")[0] == 503
    served.clock.at += 2.5 / RATE
    assert [served.send("POST", "/x")[0] for _ in range(3)] == [200, 200, 503]
    served.clock.at -= 1000
    assert served.send("POST", "/x")[0] == 503, "a clock that was set back fills nothing"
    calls, refused = served.inbox.take()
    assert (len(calls), refused) == (int(BURST) + 2, {"too_many": 3})


def judge(inbox: Inbox, content: bytes | None) -> None:
    for call in inbox.take()[0]:
        assert call.answer is not None
        call.answer(content)


def test_a_signed_call_is_answered_with_its_verdict(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver, "PATIENCE", 60.0)
    for content in (b'{"signature": "x"}', None):
        bell = Bell(served.inbox.rung, lambda content=content: judge(served.inbox, content))  # type: ignore[misc]
        status, body, headers = served.send("POST", "/hooks/signed/fxiaoke")
        bell.close()
        assert (status, body) == (200, content or b"")
        assert headers.get("content-type") == ("application/json" if content else None)
    plain = served.send("POST", "/hooks/other")
    assert (plain[0], plain[1], set(plain[2])) == (status, body, set(headers)), "disbelieved is answered like unknown"


def test_a_signed_call_that_nobody_judges_is_refused_and_kept(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver, "PATIENCE", 0.1)
    assert served.send("POST", "/hooks/signed/fxiaoke")[:2] == (503, b"")
    (call,), refused = served.inbox.take()
    assert (call.path, refused) == ("fxiaoke", {"not_judged": 1})
    assert call.answer is not None
    call.answer(b"too late, and no harm done")
    for _ in range(int(BURST)):
        served.inbox.put(Call("x", b""))
    assert served.send("POST", "/hooks/signed/fxiaoke")[0] == 503
    assert served.inbox.take()[1] == {"too_many": 2}


def test_what_waits_is_bounded(served: Served) -> None:
    for _ in range(MOST_CALLS + 10):
        served.clock.at += 1
        served.inbox.put(Call("x", b""))
    calls, refused = served.inbox.take()
    assert (len(calls), refused) == (MOST_CALLS, {"too_many": 10})
    big = [served.inbox.put(Call("x", b" " * MOST_BODY)) for _ in range(100)]
    assert big.count(True) == 64, "sixteen megabytes"


def test_many_at_once_lose_nothing(served: Served) -> None:
    def post() -> None:
        for _ in range(10):
            assert served.send("POST", "/x")[0] == 200

    threads = [threading.Thread(target=post) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(served.inbox.take()[0]) == 80


def test_nothing_of_a_call_is_shown_or_logged(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        served.send("POST", "/hooks/veryhidden", b'{"token": "topsecret"}')
        served.send("GET", "/hooks/veryhidden", None)
        with socket.create_connection(("127.0.0.1", served.port), 20) as stream:
            stream.sendall(b"veryhidden\r\n\r\n")
            stream.recv(100)
    shown = caplog.text + repr(served.inbox.take())
    assert "veryhidden" not in shown
    assert "topsecret" not in shown
