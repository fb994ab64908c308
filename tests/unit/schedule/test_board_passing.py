"""Who may pass a first load that is not finished, as a table."""

from __future__ import annotations

import pytest

from hub.kernel.workdays import Workdays
from hub.operations.scheduling import PASSING, Board
from hub.schedule.board import View, candidates, passing
from hub.store.schedules import ALL, Pause, Schedule

NOW = 1_800_000_000.0
PASS = 30.0


def row(entity: str, timing: str = "every 1h", system: str = ALL, **more: object) -> Schedule:
    fields: dict[str, object] = {"zone": "Asia/Shanghai", "blackout": (), "freeze": (), "origin": "settings"}
    fields |= {"next_due_at": NOW + 3000.0, "last_started_at": NOW - 600.0, "last_ended_at": NOW - 600.0}
    fields |= {"last_outcome": "converged", "last_run_id": None, "missed": 0, "slices": (), "changed_at": 0.0}
    named = {"schedule_id": f"sync:{entity}:{system}", "act": "sync", "entity": entity, "system": system}
    return Schedule(**{**named, "timing": timing, "changed_by": "x", **fields, **more})  # type: ignore[arg-type]


def view(
    *rows: Schedule, unfinished: tuple[str, ...] = ("log",), synced: float | None = NOW - PASS, **more: object
) -> View:
    pauses = more.get("pauses", ())
    systems = {item.entity: ("a", "b") for item in rows}
    ended = {} if synced is None else dict.fromkeys(systems, synced)
    board = Board(rows, pauses)  # type: ignore[arg-type]
    since = dict.fromkeys(unfinished, NOW - 5.0)
    return View(board, systems, NOW, 60.0, Workdays(lambda year: None), {}, since, ended, PASS)


def passes(seen: View) -> dict[str, float]:
    return {item.entity: item.due_at for item in candidates(seen) if item.act == PASSING}


LOG, CUSTOMER = row("log"), row("customer")


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(view(LOG, CUSTOMER), {"customer": NOW}, id="due"),
        pytest.param(view(LOG, CUSTOMER, synced=NOW - PASS - 4), {"customer": NOW - 4}, id="late"),
        pytest.param(view(LOG, CUSTOMER, synced=NOW - PASS + 1), {}, id="a moment ago"),
        pytest.param(view(LOG, CUSTOMER, synced=None), {"customer": NOW}, id="since the start"),
        pytest.param(view(LOG, CUSTOMER, synced=NOW + 900), {"customer": NOW}, id="clock set back"),
        pytest.param(view(LOG, CUSTOMER, unfinished=()), {}, id="nothing to pass"),
        pytest.param(view(LOG, CUSTOMER, unfinished=("log", "customer")), {}, id="unfinished itself"),
        pytest.param(view(LOG, CUSTOMER, unfinished=("customer",)), {"log": NOW}, id="a child passes its parent"),
        pytest.param(view(LOG, row("customer", "daily 02:00")), {}, id="has its times"),
        pytest.param(view(LOG, row("customer", "never")), {}, id="never"),
        pytest.param(view(LOG, row("customer", next_due_at=NOW - 1)), {}, id="due anyway"),
        pytest.param(view(LOG, row("customer", blackout=("daily 00:00-24:00",))), {}, id="blacked out"),
        pytest.param(view(LOG, row("customer", system="a"), row("customer", system="b")), {}, id="none in common"),
        pytest.param(
            view(LOG, CUSTOMER, pauses=(Pause("entity:customer", "person", "drill", "x", NOW),)), {}, id="paused"
        ),
    ],
)
def test_who_passes(seen: View, expected: dict[str, float]) -> None:
    assert passes(seen) == expected


def test_a_system_with_a_schedule_of_its_own_keeps_it() -> None:
    seen = view(LOG, CUSTOMER, row("customer", "daily 02:00", system="b"))
    assert (passes(seen), passing(seen, "customer")) == ({"customer": NOW}, {"b"})
    assert passing(view(LOG, CUSTOMER), "customer") == frozenset()
