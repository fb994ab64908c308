"""The authorization matrix of the API, made from its table of routes: every route for every role, and for nobody."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import requests
from starlette.routing import BaseRoute
from web_lab import API, Answer, Browser, WebLab, serve_web

from hub.access.roles import ACTIONS, ROLES, Role
from hub.kernel.settings import load_settings
from hub.web.api.app import make_api, routes
from hub.web.api.routes import OPEN, PREFIX, ROUTES, SIGNED_IN, STEP, Route, Undeclared, route

EVERY = sorted(routes().values(), key=lambda each: (each.path, each.method))
GUARDED = [each for each in EVERY if each.permission != OPEN]


def name(found: Route) -> str:
    return f"{found.method} {found.path}"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebLab]:
    with serve_web(tmp_path_factory.mktemp("matrix") / "hub") as made:
        yield made


@pytest.fixture(scope="module")
def people(lab: WebLab) -> dict[Role, Browser]:
    for role in sorted(ROLES):
        lab.person(role.value.replace("_", "-"), role)
    return {role: lab.settle(role.value.replace("_", "-")) for role in sorted(ROLES)}


def ask(browser: Browser, found: Route, **headers: str | None) -> Answer:
    """Sends a route a request that changes nothing: its subject is not there, and its body is empty."""
    path = re.sub(r"\{token_id\}", "zzzzzzzz", found.path).replace("{reference}", "0").replace("{login}", "zz")
    return browser.send(found.method, path, {} if found.own_page else None, **headers)


def test_every_route_that_is_served_stands_in_the_table(lab: WebLab) -> None:
    served = make_api(load_settings(lab.home), lambda: lab.hub)
    found: list[BaseRoute] = served._app.routes  # type: ignore[attr-defined]
    listed = {(method, each.path) for each in found for method in each.methods}  # type: ignore[attr-defined]
    assert listed == {(each.method, PREFIX + each.path) for each in EVERY}
    assert all(each.permission in ACTIONS or each.permission in (OPEN, STEP, SIGNED_IN) for each in EVERY)
    assert [
        name(each) for each in EVERY if each.permission == OPEN and not each.path.startswith(("/sign-in", "/oidc"))
    ] == []


@pytest.mark.parametrize("permission", ["", "everything", "Status.Read", "host"])
def test_a_route_without_a_permission_fails_the_build(permission: str) -> None:
    with pytest.raises(Undeclared):
        route("GET", "/new", permission, "", "")
    assert ("GET", "/new") not in ROUTES


@pytest.mark.parametrize("found", GUARDED, ids=name)
def test_nobody_gets_in_without_a_session(lab: WebLab, people: dict[Role, Browser], found: Route) -> None:
    browser = lab.browser()
    assert ask(browser, found).status in (401, 403)
    browser.token, browser.csrf = "x" * 43, "y"
    assert ask(browser, found).status in (401, 403)
    ended = Browser(lab.url, token=people[Role.OPERATOR].token[:-1] + "A", csrf=people[Role.OPERATOR].csrf)
    assert ask(ended, found).status in (401, 403)


@pytest.mark.parametrize("found", [each for each in GUARDED if each.permission in ACTIONS], ids=name)
def test_a_role_gets_in_exactly_where_the_table_says(lab: WebLab, people: dict[Role, Browser], found: Route) -> None:
    for role, browser in people.items():
        answer = ask(browser, found)
        refused = answer.status in (401, 403)
        assert refused == (role not in ACTIONS[found.permission].roles), (role, answer.body)
        if refused:
            assert answer.code == "HUB-ACCESS-001"


@pytest.fixture(scope="module")
def tokens(lab: WebLab, people: dict[Role, Browser]) -> dict[Role, str]:
    wanted = {"name": "matrix", "days": 1}
    return {role: browser.post("/tokens", wanted).body["token"] for role, browser in people.items()}


@pytest.mark.parametrize("found", GUARDED, ids=name)
def test_a_token_gets_in_where_a_route_admits_tokens_and_nowhere_else(
    lab: WebLab, tokens: dict[Role, str], found: Route
) -> None:
    for role, text in tokens.items():
        bearer = Browser(lab.url, headers={"Authorization": f"Bearer {text}"})
        answer = ask(bearer, found)
        allowed = found.by_token and role in ACTIONS[found.permission].roles
        assert (answer.status in (401, 403)) == (not allowed), (role, answer.body)


def test_a_revoked_and_an_expired_token_get_in_nowhere(lab: WebLab, people: dict[Role, Browser]) -> None:
    browser = people[Role.OPERATOR]
    revoked, expired = (browser.post("/tokens", {"name": "x", "days": 1}).body for _ in range(2))
    assert browser.send("DELETE", f"/tokens/{revoked['id']}").status == 204
    begun, lab.clock.at = lab.clock.at, lab.clock.at + 86_400
    try:
        for text in (revoked["token"], expired["token"]):
            answer = requests.get(f"{lab.url}{API}/whoami", headers={"Authorization": f"Bearer {text}"}, timeout=20)
            assert answer.status_code == 401
    finally:
        lab.clock.at = begun
    assert [act for act in lab.acts() if act in ("token.refused", "token.expired")] == [
        "token.refused",
        "token.expired",
    ]
