"""A person lets the hub in: codes, consent links, client credentials; and everything that must be refused."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from zoho_lab import CREDENTIALS, LabContext, connect

from connectors.admission import Admission, Connectable
from connectors.errors import AuthRejected, ConnectorError, ProtocolViolation, RateLimited, RetryLater, SettingsInvalid
from connectors.zoho_crm.connector import ZohoCrmConnector
from connectors.zoho_crm.settings import SCOPES

CALLBACK = "https://hub.example/oauth/callback"
CLIENT = {name: value for name, value in CREDENTIALS.items() if name != "refresh_token"}
GRANTED = "ZohoCRM.modules.contacts.ALL,ZohoCRM.settings.ALL"
WANTED = [
    "ZohoCRM.modules.contacts.ALL",
    "ZohoCRM.modules.calls.ALL",
    "ZohoCRM.settings.fields.READ",
    "ZohoCRM.coql.READ",
]


class Desk:
    """Is a connection without a refresh token, and a person with a browser."""

    def __init__(self, org: Any, **settings: Any) -> None:
        self.org, self.context = org, LabContext(credentials=CLIENT)
        self.zoho = connect(org.url, self.context, **{"redirect_uri": CALLBACK, **settings})

    def code(self, scopes: str | None = None, lifetime: float = 180) -> str:
        return str(self.org.admin.post("tokens", {"grant": {"scopes": scopes, "lifetime": lifetime}})["grant"])

    def link(self) -> str:
        link = self.zoho.invite(by_link=True).link
        assert link is not None
        return link

    def open(self, link: str) -> str:
        """Opens a link and returns the address that the browser ends at."""
        answer = requests.get(link, allow_redirects=False, timeout=10)
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]

    def keep(self, admission: Admission) -> None:
        """Does what the hub does with it."""
        self.context._secrets |= admission.credentials
        for name, value in admission.tokens.items():
            self.context.tokens.put(name, value)

    def refused(self, brought: str, by_link: bool = True) -> ConnectorError:
        before = self.sign_ins()
        with pytest.raises(ConnectorError) as refused:
            self.zoho.admit(brought, by_link)
        assert self.sign_ins() == before, "nothing was sent"
        assert refused.value.zh.startswith("zoho：")
        return refused.value

    def sign_ins(self) -> int:
        return sum(count for name, count in self.org.admin.calls()["calls"].items() if name.startswith("token"))


@pytest.fixture
def desk(org: Any) -> Desk:
    return Desk(org)


def test_the_connector_offers_the_sign_in(desk: Desk) -> None:
    assert isinstance(desk.zoho, Connectable)


# --- a code of the Self Client --------------------------------------------------------------------------------------


def test_a_code_is_exchanged_once_and_its_tokens_are_used_without_another_sign_in(desk: Desk) -> None:
    invitation = desk.zoho.invite(by_link=False)
    assert (invitation.asks, invitation.keeps, invitation.link) == (True, ("refresh_token",), None)
    for text in (invitation.en, invitation.zh):
        assert "api-console.zoho.com.cn" in text
        assert ",".join(SCOPES) in text
    admission = desk.zoho.admit(f" {desk.code()}\n", by_link=False)
    assert admission.way == "self_client"
    assert all(line.ok for line in admission.lines)
    desk.keep(admission)
    desk.zoho.changes("Contacts", ("Mobile",), None, 200)
    assert desk.org.admin.calls()["calls"].get("token", 0) == 0, "the exchange gave an access token as well"
    desk.org.admin.advance(4000)
    desk.zoho.changes("Contacts", ("Mobile",), None, 200)
    calls = desk.org.admin.calls()["calls"]
    assert (calls["token code"], calls["token"]) == (1, 1)


def test_nothing_of_it_is_shown(desk: Desk) -> None:
    admission = desk.zoho.admit(desk.code(), by_link=False)
    kept = json.loads(admission.credentials["refresh_token"])
    shown = repr(admission) + repr(desk.zoho.invite(by_link=True))
    assert kept["refresh_token"] not in shown
    assert json.loads(admission.tokens["access_token"])["value"] not in shown
    assert "state=" not in shown


def test_a_scope_that_was_not_granted_is_named_at_once_with_what_it_takes_away(org: Any) -> None:
    desk = Desk(org, scopes=WANTED)
    admission = desk.zoho.admit(desk.code(GRANTED), by_link=False)
    missing = {line.name: line for line in admission.lines if not line.ok}
    assert set(missing) == {"ZohoCRM.modules.calls.ALL", "ZohoCRM.coql.READ"}
    assert "found by hub id" in missing["ZohoCRM.coql.READ"].en
    assert admission.credentials, "what was granted is kept"


@pytest.mark.parametrize("brought", ["", "short", "a code with blanks in it", "1000." + "a" * 600, "1000.中文中文中文"])
def test_what_is_no_code_is_not_sent(desk: Desk, brought: str) -> None:
    error = desk.refused(brought, by_link=False)
    assert isinstance(error, AuthRejected)
    assert brought not in error.en or not brought


def test_a_used_or_late_code_says_so(desk: Desk) -> None:
    used, late = desk.code(), desk.code(lifetime=1)
    desk.zoho.admit(used, by_link=False)
    desk.org.admin.advance(2)
    for code in (used, late):
        with pytest.raises(AuthRejected) as refused:
            desk.zoho.admit(code, by_link=False)
        assert refused.value.missing == "code"
        assert "make a new one" in refused.value.en.lower()
        assert code not in refused.value.en + refused.value.zh


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"action": "reset_after_commit"}, RetryLater),
        ({"action": "http_502_html"}, RetryLater),
        ({"action": "truncated_json"}, RetryLater),
        ({"action": "vendor_error", "status": 200, "body": {}}, ProtocolViolation),
    ],
)
def test_a_code_whose_exchange_went_wrong_counts_as_used_up(
    desk: Desk, fault: dict[str, Any], kind: type[ConnectorError]
) -> None:
    desk.org.admin.faults([{"match": {"path_regex": "/oauth/v2/token$"}, "times": 1, **fault}])
    with pytest.raises(kind) as failed:
        desk.zoho.admit(desk.code(), by_link=False)
    assert "may be used up" in failed.value.en
    assert desk.zoho.admit(desk.code(), by_link=False).credentials, "a new code works"


def test_a_pause_holds_for_codes_too_and_is_told_before_one_is_made(desk: Desk) -> None:
    desk.org.admin.settings(tokens_per_window=0)
    with pytest.raises(RateLimited):
        desk.zoho.admit(desk.code(), by_link=False)
    before = desk.sign_ins()
    for act in (lambda: desk.zoho.invite(by_link=False), lambda: desk.zoho.admit(desk.code(), by_link=False)):
        with pytest.raises(RateLimited):
            act()
    assert desk.sign_ins() == before


@pytest.mark.parametrize("name", ["client_id", "client_secret"])
def test_a_missing_credential_is_told_before_a_code_is_made(desk: Desk, name: str) -> None:
    del desk.context._secrets[name]
    with pytest.raises(SettingsInvalid, match=name):
        desk.zoho.invite(by_link=False)


# --- the kept refresh token belongs to its hosts and client ---------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"data_center": "eu", "accounts_url": None, "api_url": None}, "data_center eu"),
        ({"environment": "sandbox", "api_url": None}, "environment sandbox"),
    ],
)
def test_a_kept_refresh_token_is_never_used_at_another_data_center(
    desk: Desk, settings: dict[str, Any], said: str
) -> None:
    desk.keep(desk.zoho.admit(desk.code(), by_link=False))
    before = dict(desk.context.http.calls())
    urls = {"accounts_url": desk.org.url, "api_url": desk.org.url}
    moved = ZohoCrmConnector({**urls, **settings}, desk.context)
    with pytest.raises(SettingsInvalid) as refused:
        moved.changes("Contacts", ("Mobile",), None, 200)
    assert said in refused.value.en
    assert dict(desk.context.http.calls()) == before, "nothing left the hub"


def test_a_kept_refresh_token_of_another_client_is_named_so(desk: Desk) -> None:
    desk.keep(desk.zoho.admit(desk.code(), by_link=False))
    desk.context._secrets["client_id"] = "1000.OTHER"
    with pytest.raises(SettingsInvalid, match="another client_id"):
        desk.zoho.changes("Contacts", ("Mobile",), None, 200)


@pytest.mark.parametrize("text", ["{", "{}", '{"refresh_token": 1}', "{]"])
def test_a_kept_text_that_is_broken_says_so(desk: Desk, text: str) -> None:
    desk.context._secrets["refresh_token"] = text
    with pytest.raises(SettingsInvalid, match="crmhub connect zoho"):
        desk.zoho.changes("Contacts", ("Mobile",), None, 200)


# --- a consent link -------------------------------------------------------------------------------------------------


def test_a_link_asks_for_everything_and_its_answer_is_exchanged(desk: Desk) -> None:
    link = desk.link()
    asked = {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}
    assert link.startswith(f"{desk.org.url}/oauth/v2/auth?")
    assert asked == {
        "response_type": "code",
        "access_type": "offline",
        "prompt": "consent",
        "client_id": CREDENTIALS["client_id"],
        "scope": ",".join(SCOPES),
        "redirect_uri": CALLBACK,
        "state": asked["state"],
    }
    assert len(asked["state"]) == 64
    admission = desk.zoho.admit(desk.open(link), by_link=True)
    assert admission.way == "link"
    assert all(line.ok for line in admission.lines)
    desk.keep(admission)
    desk.zoho.changes("Contacts", ("Mobile",), None, 200)


def test_the_answer_may_come_to_another_process(desk: Desk) -> None:
    address = desk.open(desk.link())
    other = LabContext(tokens=desk.context.tokens, credentials=CLIENT)
    assert connect(desk.org.url, other, redirect_uri=CALLBACK).admit(address, by_link=False).credentials


def test_every_link_has_a_state_of_its_own_and_the_last_one_counts(desk: Desk) -> None:
    first, second = desk.link(), desk.link()
    assert first != second
    error = desk.refused(desk.open(first))
    assert getattr(error, "missing", "") == "state"


def changed(address: str, **changes: str | None) -> str:
    base, _, query = address.partition("?")
    given = {name: values[0] for name, values in parse_qs(query).items()} | changes
    return f"{base}?{urlencode({name: value for name, value in given.items() if value is not None})}"


@pytest.mark.parametrize(
    ("changes", "kind", "said"),
    [
        ({"state": "0" * 64}, AuthRejected, "does not answer the link"),
        ({"state": None}, AuthRejected, "does not answer the link"),
        ({"state": "状态"}, AuthRejected, "does not answer the link"),
        ({"accounts-server": "https://accounts.evil.example"}, AuthRejected, "none of Zoho's"),
        ({"accounts-server": "https://accounts.zoho.com.cn.evil.example"}, AuthRejected, "none of Zoho's"),
        ({"accounts-server": "http://accounts.zoho.eu"}, AuthRejected, "none of Zoho's"),
        ({"accounts-server": "https://accounts.zoho.eu"}, SettingsInvalid, "lives in data centre eu"),
        ({"accounts-server": None, "location": "us"}, SettingsInvalid, "lives in data centre us"),
        ({"location": "moon"}, SettingsInvalid, "unknown to crmhub"),
        ({"code": None}, AuthRejected, "consent was not given"),
        ({"code": None, "error": "access_denied"}, AuthRejected, "consent was not given"),
        ({"code": "x y"}, AuthRejected, "consent was not given"),
    ],
)
def test_an_answer_that_is_not_ours_is_refused_and_ends_the_link(
    desk: Desk, changes: dict[str, str | None], kind: type[ConnectorError], said: str
) -> None:
    address = desk.open(desk.link())
    error = desk.refused(changed(address, **changes))
    assert type(error) is kind
    assert said in error.en
    code = parse_qs(urlsplit(address).query)["code"][0]
    assert code not in error.en + error.zh
    assert "no link waits" in desk.refused(address).en


@pytest.mark.parametrize("other", ["https://elsewhere.example/", "https://hub.example/", CALLBACK + "/more"])
def test_an_address_of_another_place_is_refused_and_the_link_waits_on(desk: Desk, other: str) -> None:
    address = desk.open(desk.link())
    assert "redirect_uri" in desk.refused(address.replace(CALLBACK, other)).en
    assert desk.zoho.admit(address, by_link=True).credentials


def test_an_answer_is_taken_once_and_within_fifteen_minutes(desk: Desk) -> None:
    address = desk.open(desk.link())
    desk.zoho.admit(address, by_link=True)
    assert "no link waits" in desk.refused(address).en
    address = desk.open(desk.link())
    desk.context.clock.offset += 901
    assert "no link waits" in desk.refused(address).en


def test_a_code_alone_does_not_answer_a_link(desk: Desk) -> None:
    desk.link()
    assert "whole address" in desk.refused(desk.code()).en


def test_a_refusing_user_is_told_apart(desk: Desk) -> None:
    desk.org.admin.settings(consent="reject")
    assert "consent was not given" in desk.refused(desk.open(desk.link())).en


def test_an_answer_of_another_data_center_is_never_followed(desk: Desk) -> None:
    desk.org.admin.settings(accounts_server="https://accounts.zoho.eu", data_center="eu")
    error = desk.refused(desk.open(desk.link()))
    assert "data centre eu" in error.en
    assert "Nothing was sent" in error.en


def test_a_link_without_offline_access_gives_nothing_to_keep(desk: Desk) -> None:
    address = desk.open(desk.link().replace("access_type=offline", "access_type=online"))
    with pytest.raises(AuthRejected) as refused:
        desk.zoho.admit(address, by_link=True)
    assert refused.value.missing == "refresh_token"


def test_a_link_needs_the_registered_address(org: Any) -> None:
    with pytest.raises(SettingsInvalid, match="redirect_uri"):
        Desk(org, redirect_uri=None).zoho.invite(by_link=True)
    other = Desk(org, redirect_uri="https://elsewhere.example/callback")
    answer = requests.get(other.link(), allow_redirects=False, timeout=10)
    assert answer.status_code == 400


# --- client credentials ---------------------------------------------------------------------------------------------


def test_client_credentials_are_proven_and_need_no_code(org: Any) -> None:
    desk = Desk(org, grant="client_credentials", org_id="60001234567")
    for by_link in (False, True):
        invitation = desk.zoho.invite(by_link=by_link)
        assert (invitation.asks, invitation.keeps, invitation.link) == (False, (), None)
    admission = desk.zoho.admit("", by_link=False)
    assert (admission.way, dict(admission.credentials)) == ("client_credentials", {})
    desk.keep(admission)
    desk.zoho.changes("Contacts", ("Mobile",), None, 200)
    assert desk.sign_ins() == 1


def test_client_credentials_of_another_organisation_are_refused(org: Any) -> None:
    desk = Desk(org, grant="client_credentials", org_id="1")
    with pytest.raises(AuthRejected) as refused:
        desk.zoho.admit("", by_link=False)
    assert refused.value.missing == "org_id"
