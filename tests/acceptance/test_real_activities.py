"""10,000 real contact logs and 2,000 real complaints go with their customers from Zoho to an empty Fxiaoke and back.

Reads `data/bank-marketing/bank-contacts.csv` and `data/cfpb-complaints/complaints.csv` below the folder that
CRMHUB_REFERENCE names; without them the test is skipped. `-s` shows what it measured.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from hub.cli.demo_calls import CallBook
from hub.cli.demo_children import compare
from hub.cli.demo_lab import CHILDREN, ENTITY, FXIAOKE, OBJECTS_OF, ZOHO, Lab, running_lab
from hub.cli.demo_truth import Truth, look
from hub.operations.auditing import verify_log
from hub.operations.complaints import list_complaints
from hub.operations.cycles import Preview, plan
from hub.operations.guards import release_guard
from hub.operations.rounds import sync_all
from hub.sync.cycle import FIRST_SYNC, Outcome
from tests.acceptance.real_activities import Loaded, arrived, load_complaints, load_logs, owners_of, read_table

pytestmark = [pytest.mark.reference, pytest.mark.slow, pytest.mark.timeout(1800)]

COLUMNS = Path(__file__).with_name("bank-columns.yaml")
LOGS_BACK, COMPLAINTS_BACK = 100, 50
"""Records that somebody edits in Fxiaoke afterwards."""
BAR = 1.05


@pytest.fixture(scope="module")
def tables() -> tuple[Path, Path]:
    folder = os.environ.get("CRMHUB_REFERENCE")
    if not folder:
        pytest.skip("CRMHUB_REFERENCE names no folder with data/bank-marketing and data/cfpb-complaints")
    data = Path(folder) / "data"
    files = data / "bank-marketing" / "bank-contacts.csv", data / "cfpb-complaints" / "complaints.csv"
    for file in files:
        if not file.is_file():
            pytest.skip(f"{file} is not there")
    return files


@pytest.fixture
def lab(tables: tuple[Path, Path]) -> Iterator[Lab]:
    loaded = {"load": str(tables[0]), "columns": str(COLUMNS)}
    with running_lab(None, lang="en", options={ZOHO: loaded, FXIAOKE: {}}) as running:
        yield running


def test_every_log_and_complaint_arrives_with_its_customer_and_comes_back(lab: Lab, tables: tuple[Path, Path]) -> None:
    truth, seconds = Truth.of(lab), _Seconds(lab)
    contacts, complaints = (read_table(file) for file in tables)
    customers = [homes[ZOHO] for _, homes in sorted(truth.homes.items())]
    logs = load_logs(lab, contacts, customers)
    cases = load_complaints(lab, complaints, customers)
    numbers = {str(row["id"]): str(row["Customer_No"]) for row in lab.records(ZOHO, "Contacts")}
    seconds.note("load", len(logs) + len(cases))
    books = _Books(lab)

    # What logs say of their customers (when one was last contacted) goes out with the first sync.
    for entity in (ENTITY, *CHILDREN, ENTITY):
        first = _plan(lab, books, entity)
    answered = sum(row["duration"] != "0" for row in contacts)
    assert (first.owed[FXIAOKE]["creates"], first.owed[ZOHO]["updates"]) == (len(customers), answered)
    seconds.note("read and match", len(customers) + len(logs) + len(cases))
    for entity in OBJECTS_OF:
        release_guard(lab.hub, entity, FIRST_SYNC, reason="real rows, all new in Fxiaoke")
    _sync(lab, books)
    seconds.note("write", len(customers) + len(logs) + len(cases))
    _check(lab, logs, cases, numbers)
    _check_standing(lab, complaints)

    for entity in OBJECTS_OF:
        again = _plan(lab, books, entity)
        assert (_owed(again), again.advice) == (0, ()), (entity, again)
    seconds.note("second plan", len(customers) + len(logs) + len(cases))

    edited = _edit(lab, books)
    _sync(lab, books)
    seconds.note("edits back to Zoho", len(edited))
    assert _shown(lab, edited) == edited
    for entity in OBJECTS_OF:
        assert _owed(_plan(lab, books, entity)) == 0, entity

    found = look(lab, truth)
    print(f"\n{len(customers)} customers, {len(logs)} logs, {len(cases)} complaints: {seconds}; {found}")
    assert (found.both, found.duplicates, found.missing, found.unequal) == (len(customers), 0, 0, ())
    books.check()
    assert verify_log(lab.hub).ok


def _check(lab: Lab, logs: list[Loaded], cases: list[Loaded], numbers: Mapping[str, str]) -> None:
    """Fails unless every row stands in Fxiaoke as it stands in its table, and both systems show the same."""
    for object_, loaded in (("ActiveRecordObj", logs), ("complaint__c", cases)):
        wrong = list(arrived(lab, object_, loaded, numbers))
        assert not wrong, (len(wrong), wrong[:5])
    for entity, loaded in (("contact_log", logs), ("complaint", cases)):
        same = compare(lab, entity)
        assert (same.both, same.alone, same.differing) == (len(loaded), 0, {}), same


def _check_standing(lab: Lab, rows: list[dict[str, str]]) -> None:
    """Fails unless the gaps of the table are seen: nobody wrote down when a complaint was answered."""
    going = sum(row["Company response"] == "In progress" for row in rows)
    counted = list_complaints(lab.hub, limit=1).counts
    named = ("open", "overdue", "closed_without_feedback")
    assert [counted[name] for name in named] == [going, going, len(rows) - going]


def _plan(lab: Lab, books: _Books, entity: str) -> Preview:
    lab.settle_index()
    made = plan(lab.hub, entity)
    books.close(entity)
    return made


def _sync(lab: Lab, books: _Books) -> None:
    lab.settle_index()
    done = sync_all(
        lab.hub,
        tuple(OBJECTS_OF),
        until_converged=True,
        told=lambda entity, number, report: books.close(entity),
    )
    assert [item.outcome for item in done] == [Outcome.CONVERGED] * len(OBJECTS_OF), [item.advice for item in done]


def _owed(found: Preview) -> int:
    return sum(counts[kind] for counts in found.owed.values() for kind in ("creates", "updates", "deletes"))


def _edit(lab: Lab, books: _Books) -> dict[str, str]:
    """Edits logs and complaints in Fxiaoke; returns what now must stand in Zoho, by hub id."""
    edited = {}
    for object_, name, number in (
        ("ActiveRecordObj", "active_record_content", LOGS_BACK),
        ("complaint__c", "description__c", COMPLAINTS_BACK),
    ):
        for row in lab.records(FXIAOKE, object_)[:number]:
            text = f"{row[name]}; called back"
            lab.simulators[FXIAOKE].admin.post("edit", {"object": object_, "id": row["_id"], "fields": {name: text}})
            edited[str(row["hub_id__c"])] = text
        books.book.expect(FXIAOKE, object_, number)
    return edited


def _shown(lab: Lab, wanted: Mapping[str, str]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for module in ("Calls", "Cases"):
        rows = {str(row["id"]): row["Description"] for row in lab.records(ZOHO, module)}
        owners = owners_of(lab, ZOHO, module, list(rows))
        shown |= {owners[native_id]: text for native_id, text in rows.items() if owners[native_id] in wanted}
    return shown


class _Books:
    """Counts the calls of each entity apart."""

    def __init__(self, lab: Lab) -> None:
        self.book = CallBook(lab)
        self._spent = {(entity, system): [0, 0] for entity in OBJECTS_OF for system in OBJECTS_OF[entity]}
        for system in self.book.accounts:
            self._spent[ENTITY, system][1] = 1  # the sign-in

    def close(self, entity: str) -> None:
        before = {system: (item.used, item.minimum) for system, item in self.book.accounts.items()}
        self.book.close_cycle(entity)
        for system, item in self.book.accounts.items():
            spent = self._spent[entity, system]
            spent[0] += item.used - before[system][0]
            spent[1] += item.minimum - before[system][1]

    def check(self) -> None:
        """Prints the arithmetic and fails where an entity or a system needed more than 5 % above the minimum."""
        for system, account in self.book.accounts.items():
            parts = " + ".join(f"{number:,} {name}" for name, number in account.parts.items() if number)
            print(f"{system}: {account.used:,} calls, minimum {account.minimum:,} = {parts}; {account.apart} apart")
            assert account.used <= BAR * account.minimum, (system, account)
        for entity in OBJECTS_OF:
            used, least = (sum(self._spent[entity, system][at] for system in OBJECTS_OF[entity]) for at in (0, 1))
            print(f"{entity}: {used:,} calls, minimum {least:,}, ratio {used / least:.4f}")
            assert used <= BAR * least, (entity, self._spent)


class _Seconds:
    """Notes how long each part took and how many records a second that were."""

    def __init__(self, lab: Lab) -> None:
        self._clock, self._at = lab.clock, lab.clock.now()
        self._parts: list[str] = []

    def note(self, part: str, records: int) -> None:
        now = self._clock.now()
        self._parts.append(f"{part} {now - self._at:.1f} s ({records / max(now - self._at, 0.001):.0f}/s)")
        self._at = now

    def __str__(self) -> str:
        return ", ".join(self._parts)
