"""Training and production never mix: a production store stays one, and whatever training says is marked as such."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from connectors import registry
from connectors.base import ConnectorContext
from connectors.errors import PinMismatch
from hub.app import USED, initialise, open_installation, prepare
from hub.kernel.clock import SystemClock
from hub.kernel.errors import ConfigInvalid
from hub.kernel.settings import FILE, load_settings
from hub.operations.pausing import pause
from hub.store import vault
from hub.telemetry import configure, logger, mark
from tests.acceptance.cli_lab import Lab
from tests.security.test_transport import HUB
from tests.unit.connectors.loopback import make_certificate, serving


def set_profile(home: Path, profile: str) -> None:
    text = (home / FILE).read_text(encoding="utf-8")
    for name in ("production", "lab"):
        text = text.replace(f"\nprofile: {name}", f"\nprofile: {profile}")
    (home / FILE).write_text(text, encoding="utf-8")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = initialise(tmp_path / "hub")
    prepare(made)
    return made


def test_a_store_that_was_used_in_production_opens_in_no_lab(home: Path) -> None:
    set_profile(home, "lab")
    open_installation(home).close()  # made for production, and never used there
    set_profile(home, "production")
    hub = open_installation(home)
    pause(hub, "customer", "a change window")
    hub.close()
    set_profile(home, "lab")
    for attempt in (lambda: open_installation(home), lambda: prepare(home)):
        with pytest.raises(ConfigInvalid, match="used in production") as caught:
            attempt()
        found = caught.value.problems[0]
        assert (found.code, found.line) == ("HUB-CONF-004", line_of(home, "profile: lab"))
        assert "crmhub init" in found.en
        assert "crmhub init" in found.zh
    set_profile(home, "production")
    open_installation(home).close()


def test_a_training_folder_of_an_earlier_release_goes_on_as_one(home: Path) -> None:
    """Such a release noted what stood in the settings as the folder was made: production, before any edit."""
    set_profile(home, "lab")
    hub = open_installation(home)
    pause(hub, "customer", "training")
    hub.close()
    with closing(sqlite3.connect(home / "var" / "hub.db")) as store, store:
        assert store.execute("DELETE FROM meta WHERE key = ?", (USED,)).rowcount == 1
        assert store.execute("SELECT value FROM meta WHERE key = 'profile'").fetchall() == [("production",)]
    prepare(home)
    open_installation(home).close()


def line_of(home: Path, text: str) -> int:
    return 1 + (home / FILE).read_text(encoding="utf-8").splitlines().index(text)


def test_every_screen_and_log_line_of_a_lab_is_marked(home: Path, tmp_path: Path) -> None:
    lab = Lab(home, None, None)  # type: ignore[arg-type]
    # Training first: what was used in production opens in no lab.
    for profile, marked in (("lab", True), ("production", False)):
        set_profile(home, profile)
        # What marks an answer stands where every command gives it (Desk.answer), so two commands stand for all.
        shown = lab.here("config", "check", "--lang", "en").out
        assert shown.startswith("[lab: training, not production]\n") is marked, shown
        failed = lab.here("record", "show", "nobody", "--json", "--lang", "en")
        assert (failed.err.rstrip().endswith("[lab]"), failed.json.get("profile") == "lab") == (marked, marked)
        assert (lab.here("audit", "list", "--json").json.get("profile") == "lab") is marked
        written = io.StringIO()
        configure(SystemClock(), stream=written)
        open_installation(home).close()
        logger("sync").warning("page_read")
        assert ("profile" in json.loads(written.getvalue().splitlines()[-1])) is marked
    mark("production")


class Probe:
    """Is a connector that only shows what it was given."""

    kind = "probe"
    allowed_hosts = ("api.vendor.example",)

    def __init__(self, settings: Mapping[str, Any], context: ConnectorContext) -> None:
        self.context = context

    def close(self) -> None:
        """Has nothing to close."""


def test_a_key_that_is_not_pinned_is_in_the_audit_log(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.SHIPPED, "probe", f"{__name__}:Probe")  # type: ignore[arg-type]
    certificate = make_certificate(tmp_path)
    pins = [f"sha256/{letter * 43}=" for letter in "AB"]
    text = HUB.replace("kind: memory", "kind: probe").format(
        profile="lab", http=f"{{ca_bundle: {certificate}, pins: {pins}}}"
    )
    (home / FILE).write_text(text.replace("id: test", f"id: {tenant_of(home)}"), encoding="utf-8")
    hub = open_installation(home)
    with serving(certificate) as server:
        with pytest.raises(PinMismatch):
            hub.connect("one").context.http.send("POST", server.url, operation="x", read=False)  # type: ignore[attr-defined]
        assert server.requests == []
    with hub.store.read() as conn:
        body = json.loads(vault.audit_tail(conn, 1)[0][2])
    hub.close()
    assert (body["act"], body["outcome"], body["code"]) == ("connection.refused", "denied", "HUB-TLS-001")
    assert (body["obj"]["connection"], body["reason"]) == ("one", "127.0.0.1")


def tenant_of(home: Path) -> str:
    return load_settings(home).installation.id
