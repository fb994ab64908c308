"""A Zoho that fails at random at every endpoint, over real HTTP, while people go on working on both sides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from laboratory import Bank, Edit, Simulators, make_home

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


def people_go_on(bank: Bank, hub: Installation, random: Random, mark: str, before: list[Edit]) -> list[Edit]:
    """Edits six records on either side and makes a new person on each.

    Zoho's people also write over what came, or is still to come, from the other side's last round.
    """
    owners = bank.owners(hub)
    places = Counter(owners.values())
    both = sorted(hub_id for hub_id, number in places.items() if number == 2)
    over = [edit.hub_id for edit in before if edit.system == "fxiaoke"][:3]
    chosen = random.sample([hub_id for hub_id in both if hub_id not in over], 12)
    edits: list[Edit] = []
    for hub_id in over:
        edits += bank.edit(hub, "zoho", hub_id, need_summary=f"{mark}改")
    for number, hub_id in enumerate(chosen):
        if number % 2:
            edits += bank.edit(hub, "zoho", hub_id, remark=f"{mark}{number}")
        else:
            edits += bank.edit(hub, "fxiaoke", hub_id, need_summary=f"{mark}{number}")
    for number, system in enumerate(("zoho", "fxiaoke")):
        phone = f"+86138{random.randrange(10**8):08d}"
        who = {"customer_kind": "individual", "contact_consent": "granted", "mobile_phone": phone}
        bank.create(hub, system, full_name=f"{mark}新客{number}", **who)
    return edits


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
    edits: list[Edit] = []
    with bank.hub() as hub:
        for number in range(STORMY_CYCLES):
            bank.cycle(hub)
            bank.answer(hub)
            if len(bank.owners(hub)) > PEOPLE:
                edits = people_go_on(bank, hub, random, f"风{number}", edits)
                last |= {(edit.hub_id, edit.field): edit for edit in edits}
        struck = sum(rule["struck"] for rule in zoho.calls()["faults"])
        assert struck >= STORMY_CYCLES, "there was a storm"
        zoho.faults([])
        bank.settle(hub)
        bank.settle(hub)
        assert last
        bank.check_no_twin(hub)
        bank.check_equal(hub)
        bank.check_kept(hub, list(last.values()))
        verify_log(hub)
