"""A first load and a re-read written by hand for one mapping into the hub's own tables, in the hub's own formats.

What it writes is a hub: its records open with the hub's keys and its audit log verifies. It knows beforehand what the
hub finds out (which fields, which rules, one system, nobody to ask), keeps no inbox, looks for no twins, retries
nothing, and sends SQL straight to the driver.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from struct import pack
from time import time
from typing import Any
from unicodedata import normalize

import orjson

from hub.kernel.clock import SystemClock
from hub.kernel.ids import Uuid7

from .bare import Pages
from .byhand import ByHand
from .handkeys import HandKeys, part
from .measure import Took, stopwatch

Row = dict[str, Any]
Walk = Callable[[str, Sequence[str]], Pages]
_SORTED = orjson.OPT_SORT_KEYS
_FACETS = [
    "customer_kind",
    "customer_tier",
    "lifecycle_stage",
    "lifecycle_changed_at",
    "preferred_channel",
    "contact_consent",
    "consent_changed_at",
    "last_contacted_at",
    "next_follow_up_at",
    "loyalty_tier",
    "staff_no",
    "branch_code",
    "record_state",
]
_RULES = [
    "credit_code",
    "mobile",
    "email",
    "mobile_and_name",
    "email_and_name",
    "name_and_birth_date",
    "name_and_region",
    "name_and_postal_code",
]
_ORIGINS = {"*": "zoho"}
_ABSENT = {"absent": True}
_RECORD = part(b"record")
_LOOSE = re.compile(r"[\s\W_]+").sub
_SQL = {
    "subject_key": "INSERT INTO subject_key (subject_id, key_id, wrapped) VALUES (?, ?, ?)",
    "golden": "INSERT INTO golden (hub_id, entity, revision, state, subject_id, unplaced, blob, facets, created_at,"
    " updated_at) VALUES (?, 'customer', 1, 'live', ?, 0, ?, ?, ?, ?)",
    "binding": "INSERT INTO binding (binding_id, hub_id, entity, system, part, object, native_id, state, version,"
    " obs_digest, mapping_version, agreed_revision, stamped, dirty, updated_at)"
    " VALUES (?, ?, 'customer', 'zoho', 'main', ?, ?, 'active', ?, ?, ?, 1, 0, 0, ?)",
    "blind_index": "INSERT INTO blind_index (owner, rule, entity, system, digest) VALUES (?, ?, 'customer', '', ?)",
    "audit_entry": "INSERT INTO audit_entry (epoch, seq, body, leaf, chain) VALUES (1, ?, ?, ?, ?)",
}
_CHECKPOINT = (
    "INSERT INTO checkpoint (entity, system, object, stream, scope, cursor, run_id, moved_at)"
    " VALUES ('customer', 'zoho', ?, 'changes', ?, ?, ?, ?) ON CONFLICT (entity, system, object, stream)"
    " DO UPDATE SET cursor = excluded.cursor, run_id = excluded.run_id, moved_at = excluded.moved_at"
)


@dataclass(slots=True)
class _Rows:
    """Gathers what one page writes, by table."""

    subject_key: list[tuple[Any, ...]] = field(default_factory=list)
    golden: list[tuple[Any, ...]] = field(default_factory=list)
    binding: list[tuple[Any, ...]] = field(default_factory=list)
    blind_index: list[tuple[Any, ...]] = field(default_factory=list)
    audit_entry: list[tuple[Any, ...]] = field(default_factory=list)


class HandLoop:
    """Loads Zoho's customers into a fresh hub's database; `objects` are the modules with the fields to ask for."""

    def __init__(
        self,
        path: str,
        keys: HandKeys,
        functions: dict[str, ByHand],
        objects: Mapping[str, Sequence[str]],
        mapping_version: str,
        audit: Row,
    ) -> None:
        self._conn = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
            self._conn.execute(f"PRAGMA {pragma}")
        self._keys, self.functions, self._objects = keys, functions, objects
        self._version, self._audit = mapping_version, audit
        self._index = {rule: keys.index_of(rule) for rule in _RULES}
        self._find = {kind: keys.index_of(f"find.{kind}", 2) for kind in ("account", "phone", "name")}
        self._prefix = {name: part(mapping_version.encode()) + part(name.encode()) for name in objects}
        self._new_id = Uuid7(SystemClock())
        self._run_id = self._new_id()
        self._seq, self._link = -1, bytes(32)

    def close(self) -> None:
        self._conn.close()

    def load(self, walk: Walk) -> Took:
        """Loads everything, one commit a page; returns the time."""
        with stopwatch() as took:
            for object_, rows, token in self._pages(walk):
                self._keep(object_, rows, token)
        return took

    def read_again(self, walk: Walk) -> tuple[Took, int]:
        """Compares everything with what is stored, one commit a page; returns the time and what has changed."""
        changed = 0
        with stopwatch() as took:
            for object_, rows, token in self._pages(walk):
                digests = {row["id"]: self._digest(object_, row) for row in rows}
                known = self._look_up(object_, list(digests))
                changed += sum(known.get(native_id) != digest for native_id, digest in digests.items())
                self._conn.execute("BEGIN IMMEDIATE")
                self._mark(object_, token, time())
                self._conn.execute("COMMIT")
        return took, changed

    def _pages(self, walk: Walk) -> Iterator[tuple[str, list[Row], str | None]]:
        for object_, fields in self._objects.items():
            pages: Pages = walk(object_, fields)
            for rows, token in pages:
                yield object_, rows, token

    def _look_up(self, object_: str, ids: list[str]) -> dict[str, bytes]:
        marks = ", ".join("?" * len(ids))
        query = (
            f"SELECT native_id, obs_digest FROM binding WHERE system = 'zoho' AND object = ? AND native_id IN ({marks})"
        )
        return dict(self._conn.execute(query, [object_, *ids]).fetchall())

    def _digest(self, object_: str, row: Row) -> bytes:
        shown = [row.get(name, _ABSENT) for name in self._objects[object_]]
        body = orjson.dumps([False, None, shown], option=_SORTED)
        return self._keys.digest(self._prefix[object_] + pack(">I", len(body)) + body)[:16]

    def _keep(self, object_: str, rows: list[Row], token: str | None) -> None:
        known = self._look_up(object_, [row["id"] for row in rows])
        now, into = time(), _Rows()
        for row in rows:
            if row["id"] not in known:
                self._make(object_, row, now, into)
        counts = {"read": len(rows), "changed": len(into.golden), "quarantined": 0}
        self._note(into, now, {"act": "record.read", "obj": {"type": object_, "connection": "zoho"}, "counts": counts})
        conn = self._conn
        conn.execute("BEGIN IMMEDIATE")
        for table, statement in _SQL.items():
            conn.executemany(statement, getattr(into, table))
        conn.execute("UPDATE audit_head SET seq = ? WHERE id = 1", [self._seq])
        self._mark(object_, token, now)
        conn.execute("COMMIT")

    def _make(self, object_: str, row: Row, now: float, into: _Rows) -> None:
        fields = {name: value for name, value in self.functions[object_](row).items() if value is not None}
        hub_id = self._new_id()
        wrapped, blob = self._keys.seal_new(hub_id.encode(), {"fields": fields, "origins": _ORIGINS})
        facets = orjson.dumps({name: fields[name] for name in _FACETS if name in fields}).decode()
        moment = datetime.fromisoformat(row["Modified_Time"]).astimezone(UTC)
        version, digest = moment.isoformat()[:19] + "Z", self._digest(object_, row)
        into.subject_key.append((hub_id, self._keys.wrap_id, wrapped))
        into.golden.append((hub_id, hub_id, blob, facets, now, now))
        into.binding.append((f"{hub_id}/zoho/main", hub_id, object_, row["id"], version, digest, self._version, now))
        into.blind_index += [(hub_id, rule, mac) for rule, mac in self._evidence(fields)]
        record = orjson.dumps(fields, option=_SORTED)
        made = self._keys.digest(_RECORD + pack(">I", len(record)) + record)[:16].hex()
        event = {"act": "golden.create", "obj": {"type": "customer", "id": hub_id}, "digest": made}
        self._note(into, now, event)

    def _evidence(self, fields: Row) -> Iterator[tuple[str, bytes]]:
        look, index = fields.get, self._index
        name, mobile, email = _fold(look("full_name")), look("mobile_phone"), look("email")
        if code := _fold(look("credit_code")):
            yield "credit_code", index["credit_code"](code.encode())
        for rule, value in (("mobile", mobile), ("email", email)):
            if value:
                yield rule, index[rule](value.encode())
        if number := _fold(look("customer_no")):
            yield "find.customer_no", self._find["account"](number.encode())
        if phone := look("phone"):
            yield "find.phone", self._find["phone"](phone.encode())
        if not name:
            return
        yield "find.full_name", self._find["name"](name.encode())
        for rule, value in (("mobile_and_name", mobile), ("email_and_name", email)):
            if value:
                yield rule, index[rule](f"{value}\x1f{name}".encode())
        for rule, other in (
            ("name_and_birth_date", look("birth_date")),
            ("name_and_region", _fold(look("address_region"))),
            ("name_and_postal_code", _fold(look("postal_code"))),
        ):
            if other:
                yield rule, index[rule](f"{name}\x1f{other}".encode())

    def _note(self, into: _Rows, now: float, event: Row) -> None:
        self._seq += 1
        at = datetime.fromtimestamp(now, UTC).isoformat(timespec="microseconds")[:-6] + "Z"
        entry = {**self._audit, **event, "seq": self._seq, "ts": at, "id": self._new_id(), "corr": self._run_id}
        body = orjson.dumps(entry, option=_SORTED)
        leaf = sha256(b"\x00" + body).digest()
        self._link = sha256(b"csh1/chain" + pack(">Q", self._seq) + self._link + leaf).digest()
        into.audit_entry.append((self._seq, body, leaf, self._link))

    def _mark(self, object_: str, token: str | None, now: float) -> None:
        cursor = orjson.dumps({"token": token}).decode()
        self._conn.execute(_CHECKPOINT, (object_, self._version, cursor, self._run_id, now))


def _fold(value: str | None) -> str | None:
    return value and (_LOOSE("", normalize("NFKC", value).casefold()) or value)
