"""The simulated org's records in memory, with the sorted keys and indexes that listing needs."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from connectors.simulation.clock import SimClock
from connectors.zoho_crm.simulator.schema import API_USER, FieldSpec, ModuleSpec, User, org_modules, org_users
from connectors.zoho_crm.simulator.settings import Settings

_FIRST_NEW_ID = 5_843_104_000_900_000_000


@dataclass(slots=True)
class Row:
    """One record; `fields` holds values as the API shows them, and is replaced, never edited in place."""

    record_id: str
    fields: dict[str, Any] = field(repr=False)
    created: int
    modified: int
    hidden: bool = False
    locked: bool = False
    deleted: int = 0
    deleted_by: str = ""
    permanent: bool = False
    merged_into: str = ""
    deleted_with: str = ""
    converted: bool = False
    searched: dict[str, Any] | None = field(default=None, repr=False)
    searchable_at: float = 0.0

    @property
    def number(self) -> int:
        """Returns the id as the number it is sorted by."""
        return int(self.record_id)


class ModuleStore:
    """The records of one module: live ones by id and by time, indexed by their unique values."""

    def __init__(self, spec: ModuleSpec) -> None:
        self.spec = spec
        self.rows: dict[str, Row] = {}
        self.gone: dict[str, Row] = {}
        self.hidden_fields: set[str] = set()
        self.by_id: list[int] = []
        self.by_modified: list[tuple[int, int]] = []
        self.by_created: list[tuple[int, int]] = []
        self.index: dict[str, dict[str, set[str]]] = {name: {} for name in (*spec.indexed, *spec.links)}

    def visible(self, name: str) -> FieldSpec | None:
        """Returns a field that the token user may see."""
        return None if name in self.hidden_fields else self.spec.fields.get(name)

    def live(self, record_id: str) -> Row | None:
        """Returns a record that is not deleted."""
        row = self.rows.get(record_id)
        return row if row is not None and not row.deleted else None

    def load(self, rows: Iterable[Row]) -> None:
        """Adds many records at once."""
        for row in rows:
            self.rows[row.record_id] = row
            self._index(row, row.fields)
        alive = [row for row in self.rows.values() if not row.deleted]
        self.by_id = sorted(row.number for row in alive)
        self.by_modified = sorted((row.modified, row.number) for row in alive)
        self.by_created = sorted((row.created, row.number) for row in alive)

    def enter(self, row: Row) -> None:
        """Puts a record among the live ones."""
        self.rows[row.record_id] = row
        self.gone.pop(row.record_id, None)
        insort(self.by_id, row.number)
        insort(self.by_modified, (row.modified, row.number))
        insort(self.by_created, (row.created, row.number))
        self._index(row, row.fields)

    def leave(self, row: Row) -> None:
        """Takes a record out of the live ones."""
        self.gone[row.record_id] = row
        _remove(self.by_id, row.number)
        _remove(self.by_modified, (row.modified, row.number))
        _remove(self.by_created, (row.created, row.number))
        self._unindex(row)

    def change(self, row: Row, fields: dict[str, Any], modified: int) -> None:
        """Gives a live record its new fields and its new time."""
        _remove(self.by_modified, (row.modified, row.number))
        self._unindex(row)
        row.fields, row.modified = fields, modified
        insort(self.by_modified, (row.modified, row.number))
        self._index(row, fields)

    def holders(self, name: str, value: object) -> set[str]:
        """Returns the ids of live records that hold a value, or link to an id, in an indexed field.

        Case does not matter.
        """
        return self.index[name].get(str(value).casefold(), set())

    def _index(self, row: Row, fields: dict[str, Any]) -> None:
        for name, index in self.index.items():
            if (value := fields.get(name)) is not None:
                index.setdefault(_key(value), set()).add(row.record_id)

    def _unindex(self, row: Row) -> None:
        for name, index in self.index.items():
            if (value := row.fields.get(name)) is not None:
                index.get(_key(value), set()).discard(row.record_id)


def _key(value: Any) -> str:
    return str(value["id"] if isinstance(value, dict) else value).casefold()


def _remove(keys: list[Any], key: Any) -> None:
    position = bisect_left(keys, key)
    if position < len(keys) and keys[position] == key:
        del keys[position]


class Org:
    """The whole simulated org: modules, users, rules, clock and settings."""

    def __init__(self, clock: SimClock, settings: Settings) -> None:
        self.clock = clock
        self.settings = settings
        self.users: dict[str, User] = org_users()
        self.modules = {
            name: ModuleStore(spec)
            for name, spec in org_modules(settings.custom_fields, settings.hub_id_unique).items()
        }
        self.tags: dict[str, dict[str, Any]] = {}
        self.triggers: Counter[str] = Counter()
        self.refusals: list[dict[str, Any]] = []
        self.automations: list[dict[str, Any]] = [
            {"module": "Contacts", "when_empty": "Lead_Source", "set": {"Lead_Source": "Other"}},
            {"module": "Accounts", "when_empty": "Customer_Source", "set": {"Customer_Source": "Other"}},
        ]
        self.last_case = 0  # the highest Case_Number given
        self._ids = 0

    @property
    def api_user(self) -> User:
        """Returns the integration user."""
        return self.users[API_USER]

    def now(self) -> int:
        """Returns the vendor's time in whole seconds, which is how records are stamped."""
        return int(self.clock.now())

    def iso(self, instant: float) -> str:
        """Writes an instant with the token user's offset and without fractions."""
        zone = timezone(timedelta(minutes=self.settings.utc_offset_minutes))
        return datetime.fromtimestamp(int(instant), zone).isoformat()

    def next_id(self) -> str:
        """Returns the next id; later ones are larger."""
        self._ids += 1
        return str(_FIRST_NEW_ID + self._ids * 1001)

    def next_case_number(self) -> str:
        """Returns the next Case_Number, after those of the records that the org began with."""
        self.last_case += 1
        return f"TS{self.last_case:08d}"

    def tag(self, name: str) -> dict[str, Any]:
        """Returns the tag of a name, made when it is new."""
        if name not in self.tags:
            self.tags[name] = {"name": name, "id": self.next_id(), "color_code": None}
        return self.tags[name]

    def full_name(self, fields: dict[str, Any]) -> str:
        """Joins the two names with a space, in the order that the org's locale shows."""
        names = [fields.get("First_Name"), fields.get("Last_Name")]
        if not self.settings.given_name_first:
            names.reverse()
        return " ".join(name for name in names if name)
