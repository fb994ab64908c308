"""A customer is erased: refused while anything speaks for keeping it, unreadable afterwards, kept out, let in again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from laboratory import ENTITY, INDEX_LAG, Bank, Simulators, make_home

from hub.cli.main import run
from hub.core.state import GoldenRecord, GoldenState
from hub.crypto.errors import EnvelopeBroken
from hub.kernel.errors import Declined
from hub.keys.rows import Purpose
from hub.operations import audit_data, cycles, erasing, holdouts, inspection, keys, rotating
from hub.operations.audit_search import list_log
from hub.operations.auditing import verify_log
from hub.operations.cycles import Synced
from hub.operations.installation import Installation
from hub.store import erasure, records
from hub.store.records import Write
from hub.store.rotations import Phase
from hub.store.tables import golden, subject_key

RULES = "    prefer: [zoho, fxiaoke]\n    on_delete: propagate\n    keep_days: 3650\n"
GUARDS = "    guards:\n      max_shrink_percent: 90\n      max_deletes: {count: 20, percent: 100.0}\n"
NAME, PHONE = "欧阳删除", "13912345678"


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Bank]:
    simulators = Simulators.start()
    made = Bank(tmp_path / "hub", simulators)
    simulators.running["fxiaoke"].admin.post("lag", {"seconds": INDEX_LAG})
    make_home(made.home, "sqlite:///var/hub.db", simulators)
    file = made.home / "config" / "hub.yaml"
    text = file.read_text(encoding="utf-8").replace("    prefer: [zoho, fxiaoke]\n", RULES)
    file.write_text(text.replace("    guards:\n", GUARDS), encoding="utf-8")
    yield made
    simulators.stop()


def sync(hub: Installation) -> Synced:
    time.sleep(INDEX_LAG + 0.05)
    return cycles.sync(hub, ENTITY, until_converged=True)


def make(bank: Bank, name: str, phone: str) -> str:
    fields = {"name": name, "tel": phone, "account_type": "1"}
    admin = bank.simulators.running["fxiaoke"].admin
    return str(admin.post("create", {"object": "AccountObj", "fields": fields})["id"])


def hub_id_of(hub: Installation, native_id: str) -> str:
    with hub.store.read() as conn:
        return records.bindings_by_native(conn, "fxiaoke", "AccountObj", [native_id])[native_id].hub_id


def keep_days(bank: Bank, days: int) -> None:
    file = bank.home / "config" / "hub.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("keep_days: 3650", f"keep_days: {days}"), encoding="utf-8")


def test_a_person_is_erased_kept_out_and_let_in_again(bank: Bank, capsys: pytest.CaptureFixture[str]) -> None:
    with bank.hub() as hub:
        native, other = make(bank, NAME, PHONE), make(bank, "无关者", "13800001111")
        sync(hub)
        hub_id = hub_id_of(hub, native)
        with hub.store.read() as conn:
            old = conn.execute(sa.select(golden.c.blob, golden.c.revision, golden.c.subject_id)).all()
            key = conn.execute(sa.select(subject_key)).all()
        with pytest.raises(Declined, match=r"must be kept .*keep_days"):
            erasing.erase_record(hub, hub_id, "letter of the customer")
    keep_days(bank, 0)
    with bank.hub() as hub:
        refused(bank, hub, hub_id)
        bank.simulators.running["fxiaoke"].admin.post("delete", {"object": "AccountObj", "id": native})
        cycles.reconcile_entity(hub, ENTITY)
        sync(hub)
        made = erasing.erase_record(hub, hub_id, f"letter of {PHONE}", "GDPR-1")
        assert made.records == {"customer": 1}
        assert PHONE not in made.reason, "a reason is no place for values"
        gone(hub, hub_id, old, key)
        new_digest_key(hub)
        assert inspection.show_record(hub, hub_id_of(hub, other)).state == "live"
        kept_out(bank, hub, hub_id, native)
        let_in(bank, hub, hub_id, native)
        acts = [row["act"] for row in list_log(hub, about=hub_id)]
        assert acts[-2:] == ["record.erase", "record.admit"]
        assert verify_log(hub).first_bad is None
    assert run(["erasure", "list", "--home", str(bank.home), "--lang", "zh"]) == 0
    assert "GDPR-1" in capsys.readouterr().out


def new_digest_key(hub: Installation) -> None:
    """Neither an erased record nor a digest under an older key is a false alarm; without that key it is unclear."""
    [first] = [row for row in keys.list_keys(hub).keys if row.purpose == Purpose.DIGEST]
    rotating.begin_rotation(hub, Purpose.DIGEST, "yearly")
    while rotating.advance(hub, Purpose.DIGEST)[0].phase is not Phase.DONE:
        pass
    told = audit_data.compare(hub)
    assert told.records > 1
    assert not told.findings
    assert not told.unclear
    keys.retire_key(hub, first.id, "yearly")
    told = audit_data.compare(hub)
    assert {item.kind for item in told.unclear} == {"retired"}
    assert not told.findings
    keys.retire_key(hub, first.id, "compare", undo=True)


def refused(bank: Bank, hub: Installation, hub_id: str) -> None:
    with pytest.raises(Declined, match="--reason"):
        erasing.erase_record(hub, hub_id, "  ")
    with pytest.raises(Declined, match="systems still hold it"):
        erasing.erase_record(hub, hub_id, "letter of the customer")
    held = erasing.place_hold(hub, hub_id, "court file 12", "C-12")
    with pytest.raises(Declined, match=held.legal_hold_id):
        erasing.erase_record(hub, hub_id, "letter of the customer")
    assert [item.legal_hold_id for item in erasing.list_holds(hub)] == [held.legal_hold_id]
    erasing.lift_hold(hub, held.legal_hold_id, "case closed")
    assert erasing.list_holds(hub) == []
    with pytest.raises(Declined, match="no legal hold"):
        erasing.lift_hold(hub, held.legal_hold_id, "case closed")


def gone(hub: Installation, hub_id: str, old: list[object], key: list[object]) -> None:
    """Nothing of the record is left but its id, and its old blob opens under no key that the store still has."""
    shown = inspection.show_record(hub, hub_id)
    assert shown.state == "erased"
    assert [item.value for item in shown.fields if item.value] == []
    assert inspection.show_timeline(hub, hub_id)[1] == ()
    with pytest.raises(Declined, match="erased already"):
        erasing.erase_record(hub, hub_id, "again")
    blobs = {row.subject_id: row for row in old}  # type: ignore[attr-defined]
    with hub.store.read() as conn:
        subject = conn.execute(sa.select(golden.c.subject_id).where(golden.c.hub_id == hub_id)).scalar_one()
        records.load_subjects(conn, hub.store.ring, [hub_id])
        now = conn.execute(sa.select(subject_key.c.wrapped).where(subject_key.c.subject_id == subject)).scalar_one()
    assert bytes(now) not in {bytes(row.wrapped) for row in key}  # type: ignore[attr-defined]
    row = blobs[subject]
    with pytest.raises(EnvelopeBroken):
        hub.store.ring.open_record("golden", hub_id, subject, row.revision, bytes(row.blob))


def kept_out(bank: Bank, hub: Installation, hub_id: str, native: str) -> None:
    """The record brought back in its system, and the same person typed in anew, are both held out with no payload."""
    bank.simulators.running["fxiaoke"].admin.post("restore", {"object": "AccountObj", "id": native})
    fields = {"Last_Name": NAME[:2], "First_Name": NAME[2:], "Mobile": PHONE}
    again = bank.simulators.running["zoho"].admin.post("create", {"object": "Contacts", "fields": fields})["id"]
    sync(hub)
    held = {row.native_id: row for row in holdouts.list_held(hub)}
    assert {name: row.code for name, row in held.items()} == {native: "HUB-ERASE-001", again: "HUB-ERASE-002"}
    assert all(hub_id in row.en and hub_id in row.zh for row in held.values())
    with hub.store.read() as conn:
        assert records.totals(conn) == {"customer:erased": 1, "customer:live": 1}
    with pytest.raises(Declined, match="still at fault"):
        holdouts.retry_held(hub, held[native].quarantine_id)
    bank.simulators.running["zoho"].admin.post("delete", {"object": "Contacts", "id": again})
    sync(hub)


def let_in(bank: Bank, hub: Installation, hub_id: str, native: str) -> None:
    """Who is admitted comes back as somebody new, in both systems."""
    erasing.admit_again(hub, hub_id, "a new contract")
    with pytest.raises(Declined, match="admitted already"):
        erasing.admit_again(hub, hub_id, "a new contract")
    row = next(row for row in holdouts.list_held(hub) if row.native_id == native)
    holdouts.retry_held(hub, row.quarantine_id)
    sync(hub)
    fresh = hub_id_of(hub, native)
    assert fresh != hub_id
    assert inspection.show_record(hub, fresh).state == "live"
    assert sum(1 for row in bank.simulators.rows("zoho", "Contacts") if row.get("Mobile", "").endswith(PHONE)) == 1


def test_a_restored_backup_says_whom_to_erase_again(bank: Bank, capsys: pytest.CaptureFixture[str]) -> None:
    keep_days(bank, 0)
    backup = bank.home / "backup.crmhub"
    with bank.hub() as hub:
        for hub_id in ("early", "late"):
            made = GoldenRecord(hub_id, "customer", {}, {"*": "zoho"}, 1, subject_id=f"s-{hub_id}")
            with hub.store.begin() as work:
                records.write(work, [Write(None, made, (), {}, {})])
        erasing.erase_record(hub, "early", "letter")
    assert run(["backup", str(backup), "--home", str(bank.home)]) == 0
    with bank.hub() as hub:
        erasing.erase_record(hub, "late", "letter")
    capsys.readouterr()
    assert run(["restore", str(backup), "--replace", "--home", str(bank.home), "--lang", "en"]) == 0
    said = capsys.readouterr().out
    assert "crmhub erasure run late" in said
    assert "erasure run early" not in said
    with bank.hub() as hub:
        assert erasing.erase_record(hub, "late", "letter, after a restore").records == {"customer": 1}


def test_what_belongs_to_a_customer_goes_with_it_and_a_complaint_stays(bank: Bank) -> None:
    keep_days(bank, 0)
    with bank.hub() as hub:
        with hub.store.begin() as work:
            for hub_id, entity in (("c", "customer"), ("log", "contact_log"), ("complaint", "complaint")):
                fields = {} if entity == "customer" else {"customer_id": "c"}
                made = GoldenRecord(hub_id, entity, fields, {"*": "zoho"}, 1, subject_id=f"s-{hub_id}")
                records.write(work, [Write(None, made, (), {}, {}, tuple(fields))])
        with hub.store.read() as conn:
            assert {item.hub_id for item in erasure.family(conn, "c", erasing.OWNED)} == {"c", "log"}
            assert {item.hub_id for item in erasure.family(conn, "complaint", erasing.OWNED)} == {"complaint"}
        assert erasing.erase_record(hub, "c", "letter").records == {"customer": 1, "contact_log": 1}
        with hub.store.read() as conn:
            found = records.load_golden(conn, hub.store.ring, ["c", "log", "complaint"])
        assert {hub_id: item.state for hub_id, item in found.items()} == {
            "c": GoldenState.ERASED,
            "log": GoldenState.ERASED,
            "complaint": GoldenState.LIVE,
        }
        assert found["log"].fields == {}
