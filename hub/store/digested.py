"""The digests and blind indexes in the store, and how they come under the key that makes new ones.

A digest is never compared with one made under another key. Where what it was made of stands sealed beside it, it is
made anew; where it does not, it is dropped, and what it recognised is compared by opening when it is seen next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from hub.crypto.errors import EnvelopeBroken, SubjectKeyMissing
from hub.keys.keyring import DIGEST, INDEX, MARK, Keyring
from hub.keys.rows import Purpose, SubjectKeyRow
from hub.store import inbox, records
from hub.store.codec import value_in
from hub.store.history import value_digest
from hub.store.matches import FIND, GOLDEN
from hub.store.questions import candidates_digest
from hub.store.review_tables import conflict, hold, quarantine
from hub.store.sealed import PAGE, Place, Step
from hub.store.tables import binding, blind_index, field_change, observation, subject_key
from hub.store.unit_of_work import Store

IndexOf = Callable[[str, Mapping[str, Any], bool], Mapping[str, bytes]]
"""Returns the indexes of a record under the key that makes new ones: (entity, fields, golden) -> rule -> index."""


def _other(column: sa.ColumnElement[bytes], mark: bytes, widths: tuple[int, ...]) -> sa.ColumnElement[bool]:
    """Tells which digests of these widths were made under another key than the one with this mark."""
    length = sa.func.length(column)
    bare = length.in_(widths)
    if not mark:
        return sa.and_(length > 0, ~bare)
    named = sa.func.substr(column, 1, MARK, type_=sa.LargeBinary)
    return sa.and_(length > 0, sa.or_(bare, named != mark))


@dataclass(frozen=True, slots=True)
class Dropped:
    """Is a column of digests whose input stands nowhere: they are dropped."""

    key: sa.Column[str]
    digest: sa.Column[bytes]

    @property
    def name(self) -> str:
        return f"{self.digest.table}.{self.digest.name}"

    def left(self, conn: sa.Connection, ring: Keyring) -> int:
        return int(conn.execute(sa.select(sa.func.count()).where(self._here(ring))).scalar_one())

    def step(self, store: Store, after: str) -> Step:
        here = self._here(store.ring)
        table = self.digest.table
        assert isinstance(table, sa.Table)
        with store.read() as conn:
            query = sa.select(self.key).where(here, self.key > after).order_by(self.key).limit(PAGE)
            ids = list(conn.execute(query).scalars())
        if ids:
            with store.begin() as work:
                one = sa.and_(self.key.in_(ids), here)
                work.conn.execute(table.update().where(one).values({self.digest.name: b""}))
        return Step(ids[-1] if len(ids) == PAGE else None, len(ids))

    def _here(self, ring: Keyring) -> sa.ColumnElement[bool]:
        return _other(self.digest, ring.mark(Purpose.DIGEST), (DIGEST,))


@dataclass(frozen=True, slots=True)
class Remade:
    """Is a column of digests that are made anew from the sealed record beside them."""

    table: sa.Table
    digest: sa.Column[bytes]
    anew: Callable[[Keyring, Any, Mapping[str, Any]], bytes]

    @property
    def name(self) -> str:
        return f"{self.table.name}.{self.digest.name}"

    def left(self, conn: sa.Connection, ring: Keyring) -> int:
        query = sa.select(sa.func.count()).select_from(self.table).where(self._here(ring))
        return int(conn.execute(query).scalar_one())

    def step(self, store: Store, after: str) -> Step:
        key, c = self.table.primary_key.columns.values()[0], subject_key.c
        joined = self.table.join(subject_key, c.subject_id == self.table.c.subject_id, isouter=True)
        query = sa.select(self.table, c.key_id, c.wrapped).select_from(joined)
        with store.read() as conn:
            here = query.where(self._here(store.ring), key > after)
            rows = conn.execute(here.order_by(key).limit(PAGE)).all()
        moved, broken = [], 0
        for row in rows:
            row_id, old = getattr(row, key.name), bytes(getattr(row, self.digest.name))
            try:
                if row.wrapped is None:
                    raise SubjectKeyMissing(row.subject_id)
                store.ring.add_subjects([SubjectKeyRow(row.subject_id, row.key_id, bytes(row.wrapped))])
                opened = store.ring.open_record(self.table.name, row_id, row.subject_id, 0, bytes(row.blob))
                new = self.anew(store.ring, row, opened)
            except (EnvelopeBroken, SubjectKeyMissing):
                new, broken = b"", broken + 1
            moved.append({"key_": row_id, "old": old, "new": new})
        if moved:
            same = sa.and_(key == sa.bindparam("key_"), self.digest == sa.bindparam("old", type_=sa.LargeBinary))
            values = {self.digest.name: sa.bindparam("new", type_=sa.LargeBinary)}
            with store.begin() as work:
                work.conn.execute(self.table.update().where(same).values(values), moved)
        return Step(getattr(rows[-1], key.name) if len(rows) == PAGE else None, len(rows), broken)

    def _here(self, ring: Keyring) -> sa.ColumnElement[bool]:
        return _other(self.digest, ring.mark(Purpose.DIGEST), (DIGEST,))


@dataclass(frozen=True, slots=True)
class Indexes:
    """Is table `blind_index`: each row is made anew from its record, which is opened for it."""

    index_of: IndexOf
    name: str = "blind_index.digest"

    def left(self, conn: sa.Connection, ring: Keyring) -> int:
        query = sa.select(sa.func.count()).select_from(blind_index).where(self._here(ring))
        return int(conn.execute(query).scalar_one())

    def step(self, store: Store, after: str) -> Step:
        c = blind_index.c
        owners = sa.select(c.owner).where(self._here(store.ring), c.owner > after).distinct()
        with store.read() as conn:
            ids = list(conn.execute(owners.order_by(c.owner).limit(PAGE)).scalars())
            rows = conn.execute(sa.select(blind_index).where(c.owner.in_(ids), self._here(store.ring))).all()
            known, broken = self._known(conn, store.ring, rows)
        moved: list[dict[str, Any]] = []
        stale: list[dict[str, Any]] = []
        for row in rows:
            if row.owner in broken:
                continue
            new = known.get(row.owner, {}).get(row.rule)
            here = {"key_": row.owner, "of": row.rule, "old": bytes(row.digest)}
            # A key of what its record no longer shows is no evidence.
            (stale if new is None else moved).append(here if new is None else {**here, "new": bytes(new)})
        if rows:
            with store.begin() as work:
                if moved:
                    work.conn.execute(_MOVE_INDEX, moved)
                if stale:
                    work.conn.execute(_DROP_INDEX, stale)
        left = len(rows) - len(moved) - len(stale)
        return Step(ids[-1] if len(ids) == PAGE else None, len(rows), left)

    def _known(
        self, conn: sa.Connection, ring: Keyring, rows: Sequence[Any]
    ) -> tuple[dict[str, Mapping[str, bytes]], set[str]]:
        """Returns the indexes of the records behind some rows, and the owners whose records do not open."""
        entity = {row.owner: row.entity for row in rows}
        whole = [owner for owner, system in {row.owner: row.system for row in rows}.items() if system == GOLDEN]
        waiting = sorted(entity.keys() - set(whole))

        def of_golden(ids: Sequence[str]) -> dict[str, Mapping[str, bytes]]:
            found = records.load_golden(conn, ring, ids)
            return {hub_id: self.index_of(entity[hub_id], record.fields, True) for hub_id, record in found.items()}

        def of_waiting(ids: Sequence[str]) -> dict[str, Mapping[str, bytes]]:
            queued = conn.execute(sa.select(observation).where(observation.c.obs_id.in_(ids))).all()
            records.load_subjects(conn, ring, [row.hub_id for row in queued if row.hub_id])
            opened = [(row, inbox.open_row(ring, inbox.queued_of(row))) for row in queued]
            return {row.obs_id: self.index_of(row.entity, item.fields, False) for row, item in opened}

        broken: set[str] = set()
        return {**_halving(of_golden, whole, broken), **_halving(of_waiting, waiting, broken)}, broken

    def _here(self, ring: Keyring) -> sa.ColumnElement[bool]:
        return _other(blind_index.c.digest, ring.mark(Purpose.INDEX), (INDEX, FIND))


def _halving(
    load: Callable[[Sequence[str]], dict[str, Mapping[str, bytes]]], ids: Sequence[str], broken: set[str]
) -> dict[str, Mapping[str, bytes]]:
    """Loads a page at once, or in halves where something in it does not open, so that this holds up nothing else."""
    try:
        return load(ids)
    except EnvelopeBroken:
        if len(ids) == 1:
            broken.update(ids)
            return {}
    half = len(ids) // 2
    return {**_halving(load, ids[:half], broken), **_halving(load, ids[half:], broken)}


_ONE = sa.and_(
    blind_index.c.owner == sa.bindparam("key_"),
    blind_index.c.rule == sa.bindparam("of"),
    blind_index.c.digest == sa.bindparam("old", type_=sa.LargeBinary),
)
_MOVE_INDEX = blind_index.update().where(_ONE).values(digest=sa.bindparam("new", type_=sa.LargeBinary))
_DROP_INDEX = blind_index.delete().where(_ONE)


def _of_question(ring: Keyring, row: Any, opened: Mapping[str, Any]) -> bytes:
    return candidates_digest(ring, row.rule, opened["candidates"])


def _of_change(ring: Keyring, row: Any, opened: Mapping[str, Any]) -> bytes:
    return value_digest(ring, row.field, value_in(opened["after"]))


DIGESTS: tuple[Place, ...] = (
    # Empty, not NULL: NULL says that we wrote the record, and what then differs from it counts as no change.
    Dropped(binding.c.binding_id, binding.c.obs_digest),
    Dropped(observation.c.obs_id, observation.c.digest),
    Dropped(quarantine.c.quarantine_id, quarantine.c.input_digest),
    Remade(conflict, conflict.c.digest, _of_question),
    Remade(hold, hold.c.digest, _of_question),
    Remade(field_change, field_change.c.after_digest, _of_change),
)
