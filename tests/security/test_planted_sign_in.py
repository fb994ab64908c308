"""Codes, refresh tokens, access tokens, states and secrets of a sign-in are nowhere in what a hub leaves behind.

Every way to sign in is gone, the right and the wrong ones, with debug logs; then the folder, the journal, the database
and all that was said are scanned. The same with sealing switched off is full of hits, which shows that the scan works.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from laboratory import Bank, Simulators, make_home
from leak_scan import files_below, scan
from postgres_server import PostgresServer

from hub.keys.keyring import SealMode
from hub.operations import connecting
from hub.operations.installation import Installation
from hub.store.vault import SealedTokens
from tests.acceptance.cli_lab import Lab
from tests.security.test_planted_values import left_behind

CALLBACK = "https://hub.example/oauth/callback"


@pytest.fixture(scope="module")
def simulators() -> Iterator[Simulators]:
    started = Simulators.start()
    yield started
    started.stop()


def prepared(home: Path, url: str, simulators: Simulators, secret: str) -> Bank:
    """Makes a hub that keeps its refresh token itself, with a client secret that no other test uses."""
    bank = Bank(home, simulators)
    simulators.reset(bank)
    simulators.running["zoho"].admin.settings(client_secret=secret)
    make_home(home, url, simulators)
    file = home / "config" / "hub.yaml"
    text = file.read_text(encoding="utf-8").replace("refresh_token: env:LAB_ZOHO_REFRESH", "refresh_token: stored")
    text = text.replace(
        "visibility_lag: 0, overlap: 2}", f'visibility_lag: 0, overlap: 2, redirect_uri: "{CALLBACK}"}}'
    )
    file.write_text(text, encoding="utf-8")
    return bank


def make_code(bank: Bank) -> str:
    return str(bank.simulators.running["zoho"].admin.post("tokens", {"grant": {}})["grant"])


def browse(link: str) -> str:
    return requests.get(link, allow_redirects=False, timeout=10).headers["location"]


def kept(hub: Installation) -> list[str]:
    """Returns the refresh token and the access token that the store keeps."""
    tokens = SealedTokens(hub.store, "zoho")
    refresh = json.loads(tokens.get("credential/refresh_token") or b"")["refresh_token"]
    access = json.loads(tokens.get("access_token") or b"")["value"]
    assert min(len(refresh), len(access)) >= 20
    return [refresh, access]


class Said:
    """Runs commands as processes with debug logs and keeps what they say in the hub's folder."""

    def __init__(self, bank: Bank, secret: str) -> None:
        running = bank.simulators.running
        environ = {"LAB_ZOHO_SECRET": secret, "CRMHUB_LOG": "DEBUG"}
        self.lab = Lab(bank.home, running["zoho"], running["fxiaoke"], {**os.environ, **environ})
        self.number = 0

    def run(self, *words: str, stdin: str = "", code: int = 0, **environ: str) -> str:
        ran = self.lab.run(*words, stdin=stdin, environ=environ)
        assert ran.code == code, ran
        self.number += 1
        (self.lab.home / f"said-{self.number}.txt").write_text(ran.out + ran.err, encoding="utf-8")
        return ran.out


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_nothing_of_a_sign_in_is_found_unless_sealing_is_off(
    database: str, tmp_path: Path, simulators: Simulators, request: pytest.FixtureRequest
) -> None:
    postgres: PostgresServer | None = request.getfixturevalue("postgres") if database == "postgresql" else None

    def url() -> str:
        return postgres.url(postgres.fresh()) if postgres else "sqlite:///var/hub.db"

    secret, wrong = f"planted-secret-{os.urandom(12).hex()}", f"1000.{os.urandom(16).hex()}.{os.urandom(16).hex()}"
    bank = prepared(tmp_path / "sealed", url(), simulators, secret)
    said, hidden = Said(bank, secret), [secret, wrong]
    # Wrong ways first: a wrong code, a wrong secret, an outage, a link whose answer was changed.
    said.run("connect", "zoho", stdin=wrong, code=7)
    spent = make_code(bank)
    said.run("connect", "zoho", "--json", stdin=spent, code=7, LAB_ZOHO_SECRET=f"{wrong}.{secret}")
    lost = make_code(bank)
    fault = {"match": {"path_regex": "/oauth/v2/token$"}, "action": "reset_after_commit", "times": 1}
    simulators.running["zoho"].admin.faults([fault])
    said.run("connect", "zoho", stdin=lost, code=7)
    address = browse(json.loads(said.run("connect", "zoho", "--link", "--json"))["link"])
    given = parse_qs(urlsplit(address).query)
    said.run(
        "connect", "zoho", "--code-from", "-", stdin=address.replace("accounts-server=", "accounts-server=x"), code=7
    )
    hidden += [spent, lost, given["code"][0]]
    # Then the right ones. The link that was shown holds its state, and may: it was shown to be opened.
    code = make_code(bank)
    said.run("connect", "zoho", stdin=code)
    with bank.hub() as hub:
        hidden += [code, *kept(hub)]
    address = browse(json.loads(said.run("connect", "zoho", "--link", "--json"))["link"])
    said.run("connect", "zoho", "--code-from", "-", stdin=address)
    hidden.append(parse_qs(urlsplit(address).query)["code"][0])
    said.run("check", "zoho")
    said.run("audit", "list", "--json")
    with bank.hub() as hub:
        hidden += kept(hub)
        pieces = left_behind(bank, postgres)
    assert len(hidden) == len(set(hidden)) == 11
    assert scan(hidden, pieces) == []
    assert len([name for name in pieces if name.startswith("said-")]) == said.number

    bare = prepared(tmp_path / "bare", url(), simulators, secret)
    os.environ["LAB_ZOHO_SECRET"] = secret
    try:
        with bare.hub(SealMode.OFF) as hub:
            connecting.admit(hub, "zoho", make_code(bare))
            obtained = kept(hub)
            found = scan(obtained, left_behind(bare, postgres))
    finally:
        os.environ["LAB_ZOHO_SECRET"] = "simulated-secret"
    assert {hit.value for hit in found} == set(obtained)


def test_the_scan_reads_what_the_commands_said(tmp_path: Path) -> None:
    (tmp_path / "said-1.txt").write_text("1000.planted", encoding="utf-8")
    assert [hit.place for hit in scan(["1000.planted"], files_below(tmp_path)) if hit.form == "utf-8"] == ["said-1.txt"]
