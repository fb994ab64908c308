"""The simulated org's records in memory, with the sorted keys and indexes that listing needs."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
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
    lock_id: str = ""
    locked_reason: str = ""
    awaits_approval: bool = False
    blueprint: frozenset[str] = frozenset()
    deleted: int = 0
    deleted_by: str = ""
    permanent: bool = False
    merged_into: str = ""
    deleted_with: str = ""
    converted: bool = False
    searched: dict[str, Any] | None = field(default=None, repr=False)
    searchable_at: float = 0.0

    def is_listed(self, pending: bool) -> bool:
        """Tells whether lists and queries show the record; `pending` whether they show what awaits approval."""
        return not self.hidden and (pending or not self.awaits_approval)

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
        self.unused_fields: set[str] = set()  # not on the layout
        self.profiles: dict[str, dict[str, str]] = {}  # what a field lets a profile do, where not all it likes
        self.told: Callable[[Row, str], None] = lambda row, operation: None
        self.by_id: list[int] = []
        self.by_modified: list[tuple[int, int]] = []
        self.by_created: list[tuple[int, int]] = []
        self.index: dict[str, dict[str, set[str]]] = {name: {} for name in (*spec.indexed, *spec.links)}

    def set_unique(self, name: str, unique: bool) -> None:
        """Lets a field admit duplicates or none, as an administrator does in the module's layout."""
        self.spec.fields[name] = replace(self.spec.fields[name], unique=unique)
        if unique and name not in self.index:
            self.index[name] = {}
            for row in self.rows.values():
                if not row.deleted and (value := row.fields.get(name)) is not None:
                    self.index[name].setdefault(_key(value), set()).add(row.record_id)

    def visible(self, name: str) -> FieldSpec | None:
        """Returns a field that the token user may see."""
        hidden = name in self.hidden_fields or name in self.unused_fields
        return None if hidden else self.spec.fields.get(name)

    def put_field(self, field_spec: FieldSpec) -> None:
        """Adds a field, or gives it a new description; every record has it, empty at first."""
        name, spec = field_spec.api_name, self.spec
        fresh = name not in spec.fields
        self.spec = replace(spec, fields={**spec.fields, name: field_spec})
        if field_spec.unique and name not in spec.indexed:
            self.spec = replace(self.spec, indexed=(*spec.indexed, name))
        if field_spec.lookup and fresh:
            self.spec = replace(self.spec, links=(*spec.links, name))
        for row in self.rows.values() if fresh else ():
            row.fields = {**row.fields, name: None}
        if name in (*self.spec.indexed, *self.spec.links) and name not in self.index:
            self.index[name] = {}
            for row in self.rows.values():
                if not row.deleted and (value := row.fields.get(name)) is not None:
                    self.index[name].setdefault(_key(value), set()).add(row.record_id)

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
        self.told(row, "insert")

    def leave(self, row: Row) -> None:
        """Takes a record out of the live ones."""
        self.gone[row.record_id] = row
        _remove(self.by_id, row.number)
        _remove(self.by_modified, (row.modified, row.number))
        _remove(self.by_created, (row.created, row.number))
        self._unindex(row)
        self.told(row, "delete")

    def change(self, row: Row, fields: dict[str, Any], modified: int) -> None:
        """Gives a live record its new fields and its new time."""
        _remove(self.by_modified, (row.modified, row.number))
        self._unindex(row)
        row.fields, row.modified = fields, modified
        insort(self.by_modified, (row.modified, row.number))
        self._index(row, fields)
        self.told(row, "update")

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


@dataclass(slots=True)
class Tag:
    """One tag of a module; `owner` is the id of the module's field of tags, by which it is known."""

    owner: str
    shown: dict[str, Any]
    created: int
    modified: int
    created_by: User | None = None
    modified_by: User | None = None


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
            for name, spec in org_modules(settings.custom_fields, settings.hub_id_unique, settings.picklists).items()
        }
        self.tags: dict[tuple[str, str], Tag] = {}  # by the module's field of tags and their name
        self.triggers: Counter[str] = Counter()
        self.refusals: list[dict[str, Any]] = []
        self.automations: list[dict[str, Any]] = [
            {"module": "Contacts", "when_empty": "Lead_Source", "set": {"Lead_Source": "Other"}},
            {"module": "Accounts", "when_empty": "Customer_Source", "set": {"Customer_Source": "Other"}},
        ]
        self.fields_to_come: list[tuple[float, str, FieldSpec]] = []  # when each is usable, in which module
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

    def tag(self, owner: str, name: str, user: User | None = None) -> dict[str, Any]:
        """Returns the tag of a name as records show it, made when it is new; `owner` is its module's field of tags."""
        if (owner, name) not in self.tags:
            shown = {"name": name, "id": self.next_id(), "color_code": None}
            self.tags[owner, name] = Tag(owner, shown, self.now(), self.now(), user, user)
        return self.tags[owner, name].shown

    def full_name(self, fields: dict[str, Any]) -> str:
        """Joins the two names with a space, in the order that the org's locale shows."""
        names = [fields.get("First_Name"), fields.get("Last_Name")]
        if not self.settings.given_name_first:
            names.reverse()
        return " ".join(name for name in names if name)
