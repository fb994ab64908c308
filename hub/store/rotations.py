"""How far the rotation of a key is: one row a purpose, moved forward by whoever comes by."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum

import sqlalchemy as sa

from hub.keys.rows import Purpose
from hub.store.key_tables import key_rotation
from hub.store.unit_of_work import UnitOfWork


class Phase(StrEnum):
    """Says what a rotation does next."""

    ANNOUNCED = "announced"
    """The new key is pending; every process is to load it."""
    SEALING = "sealing"
    """The new key seals; what stands under older ones is sealed anew."""
    SETTLING = "settling"
    """Nothing was left; every process is to seal with the new key before that is counted once more."""
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Rotation:
    """Is one rotation. `version` is of the ring that every process is to load; `broken` rows do not open."""

    purpose: Purpose
    key_id: int
    phase: Phase
    version: int
    begun_at: float
    phase_at: float
    place: str = ""
    last_id: str = ""
    done: int = 0
    total: int = 0
    broken: int = 0
    ended_at: float | None = None

    def rate(self, now: float) -> float | None:
        """Returns rows a second since sealing began, None before there is any."""
        spent = (self.ended_at or now) - self.phase_at
        return self.done / spent if self.phase is Phase.SEALING and self.done and spent > 0 else None

    def seconds_left(self, now: float) -> float | None:
        """Returns the seconds that the rows left take at this rate."""
        rate = self.rate(now)
        return None if rate is None else max(0, self.total - self.done) / rate


def rotations(conn: sa.Connection) -> dict[Purpose, Rotation]:
    """Returns the newest rotation of each purpose."""
    found = {}
    for row in conn.execute(sa.select(key_rotation).order_by(key_rotation.c.purpose)):
        values = {**row._mapping, "purpose": Purpose(row.purpose), "phase": Phase(row.phase)}
        found[Purpose(row.purpose)] = Rotation(**values)
    return found


def begin(work: UnitOfWork, made: Rotation) -> None:
    """Keeps a new rotation in the place of the last one of its purpose."""
    work.conn.execute(key_rotation.delete().where(key_rotation.c.purpose == made.purpose.value))
    work.conn.execute(key_rotation.insert().values(_values(made)))


def move(work: UnitOfWork, before: Rotation, after: Rotation) -> bool:
    """Moves a rotation forward; False where another process did so first."""
    c = key_rotation.c
    here = sa.and_(c.purpose == before.purpose.value, c.key_id == before.key_id, c.phase == before.phase.value)
    here = sa.and_(here, c.place == before.place, c.last_id == before.last_id)
    return work.conn.execute(key_rotation.update().where(here).values(_values(after))).rowcount == 1


def _values(item: Rotation) -> dict[str, object]:
    return {**asdict(item), "purpose": item.purpose.value, "phase": item.phase.value}
