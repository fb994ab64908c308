"""Every column that stands sealed, and how its rows come under the key that seals now: in pages, each row by itself.

A page is opened and sealed outside a transaction and then written with the old blob as its condition, so what a writer
changed meanwhile stays as the writer left it. Doing a page twice does nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import sqlalchemy as sa

from hub.crypto.errors import EnvelopeBroken
from hub.keys.keyring import Keyring
from hub.keys.rows import Purpose, SubjectKeyRow
from hub.store.access_tables import approval, users
from hub.store.callback_tables import channel
from hub.store.review_tables import conflict, hold, quarantine
from hub.store.signin_tables import credential, oidc_flow, session
from hub.store.tables import base, binding, field_change, golden, intent, observation, secret, subject_key
from hub.store.unit_of_work import Store

PAGE = 500


@dataclass(frozen=True, slots=True)
class Step:
    """Is one page done: the last id seen (None when it was the last page), rows seen, rows that do not open."""

    last: str | None
    seen: int
    broken: int = 0


class Place(Protocol):
    """Is a column whose rows stand under a key of one purpose."""

    @property
    def name(self) -> str: ...

    def left(self, conn: sa.Connection, ring: Keyring) -> int:
        """Returns how many rows stand under another key than the one that the ring seals with."""

    def step(self, store: Store, after: str) -> Step:
        """Brings the next page of such rows under that key."""


def _not_under(column: sa.ColumnElement[bytes], key_id: int) -> sa.ColumnElement[bool]:
    """Tells which envelopes name another key: bytes 2-5 of each are its id."""
    named = sa.func.substr(column, 3, 4, type_=sa.LargeBinary)
    return sa.and_(column.isnot(None), named != key_id.to_bytes(4, "big"))


@dataclass(frozen=True, slots=True)
class Records:
    """Is a column of record blobs: under the subject's key where `own`, else under the `field` key."""

    sealed_as: str
    key: sa.ColumnElement[str]
    blob: sa.Column[bytes]
    subject: sa.ColumnElement[Any]
    own: bool
    version: sa.ColumnElement[int] | None = None
    joined: sa.FromClause | None = None
    """Is the table with what it takes to name the subject, where the table itself does not."""

    @property
    def name(self) -> str:
        return f"{self.blob.table}.{self.blob.name}{'' if self.own else ' (field)'}"

    def left(self, conn: sa.Connection, ring: Keyring) -> int:
        query = self._rows(sa.func.count(), ring=ring)
        return int(conn.execute(query).scalar_one())

    def step(self, store: Store, after: str) -> Step:
        version = sa.literal(0) if self.version is None else self.version
        columns = [self.key.label("id"), self.blob.label("blob"), version.label("version")]
        wrapping = (
            [subject_key.c.subject_id, subject_key.c.key_id, subject_key.c.wrapped]
            if self.own
            else [sa.null().label("subject_id")]
        )
        query = self._rows(*columns, *wrapping, ring=store.ring)
        query = query.where(self.key > after).order_by(self.key).limit(PAGE)
        with store.read() as conn:
            rows = conn.execute(query).all()
        ring, moved, broken = store.ring, [], 0
        for row in rows:
            try:
                moved.append({"key_": row.id, "old": bytes(row.blob), "new": self._seal_anew(ring, row)})
            except EnvelopeBroken:
                broken += 1
        table = self.blob.table
        assert isinstance(table, sa.Table)
        key = table.primary_key.columns.values()[0]
        _swap(store, table, key, self.blob, moved)
        return Step(rows[-1].id if len(rows) == PAGE else None, len(rows), broken)

    def _rows(self, *columns: Any, ring: Keyring) -> sa.Select[Any]:
        place: sa.FromClause = self.blob.table if self.joined is None else self.joined
        purpose = Purpose.SUBJECT_WRAP if self.own else Purpose.FIELD
        here = _not_under(self.blob, ring.sealing_id(purpose))
        if not self.own:
            return sa.select(*columns).select_from(place).where(here, self.subject.is_(None))
        # What belongs to a subject whose key is gone stays as unreadable as it is.
        joined = sa.join(place, subject_key, subject_key.c.subject_id == self.subject)
        return sa.select(*columns).select_from(joined).where(here)

    def _seal_anew(self, ring: Keyring, row: Any) -> bytes:
        if self.own:
            ring.add_subjects([SubjectKeyRow(row.subject_id, row.key_id, bytes(row.wrapped))])
        fields = ring.open_record(self.sealed_as, row.id, row.subject_id, row.version, bytes(row.blob))
        return ring.seal_record(self.sealed_as, row.id, row.subject_id, row.version, fields)


@dataclass(frozen=True, slots=True)
class Secrets:
    """Is a column of secrets; `named` returns the name a secret is sealed under, by the id of its row."""

    key: sa.Column[str]
    blob: sa.Column[bytes]
    named: Callable[[str], str]

    @property
    def name(self) -> str:
        return f"{self.blob.table}.{self.blob.name}"

    def left(self, conn: sa.Connection, ring: Keyring) -> int:
        here = _not_under(self.blob, ring.sealing_id(Purpose.SECRET))
        return int(conn.execute(sa.select(sa.func.count()).where(here)).scalar_one())

    def step(self, store: Store, after: str) -> Step:
        here = _not_under(self.blob, store.ring.sealing_id(Purpose.SECRET))
        query = sa.select(self.key, self.blob).where(here, self.key > after)
        with store.read() as conn:
            rows = conn.execute(query.order_by(self.key).limit(PAGE)).all()
        moved, broken = [], 0
        for key, blob in rows:
            name = self.named(key)
            try:
                anew = store.ring.seal_secret(name, store.ring.open_secret(name, bytes(blob)))
            except EnvelopeBroken:
                broken += 1
                continue
            moved.append({"key_": key, "old": bytes(blob), "new": anew})
        table = self.blob.table
        assert isinstance(table, sa.Table)
        _swap(store, table, self.key, self.blob, moved)
        return Step(rows[-1][0] if len(rows) == PAGE else None, len(rows), broken)


class SubjectKeyRows:
    """Is table `subject_key`: each row wraps one subject's key, which stays what it is."""

    name = "subject_key.wrapped"

    def left(self, conn: sa.Connection, ring: Keyring) -> int:
        query = sa.select(sa.func.count()).select_from(subject_key).where(subject_key.c.key_id != ring.subject_key_id)
        return int(conn.execute(query).scalar_one())

    def step(self, store: Store, after: str) -> Step:
        c = subject_key.c
        query = (
            sa.select(subject_key)
            .where(c.key_id != store.ring.subject_key_id, c.subject_id > after)
            .order_by(c.subject_id)
        )
        with store.read() as conn:
            rows = conn.execute(query.limit(PAGE)).all()
        moved, broken = [], 0
        for row in rows:
            try:
                made = store.ring.rewrap_subject(SubjectKeyRow(row.subject_id, row.key_id, bytes(row.wrapped)))
            except EnvelopeBroken:
                broken += 1
                continue
            moved.append({"key_": row.subject_id, "old": bytes(row.wrapped), "new": made.wrapped, "by": made.key_id})
        _swap(store, subject_key, c.subject_id, c.wrapped, moved, also={"key_id": sa.bindparam("by")})
        return Step(rows[-1].subject_id if len(rows) == PAGE else None, len(rows), broken)


def _swap(
    store: Store,
    table: sa.Table,
    key: sa.ColumnElement[str],
    blob: sa.Column[bytes],
    moved: Sequence[Mapping[str, Any]],
    also: Mapping[str, Any] | None = None,
) -> None:
    """Exchanges blobs where they are still what was read."""
    if moved:
        values = {blob.name: sa.bindparam("new", type_=sa.LargeBinary), **(also or {})}
        here = sa.and_(key == sa.bindparam("key_"), blob == sa.bindparam("old", type_=sa.LargeBinary))
        with store.begin() as work:
            work.conn.execute(table.update().where(here).values(values), moved)


def _own(table: sa.Table, sealed_as: str = "", column: str = "blob") -> Records:
    key = table.primary_key.columns.values()[0]
    version = table.c.get("revision") if table is golden else None
    return Records(sealed_as or table.name, key, table.c[column], table.c.subject_id, True, version)


_BASE = base.join(binding, binding.c.binding_id == base.c.binding_id).join(golden, golden.c.hub_id == binding.c.hub_id)
SUBJECTS: tuple[Place, ...] = (
    SubjectKeyRows(),
    _own(golden),
    Records("base", base.c.binding_id, base.c.blob, golden.c.subject_id, True, base.c.blob_version, _BASE),
    _own(observation),
    _own(intent),
    _own(field_change),
    _own(conflict),
    _own(conflict, "conflict_answer", "answer"),
    _own(hold),
    _own(hold, "hold_answer", "answer"),
    _own(quarantine),
)


def _nobodys(table: sa.Table, column: str = "blob", version: str | None = "revision") -> Records:
    key, at = table.primary_key.columns.values()[0], None if version is None else table.c[version]
    return Records(table.name, key, table.c[column], sa.null(), False, at)


FIELD: tuple[Place, ...] = (
    *(
        Records(t.name, t.primary_key.columns.values()[0], t.c.blob, t.c.subject_id, False)
        for t in (observation, quarantine)
    ),
    # What belongs to no customer: users with their grants, approvals, and what lets people in.
    _nobodys(users, "seal"),
    _nobodys(approval),
    _nobodys(credential),
    _nobodys(session),
    _nobodys(oidc_flow, version=None),
)
SECRET: tuple[Place, ...] = (
    Secrets(secret.c.name, secret.c.blob, str),
    Secrets(channel.c.system, channel.c.blob, lambda system: f"channel/{system}"),
)
SEALED: Mapping[Purpose, tuple[Place, ...]] = {
    Purpose.SUBJECT_WRAP: SUBJECTS,
    Purpose.FIELD: FIELD,
    Purpose.SECRET: SECRET,
}


def wrapped_by(conn: sa.Connection) -> dict[int, int]:
    """Returns how many subjects' keys each key wraps."""
    c = subject_key.c
    return {row[0]: row[1] for row in conn.execute(sa.select(c.key_id, sa.func.count()).group_by(c.key_id))}
