"""Signing in at an identity provider over real HTTP: the way through, and every forgery that must not get through."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from web_lab import API, Clock, WebLab, serve_web

from hub.access import actor as actors
from hub.access.oidc import excluded
from hub.access.threshold import Visitor
from hub.operations import oidc as operations
from hub.operations import sessions as session_operations
from hub.operations.doorway import doorway
from hub.operations.permission import acting_as
from hub.store import users
from hub.store.users import Grant
from tests.identity_provider import (
    CLIENT,
    SECRET,
    Identity,
    serve_identity,
    unsigned,
    with_key_inside,
    with_other_key,
    with_shared_secret,
)

GROUPS = {
    "crm-ops": {"role": "operator", "branch": "/010/"},
    "crm-sec": {"role": "security_admin"},
    "crm-audit": {"role": "audit_admin"},
}


class World:
    """Is a provider, the API of a hub that trusts it, and a person whom both know."""

    def __init__(self, idp: Identity, lab: WebLab) -> None:
        self.idp, self.lab = idp, lab
        self.user = lab.person("wang", "approver")
        self.security = lab.person("sec", "security_admin")
        self.sec = acting_as(lab.hub, actors.person(self.security, auth="password+totp"))
        session_operations.link_identity(self.sec, "wang", idp.subject)
        operations.approve_groups(self.sec, operations.show_groups(self.sec).digest)

    def away(self) -> tuple[str, str]:
        """Goes to the provider; returns where it sends the browser back to, and the cookie of the flow."""
        gone = requests.get(f"{self.lab.url}{API}/oidc/start", allow_redirects=False, timeout=20)
        assert gone.status_code == 303, gone.text
        there = requests.get(gone.headers["location"], allow_redirects=False, timeout=20)
        return there.headers["location"], gone.headers["set-cookie"].partition(";")[0]

    def come(self, address: str, cookie: str) -> requests.Response:
        return requests.get(address, headers={"Cookie": cookie}, allow_redirects=False, timeout=20)

    def sign_in(self) -> requests.Response:
        return self.come(*self.away())

    def last(self) -> tuple[str, str]:
        entry = self.lab.audited()[-1]
        return entry["act"], entry.get("reason", "")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("oidc")
    (folder / "secret").write_text(SECRET)
    (folder / "secret").chmod(0o600)
    clock = Clock()
    with serve_identity(clock.now) as idp:
        oidc = {
            "issuer": idp.url,
            "client_id": CLIENT,
            "client_secret": f"file:{folder / 'secret'}",
            "groups": GROUPS,
            "second_factor": "provider",
        }
        with serve_web(folder / "hub", clock=clock, oidc=oidc) as lab:
            yield World(idp, lab)


@pytest.fixture(autouse=True)
def honest(world: World) -> Iterator[None]:
    operations._KNOWN.clear()
    world.idp.claims = {"amr": ["pwd", "otp"], "groups": []}
    yield
    world.idp.forge, world.idp.subject = None, "s-1001"
    world.idp.document, world.idp.published = {}, []


def session_of(world: World, answer: requests.Response) -> dict[str, Any]:
    cookie = answer.headers["set-cookie"].partition(";")[0]
    got = requests.get(f"{world.lab.url}{API}/session", headers={"Cookie": cookie}, timeout=20)
    assert got.status_code == 200, got.text
    return dict(got.json())


def test_the_whole_way(world: World) -> None:
    world.idp.claims["groups"] = ["crm-ops", "unknown"]
    answer = world.sign_in()
    assert (answer.status_code, answer.headers["location"]) == (303, f"{world.lab.url}/")
    flags = answer.headers["set-cookie"]
    assert "HttpOnly" in flags
    assert "Secure" in flags
    shown = session_of(world, answer)
    assert (shown["login"], shown["auth"]) == ("wang", "oidc+mfa")
    assert shown["roles"] == ["approver", "operator"]
    assert world.last() == ("sign_in.ok", "oidc+mfa")


def test_where_the_second_factor_is_taken_here_a_code_is_asked_for(world: World) -> None:
    web = world.lab.hub.settings.web
    assert web.oidc is not None
    here = web.model_copy(update={"oidc": web.oidc.model_copy(update={"second_factor": "here"})})
    kept = world.lab.hub.settings.web
    world.lab.hub.settings.__dict__["web"] = here
    try:
        cookie = world.sign_in().headers["set-cookie"].partition(";")[0]
        got = requests.get(f"{world.lab.url}{API}/sign-in", headers={"Cookie": cookie}, timeout=20)
        assert (got.status_code, got.json()["stage"]) == (200, "enrol")
    finally:
        world.lab.hub.settings.__dict__["web"] = kept


def test_keys_that_the_provider_changed_are_fetched(world: World) -> None:
    world.idp.rotate()
    assert world.sign_in().status_code == 303


Twist = Callable[[Identity, dict[str, Any]], str]


def claim(**changes: Any) -> Twist:
    """Returns a forgery that is signed well and says something else; None leaves a claim out."""

    def forge(idp: Identity, claims: dict[str, Any]) -> str:
        made = {**claims, **{name: each(claims) if callable(each) else each for name, each in changes.items()}}
        return idp.signed({name: value for name, value in made.items() if value is not None})

    return forge


@pytest.mark.parametrize(
    ("forge", "why"),
    [
        (lambda idp, claims: unsigned(claims), "algorithm"),
        (with_shared_secret, "algorithm"),
        (with_other_key, "signature"),
        (with_key_inside, "key"),
        (lambda idp, claims: idp.signed(claims)[:-4] + "AAAA", "signature"),
        (lambda idp, claims: "no.token", "malformed"),
        (lambda idp, claims: "a" * 20_000, "malformed"),
        (claim(iss="https://evil.example"), "issuer"),
        (claim(iss=lambda c: c["iss"] + "/"), "issuer"),
        (claim(aud="another"), "audience"),
        (claim(aud=None), "audience"),
        (claim(aud=[CLIENT, "another"]), "audience"),
        (claim(azp="another"), "audience"),
        (claim(nonce="another"), "nonce"),
        (claim(nonce=None), "nonce"),
        (claim(exp=lambda c: c["iat"] - 100), "expired"),
        (claim(exp=None), "expired"),
        (claim(iat=lambda c: c["iat"] - 4000, exp=lambda c: c["iat"] + 4000), "expired"),
        (claim(iat=lambda c: c["iat"] + 4000), "expired"),
        (claim(nbf=lambda c: c["iat"] + 4000), "expired"),
        (claim(sub=None), "subject"),
        (claim(sub="s-2002"), "not_linked"),
        (claim(sub="S-1001"), "not_linked"),
        (claim(sub="s-2002", email="wang"), "not_linked"),
        (claim(amr=["pwd"]), "second_factor"),
        (claim(amr="otp"), "second_factor"),
        (claim(groups=["crm-sec"]), "excluded"),
        (claim(groups=["crm-sec", "crm-audit"]), "excluded"),
    ],
)
def test_a_forged_token_opens_nothing(world: World, forge: Twist, why: str) -> None:
    world.idp.forge = forge
    answer = world.sign_in()
    assert (answer.status_code, answer.json()["code"]) == (401, "HUB-SIGNIN-001")
    assert "set-cookie" not in answer.headers
    assert world.last() == ("oidc.refused", why)


def test_a_state_works_once_and_only_in_its_own_browser(world: World) -> None:
    address, cookie = world.away()
    assert world.come(address, cookie).status_code == 303
    assert world.come(address, cookie).status_code == 401
    # A link that somebody else was sent back with signs nobody in: neither without the cookie nor with another one.
    theirs, _ = world.away()
    assert world.come(theirs, world.away()[1]).status_code == 401
    stolen, own = world.away()
    assert world.come(stolen, "x=y").status_code == 401
    assert world.come(stolen, own).status_code == 401
    assert world.last() == ("oidc.refused", "state")
    wrong, cookie = world.away()
    assert world.come(wrong.replace("state=", "state=x"), cookie).status_code == 401
    late, cookie = world.away()
    world.lab.clock.at += 601
    assert world.come(late, cookie).status_code == 401


def test_a_code_of_another_flow_and_an_answer_of_another_issuer_are_refused(world: World) -> None:
    """Injection of a code: its PKCE verifier is another's. Mix-up: the answer names an issuer that was not asked."""
    one, cookie = world.away()
    other, _ = world.away()
    code = other.partition("code=")[2].partition("&")[0]
    mine = one.partition("code=")[2].partition("&")[0]
    assert world.come(one.replace(mine, code), cookie).status_code == 401
    assert world.last() == ("oidc.refused", "code")
    mixed, cookie = world.away()
    assert world.come(mixed.partition("&iss=")[0] + "&iss=https%3A%2F%2Fevil.example", cookie).status_code == 401
    assert world.last() == ("oidc.refused", "issuer")


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://127.0.0.1:1/token"},
        {"jwks_uri": "http://169.254.169.254/keys"},
        {"authorization_endpoint": "https://evil.example/authorize"},
        {"token_endpoint": None},
        {"code_challenge_methods_supported": ["plain"]},
    ],
    ids=str,
)
def test_a_document_that_sends_us_elsewhere_is_not_believed(world: World, document: dict[str, Any]) -> None:
    world.idp.document = document
    answer = requests.get(f"{world.lab.url}{API}/oidc/start", allow_redirects=False, timeout=20)
    assert (answer.status_code, answer.json()["code"]) == (503, "HUB-SIGNIN-010")
    assert "token" not in world.idp.asked[-1]


def test_groups_count_only_as_they_were_approved(world: World) -> None:
    world.idp.claims["groups"] = ["crm-ops"]
    assert session_of(world, world.sign_in())["roles"] == ["approver", "operator"]
    web = world.lab.hub.settings.web
    assert web.oidc is not None
    edited = {**web.oidc.groups, "crm-ops": web.oidc.groups["crm-ops"].model_copy(update={"branch": "/"})}
    world.lab.hub.settings.__dict__["web"] = web.model_copy(
        update={"oidc": web.oidc.model_copy(update={"groups": edited})}
    )
    try:
        assert session_of(world, world.sign_in())["roles"] == ["approver"]
    finally:
        world.lab.hub.settings.__dict__["web"] = web


@pytest.mark.parametrize(
    ("lent", "group", "clashing"),
    [("security_admin", "system_admin", True), ("system_admin", "operator", False), ("operator", "operator", False)],
)
def test_no_group_joins_a_post_with_one_that_was_lent(lent: str, group: str, clashing: bool) -> None:
    mine = Grant("g", "u", lent, "/", users.BREAK_GLASS, 9.0, "second", 1.0)
    given = Grant("oidc", "u", group, "/", users.STANDING, None, "oidc", 1.0)
    assert (excluded((mine, given)) is not None) is clashing


def test_a_disabled_person_is_vouched_for_in_vain(world: World) -> None:
    user = world.lab.person("gone", "operator", state=users.DISABLED)
    session_operations.link_identity(world.sec, user.login, "s-3003")
    world.idp.subject = "s-3003"
    assert world.sign_in().status_code == 401
    session_operations.link_identity(world.sec, user.login, "")
    assert world.sign_in().status_code == 401
    assert world.last() == ("oidc.refused", "not_linked")


def test_whose_link_goes_to_another_person_is_signed_in_no_more(world: World) -> None:
    first, second = (world.lab.person(login, "operator") for login in ("former", "latter"))
    session_operations.link_identity(world.sec, first.login, "s-5005")
    world.idp.subject = "s-5005"
    cookie = world.sign_in().headers["set-cookie"].partition(";")[0]
    session_operations.link_identity(world.sec, first.login, "s-5005")

    def seen() -> requests.Response:
        return requests.get(f"{world.lab.url}{API}/session", headers={"Cookie": cookie}, timeout=20)

    assert seen().json()["login"] == "former"
    session_operations.link_identity(world.sec, second.login, "s-5005")
    assert seen().status_code == 401
    linked = ("oidc.link", "oidc.unlink")
    said = [(entry["act"], entry["obj"]["id"]) for entry in world.lab.audited() if entry["act"] in linked]
    assert said[-2:] == [("oidc.unlink", first.user_id), ("oidc.link", second.user_id)]


def test_the_provider_must_pass_the_guard_of_addresses(world: World, tmp_path: Path) -> None:
    """In production neither http nor an inner address is asked, whatever the settings say."""
    web = world.lab.hub.settings.web
    assert web.oidc is not None
    kept = dict(world.lab.hub.settings.__dict__)
    asked = len(world.idp.asked)
    for profile, issuer in (
        ("production", world.idp.url),
        ("lab", "https://169.254.169.254"),
        ("lab", "https://10.0.0.1"),
    ):
        oidc = web.oidc.model_copy(update={"issuer": issuer})
        world.lab.hub.settings.__dict__.update(profile=profile, web=web.model_copy(update={"oidc": oidc}))
        try:
            with pytest.raises(operations.ProviderAway):
                operations.depart(doorway(world.lab.hub, Visitor("10.0.0.9")))
        finally:
            world.lab.hub.settings.__dict__.update(kept)
    assert len(world.idp.asked) == asked
