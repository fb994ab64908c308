"""10,000 real rows of a bank go from Zoho to an empty Fxiaoke and back: all arrive, nothing is left, no call is wasted.

Reads `data/bank-marketing/bank-contacts.csv` below the folder that CRMHUB_REFERENCE names; without it the test is
skipped. `-s` shows what it measured.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.cli.demo_calls import CallBook
from hub.cli.demo_lab import ENTITY, FXIAOKE, ZOHO, Lab, running_lab
from hub.cli.demo_truth import Truth, look
from hub.operations.auditing import verify_log
from hub.operations.cycles import plan, sync
from hub.operations.guards import release_guard

pytestmark = [pytest.mark.reference, pytest.mark.slow, pytest.mark.timeout(1800)]

COLUMNS = Path(__file__).with_name("bank-columns.yaml")
BACK = 150
"""Customers that somebody edits in Fxiaoke afterwards."""


@pytest.fixture(scope="module")
def table() -> Path:
    folder = os.environ.get("CRMHUB_REFERENCE")
    if not folder:
        pytest.skip("CRMHUB_REFERENCE names no folder with data/bank-marketing")
    file = Path(folder) / "data" / "bank-marketing" / "bank-contacts.csv"
    if not file.is_file():
        pytest.skip(f"{file} is not there")
    return file


@pytest.fixture
def lab(table: Path) -> Iterator[Lab]:
    loaded = {"load": str(table), "columns": str(COLUMNS)}
    with running_lab(None, lang="en", options={ZOHO: loaded, FXIAOKE: {}}) as running:
        yield running


def test_every_row_arrives_and_comes_back(lab: Lab, table: Path) -> None:
    with table.open(encoding="utf-8", newline="") as stream:
        rows = sum(1 for _ in csv.reader(stream)) - 1
    truth, book = Truth.of(lab), CallBook(lab)
    assert len(truth.homes) == len(lab.records(ZOHO, "Contacts")) == rows
    assert lab.records(FXIAOKE, "AccountObj") == []
    seconds = _Seconds(lab)

    first = plan(lab.hub, ENTITY)
    assert {name: owed["creates"] for name, owed in first.owed.items()} == {ZOHO: 0, FXIAOKE: rows}
    seconds.note("read and match", rows)
    release_guard(lab.hub, ENTITY, "first_sync", reason="10,000 rows, all new in Fxiaoke")
    book.close_cycle(ENTITY)
    _sync(lab, book)
    seconds.note("write", rows)
    assert _shown(lab.records(FXIAOKE, "AccountObj"), "customer_no__c", "remark") == _shown(
        lab.records(ZOHO, "Contacts"), "Customer_No", "Description"
    )

    again = plan(lab.hub, ENTITY)
    book.close_cycle(ENTITY)
    seconds.note("read back", rows)
    assert _owed(again.owed) == 0
    assert again.advice == ()

    edited = _edit(lab, book)
    _sync(lab, book)
    seconds.note("edits back to Zoho", len(edited))
    back = {str(row["Customer_No"]): row["Description"] for row in lab.records(ZOHO, "Contacts")}
    assert {number: back[number] for number in edited} == edited

    found = look(lab, truth)
    print(f"\n{rows} rows: {seconds}; {found}")
    for system, account in book.accounts.items():
        print(f"{system}: {account.used} calls, minimum {account.minimum}, ratio {account.ratio:.4f}, {account.parts}")
    assert (found.persons, found.both, found.duplicates, found.missing, found.unequal) == (rows, rows, 0, 0, ())
    used = sum(account.used for account in book.accounts.values())
    assert used <= 1.05 * sum(account.minimum for account in book.accounts.values())
    assert verify_log(lab.hub).ok


def _sync(lab: Lab, book: CallBook) -> None:
    lab.settle_index()
    done = sync(lab.hub, ENTITY, until_converged=True, told=lambda number, report: book.close_cycle(ENTITY) and None)
    assert done.outcome == "converged", done.advice


def _owed(owed: object) -> int:
    assert isinstance(owed, dict)
    return sum(counts[kind] for counts in owed.values() for kind in ("creates", "updates", "deletes"))


def _shown(rows: list[dict[str, object]], number: str, text: str) -> dict[str, object]:
    return {str(row[number]): row[text] for row in rows}


def _edit(lab: Lab, book: CallBook) -> dict[str, str]:
    """Edits remarks in Fxiaoke and returns what now must stand in Zoho, by customer number."""
    edited = {}
    for row in lab.records(FXIAOKE, "AccountObj")[:BACK]:
        text = f"{row['remark']}; called again"
        body = {"object": "AccountObj", "id": row["_id"], "fields": {"remark": text}}
        lab.simulators[FXIAOKE].admin.post("edit", body)
        edited[str(row["customer_no__c"])] = text
    book.expect(FXIAOKE, "AccountObj", len(edited))
    return edited


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
