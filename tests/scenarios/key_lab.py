"""A hub folder with something under every key: customers, inbox rows, refusals, changes, secrets, channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as attribute
from pathlib import Path
from typing import Any

import orjson

from hub.app import initialise, open_installation, prepare
from hub.core.state import BaseField, Binding, BindingState, Conflict, FieldChange, GoldenRecord, Kind, Observation
from hub.kernel.clock import Clock, SystemClock
from hub.kernel.settings import FILE
from hub.keys.rows import Purpose
from hub.operations import rotating
from hub.operations.installation import Installation
from hub.store import callbacks, history, inbox, matches, quarantine, questions, records
from hub.store.callbacks import ChannelRow, ChannelState
from hub.store.quarantine import INBOUND, Fault
from hub.store.records import Write, binding_id
from hub.store.rotations import Phase, Rotation
from hub.store.vault import SealedTokens, audit_rows

ENTITY = "customer"
SETTINGS = """\
profile: lab
language: en
installation: {{id: lab, name: Lab}}
store: {{url: "{url}"}}
keys: {{provider: file, path: keys/hub.key, suite: {suite}{more}}}
systems:
  alpha: {{kind: memory}}
  beta: {{kind: memory}}
entities:
  customer: {{systems: [alpha, beta]}}
"""


@dataclass
class Hand:
    """Is a clock that is moved by hand."""

    at: float = 1_790_000_000.0

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


@dataclass
class KeyLab:
    """Is one hub folder; `open` is a process at it."""

    home: Path
    url: str
    clock: Clock = attribute(default_factory=SystemClock)
    opened: list[Installation] = attribute(default_factory=list)

    def write_settings(self, suite: str = "xaes", more: str = "") -> None:
        text = SETTINGS.format(url=self.url, suite=suite, more=more)
        (self.home / FILE).write_text(text, encoding="utf-8")

    def open(self) -> Installation:
        hub = open_installation(self.home, clock=self.clock)
        self.opened.append(hub)
        return hub

    def close(self) -> None:
        for hub in self.opened:
            hub.close()


def make_lab(folder: Path, url: str, clock: Clock | None = None, suite: str = "xaes") -> KeyLab:
    lab = KeyLab(folder / "hub", url, clock or SystemClock())
    initialise(lab.home)
    lab.write_settings(suite)
    prepare(lab.home, clock=lab.clock)
    return lab


def fields_of(number: int, turn: int = 0) -> dict[str, Any]:
    return {
        "full_name": f"王小{number}",
        "mobile_phone": f"+86138{number:08d}",
        "email": f"p{number}@bank.cn",
        "customer_no": f"C{number:06d}",
        "remark": f"turn {turn}",
    }


def fill(hub: Installation, count: int) -> list[str]:
    """Puts so many customers and a few rows of every other kind into the store; returns the hub ids."""
    rules, ring = hub.rules[ENTITY], hub.store.ring
    ids = [hub.new_id() for _ in range(count)]
    with hub.store.begin() as work:
        for number, hub_id in enumerate(ids):
            made = GoldenRecord(hub_id, ENTITY, fields_of(number), {"*": "alpha"}, 1, subject_id=hub.new_id())
            seen = ring.digest(b"seen", hub_id.encode())
            bound = [
                Binding(binding_id(hub_id, system), hub_id, ENTITY, system, "people", f"{system}-{number}",
                        BindingState.ACTIVE, obs_digest=seen, agreed_revision=1)
                for system in ("alpha", "beta")
            ]  # fmt: skip
            base = {"remark": BaseField("before", "before")}
            bases = {bound[0].binding_id: base, bound[1].binding_id: None}
            records.write(work, [Write(None, made, tuple(bound), bases, {})])
            matches.put_keys(work, ENTITY, matches.GOLDEN, {hub_id: rules.standing_keys(ring, made.fields)}, fresh=True)
            if number < 3:
                _surround(hub, work, made, number)
    SealedTokens(hub.store, "alpha").put("refresh", b"a token")
    with hub.store.begin() as work:
        asked = ("people",)
        callbacks.put(work, ChannelRow("alpha", "c1", ChannelState.OPEN, asked, tokens=("t",), url="https://h/x"))
    return ids


def _surround(hub: Installation, work: Any, made: GoldenRecord, number: int) -> None:
    ring = hub.store.ring
    change = FieldChange("remark", "before", made.fields["remark"], "alpha", (("beta", "lost"),))
    history.keep(work, "run", [(made, [change])])
    conflict = Conflict("email", "ask", (("alpha", "a@x.cn"), ("beta", "b@x.cn")))
    questions.reconcile(work, "run", made, [], [conflict], [])
    stranger = Observation(hub.new_id(), ENTITY, "beta", "people", f"new-{number}", Kind.UPSERT,
                           fields_of(900 + number), digest=ring.digest(b"new"))  # fmt: skip
    known = Observation(hub.new_id(), ENTITY, "alpha", "people", f"edit-{number}", Kind.UPSERT,
                        fields_of(number, 1), digest=ring.digest(b"known"))  # fmt: skip
    inbox.stage(work, [inbox.seal_row(ring, stranger, None, None, "run", work.now),
                       inbox.seal_row(ring, known, made.hub_id, made.subject_id, "run", work.now)])  # fmt: skip
    matches.put_keys(work, ENTITY, "beta", {stranger.obs_id: hub.rules[ENTITY].keys(ring, stranger.fields)})
    fault = Fault("beta", "people", f"bad-{number}", INBOUND, "", "HUB-X-001", "en", "zh", ring.digest(b"bad"),
                  payload={"name": "张三"})  # fmt: skip
    quarantine.put(work, ring, ENTITY, "run", [fault])


def everything(hub: Installation, ids: Sequence[str]) -> dict[str, Any]:
    """Opens whatever is sealed and returns it; raises what does not open."""
    ring = hub.store.ring
    with hub.store.read() as conn:
        found: dict[str, Any] = {
            hub_id: (stored.golden.fields, {key: base and dict(base) for key, base in stored.bases.items()})
            for hub_id, stored in records.load(conn, ring, ids).items()
        }
        found["inbox"] = [
            inbox.open_row(ring, row).fields
            for system in ("alpha", "beta")
            for row in inbox.queue_page(conn, ENTITY, system, "", 100)
        ]
        found["changes"] = [history.timeline(conn, ring, hub_id) for hub_id in ids[:3]]
        found["questions"] = [q.candidates for q in questions.load(conn, ring, "conflict", hub_ids=list(ids))]
        found["channels"] = [row.tokens for row in callbacks.channels(conn, ring)]
    found["token"] = SealedTokens(hub.store, "alpha").get("refresh")
    return found


def rotate(hub: Installation, purpose: Purpose, others: Sequence[Installation] = ()) -> Rotation:
    """Rotates a key while other processes look round as they do; returns how it ended."""
    item = rotating.begin_rotation(hub, purpose, "yearly")
    for _ in range(200):
        for other in others:
            assert other.store.watch is not None
            other.store.watch.beat(now=True)
        item, _ = rotating.advance(hub, purpose)
        if item.phase is Phase.DONE:
            return item
    raise AssertionError(f"{purpose} does not end: {item}")


def acts(hub: Installation, of: str = "key.") -> list[Mapping[str, Any]]:
    """Returns what the log says of keys, oldest first."""
    with hub.store.read() as conn:
        bodies = [orjson.loads(row[2]) for row in audit_rows(conn)]
    return [body for body in bodies if body["act"].startswith(of)]
