"""HttpClient over real sockets: retries, writes once, caps, TLS, redaction."""

from __future__ import annotations

import gzip
import logging
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from loopback import Handler, Loopback, RealClock, make_certificate, serving

from connectors.addresses import Egress
from connectors.base import Http, WriteUnclear
from connectors.conformance.hygiene import spelled_out
from connectors.errors import ProtocolViolation, QuotaExhausted, RetryLater, SettingsInvalid
from connectors.http import HttpClient, HttpPolicy, retry_after
from tests.catcher import wait_for

LAB = Egress((), "lab")
SECRET = "planted-secret"


@pytest.fixture
def server() -> Iterator[Loopback]:
    with serving() as running:
        yield running


@pytest.fixture
def clock() -> RealClock:
    return RealClock()


@pytest.fixture
def client(clock: RealClock) -> Iterator[HttpClient]:
    client = HttpClient(HttpPolicy(LAB), clock, system="zoho")
    yield client
    client.close()


def hang_up(handler: Handler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def break_off(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"cut')
    handler.wfile.flush()
    hang_up(handler)


def test_sends_json_headers_and_query_and_keeps_the_connection(server: Loopback, client: HttpClient) -> None:
    as_protocol: Http = client
    server.script = [lambda handler: handler.reply(200, '{"名": "𠮷"}'.encode(), X_Remaining="7")]
    for _ in range(3):
        answer = as_protocol.send(
            "POST",
            f"{server.url}/crm/v8/Accounts",
            operation="search",
            read=True,
            headers={"Authorization": "token"},
            params={"q": "a b&c"},
            json={"x": ["é", 1]},
        )
    assert answer.json() == {"名": "𠮷"}
    assert answer.headers["x-remaining"] == "7"
    method, path, headers, body = server.requests[-1]
    assert (method, path) == ("POST", "/crm/v8/Accounts?q=a+b%26c")
    assert (headers["Authorization"], headers["Content-Type"]) == ("token", "application/json")
    assert body == '{"x":["é",1]}'.encode()
    assert len(server.peers) == 1
    assert client.calls() == {"search": 3}


def test_sends_forms(server: Loopback, client: HttpClient) -> None:
    client.send("POST", f"{server.url}/oauth", operation="token", read=True, form={"grant": "a=b"})
    assert server.requests[0][3] == b"grant=a%3Db"
    assert server.requests[0][2]["Content-Type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize("status", [204, 302, 400, 401, 404, 429])
def test_returns_every_status_below_500(server: Loopback, client: HttpClient, status: int) -> None:
    server.script = [lambda handler: handler.reply(status, b"", Location="http://169.254.169.254/")]
    assert client.send("GET", server.url, operation="x", read=True).status == status
    assert len(server.requests) == 1


@pytest.mark.parametrize("trouble", [lambda handler: handler.reply(502, b"<html>"), hang_up, break_off])
def test_a_read_survives_three_failures(
    server: Loopback, client: HttpClient, clock: RealClock, trouble: object
) -> None:
    server.script = [trouble, trouble, trouble, lambda handler: handler.reply(200)]  # type: ignore[list-item]
    assert client.send("GET", server.url, operation="x", read=True).status == 200
    assert len(server.requests) == len(clock.slept) + 1 == 4
    assert clock.slept == sorted(clock.slept)
    assert client.calls() == {"x": 4}


@pytest.mark.parametrize("trouble", [lambda handler: handler.reply(500), hang_up, break_off])
def test_a_read_that_fails_four_times_is_retry_later(server: Loopback, client: HttpClient, trouble: object) -> None:
    server.script = [trouble]  # type: ignore[list-item]
    with pytest.raises(RetryLater) as caught:
        client.send("GET", server.url, operation="x", read=True)
    assert len(server.requests) == 4
    assert caught.value.system == "zoho"
    assert caught.value.zh


@pytest.mark.parametrize("trouble", [lambda handler: handler.reply(503), hang_up, break_off])
def test_a_write_is_sent_once_and_unclear(
    server: Loopback, client: HttpClient, clock: RealClock, trouble: object
) -> None:
    server.script = [trouble]  # type: ignore[list-item]
    with pytest.raises(WriteUnclear):
        client.send("POST", server.url, operation="x", read=False, json={})
    assert len(server.requests) == 1
    assert clock.slept == []


def test_a_slow_write_is_unclear(server: Loopback, clock: RealClock) -> None:
    release = threading.Event()
    server.script = [lambda handler: None if release.wait(60) else handler.reply(200)]
    client = HttpClient(HttpPolicy(LAB, read_timeout=0.05), clock)
    with pytest.raises(WriteUnclear, match="no answer in time"):
        client.send("POST", server.url, operation="x", read=False, json={})
    release.set()
    wait_for(lambda: server.requests)
    assert len(server.requests) == 1


def test_a_write_that_never_left_is_retry_later(client: HttpClient) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        with pytest.raises(RetryLater, match="cannot connect"):
            client.send("POST", url, operation="x", read=False, json={})


def test_an_answer_above_the_cap_is_refused_at_once(server: Loopback, clock: RealClock) -> None:
    server.script = [lambda handler: handler.reply(200, b"x" * 5000)]
    client = HttpClient(HttpPolicy(LAB, max_body=4000), clock)
    with pytest.raises(ProtocolViolation, match="larger"):
        client.send("GET", server.url, operation="x", read=True)
    with pytest.raises(WriteUnclear):
        client.send("POST", server.url, operation="x", read=False)
    assert len(server.requests) == 2


def test_a_decompression_bomb_meets_the_same_cap(server: Loopback, clock: RealClock) -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    server.script = [lambda handler: handler.reply(200, bomb, Content_Encoding="gzip")]
    with pytest.raises(ProtocolViolation, match="larger"):
        HttpClient(HttpPolicy(LAB), clock).send("GET", server.url, operation="x", read=True)


def test_compressed_answers_are_decoded(server: Loopback, client: HttpClient) -> None:
    body = gzip.compress(b'{"a": "' + b"z" * 300_000 + b'"}')
    server.script = [lambda handler: handler.reply(200, body, Content_Encoding="gzip")]
    assert len(client.send("GET", server.url, operation="x", read=True).json()["a"]) == 300_000


def test_a_dripping_answer_ends_at_the_deadline(server: Loopback, client: HttpClient, clock: RealClock) -> None:
    def drip(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        for _ in range(100):
            clock.sleep(10.0)
            handler.wfile.write(b" ")
            handler.wfile.flush()

    server.script = [drip]
    with pytest.raises(WriteUnclear, match="no complete answer within 120 s"):
        client.send("POST", server.url, operation="x", read=False)


def test_something_else_than_json_is_a_protocol_violation(server: Loopback, client: HttpClient) -> None:
    server.script = [lambda handler: handler.reply(200, b"<html>planted-secret</html>")]
    answer = client.send("GET", f"{server.url}/crm/v8", operation="x", read=True)
    with pytest.raises(ProtocolViolation) as caught:
        answer.json()
    assert SECRET not in spelled_out(caught.value) + repr(answer)


def test_the_budget_is_asked_for_every_attempt(server: Loopback, clock: RealClock) -> None:
    class Two:
        def __init__(self) -> None:
            self.taken: list[tuple[int, str]] = []

        def take(self, cost: int, operation: str) -> None:
            if len(self.taken) == 2:
                raise QuotaExhausted("used up", "已用完", resets_at=None)
            self.taken.append((cost, operation))

    server.script = [lambda handler: handler.reply(500)]
    budget = Two()
    with pytest.raises(QuotaExhausted):
        HttpClient(HttpPolicy(LAB), clock, budget).send("GET", server.url, operation="x", read=True, cost=3)
    assert budget.taken == [(3, "x"), (3, "x")]
    assert len(server.requests) == 2


def test_no_secret_is_logged_or_raised(server: Loopback, client: HttpClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server.script = [hang_up]
    said = ""
    for read in (True, False):
        with pytest.raises((RetryLater, WriteUnclear)) as caught:
            client.send(
                "POST",
                f"{server.url}/crm/v8/Accounts/5843104000000424001/x",
                operation="x",
                read=read,
                headers={"Authorization": SECRET},
                params={"token": SECRET},
                json={"a": SECRET},
            )
        said += spelled_out(caught.value)
        assert "127.0.0.1/crm/v8/Accounts/{id}/x" in str(caught.value)
    with pytest.raises(SettingsInvalid) as bad_header:
        client.send("GET", server.url, operation="x", read=True, headers={"Authorization": f"{SECRET}\n"})
    said += spelled_out(bad_header.value)
    assert SECRET not in said + caplog.text + repr(client)


def test_tls_accepts_the_configured_authority_only(tmp_path: Path, clock: RealClock) -> None:
    certificate = make_certificate(tmp_path)
    with serving(certificate) as server:
        trusting = HttpClient(HttpPolicy(LAB, ca_bundle=str(certificate)), clock)
        assert trusting.send("GET", server.url, operation="x", read=True).status == 200
        for read in (True, False):
            with pytest.raises(ProtocolViolation, match="certificate"):
                HttpClient(HttpPolicy(LAB), clock).send("GET", server.url, operation="x", read=read)
        assert len(server.requests) == 1


@pytest.mark.parametrize("bundle", [False, "", "/nonexistent.pem"])
def test_verification_cannot_be_switched_off(bundle: object, clock: RealClock) -> None:
    with pytest.raises(SettingsInvalid):
        HttpClient(HttpPolicy(LAB, ca_bundle=bundle), clock)  # type: ignore[arg-type]


def test_the_environment_is_not_trusted(
    server: Loopback, client: HttpClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert client.send("GET", server.url, operation="x", read=True).status == 200
    assert "Authorization" not in server.requests[0][2]


def test_cookies_are_not_kept(server: Loopback, client: HttpClient) -> None:
    server.script = [lambda handler: handler.reply(200, Set_Cookie="a=b")]
    client.send("GET", server.url, operation="x", read=True)
    client.send("GET", server.url, operation="x", read=True)
    assert "Cookie" not in server.requests[1][2]


def test_threads_share_a_client(server: Loopback, client: HttpClient) -> None:
    statuses: list[int] = []

    def work() -> None:
        for _ in range(10):
            statuses.append(client.send("GET", server.url, operation="x", read=True).status)

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 50
    assert client.calls() == {"x": 50}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry_After": "17"}, 17.0),
        ({"Retry_After": "Mon, 23 Nov 2026 10:00:30 GMT", "Date": "Mon, 23 Nov 2026 10:00:00 GMT"}, 30.0),
        ({"Retry_After": "soon"}, 5.0),
        ({}, 5.0),
    ],
)
def test_retry_after(server: Loopback, client: HttpClient, headers: dict[str, str], seconds: float) -> None:
    def slow_down(handler: Handler) -> None:
        handler.send_response_only(429)
        for name, value in {"Content_Length": "0", **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()

    server.script = [slow_down]
    assert retry_after(client.send("GET", server.url, operation="x", read=True), 5.0) == seconds
