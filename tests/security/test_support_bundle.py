"""The support bundle: planted values in every input, none of them in the file, and what helps still in it."""

from __future__ import annotations

import json
import os
import stat
import zipfile
from pathlib import Path

import pytest
from leak_scan import scan

from hub.app import initialise, open_installation, prepare
from hub.kernel.errors import AuditUnavailable, Declined
from hub.kernel.settings import FILE
from hub.operations.pausing import pause
from hub.operations.support import Bundle, make_bundle
from hub.store import runs, vault
from hub.store.vault import SealedTokens
from tests.acceptance.cli_lab import Lab
from tests.security.test_planted_values import Planted

HARMLESS = {"event": "page_read", "system": "zoho", "rows": 200, "run_id": "run-1", "ts": "2026-11-28T05:00:00Z"}
TOKEN, FROM_FILE, STORED = "Planted-env-77", "planted in a file", "planted sealed one"


@pytest.fixture(scope="module")
def planted() -> Planted:
    return Planted.fresh()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, planted: Planted) -> Path:
    """Is a hub folder whose every input holds planted values: settings, tables, store, log."""
    made = initialise(tmp_path_factory.mktemp("support") / "hub")
    (made / "secret").write_text(FROM_FILE, encoding="utf-8")
    (made / "secret").chmod(0o600)
    text = (made / FILE).read_text(encoding="utf-8")
    for before, after in (
        ("env:ZOHO_CLIENT_SECRET", "env:PLANTED_SECRET"),
        ("env:FXIAOKE_APP_SECRET", "file:secret"),
        ("app_id: FSAID_your_app", f"app_id: FSAID_{planted.mobile}"),
        ("profile: production", f"# {planted.name} {planted.mobile} {TOKEN}\nprofile: production"),
    ):
        assert before in text, before
        text = text.replace(before, after, 1)
    name = text[text.index("  name:") :].splitlines()[0]
    text = text.replace(name, f"  name: {planted.name}银行 {planted.id_number}", 1)
    (made / FILE).write_text(text, encoding="utf-8")
    with (made / "mappings" / "tables" / "staff.csv").open("a", encoding="utf-8") as staff:
        staff.write(f"S9,{planted.name},{planted.email},{planted.street},,\n")
    prepare(made)
    hub = open_installation(made)
    SealedTokens(hub.store, "zoho").put("credential/refresh_token", STORED.encode())
    pause(hub, "customer", f"{planted.name} asked by {planted.mobile}")
    with hub.store.begin() as work:
        runs.start(work, "run-1", "customer", "sync", f"local:{planted.name}")
        runs.end(work, "run-1", "failed", ["HUB-NET-001"], {"read": 7})
    hub.close()
    return made


@pytest.fixture(scope="module")
def log(home: Path, planted: Planted) -> Path:
    said = f"{planted.name} {planted.mobile} {TOKEN}"
    nested = {"token": "t", "y": [planted.street]}
    lines = [
        HARMLESS,
        {"event": "crashed", "error": "KeyError", "code": "HUB-000", "message": said},
        {"event": f"{planted.name} said {planted.remark}", "who": planted.email, "x": nested},
        {"event": "odd", "name": "Wang Xiaoming", planted.id_number: 1, "message": f"refused {STORED} and {FROM_FILE}"},
        {"event": "deep", "a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": {"j": planted.unreadable}}}}}}}}}},
    ]
    text = "\n".join(json.dumps(line, ensure_ascii=number % 2 == 0) for number, line in enumerate(lines))
    file = home / "hub.log"
    plain = f"\nTraceback: {planted.name} {planted.mobile} {planted.unreadable}\n\xff\n"
    file.write_bytes(text.encode() + plain.encode("latin-1", "backslashreplace") + planted.remark.encode("utf-16"))
    return file


def bundle(home: Path, file: Path, *logs: Path) -> tuple[Bundle, dict[str, bytes]]:
    made = make_bundle(home, file, lambda: open_installation(home), logs)
    with zipfile.ZipFile(file) as archive:
        return made, {name: archive.read(name) for name in archive.namelist()}


def test_nothing_planted_is_in_the_bundle_and_what_helps_is(
    home: Path, log: Path, planted: Planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANTED_SECRET", TOKEN)
    made, pieces = bundle(home, tmp_path / "b.zip", log)
    hidden = [*planted.values(), TOKEN, FROM_FILE, STORED, "Wang Xiaoming"]
    assert scan(hidden, {**pieces, "names": "\n".join(pieces).encode()}) == []
    assert stat.S_IMODE((tmp_path / "b.zip").stat().st_mode) == 0o600
    assert made.missing == ()
    assert json.loads(pieces["versions.json"])["packages"]["sqlalchemy"]
    settings = json.loads(pieces["config.json"])
    assert {"client_secret by env", "refresh_token by stored"} <= set(settings["systems"]["zoho"]["ways"])
    assert settings["entities"]["customer"]["on_delete"] == "detach"
    assert json.loads(pieces["schema.json"])["revision"].startswith("00")
    (ran,) = json.loads(pieces["runs.json"])
    assert (ran["outcome"], ran["counts"], ran["reasons"]) == ("failed", {"read": 7}, ["HUB-NET-001"])
    assert json.loads(pieces["status.json"])["pauses"][0]["scope"] == "customer"
    assert {item["name"] for item in json.loads(pieces["doctor.json"])} >= {"config", "store", "audit", "disk"}
    said = [json.loads(line) for line in pieces["logs/1.jsonl"].splitlines()]
    assert said[0] == {
        "event": "page_read",
        "system": "zoho",
        "rows": 200,
        "run_id": "run-1",
        "ts": "2026-11-28T05:00:00Z",
    }
    assert (said[1]["error"], said[1]["code"]) == ("KeyError", "HUB-000")
    hub = open_installation(home)
    with hub.store.read() as conn:
        newest = json.loads(vault.audit_tail(conn, 1)[0][2])
    hub.close()
    assert (newest["act"], newest["digest"]) == ("support.bundle", made.digest)


def test_a_broken_hub_can_be_bundled_too(tmp_path: Path) -> None:
    home = initialise(tmp_path / "hub")
    (home / FILE).write_text((home / FILE).read_text(encoding="utf-8") + "\nprofil: lab\n", encoding="utf-8")
    ran = Lab(home, None, None).here("support-bundle", str(tmp_path / "b.zip"), "--json")  # type: ignore[arg-type]
    assert ran.code == 0, ran
    assert ran.json["missing"] == ["store: HUB-CONF-001"]
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        assert b"profil" in archive.read("doctor.json")
        assert "status.json" not in archive.namelist()


def test_no_bundle_without_its_audit_row_and_none_over_another(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "b.zip"

    def refuse(*_: object) -> None:
        raise AuditUnavailable("no", "否")

    monkeypatch.setattr("hub.store.unit_of_work.UnitOfWork.audit", refuse)
    with pytest.raises(AuditUnavailable):
        make_bundle(home, file, lambda: open_installation(home))
    assert os.listdir(tmp_path) == []
    file.write_bytes(b"mine")
    with pytest.raises(Declined):
        make_bundle(home, file, lambda: open_installation(home))
    assert file.read_bytes() == b"mine"


def test_of_a_long_log_the_end_goes_along(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.operations.support.LOG_BYTES", 1000)
    log = tmp_path / "long.log"
    log.write_text("".join(f'{{"event":"e","n":{number}}}\n' for number in range(1000)), encoding="utf-8")
    _, pieces = bundle(home, tmp_path / "b.zip", log)
    numbers = [json.loads(line)["n"] for line in pieces["logs/1.jsonl"].splitlines()]
    assert numbers == list(range(numbers[0], 1000))
    assert 20 < len(numbers) < 60
