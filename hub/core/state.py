"""What the engine knows about one customer, contact log or complaint at the moment it decides.

GOLDEN       the hub's current truth (G).
BASE         per binding and field, what both sides last agreed to (B).
OBSERVATION  what a page said a record is (O).
SIDE         one binding of the golden record, with its base and its latest observation.

        O_zoho      B_zoho            B_fxiaoke      O_fxiaoke
             \\       |                   |           /
              '------+------   G   ------+----------'

A field of a base carries three values. `agreed` is the golden value both sides stood at; `sent` is what the system
accepted from us, in canonical form; `seen` is what it showed. UNSET says that no such value stands: after a side was
overruled nothing is agreed any more, and the golden value is owed to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as attribute
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import Final, Literal

from hub.canonical.values import Value

Fields = Mapping[str, Value]
EMPTY: Final[Mapping[str, Value]] = MappingProxyType({})

HUB: Final = "hub"
"""The origin of an edit made by a person in the hub itself: the third writer."""


class _Unset(Enum):
    UNSET = "unset"

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = _Unset.UNSET
Maybe = Value | Literal[_Unset.UNSET]


class GoldenState(StrEnum):
    LIVE = "live"
    ARCHIVED = "archived"
    MERGED = "merged_into"
    ERASED = "erased"


class BindingState(StrEnum):
    PENDING = "pending"
    ACTIVE = "active"
    DETACHED = "detached"
    SUPERSEDED = "superseded"
    DOOMED = "doomed"


class Kind(StrEnum):
    """Says what an observation reports; EDIT is a person's change of the golden record."""

    UPSERT = "upsert"
    GONE = "gone"
    MERGED = "merged"
    EDIT = "edit"


@dataclass(frozen=True, slots=True)
class GoldenRecord:
    """Is the hub's truth about one thing. `origins` names who last wrote a field; `*` stands for the rest."""

    hub_id: str
    entity: str
    fields: Fields = attribute(repr=False)
    origins: Mapping[str, str] = attribute(default_factory=dict, repr=False)
    revision: int = 0
    state: GoldenState = GoldenState.LIVE
    subject_id: str = ""

    def origin(self, name: str) -> str:
        return self.origins.get(name) or self.origins.get("*", "")


@dataclass(frozen=True, slots=True)
class BaseField:
    """Is what one binding and one field last agreed to; `rule` is the egress rule that shaped `sent`."""

    agreed: Maybe = attribute(repr=False)
    sent: Maybe = attribute(repr=False)
    seen: Maybe = attribute(default=UNSET, repr=False)
    rule: str = "plain"

    def knows(self, value: Value) -> bool:
        """Tells whether the system showing `value` is silence: our write coming back, or what it showed before."""
        return value == self.sent or value == self.seen

    def last_known(self) -> Maybe:
        """Returns what the system holds as far as we know."""
        return self.sent if self.seen is UNSET else self.seen


Base = Mapping[str, BaseField]


@dataclass(frozen=True, slots=True)
class Binding:
    """Is the pair of a golden record and a native record of one system."""

    binding_id: str
    hub_id: str
    entity: str
    system: str
    object: str | None
    native_id: str | None
    state: BindingState
    part: str = "main"
    version: str | None = None
    obs_digest: bytes | None = None
    mapping_version: str | None = None
    agreed_revision: int = 0
    stamped: bool = False
    dirty: bool = False


@dataclass(frozen=True, slots=True)
class Observation:
    """Is what a page, a strong read or a person said about one record. An absent field was not observed."""

    obs_id: str
    entity: str
    system: str
    object: str
    native_id: str
    kind: Kind
    fields: Fields = attribute(repr=False)
    version: str | None = None
    stamp: str | None = None
    survivor: str | None = None
    digest: bytes | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """Is one system's place at the record: its binding, its base (None: equal to the golden record) and what it showed.

    `readable` and `writable` are the canonical fields its mapping reads and writes for the binding's object;
    `clearable` are those that may be written empty. `shows_empty` says that the system shows empty fields as empty, so
    that a field it never showed is one it hides: such a field is not written before it was seen. `fixed` says that the
    system lets nobody change a record that is there, `lasting` that it lets nobody delete one: declared limits.
    """

    binding: Binding
    base: Base | None
    observation: Observation | None
    readable: frozenset[str]
    writable: frozenset[str]
    clearable: frozenset[str] = frozenset()
    shows_empty: bool = False
    fixed: bool = False
    lasting: bool = False

    @property
    def system(self) -> str:
        return self.binding.system

    @property
    def mapped(self) -> frozenset[str]:
        return self.readable | self.writable


@dataclass(frozen=True, slots=True)
class Resolution:
    """Is a person's answer to a conflict or hold: the value to take, and the candidates that person saw."""

    field: str
    value: Value = attribute(repr=False)
    candidates: tuple[tuple[str, Value], ...] = attribute(repr=False)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Is everything known about one record, loaded at once. `golden` has revision 0 when it was never seen before.

    `resolutions` are by field; `*` answers a question about the whole record. `returns` counts per field and value how
    often the golden record came back to it of late. `children` counts the live records that point at this one.
    """

    golden: GoldenRecord
    sides: tuple[Side, ...]
    edits: Fields = attribute(default_factory=dict, repr=False)
    resolutions: Mapping[str, Resolution] = attribute(default_factory=dict, repr=False)
    returns: Mapping[tuple[str, Value], int] = attribute(default_factory=dict, repr=False)
    children: int = 0


@dataclass(frozen=True, slots=True)
class FieldChange:
    """Is one change of the golden record, with every value that lost to it."""

    field: str
    before: Value = attribute(repr=False)
    after: Value = attribute(repr=False)
    origin: str = ""
    losers: tuple[tuple[str, Value], ...] = attribute(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Conflict:
    """Is one field on which two writers differ and the policy asks a person; it freezes that field only."""

    field: str
    policy: str
    candidates: tuple[tuple[str, Value], ...] = attribute(repr=False)


@dataclass(frozen=True, slots=True)
class Hold:
    """Is one one-sided change that a field guard keeps back until a person answers."""

    field: str
    system: str
    guard: str
    candidates: tuple[tuple[str, Value], ...] = attribute(repr=False)
