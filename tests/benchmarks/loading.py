"""The whole first load and the unchanged re-read against a hand-written loop, and sealing on against off."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa

from hub.audit.event import Event, encode
from hub.audit.tree import Appender
from hub.audit.verify import verify
from hub.keys.keyring import SealMode
from hub.operations.installation import Installation
from hub.store import records
from hub.store.tables import binding, blind_index, golden
from hub.store.vault import audit_rows
from hub.sync.pull import pull

from .bare import Pages, zoho_pages, zoho_session
from .byhand_zoho import zoho
from .handkeys import HandKeys
from .lab import ENTITY, ZOHO, Lab, count, drop_cursors, first_load, opened, read_in
from .loop import HandLoop
from .measure import Result, Took, compare, stopwatch


class Bench:
    """Walks the lab's Zoho without the connector."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._session = zoho_session(lab.zoho.base_url)

    def walk(self, object_: str, fields: Any) -> Pages:
        return zoho_pages(self._session, self.lab.zoho.base_url, object_, fields)

    def load(self) -> Took:
        """Loads by hand into a fresh hub and throws it away; returns the time."""
        home = self.lab.home()
        with hand_loop(home) as loop:
            took = loop.load(self.walk)
        shutil.rmtree(home)
        return took


@contextmanager
def hand_loop(home: Path) -> Iterator[HandLoop]:
    """Opens a hub folder for the hand-written loop: the folder's tables and keys, and none of the hub's code."""
    with opened(home) as hub:
        link = hub.link(ZOHO, ENTITY)
        objects = {name: link.native_fields(name) for name in link.objects}
        keys, version, template = HandKeys(hub, home), link.mapping.version, audit_template(hub)
    loop = HandLoop(str(home / "var" / "hub.db"), keys, zoho(), objects, version, template)
    try:
        yield loop
    finally:
        loop.close()


def audit_template(hub: Installation) -> dict[str, Any]:
    """Returns the members that all audit rows of one process share."""
    append = hub.store.append
    assert isinstance(append, Appender)
    body = encode(Event("record.read", "-"), seq=0, epoch=1, id="-", at=0.0, origin=append.origin)
    return {name: value for name, value in orjson.loads(body).items() if name not in ("id", "ts", "seq", "act", "obj")}


def read_again(hub: Installation) -> Took:
    """Reads everything again; returns the time. Raises AssertionError when anything counts as changed."""
    drop_cursors(hub)
    with stopwatch() as took, hub.run(ENTITY) as run:
        changed = pull(run)
    assert changed == 0, f"{changed} records changed on their own"
    assert not run.tally.blocked
    return took


def results(lab: Lab) -> list[Result]:
    """Compares load and re-read with the loop; raises AssertionError where the two hubs they make differ."""
    bench, kept, by_hand = Bench(lab), lab.home(), lab.home()
    with opened(kept) as hub, hand_loop(by_hand) as loop:
        read_in(hub)
        loop.load(bench.walk)
        with opened(by_hand) as other:
            customers = same(hub, other)

        def compared() -> Took:
            took, changed = loop.read_again(bench.walk)
            assert changed == 0
            return took

        rounds = lab.rounds
        again = compare("unchanged re-read", 0.6, customers, lambda: read_again(hub), compared, rounds)
    shutil.rmtree(kept)
    shutil.rmtree(by_hand)
    load = compare("first load", 0.5, customers, lambda: first_load(lab), bench.load, rounds)
    off = compare(
        "first load, sealing on : off",
        None,
        customers,
        lambda: first_load(lab),
        lambda: first_load(lab, SealMode.OFF),
        rounds,
        "other = sealing off",
    )
    sm4 = compare(
        "first load, sealing with SM4 : off",
        None,
        customers,
        lambda: first_load(lab, suite="sm4"),
        lambda: first_load(lab, SealMode.OFF),
        rounds,
        "other = sealing off",
    )
    return [load, again, off, sm4]


def same(ours: Installation, theirs: Installation) -> int:
    """Returns how many customers both hubs hold; raises AssertionError where they differ in what they know of one."""
    first, second = contents(ours), contents(theirs)
    assert first.keys() == second.keys(), f"{len(first)} customers against {len(second)}"
    for native_id, known in first.items():
        names = [name for name, value in known.items() if second[native_id][name] != value]
        assert not names, f"{native_id}: {', '.join(names)}"
    for hub in (ours, theirs):
        assert count(hub, "observation") == 0
        with hub.store.read() as conn:
            assert verify(audit_rows(conn)).ok
    assert creations(ours) == creations(theirs)
    return len(first)


def contents(hub: Installation) -> dict[str, dict[str, Any]]:
    """Returns native id -> everything that is stored of the customer but what is new with every load."""
    with hub.store.read() as conn:
        bound = {row.hub_id: row for row in conn.execute(sa.select(binding))}
        facets = {row.hub_id: row.facets for row in conn.execute(sa.select(golden))}
        held: dict[str, dict[str, bytes]] = {hub_id: {} for hub_id in bound}
        for row in conn.execute(sa.select(blind_index)):
            held[row.owner][row.rule] = bytes(row.digest)
        found, ids = {}, list(bound)
        for start in range(0, len(ids), 500):
            for hub_id, stored in records.load(conn, hub.store.ring, ids[start : start + 500]).items():
                row, record = bound[hub_id], stored.golden
                bases = [base or {} for base in stored.bases.values()]
                agreed = all(item.agreed == record.fields.get(name) for base in bases for name, item in base.items())
                place = (row.system, row.part, row.object, row.state, row.version, bytes(row.obs_digest))
                terms = (row.mapping_version, row.agreed_revision, row.stamped, row.dirty)
                origins = {name: record.origins.get(name, record.origins.get("*")) for name in record.fields}
                state = (record.entity, record.fields, origins, record.revision, record.state)
                found[row.native_id] = {
                    "binding": place + terms,
                    "golden": state,
                    "agreed": agreed,
                    "facets": facets[hub_id],
                    "match keys": held[hub_id],
                }
    return found


def creations(hub: Installation) -> list[dict[str, Any]]:
    """Returns what the audit log says of every creation but what is new with every load, in a fixed order."""
    with hub.store.read() as conn:
        entries = [orjson.loads(row[2]) for row in audit_rows(conn)]
    fresh = ("id", "ts", "seq", "obj", "corr", "config_digest", "src")
    made = [
        {name: value for name, value in entry.items() if name not in fresh}
        for entry in entries
        if entry["act"] == "golden.create"
    ]
    return sorted(made, key=lambda entry: str(entry["digest"]))
