"""A person's decisions from the command line: asked, answered, carried out on both sides, audited, masked."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.cli_lab import SECRETS, Lab, Ran, make_lab

GRANTED, WITHDRAWN = "option1", "option3"


class Terminal:
    """Runs commands in this process and keeps everything they ever showed."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.shown: list[str] = []

    def __call__(self, *words: str, stdin: str = "") -> Ran:
        ran = self.lab.here(*words, stdin=stdin)
        if "--reveal" not in words:
            self.shown.append(ran.out + ran.err)
        return ran

    def ask(self, *words: str) -> dict[str, Any]:
        ran = self(*words, "--json")
        assert ran.code in (0, 11), ran
        return ran.json

    def settle(self) -> Ran:
        return self("sync", "--until-converged")

    def refused(self, *words: str, code: str = "HUB-REQ-409", says: str = "") -> None:
        ran = self(*words)
        assert ran.code == 3, ran
        assert ran.err.startswith(code), ran
        assert says in ran.err, ran


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    lab = make_lab(tmp_path_factory.mktemp("decisions") / "hub", records=25)
    yield Terminal(lab)
    lab.zoho.stop()
    lab.fxiaoke.stop()


@pytest.fixture(scope="module")
def synced(terminal: Terminal) -> Terminal:
    """Goes the way of the README: plan, read, decide, release, sync."""
    assert "crmhub check" in terminal("status").out
    planned = terminal.ask("plan", "--limit", "3")["plan"]
    assert sum(owed["creates"] for owed in planned["owed"].values()) > 0
    assert all(len(actions) <= 3 for actions in planned["actions"].values())
    stopped = terminal("sync")
    assert stopped.code == 11
    assert "guard release first_sync" in stopped.out
    assert not terminal.lab.zoho.admin.calls()["calls"].get("insert Contacts")
    for question in terminal.ask("match", "list")["questions"]:
        link = question["candidates"][0]["hub_id"]
        terminal.refused("match", "decide", question["question_id"], says="--link")
        assert terminal("match", "decide", question["question_id"], "--new").code == 0
        undone = terminal.ask("match", "undo", question["question_id"])["question"]
        terminal.refused("match", "decide", question["question_id"], "--new", says="moved")
        question["question_id"] = undone
        assert terminal("match", "decide", question["question_id"], "--link", link).code == 0
    terminal.refused("guard", "release", "first_sync", "--reason", " ", says="reason")
    terminal.refused("guard", "release", "mass_delete", "--reason", "x", says="guard list")
    assert terminal("guard", "release", "first_sync", "--reason", "plan read").code == 0
    terminal.refused("guard", "release", "first_sync", "--reason", "again")
    assert terminal.settle().code in (0, 11)
    for conflict in terminal.ask("conflict", "list")["conflicts"]:
        assert terminal("conflict", "resolve", conflict["id"], "--keep").code == 0
    assert terminal.settle().code == 0
    return terminal


@pytest.fixture
def place(synced: Terminal) -> tuple[str, str, str]:
    """Is one customer that both sides have: hub id, native id in Contacts, native id in AccountObj."""
    return _place(synced)


@pytest.fixture
def other_place(synced: Terminal) -> tuple[str, str, str]:
    return _place(synced)


def _place(synced: Terminal) -> tuple[str, str, str]:
    taken = getattr(synced, "taken", 0)
    synced.taken = taken + 1  # type: ignore[attr-defined]
    native = sorted(row["id"] for row in synced.lab.zoho.admin.records("Contacts"))[taken]
    found = synced.ask("record", "show", f"zoho:{native}")["record"]
    there = next(b["native_id"] for b in found["bindings"] if b["system"] == "fxiaoke")
    return found["hub_id"], native, there


def _edit_zoho(terminal: Terminal, native_id: str, **fields: object) -> None:
    terminal.lab.zoho.admin.post("edit", {"object": "Contacts", "id": native_id, "fields": fields})


def _edit_fxiaoke(terminal: Terminal, native_id: str, **fields: object) -> None:
    terminal.lab.fxiaoke.admin.post("edit", {"object": "AccountObj", "id": native_id, "fields": fields})


def _zoho(terminal: Terminal, native_id: str) -> dict[str, Any]:
    found = next(row for row in terminal.lab.zoho.admin.records("Contacts") if row["id"] == native_id)
    return {**found, **found.get("fields", {})}


def _fxiaoke(terminal: Terminal, native_id: str) -> dict[str, Any]:
    return next(row for row in terminal.lab.fxiaoke.admin.records("AccountObj") if row["_id"] == native_id)


def _waiting(terminal: Terminal, kind: str, hub_id: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = [q for q in terminal.ask(kind, "list")[f"{kind}s"] if q["hub_id"] == hub_id]
    assert len(found) == 1
    return found[0]


def test_a_conflict_is_settled_for_both_sides(synced: Terminal, place: tuple[str, str, str]) -> None:
    hub_id, contact, account = place
    _edit_zoho(synced, contact, Description="call 13912345678 on Monday")
    _edit_fxiaoke(synced, account, remark="call on Friday")
    ran = synced("sync")
    assert ran.code == 11
    assert "crmhub conflict list" in ran.out
    asked = _waiting(synced, "conflict", hub_id)
    assert dict(asked["candidates"]) == {"zoho": "call 139****5678 on Monday", "fxiaoke": "call on Friday"}
    synced.refused("conflict", "resolve", asked["id"], says="exactly one")
    synced.refused("conflict", "resolve", asked["id"], "--take", "nobody", says="not a candidate")
    synced.refused("conflict", "resolve", "0190-unknown", "--keep", code="HUB-REQ-404")

    _edit_fxiaoke(synced, account, remark="call on Sunday")
    assert synced("sync").code == 11
    fresh = _waiting(synced, "conflict", hub_id)
    assert fresh["id"] != asked["id"]
    synced.refused("conflict", "resolve", asked["id"], "--take", "zoho", says=fresh["id"])

    assert "13912345678" in synced("conflict", "show", fresh["id"], "--reveal", "--reason", "client called").out
    assert synced("conflict", "resolve", fresh["id"], "--take", "zoho").code == 0
    assert synced.settle().code == 0
    assert _fxiaoke(synced, account)["remark"] == "call 13912345678 on Monday"
    synced.refused("conflict", "resolve", fresh["id"], "--keep", says="no longer open")
    history = synced("record", "timeline", hub_id).out
    assert "call on Sunday" in history
    why = synced.ask("record", "timeline", hub_id)["changes"][-1]["why"]
    assert (why["rule"], why["by"][:6], why["run_by"][:6]) == ("conflict.resolve", "local:", "local:")
    assert [(said["system"], said["outcome"]) for said in why["answers"]] == [("fxiaoke", "success")]
    decided = synced.ask("audit", "show", why["row"])["entry"]["entry"]
    assert (decided["act"], decided["obj"]["id"]) == ("golden.change", hub_id)
    acts = [e["act"] for e in synced.ask("audit", "list", "--about", hub_id)["entries"]]
    assert {"record.reveal", "conflict.resolve"} <= set(acts)


def test_a_hold_is_rejected_and_the_edit_of_a_person_is_not_held(synced: Terminal, place: tuple[str, str, str]) -> None:
    hub_id, _, account = place
    assert synced("record", "edit", hub_id, "--set", "contact_consent=withdrawn").code == 0
    assert synced.settle().code == 0
    assert _fxiaoke(synced, account)["contact_consent__c"] == WITHDRAWN
    _edit_fxiaoke(synced, account, contact_consent__c=GRANTED)
    assert synced("sync").code == 11
    held = _waiting(synced, "hold", hub_id)
    assert (held["rule"], held["system"], held["golden"]) == ("consent_loosened", "fxiaoke", "withdrawn")
    synced.refused("hold", "resolve", held["id"], says="--accept or --reject")
    assert synced("hold", "resolve", held["id"], "--reject").code == 0
    assert synced.settle().code == 0
    assert _fxiaoke(synced, account)["contact_consent__c"] == WITHDRAWN


def _alike(terminal: Terminal, one: str, other: str) -> None:
    """Gives one contact the name and the mobile number of another, as duplicates have them."""
    stands = _zoho(terminal, other)
    _edit_zoho(terminal, one, **{name: stands.get(name) for name in ("Last_Name", "First_Name", "Mobile")})


def test_a_merge_is_proposed_shown_and_joined_with_a_reason(
    synced: Terminal, place: tuple[str, str, str], other_place: tuple[str, str, str]
) -> None:
    (lost, contact, account), (kept, survivor, beside) = place, other_place
    _edit_zoho(synced, contact, Mobile="13712340001", Description="kept by nobody else")
    _edit_zoho(synced, survivor, Description=None)
    assert synced.settle().code == 0
    _alike(synced, survivor, contact)
    assert synced.settle().code == 0
    synced.lab.zoho.admin.post("merge", {"object": "Contacts", "id": survivor, "losers": [contact]})
    assert synced.settle().code == 11
    asked = _waiting(synced, "hold", lost)
    assert (asked["rule"], dict(asked["candidates"])) == ("merge", {"zoho": f"-> {kept}"})
    assert "--reason" in synced("hold", "show", asked["id"]).out
    synced.refused("hold", "resolve", asked["id"], "--accept", says="--reason TEXT")
    assert synced("hold", "resolve", asked["id"], "--accept", "--reason", "same passport").code == 0
    ran = synced.settle()
    assert (ran.code, "crmhub match merges" in ran.out) == (11, True)
    assert synced.ask("record", "show", lost)["record"]["state"] == "merged_into"
    for command in ("show", "timeline"):
        assert f"merged into {kept}" in synced("record", command, lost).out
        assert f"took in {lost}" in synced("record", command, kept).out
    (left,) = synced.ask("match", "merges")["merges"]
    assert (left["system"], left["native_id"], left["beside"], left["heir_id"]) == ("fxiaoke", account, beside, kept)
    assert _fxiaoke(synced, beside)["remark"] == "kept by nobody else"
    synced.refused("record", "edit", lost, "--set", "remark=x", says="merged_into")
    acts = {e["act"]: e for e in synced.ask("audit", "list", "--about", lost)["entries"]}
    assert {"hold.resolve", "golden.merge"} <= acts.keys()
    assert "same passport" in json.dumps(acts["hold.resolve"])
    # A person merges the two there as well: nothing is left to do.
    synced.lab.fxiaoke.admin.post("delete", {"object": "AccountObj", "id": account})
    assert synced("reconcile").code == 0
    assert synced.settle().code == 0
    assert synced.ask("match", "merges")["merges"] == []


def test_edits_join_and_what_cannot_be_edited_is_refused(synced: Terminal, place: tuple[str, str, str]) -> None:
    hub_id, contact, account = place
    for words, says in (
        (("--set", "nonsense=1"), "has no field"),
        (("--set", "lifecycle_changed_at=2026-01-01T00:00:00Z"), "computed"),
        (("--set", "loyalty_points=5"), "one authority"),
        (("--set", "gender=other"), "male, female"),
        (("--set", "mobile_phone=139****5678"), "masked"),
        (("--clear", "full_name"), "required"),
        (("--set", "broken"), "FIELD=VALUE"),
        ((), "at least one field"),
    ):
        synced.refused("record", "edit", hub_id, *words, says=says)
    synced.refused("record", "edit", "fxiaoke:none", "--clear", "remark", code="HUB-REQ-404")
    assert synced("record", "edit", hub_id, "--set", "satisfaction_score=2").code == 0
    assert (
        synced("record", "edit", f"fxiaoke:{account}", "--file", "-", stdin='{"remark": "写入 13712345678"}').code == 0
    )
    assert synced.ask("record", "show", hub_id)["record"]["staged"] == ["remark", "satisfaction_score"]
    assert synced.settle().code == 0
    assert _zoho(synced, contact)["Description"] == "写入 13712345678"
    assert _fxiaoke(synced, account)["remark"] == "写入 13712345678"
    assert str(_zoho(synced, contact)["Satisfaction_Score"]) == "2"


def test_a_refused_value_waits_in_quarantine_until_the_rule_is_gone(
    synced: Terminal, place: tuple[str, str, str]
) -> None:
    hub_id, _, account = place
    rule = {"object": "AccountObj", "field": "remark", "values": ["refuse me"], "refuse": "not allowed here"}
    rule["workflow_only"] = False  # type: ignore[assignment]
    synced.lab.fxiaoke.admin.post("rules", {"rules": [rule]})
    try:
        assert synced("record", "edit", hub_id, "--set", "remark=refuse me").code == 0
        assert synced("sync").code == 11
        rows = synced.ask("quarantine", "list")["quarantine"]
        assert [(r["hub_id"], r["system"]) for r in rows] == [(hub_id, "fxiaoke")]
        calls = synced.lab.fxiaoke.admin.calls()["calls"].get("update", 0)
        assert synced("sync").code == 11
        assert synced.lab.fxiaoke.admin.calls()["calls"].get("update", 0) == calls
    finally:
        synced.lab.fxiaoke.admin.post("rules", {"rules": []})
    assert synced("quarantine", "retry", rows[0]["quarantine_id"]).code == 0
    assert synced.settle().code == 0
    assert _fxiaoke(synced, account)["remark"] == "refuse me"
    synced.refused("quarantine", "retry", rows[0]["quarantine_id"], says="not open")


def test_an_unreadable_record_is_read_again_when_it_was_corrected(
    synced: Terminal, place: tuple[str, str, str]
) -> None:
    _, contact, account = place
    _edit_fxiaoke(synced, account, birth_date__c=253402300800000, remark="far future")
    assert synced("sync").code == 11
    [row] = synced.ask("quarantine", "list")["quarantine"]
    assert (row["code"], row["direction"], row["native_id"]) == ("HUB-VALUE-001", "in", account)
    synced.refused("quarantine", "retry", row["quarantine_id"], says="still at fault")
    [again] = synced.ask("quarantine", "list")["quarantine"]
    _edit_fxiaoke(synced, account, birth_date__c=None)
    assert synced("quarantine", "retry", again["quarantine_id"]).code == 0
    assert synced.settle().code == 0
    assert synced.ask("quarantine", "list")["quarantine"] == []
    assert _zoho(synced, contact)["Description"] == "far future"


def test_values_are_masked_and_a_reveal_needs_a_reason(synced: Terminal, place: tuple[str, str, str]) -> None:
    hub_id, contact, _ = place
    phone = str(_zoho(synced, contact)["Mobile"] or "")
    synced.refused("record", "show", hub_id, "--reveal", says="--reason")
    before = len(synced.ask("audit", "list", "--act", "record.reveal")["entries"])
    revealed = synced("record", "show", hub_id, "--reveal", "--reason", "ticket 12")
    assert phone[-11:] in revealed.out
    after = synced.ask("audit", "list", "--act", "record.reveal")["entries"]
    assert len(after) == before + 1
    assert after[-1]["reason"] == "ticket 12"


def test_reconcile_resync_match_report_and_audit(synced: Terminal, place: tuple[str, str, str]) -> None:
    hub_id, _, _ = place
    assert synced.ask("record", "resync", hub_id)["systems"] == {"fxiaoke": True, "zoho": True}
    found = synced.ask("reconcile", "customer")["differences"]
    assert found
    assert all((d["missing"], d["extra"], d["stopped"]) == (0, 0, None) for d in found)
    truth = synced.lab.home / "truth.json"
    truth.write_text(json.dumps(synced.lab.zoho.admin.truth()), encoding="utf-8")
    score = synced.ask("match", "report", "--truth", str(truth))["truth"]
    assert (score["split"], score["mixed"]) == (0, 0)
    assert synced.ask("audit", "verify")["rows"] > 20
    assert synced("doctor").code == 0
    assert synced.ask("audit", "verify", "--data")["data"]["findings"] == []
    with sqlite3.connect(synced.lab.home / "var" / "hub.db") as conn:
        before = conn.execute("SELECT * FROM golden WHERE hub_id = ?", (hub_id,)).fetchone()
        assert synced("record", "edit", hub_id, "--set", "customer_tier=gold").code == 0
        assert synced.settle().code == 0
        after = conn.execute("SELECT * FROM golden WHERE hub_id = ?", (hub_id,)).fetchone()
        # One with all rights over the database puts the sealed row of yesterday back.
        conn.execute("PRAGMA foreign_keys=OFF")
        marks = ", ".join("?" * len(before))
        conn.execute(f"REPLACE INTO golden VALUES ({marks})", before)
        conn.commit()
        told = synced("audit", "verify", "--data")
        assert told.code == 2
        assert hub_id in told.out
        assert "customer_tier" in told.out
        conn.execute(f"REPLACE INTO golden VALUES ({marks})", after)
    conn.close()
    assert synced("audit", "verify", "--data").code == 0


def test_nothing_shown_ever_held_a_whole_personal_value(synced: Terminal) -> None:
    shown = "\n".join(synced.shown)
    people = [_zoho(synced, row["id"]) for row in synced.lab.zoho.admin.records("Contacts")]
    secrets = {str(p[name])[-11:] for p in people for name in ("Mobile", "Phone") if p.get(name)}
    secrets |= {str(p["Email"]) for p in people if p.get("Email")}  # a masked address shows its domain
    secrets |= {"13912345678", "13712345678", *SECRETS.values()}
    assert len(secrets) > 20
    assert [value for value in secrets if value in shown] == []
    assert re.search(r"\d{3}\*{4}\d{4}", shown)
