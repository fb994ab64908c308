"""Translates native records to canonical fields and back, by closures made once per mapping."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from hub.canonical.redaction import may_hold_c3, redact_c3
from hub.canonical.refusal import ValueRefused
from hub.canonical.schema import MatchRule, Schema
from hub.canonical.values import Value
from hub.kernel.errors import ConfigInvalid, Problem
from hub.mapping.check import check_mapping
from hub.mapping.compiling import ObjectPlan, Part, Writer, content_version, plan_object, plan_part
from hub.mapping.cutoff import CutOff, cut_off
from hub.mapping.describe import Description
from hub.mapping.lenses.base import ABSENT, Joint, NotObserved
from hub.mapping.model import MappingFile
from hub.mapping.patching import UNREADABLE, Fields, Refusal, Writing, reason_of
from hub.mapping.tables import Tables

_NO_FIELDS: Fields = {}


@dataclass(frozen=True, slots=True)
class Redaction:
    """Says that authentication data was found in a free text and taken out, and of which kinds."""

    field: str
    native_field: str
    kinds: tuple[str, ...]


@dataclass(slots=True)
class Translated:
    """Is a record in canonical form: only observed fields, and what could not be observed.

    A masked, refused or absent value is not in `fields`; an empty one is there as None.
    """

    fields: dict[str, Value] = field(repr=False)
    refusals: list[Refusal] | tuple[Refusal, ...] = ()
    redactions: list[Redaction] | tuple[Redaction, ...] = ()
    masked: list[str] | tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NativePatch:
    """Is what to write, and which canonical fields were refused, kept because they may not be cleared, or defaulted.

    `stood_in` names those for which a stand-in is written, such as the fallback owner for staff who left.
    """

    fields: dict[str, Any] = field(repr=False)
    refusals: tuple[Refusal, ...] = ()
    kept: tuple[str, ...] = ()
    defaulted: tuple[str, ...] = ()
    stood_in: tuple[str, ...] = ()


class CompiledMapping:
    """Is one mapping ready for use; reading and writing touch no file and no clock."""

    def __init__(self, mapping: MappingFile, schema: Schema, tables: Tables, plans: Iterable[ObjectPlan]) -> None:
        self.system_kind = mapping.spec.system_kind
        self.entity = mapping.spec.entity
        self.set = mapping.spec.set
        self.version = content_version(mapping, schema, tables)
        self.match_rules = tuple(
            MatchRule(rule.name, tuple(rule.fields), rule.strength == "strong") for rule in mapping.spec.match
        )
        self._filter = {name: frozenset(values) for name, values in mapping.spec.filter.items()}
        self._plans = {plan.object: plan for plan in plans}
        self._parts = {plan.object: plan.part for plan in self._plans.values() if plan.part is not None}
        since = mapping.spec.since
        self.cut_off: CutOff | None = (
            None if since is None else cut_off(schema.entity(self.entity).fields[since.field], since.moment)
        )

    @property
    def objects(self) -> tuple[str, ...]:
        """Returns the main objects first, then the side objects."""
        return tuple(self._plans)

    @property
    def has_parts(self) -> bool:
        return bool(self._parts)

    def part(self, object: str | None) -> Part | None:
        """Returns what part a side object is; None for a main object, or one that the mapping does not know."""
        return self._parts.get(object or "")

    def parts_of(self, object: str) -> tuple[Part, ...]:
        """Returns the parts of the records of a main object."""
        return tuple(part for part in self._parts.values() if part.main_object == object)

    def belongs(self, object: str, native: Mapping[str, Any]) -> bool:
        """Says whether a record of a side object is one that is meant."""
        part = self._parts.get(object)
        return part is None or all(native.get(name) in values for name, values in part.only.items())

    def hub_id_field(self, object: str) -> str:
        return self._plans[object].hub_id_field

    def native_fields(self, object: str) -> tuple[str, ...]:
        """Returns the native fields to ask for: the hub id field first, then every field that is read or judged by."""
        plan = self._plans[object]
        read = [*(item[1] for item in plan.singles), *(n for item in plan.joint for n in item[4])]
        beside = [] if plan.part is None else [plan.part.lookup, *plan.part.only]
        return tuple(dict.fromkeys([plan.hub_id_field, *plan.only, *read, *beside]))

    def in_fields(self, object: str) -> tuple[str, ...]:
        """Returns the canonical fields that are read from an object each time."""
        plan = self._plans[object]
        names = [*plan.constants, *(item[0] for item in plan.singles), *(n for item in plan.joint for n in item[0])]
        return tuple(name for name in dict.fromkeys(names) if name not in plan.once)

    def out_fields(self, object: str) -> tuple[str, ...]:
        """Returns the canonical fields that are written to an object at any time."""
        return tuple(name for name, writer in self._plans[object].writers.items() if not writer.once)

    def once_fields(self, object: str) -> frozenset[str]:
        """Returns the canonical fields that are read from a record seen for the first time only."""
        return frozenset(self._plans[object].once)

    def create_fields(self, object: str) -> tuple[str, ...]:
        """Returns the canonical fields that are written when a record is created, and never again."""
        return tuple(name for name, writer in self._plans[object].writers.items() if writer.once)

    def written_to(self, object: str, name: str) -> tuple[str, ...]:
        """Returns the native fields that a canonical field is written to."""
        writer = self._plans[object].writers.get(name)
        return () if writer is None else writer.natives

    @cached_property
    def routing(self) -> Mapping[str, Mapping[Value, str]]:
        """Returns the fields that decide where a record goes: field -> value -> object."""
        found: dict[str, dict[Value, str]] = {}
        for plan in self._plans.values():
            for name, values in plan.when.items():
                found.setdefault(name, {}).update(dict.fromkeys(values, plan.object))
        return found

    def clearable(self, object: str) -> frozenset[str]:
        """Returns the canonical fields that may be written empty."""
        return frozenset(name for name, writer in self._plans[object].writers.items() if name in writer.clearable)

    def route(self, fields: Fields) -> str | None:
        """Returns the object that a record belongs to, or None when no route takes it."""
        for plan in self._plans.values():
            if plan.part is None and all(fields.get(name) in values for name, values in plan.when.items()):
                return plan.object
        return None

    def admits(self, fields: Fields) -> bool:
        """Says whether the filter and the cut-off of the mapping let a record in."""
        return not self.is_too_old(fields) and all(fields.get(name) in values for name, values in self._filter.items())

    def only(self, object: str) -> Mapping[str, frozenset[str]]:
        """Returns the native fields and values that tell which records of an object take part; empty: all of them."""
        return self._plans[object].only

    def is_foreign(self, object: str, native: Mapping[str, Any], *, bound: bool) -> bool:
        """Says whether a native record is of a sort that takes no part here.

        A field that is not shown takes no stranger in, and lets no bound record go.
        """
        only = self._plans[object].only.items()
        return any(not _is_one_of(native.get(name), values) for name, values in only if name in native or not bound)

    def native_cut_off(self, object: str) -> tuple[str, Any] | None:
        """Returns the native field of an object, and its earliest value, by which old records can be left out there.

        One that is filled and lies before it is always too old; None where no native field can tell.
        """
        found = None if self.cut_off is None else self._plans[object].timed.get(self.cut_off.field)
        if self.cut_off is None or found is None:
            return None
        (native, made), earliest = found, self.cut_off.earliest
        if isinstance(made, Joint):
            return native, made.put({self.cut_off.field: earliest}, {})[native]
        return native, made.put(earliest)

    def is_too_old(self, fields: Fields) -> bool:
        """Says whether a record lies before the cut-off of the mapping."""
        return self.cut_off is not None and self.cut_off.leaves_out(fields.get(self.cut_off.field))

    def to_canonical(self, object: str, native: Mapping[str, Any]) -> Translated:
        """Returns the canonical fields that a native record shows."""
        plan = self._plans[object]
        fields: dict[str, Value] = plan.constants.copy()
        result = Translated(fields)
        # The loops are spelled out: this is the hottest code of a first load.
        for name, key, read, empty in plan.simple:
            try:
                raw = native[key]
            except KeyError:
                continue
            if raw is None:
                fields[name] = empty
                continue
            try:
                fields[name] = read(raw)
            except UNREADABLE as error:
                _refuse(result, name, key, raw, empty, error)
        for name, key, read, empty in plan.guarded:
            try:
                raw = native[key]
            except KeyError:
                continue
            if raw is None:
                fields[name] = empty
                continue
            try:
                if "*" in raw:
                    result.masked = [*result.masked, name]
                else:
                    fields[name] = read(raw)
            except UNREADABLE as error:
                _refuse(result, name, key, raw, empty, error)
        for name, key, read, _ in plan.prose:
            if key in native:
                _read_prose(result, name, key, native[key], read)
        for names, pick, read_all, maskable, keys in plan.joint:
            try:
                raws = pick(native)
            except KeyError:
                continue
            if maskable and _shown_masked(raws):
                result.masked = [*result.masked, *names]
                continue
            try:
                if len(names) == 1:
                    (fields[names[0]],) = read_all(raws)
                else:
                    shown = read_all(raws)
                    fields.update(zip(names, shown, strict=True))
                    if ABSENT in shown:
                        for name in [n for n in names if fields[n] is ABSENT]:
                            del fields[name]
            except NotObserved:
                continue
            except UNREADABLE as error:
                _refuse(result, names[0], keys[0], raws, None, error)
        return result

    def to_native(
        self, object: str, fields: Fields, current: Fields | None = None, *, create: bool = False
    ) -> NativePatch:
        """Returns the native patch of these canonical fields.

        `current` holds the canonical values that the system is known to hold: fields equal to it are left out, and
        fields that share a native field with others are completed from it. `create` adds defaults and constants; an
        empty field takes its default when the record is created or the field would be cleared.
        """
        plan = self._plans[object]
        patch: dict[str, Any] = dict(plan.on_create) if create else {}
        writing = Writing(patch, [], [], [], [])
        known = _NO_FIELDS if current is None else current
        joints: dict[int, tuple[Writer, dict[str, Value]]] = {}
        for name, value in fields.items():
            writer = plan.writers.get(name)
            if writer is None:
                continue
            if isinstance(writer.made, Joint):
                joints.setdefault(id(writer), (writer, {}))[1][name] = value
            elif not (name in known and known[name] == value):
                writing.put_one(name, value, writer, create)
        if create:
            for writer in plan.writers.values():
                if isinstance(writer.made, Joint) and writer.made.always:
                    wanted = joints.setdefault(id(writer), (writer, {}))[1]
                    wanted.update((name, None) for name in writer.canonicals if name not in wanted)
        for writer, wanted in joints.values():
            if not all(name in known and known[name] == value for name, value in wanted.items()):
                writing.put_joint(writer, wanted, known, create)
        if create:
            for name, writer in plan.writers.items():
                if name in fields or writer.default is None:
                    continue
                if isinstance(writer.made, Joint):
                    writing.put_joint(writer, {name: None}, known, create)
                else:
                    writing.put_one(name, None, writer, create)
        refusals, kept = tuple(writing.refusals), tuple(writing.kept)
        return NativePatch(patch, refusals, kept, tuple(writing.defaulted), tuple(writing.stood_in))

    @property
    def has_stand_ins(self) -> bool:
        """Tells whether any field may be written as a stand-in."""
        return any(_stands_in(writer) for plan in self._plans.values() for writer in plan.writers.values())

    def stand_ins(self, object: str, fields: Fields) -> tuple[str, ...]:
        """Returns which of these canonical fields would be written as a stand-in."""
        known = ((name, self._plans[object].writers.get(name)) for name in fields)
        return tuple(
            name for name, writer in known if writer is not None and (made := _stands_in(writer)) and made(fields)
        )

    def round_trip(self, object: str, fields: Fields) -> dict[str, Value]:
        """Returns what the system shows of these fields after they were written to it, for those it can show."""
        back = self.to_canonical(object, self.to_native(object, fields).fields).fields
        return {name: back[name] for name in fields if name in back}


def _is_one_of(raw: Any, values: frozenset[str]) -> bool:
    return not values.isdisjoint(raw) if isinstance(raw, list) else isinstance(raw, str) and raw in values


def _stands_in(writer: Writer) -> Callable[[Fields], bool] | None:
    return writer.made.stands_in if isinstance(writer.made, Joint) else None


def _read_prose(result: Translated, name: str, key: str, raw: Any, read: Callable[[Any], Value]) -> None:
    if raw is None:
        result.fields[name] = None
        return
    try:
        value = read(raw)
        if isinstance(value, str) and may_hold_c3(value):
            kept, kinds = redact_c3(value)
            if kinds:
                result.redactions = [*result.redactions, Redaction(name, key, kinds)]
                value = read(kept)
        result.fields[name] = value
    except UNREADABLE as error:
        _refuse(result, name, key, raw, None, error)


def _shown_masked(raws: tuple[Any, ...]) -> bool:
    for raw in raws:  # noqa: SIM110 — any() with a generator costs three times as much here
        if type(raw) is str and "*" in raw:
            return True
    return False


def _refuse(result: Translated, name: str, key: str, raw: Any, empty: Value, error: Exception) -> None:
    if raw == "" or raw == []:
        result.fields[name] = empty
    else:
        text = error.reason if isinstance(error, ValueRefused) else reason_of(error)
        result.refusals = [*result.refusals, Refusal(name, key, text)]


def compile_mapping(
    mapping: MappingFile, schema: Schema, tables: Tables, describe: Description | None = None
) -> CompiledMapping:
    """Makes a mapping ready for use; raises ConfigInvalid when it contradicts the schema or its tables.

    With `describe`, lengths and options of the system are kept, and pairs whose native field is absent are left out.
    """
    problems: list[Problem] = [p for p in check_mapping(mapping, schema, tables) if p.severity == "error"]
    if problems:
        raise ConfigInvalid(problems)
    shapes = describe or {}
    routes = mapping.spec.routes
    plans = [plan_object(mapping, route, schema, tables, shapes.get(route.object)) for route in routes]
    for route in routes:
        plans += [plan_part(mapping, route, side, schema, tables, shapes.get(side.object)) for side in route.parts]
    return CompiledMapping(mapping, schema, tables, plans)
