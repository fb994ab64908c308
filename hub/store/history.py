"""What the golden record went through: every change of a field and every value that lost, sealed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from dataclasses import field as attribute

import orjson
import sqlalchemy as sa

from hub.canonical.values import Value
from hub.core.state import FieldChange, GoldenRecord
from hub.keys.keyring import Keyring
from hub.store.codec import value_in
from hub.store.database import Prepared
from hub.store.tables import field_change
from hub.store.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class PastChange:
    """Is one entry of a record's timeline; `at` is epoch seconds."""

    change_id: str
    field: str
    revision: int
    origin: str
    run_id: str
    at: float
    before: Value = attribute(repr=False)
    after: Value = attribute(repr=False)
    losers: tuple[tuple[str, Value], ...] = attribute(repr=False)


def value_digest(ring: Keyring, name: str, value: Value, like: bytes | None = None) -> bytes:
    """Returns the keyed digest under which a field's value is counted and audited, comparable with `like`."""
    return ring.digest(b"value", name.encode(), orjson.dumps(value), like=like)


def keep(work: UnitOfWork, run_id: str, changed: Iterable[tuple[GoldenRecord, Sequence[FieldChange]]]) -> None:
    """Writes the changes of a batch of records."""
    rows = []
    for record, changes in changed:
        for change in changes:
            change_id = work.new_id()
            sealed = {
                "before": change.before,
                "after": change.after,
                "losers": [[origin, value] for origin, value in change.losers],
            }
            rows.append(
                {
                    "change_id": change_id,
                    "hub_id": record.hub_id,
                    "entity": record.entity,
                    "field": change.field,
                    "revision": record.revision,
                    "origin": change.origin,
                    "after_digest": value_digest(work.ring, change.field, change.after),
                    "run_id": run_id,
                    "subject_id": record.subject_id,
                    "blob": work.ring.seal_record("field_change", change_id, record.subject_id, 0, sealed),
                    "changed_at": work.now,
                }
            )
    if rows:
        work.conn.execute(field_change.insert(), rows)


_RETURNS = Prepared(
    sa.select(field_change.c.hub_id, field_change.c.field, field_change.c.after_digest, sa.func.count())
    .where(field_change.c.hub_id.in_(sa.bindparam("ids", expanding=True)))
    .where(field_change.c.changed_at >= sa.bindparam("since"))
    .group_by(field_change.c.hub_id, field_change.c.field, field_change.c.after_digest)
    .having(sa.func.count() >= sa.bindparam("times"))
)


def returns(conn: sa.Connection, hub_ids: Sequence[str], since: float, times: int) -> dict[tuple[str, str, bytes], int]:
    """Counts how often a field came to a value since an instant, from `times` on: (hub id, field, digest) -> times."""
    rows = _RETURNS.run(conn, {"ids": list(hub_ids), "since": since, "times": times})
    return {(hub_id, name, bytes(digest)): times for hub_id, name, digest, times in rows}


def timeline(conn: sa.Connection, ring: Keyring, hub_id: str) -> list[PastChange]:
    """Returns a record's changes, oldest first; the subject's key must be in the ring."""
    rows = conn.execute(
        sa.select(field_change).where(field_change.c.hub_id == hub_id).order_by(field_change.c.change_id)
    )
    past = []
    for row in rows:
        sealed = ring.open_record("field_change", row.change_id, row.subject_id, 0, bytes(row.blob))
        losers = tuple((origin, value_in(value)) for origin, value in sealed["losers"])
        past.append(
            PastChange(
                row.change_id,
                row.field,
                row.revision,
                row.origin,
                row.run_id,
                row.changed_at,
                value_in(sealed["before"]),
                value_in(sealed["after"]),
                losers,
            )
        )
    return past
