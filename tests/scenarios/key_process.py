"""One process of the test of rotation under load, until file `stop` is in the hub's folder.

At a desk one thread changes records and another opens all of them; a rotator rotates every key again and again. Each
notes how often it did so; whatever fails ends it with a traceback.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa

from hub.app import open_installation
from hub.operations import rotating
from hub.operations.installation import Installation
from hub.store import matches, records
from hub.store.records import Write
from hub.store.rotations import Phase
from hub.store.tables import golden
from hub.store.vault import SealedTokens
from tests.scenarios.key_lab import ENTITY, everything, fields_of

Act = Callable[[Installation, list[str], random.Random, int], None]


def write(hub: Installation, ids: list[str], chance: random.Random, turn: int) -> None:
    """Changes a few records as a cycle does: read, sealed and written in one transaction each."""
    rules, ring = hub.rules[ENTITY], hub.store.ring
    chosen = sorted(chance.sample(ids, 3))
    with hub.store.begin() as work:
        # As the lease of an entity does: nobody else changes these records at the same time.
        work.conn.execute(sa.select(golden.c.hub_id).where(golden.c.hub_id.in_(chosen)).with_for_update())
        stored = records.load(work.conn, ring, chosen)
        for item in stored.values():
            fields = {**item.golden.fields, "remark": f"turn {turn}", "email": f"p{chance.randrange(9)}@bank.cn"}
            after = replace(item.golden, fields=fields, revision=item.golden.revision + 1)
            records.write(work, [Write(item, after, item.bindings, item.bases, {})])
            keys = {after.hub_id: rules.standing_keys(ring, fields)}
            matches.put_keys(work, ENTITY, matches.GOLDEN, keys)
    SealedTokens(hub.store, "alpha").put("refresh", f"token {turn}".encode())


def read(hub: Installation, ids: list[str], chance: random.Random, turn: int) -> None:
    """Opens everything, and finds a customer by the number that never changes."""
    found = everything(hub, ids)
    assert found["token"].startswith((b"token", b"a token"))
    number = chance.randrange(len(ids))
    asked = hub.rules[ENTITY].keys(hub.store.ring, {"mobile_phone": fields_of(number)["mobile_phone"]})
    with hub.store.read() as conn:
        shared = matches.share(conn, ENTITY, list(asked.values()))
    assert [entry.golden for entry in shared.values()] == [(ids[number],)], "evidence was out of sight for a moment"


def rotate(hub: Installation, ids: list[str], chance: random.Random, turn: int) -> None:
    """Rotates one key after the other, until each is done."""
    for purpose in rotating.ROTATED:
        item = rotating.begin_rotation(hub, purpose, "load")
        while item.phase is not Phase.DONE:
            item, waits = rotating.advance(hub, purpose)
            if waits:
                time.sleep(0.02)


PAUSE = 0.05
"""Seconds between two turns, so that a rotation on a busy machine is not starved."""
ROLES = {"desk": (write, read), "rotator": (rotate,)}


def go_on(home: Path, hub: Installation, act: Act, seed: int) -> int:
    """Acts until it is told to stop; returns how often."""
    turns, chance, ids = 0, random.Random(seed), (home / "ids").read_text().split()
    while not (home / "stop").exists():
        act(hub, ids, chance, turns)
        turns += 1
        (home / f"turned-{act.__name__}").touch()
        time.sleep(PAUSE)
    return turns


def main(home: Path, role: str, seed: int, dies_at: str) -> None:
    os.environ["CRMHUB_FAILPOINT"] = dies_at
    hub = open_installation(home)
    watch = hub.store.watch
    assert watch is not None
    watch.every = 0.1
    with ThreadPoolExecutor() as pool:
        going = {act.__name__: pool.submit(go_on, home, hub, act, seed) for act in ROLES[role]}
        for future in as_completed(going.values()):
            if future.exception() is not None:
                (home / "stop").touch()
    turns = {name: future.result() for name, future in going.items()}
    watch.close()
    (home / f"ended-{role}").write_text(json.dumps(turns))
