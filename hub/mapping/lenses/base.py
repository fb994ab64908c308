"""Says what a lens is: a named pair of pure functions, made once for a pair of fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from hub.canonical.schema import Field, Kind
from hub.canonical.values import Value
from hub.kernel.errors import Text
from hub.mapping.tables import Tables

NOT_IN_TABLE = Text("is not in the value table of the mapping; add it there", "不在映射的码值对照表中，请补充")
NOT_READABLE = Text("does not have the form that this field's lens reads", "取值形式与字段映射规则不符")

Fields = Mapping[str, Value]
ABSENT: Any = object()
TEXTS = frozenset(
    {"text", "textarea", "string", "long_text", "url", "website", "html_rich_text", "autonumber", "auto_number"}
)
NUMBERS = frozenset({"integer", "bigint", "double", "decimal", "currency", "number", "percent", "percentile"})
CHOICES = frozenset({"picklist", "select_one", "record_type", "country", "province", "city", "district"})
KNOWN_KINDS = (
    TEXTS
    | NUMBERS
    | CHOICES
    | {"phone", "phone_number", "email", "date", "datetime", "date_time", "boolean", "true_or_false", "lookup"}
    | {"object_reference", "ownerlookup", "userlookup", "employee", "department", "multiselectpicklist", "select_many"}
    | {"multi_module_lookup", "object_reference_many"}
)


class BadLens(Exception):
    """Is raised when a lens cannot be made from its parameters; `file` and `line` point into a table at fault."""

    def __init__(self, en: str, zh: str, file: str | None = None, line: int | None = None) -> None:
        super().__init__(en)
        self.text = Text(en, zh)
        self.file = file
        self.line = line


class NotObserved(Exception):
    """Is raised when what a payload leaves out decides the canonical value."""


class NoParams(BaseModel):
    """Is the parameter set of a lens without parameters."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class Setting:
    """Is what a lens is made for: the pair's canonical and native fields, the tables, the kind of system."""

    fields: tuple[Field, ...]
    natives: tuple[str, ...]
    tables: Tables
    system_kind: str
    one_way: bool = False

    @property
    def field(self) -> Field:
        return self.fields[0]


@dataclass(frozen=True, slots=True)
class Simple:
    """Joins one canonical field and one native field.

    `get` never sees None and raises ValueRefused, KeyError, TypeError or ValueError for what it cannot read;
    `put` never sees None either; `empty` is what a native null means and `cleared` what clears the native field.
    """

    get: Callable[[Any], Value]
    put: Callable[[Any], Any]
    empty: Value = None
    cleared: Any = None


@dataclass(frozen=True, slots=True)
class Joint:
    """Joins several fields.

    `get` sees the native values in the order of the pair and returns the canonical ones in theirs; `put` sees the
    canonical fields to write and those the system is known to hold, and returns native fields. With `needed` only so
    many leading native fields must be in a payload: for any other `get` sees ABSENT, and raises NotObserved where the
    answer depends on it. `get` returns ABSENT for one of several canonical fields that the payload does not show.
    With `always` the lens is asked for native fields at every creation, even where no canonical field is known.
    `stands_in` tells whether `put` writes a stand-in for what the system does not accept, which is counted.
    """

    get: Callable[[tuple[Any, ...]], tuple[Value, ...]]
    put: Callable[[Fields, Fields], dict[str, Any]]
    needed: int | None = None
    always: bool = False
    stands_in: Callable[[Fields], bool] | None = None


@dataclass(frozen=True, slots=True)
class Constant:
    """Says the same always: a canonical value on reading, or a native value on creating."""

    value: Any


Made = Simple | Joint | Constant


@dataclass(frozen=True, slots=True)
class Lens:
    """Is one entry of the library. `families` are the vendor field kinds it can read; empty means any.

    `parts` is (fewest, most) native fields and `canonicals` likewise. `lossy` allows one direction only. `written` is
    how many leading native fields are written, where the others are read only.
    """

    name: str
    label: Text
    params: type[BaseModel]
    kinds: frozenset[Kind]
    make: Callable[[Setting, Any], Made]
    families: frozenset[str] = frozenset()
    parts: tuple[int, int] = (1, 1)
    canonicals: tuple[int, int] = (1, 1)
    lossy: bool = False
    written: int | None = None
