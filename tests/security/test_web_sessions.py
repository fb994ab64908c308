"""Attacks on the REST API: fixation, foreign pages, cookies, tokens in addresses, brute force, and what leaks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from http.cookies import SimpleCookie

import pytest
import requests
from web_lab import API, PASSWORD, Browser, WebLab, serve_web

from hub.access import actor as actors
from hub.crypto.bearer import csrf_of, new_api_token, new_token
from hub.operations import users as accounts
from hub.operations.permission import acting_as
from hub.store import users


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebLab]:
    with serve_web(tmp_path_factory.mktemp("web") / "hub") as made:
        for login, role in (("ops", "operator"), ("sec", "security_admin"), ("sys", "system_admin")):
            made.person(login, role)
            made.settle(login)
        yield made


def test_the_whole_way_in_and_out(lab: WebLab) -> None:
    browser = lab.enter("ops")
    shown = browser.get("/session").body
    assert (shown["login"], shown["roles"], shown["auth"]) == ("ops", ["operator"], "password+totp")
    assert "sync.run" in shown["may"]
    assert "key.change" not in shown["may"]
    assert browser.post("/sign-out").status == 204
    assert browser.token == ""
    assert browser.get("/session").status == 401
    entry = next(e for e in reversed(lab.audited()) if e["act"] == "session.end")
    assert entry["actor"]["type"] == "user"
    assert entry["src"]["channel"] == "console"
    assert entry["src"]["ip"] == browser.ip


def test_a_session_that_was_put_there_before_the_sign_in_opens_nothing_after_it(lab: WebLab) -> None:
    """Session fixation: whatever cookie a browser comes with, a sign-in gives it another and ends the old one."""
    planted = lab.enter("sys")
    victim = lab.browser()
    victim.token, victim.csrf = planted.token, planted.csrf
    lab.clock.at += 30
    seen = {victim.token}
    assert victim.post("/sign-in", {"name": "ops", "password": PASSWORD}).status == 200
    seen.add(victim.token)
    assert victim.post("/sign-in/code", {"code": lab.code("ops")}).status == 200
    seen.add(victim.token)
    assert len(seen) == 3
    for old in seen - {victim.token}:
        assert Browser(lab.url, token=old, csrf=csrf_of(old)).get("/session").status == 401
    guessed = new_token()
    attacker = lab.browser()
    attacker.token = guessed
    attacker.post("/sign-in", {"name": "nobody", "password": "x"})
    assert Browser(lab.url, token=guessed).get("/session").status == 401


def test_the_cookie_is_for_this_host_over_tls_and_for_no_script(lab: WebLab) -> None:
    browser = lab.browser()
    answer = browser.post("/sign-in", {"name": "ops", "password": PASSWORD})
    morsel = SimpleCookie(answer.cookie)["__Host-crmhub"]
    assert (morsel["path"], morsel["domain"], morsel["samesite"].lower()) == ("/", "", "lax")
    assert morsel["secure"]
    assert morsel["httponly"]
    assert len(morsel.value) == 43
    assert morsel.value not in str(answer.body)


CHANGES = [
    ("POST", "/sign-out"),
    ("POST", "/prove"),
    ("PUT", "/password"),
    ("POST", "/tokens"),
    ("DELETE", "/sessions/0"),
]


@pytest.mark.parametrize(("method", "path"), CHANGES)
@pytest.mark.parametrize(
    "forged",
    [
        {"Origin": "https://evil.example"},
        {"Origin": None},
        {"Origin": "null"},
        {"X_CSRF_Token": None},
        {"X_CSRF_Token": csrf_of("another")},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
    ids=str,
)
def test_a_foreign_page_changes_nothing(
    lab: WebLab, settled: Browser, method: str, path: str, forged: dict[str, str | None]
) -> None:
    answer = settled.send(method, path, {}, **forged)
    assert (answer.status, answer.code) == (403, "HUB-SIGNIN-007")
    assert lab.acts()[-1] == "page.foreign"
    assert settled.get("/session").status == 200


@pytest.fixture(scope="module")
def settled(lab: WebLab) -> Browser:
    return lab.enter("sec")


def test_nobody_signs_a_victim_in_from_a_foreign_page(lab: WebLab) -> None:
    for origin in ("https://evil.example", None):
        answer = lab.browser().post("/sign-in", {"name": "ops", "password": PASSWORD}, Origin=origin)
        assert (answer.status, answer.cookie) == (403, None)


def test_each_refusal_of_a_sign_in_looks_the_same(lab: WebLab) -> None:
    lab.person("off", "operator", state="disabled")
    bodies = []
    for name, password in (
        ("ops", "wrong"),
        ("nobody", "wrong"),
        ("off", "first-off"),
        ("", ""),
        ("x" * 128, "y" * 512),
    ):
        answer = lab.browser().post("/sign-in", {"name": name, "password": password})
        assert answer.cookie is None
        bodies.append((answer.status, answer.body, sorted(answer.headers)))
    assert all(body == bodies[0] for body in bodies)
    assert bodies[0][0] == 401


def test_a_sign_in_that_is_not_complete_opens_nothing(lab: WebLab) -> None:
    browser = lab.browser()
    browser.post("/sign-in", {"name": "ops", "password": PASSWORD})
    for method, path in (("GET", "/session"), ("GET", "/tokens"), ("POST", "/prove"), ("PUT", "/password")):
        answer = browser.send(method, path, {"password": "x", "code": "x"} if method != "GET" else None)
        assert (answer.status, answer.body["stage"]) == (409, "totp")
    # Nor can its steps be taken in another order.
    assert browser.post("/sign-in/password", {"password": "Another-Pass-77!x"}).status == 409
    assert browser.post("/sign-in/second-factor").status == 409


def test_brute_force_of_codes_closes_the_account(lab: WebLab) -> None:
    lab.person("brute", "operator")
    lab.settle("brute")
    lab.clock.at += 30
    right = 0
    for _ in range(3):
        browser = lab.browser()
        if browser.post("/sign-in", {"name": "brute", "password": PASSWORD}).status != 200:
            break
        for _ in range(6):
            right += browser.post("/sign-in/code", {"code": "123456"}).status == 200
    assert right == 0
    assert lab.acts().count("sign_in.locked") == 1
    assert lab.acts().count("mfa.failed") == 5
    assert lab.browser().post("/sign-in", {"name": "brute", "password": PASSWORD}).status == 401


def test_a_reset_opens_a_closed_account_anew_and_takes_no_password_that_was_used(lab: WebLab) -> None:
    lab.person("lost", "operator")
    before = lab.settle("lost")
    guesser, security = lab.browser(), lab.enter("sec")
    assert [guesser.post("/sign-in", {"name": "lost", "password": "x"}).status for _ in range(5)] == [401] * 5
    code = security.post("/users/lost/reset").body["code"]
    assert before.get("/session").status == 401
    assert lab.browser().post("/sign-in", {"name": "lost", "password": PASSWORD}).status == 401
    browser = lab.browser()
    assert browser.post("/sign-in", {"name": "lost", "password": code}).body["stage"] == "renew"
    assert browser.post("/sign-in/password", {"password": PASSWORD}).code == "HUB-SIGNIN-004"
    assert browser.post("/sign-in/password", {"password": "Overgrown-Zebra-77!"}).body["stage"] == "enrol"
    assert lab.browser().post("/sign-in", {"name": "lost", "password": code}).status == 401


def test_an_account_that_failures_closed_is_opened_by_enabling_it(lab: WebLab) -> None:
    lab.person("shut", "operator")
    lab.settle("shut")
    guesser = lab.browser()
    assert [guesser.post("/sign-in", {"name": "shut", "password": "x"}).status for _ in range(5)] == [401] * 5
    with lab.hub.store.read() as conn:
        security = actors.person(users.get(conn, lab.hub.store.ring, "sec"), auth="password+totp")
    code = accounts.enable_user(acting_as(lab.hub, security), "shut").code
    assert lab.browser().post("/sign-in", {"name": "shut", "password": code}).body["stage"] == "totp"


def test_a_source_that_fails_on_must_wait(lab: WebLab) -> None:
    browser = lab.browser()
    answers = [browser.post("/sign-in", {"name": f"n{n}", "password": "x"}) for n in range(7)]
    assert [answer.status for answer in answers] == [401] * 5 + [429] * 2
    assert answers[-1].headers["retry-after"] == "1"
    # Nobody escapes it by naming another address: only what the proxy saw counts.
    assert (
        browser.post("/sign-in", {"name": "n", "password": "x"}, X_Forwarded_For=f"1.2.3.4, {browser.ip}").status == 429
    )


def test_roles_that_change_end_the_session(lab: WebLab) -> None:
    user = lab.person("moved", "operator")
    browser = lab.settle("moved")
    assert browser.get("/session").status == 200
    with lab.hub.store.begin() as work:
        users.set_state(work, users.load(work.conn, work.ring, [user.user_id])[user.user_id], users.DISABLED)
    assert browser.get("/session").code == "HUB-SIGNIN-003"


def test_what_is_sensitive_asks_for_a_fresh_proof_and_gives_a_new_cookie(lab: WebLab) -> None:
    browser = lab.enter("ops")
    lab.clock.at += 330
    wanted = {"name": "nightly", "days": 1}
    assert browser.post("/tokens", wanted).code == "HUB-SIGNIN-006"
    before = browser.token
    assert browser.post("/prove", {"password": PASSWORD, "code": lab.code("ops")}).status == 200
    assert browser.token != before
    made = browser.post("/tokens", wanted)
    assert made.status == 201
    assert "token" not in str(browser.get("/tokens").body["tokens"][0].keys())
    assert browser.send("DELETE", f"/tokens/{made.body['id']}").status == 204


@pytest.fixture(scope="module")
def token(lab: WebLab) -> str:
    browser = lab.enter("ops")
    text = browser.post("/tokens", {"name": "api", "days": 1}).body["token"]
    assert re.fullmatch(r"csh_[a-z2-9]{8}_[A-Za-z0-9_-]{49}", text)
    return str(text)


def bearer(lab: WebLab, path: str, token: str, **headers: str) -> requests.Response:
    return requests.get(f"{lab.url}{API}{path}", headers={"Authorization": f"Bearer {token}", **headers}, timeout=20)


def test_a_token_acts_by_its_header_alone(lab: WebLab, token: str) -> None:
    assert bearer(lab, "/whoami", token).json()["login"] == "ops"
    for query in (f"token={token}", f"access_token={token}", f"x={token}", "authorization=Bearer"):
        refused = bearer(lab, f"/whoami?{query}", token)
        assert (refused.status_code, token in refused.text) == (400, False)
    cookie = requests.get(f"{lab.url}{API}/whoami", headers={"Cookie": f"__Host-crmhub={token}"}, timeout=20)
    assert cookie.status_code == 401
    basic = requests.get(f"{lab.url}{API}/whoami", headers={"Authorization": f"Basic {token}"}, timeout=20)
    assert basic.status_code == 401


def test_a_token_makes_no_token_and_ends_no_session(lab: WebLab, token: str) -> None:
    for method, path in (("POST", "/tokens"), ("GET", "/tokens"), ("GET", "/session"), ("POST", "/sign-out")):
        answer = requests.request(
            method, f"{lab.url}{API}{path}", json={}, headers={"Authorization": f"Bearer {token}"}, timeout=20
        )
        assert answer.status_code == 403, path
    assert "access.denied" in lab.acts()


@pytest.mark.parametrize("change", ["unknown", "cut", "checksum", "empty", "other secret"])
def test_a_wrong_token_opens_nothing(lab: WebLab, token: str, change: str) -> None:
    other = new_api_token()
    wrong = {
        "unknown": other.text,
        "cut": token[:-1],
        "checksum": token[:-1] + ("a" if token[-1] != "a" else "b"),
        "empty": "",
        "other secret": token[:13] + other.text[13:],
    }[change]
    assert bearer(lab, "/whoami", wrong).status_code == 401


def test_every_answer_carries_its_headers(lab: WebLab) -> None:
    browser = lab.browser()
    for answer in (browser.get("/session"), browser.get("/nowhere"), browser.post("/sign-in", {"name": 1})):
        policy = answer.headers["content-security-policy"]
        for part in ("default-src 'self'", "object-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"):
            assert part in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-type"] == "application/problem+json"
        assert {"code", "en", "zh", "status"} <= answer.body.keys()
        assert "server" not in answer.headers


def test_what_was_typed_is_in_no_answer_and_in_no_row_of_the_log(lab: WebLab) -> None:
    secret = "Planted-Secret-31x"
    browser = lab.browser()
    answers = [
        browser.post("/sign-in", {"name": secret, "password": secret}),
        browser.post("/sign-in", {"name": "ops", "password": secret, "extra": secret}),
        browser.post("/sign-in", {"name": [secret], "password": secret}),
    ]
    assert [answer.status for answer in answers] == [401, 422, 422]
    assert secret not in str([answer.body for answer in answers])
    assert secret not in str(lab.audited())


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{" + b" " * 70_000 + b"}", {}, 413),
        (b"{}", {"Content-Type": "text/plain"}, 415),
        (b"{", {}, 422),
        (b"[" * 40_000, {}, 400),
        (b'{"name": "\\ud800", "password": "\\u0000"}', {}, 422),
        (b"{}", {"Host": "evil.example"}, 421),
    ],
    ids=["large", "form", "cut", "deep", "surrogate", "host"],
)
def test_what_is_no_request_of_ours_is_refused(lab: WebLab, body: bytes, headers: dict[str, str], status: int) -> None:
    sent = {"Content-Type": "application/json", "Origin": lab.url, **headers}
    answer = requests.post(f"{lab.url}{API}/sign-in", data=body, headers=sent, timeout=20)
    assert answer.status_code == status
    assert answer.json()["status"] == status


def test_a_body_of_no_stated_length_is_cut_off(lab: WebLab) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(20):
            yield b" " * 8192

    sent = {"Content-Type": "application/json", "Origin": lab.url}
    answer = requests.post(f"{lab.url}{API}/sign-in", data=endless(), headers=sent, timeout=20)
    assert answer.status_code == 413
