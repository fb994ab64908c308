"""What is sent abroad: who is counted for it, whose creation is held back, and how the audit log names it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from hub.audit.event import Egress
from hub.core.deadlines import ZONE
from hub.core.state import Fields, GoldenRecord
from hub.store import ledger
from hub.store.database import Connection
from hub.store.unit_of_work import UnitOfWork
from hub.sync.engine import Link, RunContext

CUSTOMER, POINTER = "customer", "customer_id"


@dataclass(slots=True)
class Counted:
    """Is how far an approved number of persons is used up: who is counted of a page, and how many more may be."""

    persons: set[str]
    left: int | None

    def admits(self, person: str) -> bool:
        """Takes a place for a person. Returns False where none is left."""
        if self.left is None or person in self.persons:
            return True
        if self.left <= 0:
            return False
        self.persons.add(person)
        self.left -= 1
        return True


EVERYBODY = Counted(set(), None)


def person_of(golden: GoldenRecord) -> str:
    """Returns whose record it is: a customer is itself, what belongs to one is its customer's."""
    owner = golden.fields.get(POINTER)
    return owner if golden.entity != CUSTOMER and isinstance(owner, str) else golden.hub_id


def count_of(run: RunContext, link: Link, conn: Connection, records: Collection[GoldenRecord]) -> Counted:
    """Returns who of a page is counted for a system abroad, and how many persons more it may be sent."""
    basis = link.egress.basis
    if not link.egress.counts or basis is None:
        return EVERYBODY
    year = _year(run)
    known = ledger.counted(conn, year, link.system, [person_of(item) for item in records])
    return Counted(known, basis.persons - ledger.totals(conn, year).get(link.system, 0))


def held_back(run: RunContext, link: Link, golden: GoldenRecord, counted: Counted) -> str:
    """Returns why a record is not made in a system, empty where it is: one report stands for all of them."""
    required = {name for name, item in run.rules.entity.fields.items() if item.required}
    stopped = sorted(required & link.egress.blocked)
    if stopped:
        return f"egress:{link.system}:{'+'.join(stopped)}"
    return "" if counted.admits(person_of(golden)) else f"egress_quota:{link.system}"


def count_persons(run: RunContext, link: Link, work: UnitOfWork, records: Sequence[GoldenRecord]) -> None:
    """Counts whose values a system abroad has accepted, in the commit that says so."""
    basis = link.egress.basis
    if link.egress.counts and records:
        name = "" if basis is None else basis.id
        ledger.count(work, _year(run), link.system, name, [person_of(item) for item in records])


def noted(link: Link, fields: Fields) -> Egress | None:
    """Returns how the audit log names what left for abroad, None where it stayed in the country."""
    if not link.egress.counts:
        return None
    masked = sorted({link.egress.rule(name) for name in fields if link.egress.masks(name)})
    basis = "" if link.egress.basis is None else link.egress.basis.id
    return Egress(link.egress.region, "mask" if masked else "allow", ", ".join([basis, *masked]))


def _year(run: RunContext) -> int:
    return datetime.fromtimestamp(run.clock.now(), UTC).astimezone(ZONE).year
