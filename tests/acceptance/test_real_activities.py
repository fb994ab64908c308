"""10,000 real contact logs and 2,000 real complaints go with their customers from Zoho to an empty Fxiaoke and back.

A daemon in a process of its own brings them over: it reads everything, waits at the guard of the first sync, and goes
on once `crmhub guard release` lets it. It needs `data/bank-marketing/bank-contacts.csv` and
`data/cfpb-complaints/complaints.csv` below the folder that CRMHUB_REFERENCE names. `-s` shows what it measured.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hub.cli.demo_calls import APART, BATCH, CREATES, PAGE, SEPARATE
from hub.cli.demo_children import compare
from hub.cli.demo_lab import ENTITY, FXIAOKE, OBJECTS_OF, ZOHO, Lab, running_lab
from hub.cli.demo_truth import Truth, look
from hub.kernel.settings import FILE
from hub.operations import scheduling
from hub.operations.auditing import verify_log
from hub.operations.complaints import list_complaints
from hub.operations.cycles import Preview, plan
from hub.operations.guards import list_guards
from hub.sync.cycle import FIRST_SYNC
from tests.acceptance.real_activities import Loaded, arrived, load_complaints, load_logs, owners_of, read_table
from tests.scenarios.daemon_process import Process, free_port, hurry

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


def test_every_log_and_complaint_arrives_with_its_customer_and_comes_back(
    lab: Lab, tables: tuple[Path, Path], tmp_path: Path
) -> None:
    truth, seconds = Truth.of(lab), _Seconds(lab)
    contacts, complaints = (read_table(file) for file in tables)
    customers = [homes[ZOHO] for _, homes in sorted(truth.homes.items())]
    logs = load_logs(lab, contacts, customers)
    cases = load_complaints(lab, complaints, customers)
    numbers = {str(row["id"]): str(row["Customer_No"]) for row in lab.records(ZOHO, "Contacts")}
    everything = len(customers) + len(logs) + len(cases)
    seconds.note("load", len(logs) + len(cases))
    book = _Book(lab)

    # What logs say of their customers (when one was last contacted) goes out with the first sync.
    answered = sum(row["duration"] != "0" for row in contacts)
    seen = {
        (ENTITY, FXIAOKE): len(customers),
        (ENTITY, ZOHO): answered,
        ("complaint", FXIAOKE): len(cases),
        ("contact_log", FXIAOKE): len(logs),
    }
    with _daemon(lab, book, tmp_path / "first") as daemon:
        daemon.until(lambda: seen.items() <= _stopped_at_guard(lab).items(), 600)
        seconds.note("read and match", everything)
        for entity in OBJECTS_OF:
            _command(lab, "guard", "release", FIRST_SYNC, "--entity", entity, "--reason", "real rows, all new there")
        _until_converged(lab, daemon, 1200)
        seconds.note("write", everything)
    _check(lab, logs, cases, numbers)
    _check_standing(lab, complaints)
    for entity in OBJECTS_OF:
        again = _plan(lab, book, entity)
        assert (_owed(again), again.advice) == (0, ()), (entity, again)
    seconds.note("second plan", everything)

    with _daemon(lab, book, tmp_path / "second") as daemon:
        edited = _edit(lab, book)
        daemon.until(lambda: _shown(lab, edited) == edited, 120)
        _until_converged(lab, daemon, 120)
        seconds.note("edits back to Zoho", len(edited))
    for entity in OBJECTS_OF:
        assert _owed(_plan(lab, book, entity)) == 0, entity

    found = look(lab, truth)
    print(f"\n{len(customers)} customers, {len(logs)} logs, {len(cases)} complaints: {seconds}; {found}")
    assert (found.both, found.duplicates, found.missing, found.unequal) == (len(customers), 0, 0, ())
    book.check()
    assert verify_log(lab.hub).ok


@contextmanager
def _daemon(lab: Lab, book: _Book, folder: Path) -> Iterator[Process]:
    """Runs `crmhub run`; the cycles that it began are counted when it has stopped."""
    folder.mkdir()
    environ = {**os.environ, "CRMHUB_HOME": str(lab.home), "CRMHUB_LANG": "en"}
    daemon = Process([sys.executable, "-m", "hub", "run"], environ, book.port, folder)
    try:
        yield daemon
        assert daemon.stop() == 0
        assert [line["left_behind"] for line in daemon.lines("daemon_stopped")] == [[]]
        failed = [line for line in daemon.lines("cycle_ended") if line["outcome"] == "failed"]
        assert not failed, failed
        book.runs.update(str(line["entity"]) for line in daemon.lines("run_started"))
    finally:
        daemon.close()


def _command(lab: Lab, *words: str) -> None:
    command = [sys.executable, "-m", "hub", *words, "--home", str(lab.home)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, (words, done.stdout, done.stderr)


def _stopped_at_guard(lab: Lab) -> dict[tuple[str, str], int]:
    """Returns how many writes of each entity to each system the guard of the first sync holds back."""
    rows = (row for entity in OBJECTS_OF for row in list_guards(lab.hub, entity))
    return {(row.entity, row.system): row.count for row in rows if (row.guard, row.state) == (FIRST_SYNC, "tripped")}


def _until_converged(lab: Lab, daemon: Process, seconds: float) -> None:
    """Waits until a whole round of cycles, begun from now on, found nothing left to do."""
    begun = len(daemon.lines("run_started"))
    hurry(lab.hub)

    def holds() -> bool:
        later = {str(line["run_id"]) for line in daemon.lines("run_started")[begun:]}
        last = {line["entity"]: line for line in daemon.lines("cycle_ended") if line["run_id"] in later}
        if last.keys() != OBJECTS_OF.keys() or any(line["outcome"] != "converged" for line in last.values()):
            return False
        left = [scheduling.standing_of(lab.hub, entity) for entity in OBJECTS_OF]
        return not any(item.queued or item.debts for item in left)

    daemon.until(holds, seconds)


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


def _plan(lab: Lab, book: _Book, entity: str) -> Preview:
    lab.settle_index()
    book.runs[entity] += 1
    return plan(lab.hub, entity)


def _owed(found: Preview) -> int:
    return sum(counts[kind] for counts in found.owed.values() for kind in ("creates", "updates", "deletes"))


def _edit(lab: Lab, book: _Book) -> dict[str, str]:
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
        book.fresh[FXIAOKE, object_] += number
    return edited


def _shown(lab: Lab, wanted: Mapping[str, str]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for module in ("Calls", "Cases"):
        rows = {str(row["id"]): row["Description"] for row in lab.records(ZOHO, module)}
        owners = owners_of(lab, ZOHO, module, list(rows))
        shown |= {owners[native_id]: text for native_id, text in rows.items() if owners[native_id] in wanted}
    return shown


class _Book:
    """Compares the calls that the simulators counted with those that were needed.

    A cycle polls each of its objects once; what stood there, and later what the hub wrote, takes one page more for each
    further page that it fills. Creates and updates go in full batches, and a change follows a read of its version.
    """

    def __init__(self, lab: Lab) -> None:
        self.lab, self.port = lab, free_port()
        self.runs: Counter[str] = Counter()
        places = [(system, name) for every in OBJECTS_OF.values() for system, names in every.items() for name in names]
        self.fresh = Counter({place: len(lab.records(*place)) for place in places})
        file = lab.home / FILE
        text = file.read_text(encoding="utf-8").replace("127.0.0.1:0", f"127.0.0.1:{self.port}")
        file.write_text(text.replace("{sync: every 10s}", "{sync: every 10s, reconcile: never}"), encoding="utf-8")
        for simulator in lab.simulators.values():
            simulator.admin.reset_calls()

    def check(self) -> None:
        """Prints the arithmetic and fails where an entity or a system needed more than 5 % above the minimum."""
        used, least = Counter[str](), Counter[str]()
        for system, simulator in self.lab.simulators.items():
            ledger = simulator.admin.calls()
            calls, rows = ledger["calls"], ledger["rows"]
            apart = sum(number for name, number in calls.items() if name.startswith(APART))
            parts = Counter({"sign-in": 1})
            for entity, places in OBJECTS_OF.items():
                own = Counter[str]()
                for object_ in places[system]:
                    own += self._needed(system, object_, self.runs[entity], calls, rows)
                parts += own
                least[entity] += sum(own.values())
                used[entity] += sum(
                    number
                    for name, number in calls.items()
                    if name.rpartition(" ")[2] in places[system] and not name.startswith(APART)
                )
            used[system], least[system] = sum(calls.values()) - apart, sum(parts.values())
            shown = " + ".join(f"{number:,} {name}" for name, number in parts.items())
            print(f"{system}: {used[system]:,} calls, minimum {least[system]:,} = {shown}; {apart} apart")
        print(", ".join(f"{entity}: {number} cycles" for entity, number in self.runs.items()))
        for name in used:
            print(f"{name}: {used[name]:,} calls, minimum {least[name]:,}, ratio {used[name] / least[name]:.4f}")
        over = {name: (used[name], least[name]) for name in used if used[name] > BAR * least[name]}
        assert not over, over

    def _needed(
        self, system: str, object_: str, runs: int, calls: Mapping[str, int], rows: Mapping[str, int]
    ) -> Counter[str]:
        created, updated = rows.get(f"{CREATES[system]} {object_}", 0), rows.get(f"update {object_}", 0)
        batches, lots = -(-updated // BATCH[system]), (self.fresh[system, object_], created + updated)
        needed = Counter(
            {
                "poll": runs + sum(max(0, lot // PAGE[system] - 1) for lot in lots),
                "create": -(-created // BATCH[system]),
                "read before write": batches,
                "update": batches,
            }
        )
        needed.update({name: calls.get(f"{name} {object_}", 0) for name in SEPARATE.get(system, ())})
        return +needed


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
