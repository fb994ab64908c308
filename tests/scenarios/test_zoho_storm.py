"""A Zoho that fails at random at every endpoint, over real HTTP, while people go on working on both sides."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from laboratory import ENTITY, Bank, Edit, Simulators, make_home

from hub.operations.auditing import verify_log
from hub.operations.installation import Installation

PEOPLE, STORMY_CYCLES = 40, 6
REPLACED = ("http_500", "http_502_html", "html_200")
ACTIONS: tuple[dict[str, Any], ...] = (
    {"action": "timeout_before_commit", "seconds": 0},
    {"action": "timeout_after_commit", "seconds": 0},
    {"action": "reset_before_commit"},
    {"action": "reset_after_commit"},
    *({"action": action} for action in REPLACED),
    *({"action": action, "after_commit": True} for action in REPLACED),
    {"action": "http_503"},
    {"action": "http_429"},
    {"action": "auth_expired"},
    {"action": "truncated_json"},
    {"action": "slow_body", "ms": 50},
    {"action": "wrong_content_type"},
)
STALE = {"match": {"method": "GET", "path_regex": "/(Contacts|Accounts)$"}, "action": "stale_read"}


@pytest.fixture(scope="module")
def simulators() -> Iterator[Simulators]:
    started = Simulators.start(records=PEOPLE, seed=47)
    yield started
    started.stop()


def storm(seed: int) -> list[dict[str, Any]]:
    """Returns faults for every endpoint of Zoho, each drawn on its own."""
    drawn = [{**STALE, "probability": 0.1, "seed": seed}]
    for number, action in enumerate(ACTIONS):
        drawn.append({"match": {"path_regex": "/crm/"}, "probability": 0.015, "seed": seed + 1 + number, **action})
    return drawn


def people_go_on(bank: Bank, hub: Installation, random: Random, mark: str) -> list[Edit]:
    """Edits six records on either side, each in a field of its own, and makes a new person on each side."""
    places = Counter(bank.owners(hub).values())
    both = sorted(hub_id for hub_id, number in places.items() if number == 2)
    edits: list[Edit] = []
    for number, hub_id in enumerate(random.sample(both, 12)):
        if number % 2:
            edits += bank.edit(hub, "zoho", hub_id, remark=f"{mark}{number}")
        else:
            edits += bank.edit(hub, "fxiaoke", hub_id, need_summary=f"{mark}{number}")
    for number, system in enumerate(("zoho", "fxiaoke")):
        phone = f"+86138{random.randrange(10**8):08d}"
        who = {"customer_kind": "individual", "contact_consent": "granted", "mobile_phone": phone}
        bank.create(hub, system, full_name=f"{mark}新客{number}", **who)
    return edits


def write_over(bank: Bank, hub: Installation, edits: list[Edit], mark: str) -> tuple[list[Edit], Callable[[], None]]:
    """Returns what Zoho's people do meanwhile: they edit what is just on its way to them from the other side."""
    mapping = hub.links(ENTITY)["zoho"].mapping
    over = [Edit("zoho", edit.hub_id, edit.field, f"{mark}改") for edit in edits if edit.system == "fxiaoke"]
    bodies = []
    for edit in over:
        object_, native_id = bank.place(hub, edit.hub_id, "zoho")
        fields = dict(mapping.to_native(object_, {edit.field: edit.value}).fields)
        bodies.append({"object": object_, "id": native_id, "fields": fields})

    def work() -> None:
        for body in bodies:
            bank.simulators.running["zoho"].admin.post("edit", body)

    return over, work


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_fails_there_is_no_twin_and_no_lost_edit(simulators: Simulators, tmp_path: Path, seed: int) -> None:
    bank, random = Bank(tmp_path / "hub", simulators), Random(f"storm:{seed}")
    simulators.reset(bank)
    make_home(bank.home, "sqlite:///var/hub.db", simulators)
    zoho = simulators.running["zoho"].admin
    # The first load meets the storm too.
    zoho.faults(storm(seed * 1000))
    last: dict[tuple[str, str], Edit] = {}
    with bank.hub() as hub:
        bank.cycle(hub)
        bank.answer(hub)
        bank.cycle(hub)
        for number in range(STORMY_CYCLES):
            # Two edits within one second are one to Zoho: rounds lie further apart than its times resolve.
            zoho.advance(2)
            edits = people_go_on(bank, hub, random, f"风{number}")
            over, work = write_over(bank, hub, edits, f"风{number}")
            meanwhile = threading.Timer(random.uniform(0.0, 0.4), work)
            meanwhile.start()
            bank.cycle(hub)
            meanwhile.join()
            bank.answer(hub)
            last |= {(edit.hub_id, edit.field): edit for edit in edits + over}
        struck = sum(rule["struck"] for rule in zoho.calls()["faults"])
        assert struck >= STORMY_CYCLES, "there was a storm"
        zoho.faults([])
        bank.settle(hub)
        bank.settle(hub)
        bank.check_no_twin(hub)
        bank.check_equal(hub)
        bank.check_kept(hub, list(last.values()))
        verify_log(hub)
