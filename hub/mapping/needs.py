"""Says what the mappings need of a system's objects: fields with form, label and options, the hub id before all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from connectors.preparing import FieldNeed, Form
from hub.canonical.schema import Field, Kind, Schema
from hub.kernel.errors import Text
from hub.mapping.check import native_values, written_natives
from hub.mapping.fitting import link_target
from hub.mapping.lenses import LENSES
from hub.mapping.model import MappingFile, PairSpec, PartSpec
from hub.mapping.parts import places_of
from hub.mapping.tables import Table, Tables

HUB_ID_LENGTH = 36
HUB_ID_LABEL = Text("Hub id", "统一编号")
_LONGEST_LINE = 255
_USUAL_LINE = 100
_MARK = "$"
"""Begins the names of what is part of a payload and no field of the object."""

_FORMS: Mapping[str, Form] = {
    "phone_e164": Form.PHONE,
    "email_lower": Form.EMAIL,
    "number": Form.INTEGER,
    "decimal": Form.DECIMAL,
    "boolean": Form.FLAG,
    "date": Form.DATE,
    "datetime": Form.INSTANT,
    "epoch_ms": Form.INSTANT,
    "epoch_day": Form.DATE,
    "event_span": Form.INSTANT,
    "instant_else": Form.INSTANT,
    "enum": Form.CHOICE,
    "constant": Form.CHOICE,
    "reference": Form.LINK,
    "reference_either": Form.LINK,
    "activity_links": Form.LINK,
    "text": Form.TEXT,
    "person_name": Form.TEXT,
    "code_table": Form.TEXT,
    "branch": Form.TEXT,
    "number_text": Form.TEXT,
}
_BY_PLACE: Mapping[str, tuple[Form, ...]] = {
    "consent_opt_out": (Form.CHOICE, Form.FLAG),
    "call_outcome": (Form.CHOICE, Form.TEXT, Form.CHOICE),
    "staff": (Form.OTHER, Form.TEXT),
}
"""Lenses whose native fields differ in form; those of any other lens are OTHER, which a person must make."""
_OWN_PLACE: Mapping[str, int] = {"instant_else": 0, "staff": 1}
"""Lenses of one canonical field that keep it in one of their native fields, and have help from the others."""


def needs_of(mappings: Iterable[MappingFile], schema: Schema, tables: Tables) -> dict[str, tuple[FieldNeed, ...]]:
    """Returns what each object must have for the mappings: the hub id first, then the fields as the files name them."""
    found: dict[str, dict[str, FieldNeed]] = {}
    for mapping in mappings:
        spec = mapping.spec
        for _, place in places_of(spec):
            needs = found.setdefault(place.object, {})
            key = place.hub_id_field or spec.hub_id_field
            needs.setdefault(key, hub_id_need(key))
            for pair in place.fields:
                for name in pair.natives:
                    if not name.startswith(_MARK):
                        made = _need(pair, name, schema, spec.entity, tables, spec.system_kind)
                        needs[name] = _joined(needs[name], made) if name in needs else made
        for route in spec.routes:
            for part in route.parts:
                found[part.object] |= {need.api_name: need for need in _part_needs(part, route.object)}
    return {name: tuple(needs.values()) for name, needs in found.items()}


def _part_needs(part: PartSpec, main: str) -> Iterator[FieldNeed]:
    """Yields what tells a side record as a part: the link to its main record, and the fields of `only`."""
    spoken = part.main.replace("_", " ")
    yield FieldNeed(part.main, Form.LINK, spoken, spoken, target=main, kinds=LENSES["reference"].families)
    for name, values in part.only.items():
        spoken, flag = name.replace("_", " "), isinstance(values[0], bool)
        options = () if flag else tuple(str(value) for value in values)
        yield FieldNeed(name, Form.FLAG if flag else Form.CHOICE, spoken, spoken, options=options)


def hub_id_need(name: str) -> FieldNeed:
    """Returns the need of a unique field for the hub id."""
    return FieldNeed(
        name, Form.TEXT, HUB_ID_LABEL.en, HUB_ID_LABEL.zh, HUB_ID_LENGTH, kinds=LENSES["text"].families, key=True
    )


def _joined(one: FieldNeed, other: FieldNeed) -> FieldNeed:
    """Returns one need for a field that two pairs name: all options of both, written if either writes."""
    options = (*one.options, *(value for value in other.options if value not in one.options))
    spoken = [one.spoken(value) if value in one.options else other.spoken(value) for value in options]
    labels = tuple(spoken) if one.labels or other.labels else ()
    written, once = one.written or other.written, one.once or other.once
    return replace(one, options=options, labels=labels, written=written, once=once)


def _need(pair: PairSpec, name: str, schema: Schema, entity: str, tables: Tables, system_kind: str) -> FieldNeed:
    place, lens, fields = pair.natives.index(name), LENSES.get(pair.lens), schema.entity(entity).fields
    canonicals = [fields[each] for each in pair.canonicals if each in fields]
    form = _form(pair, place, canonicals)
    label = _label(name, canonicals, place, pair)
    options = native_values(pair, name, tables, system_kind)
    if pair.lens == "constant" and "value" in pair.params:
        options = {str(pair.params["value"])}
    ordered = _in_order(pair, options)
    spoken = option_labels(pair, name, schema, canonicals, tables, system_kind)
    return FieldNeed(
        name,
        form,
        label.en,
        label.zh,
        _length(form, pair, canonicals),
        ordered,
        link_target(pair, place) if form is Form.LINK else None,
        frozenset() if lens is None else lens.families,
        name in written_natives(pair) and not pair.once,
        labels=tuple(spoken.get(value, value) for value in ordered) if spoken.keys() & set(ordered) else (),
        once=name in written_natives(pair) and pair.once,
    )


def _form(pair: PairSpec, place: int, canonicals: list[Field]) -> Form:
    if pair.lens in _BY_PLACE:
        forms = _BY_PLACE[pair.lens]
        return forms[min(place, len(forms) - 1)]
    form = _FORMS.get(pair.lens, Form.OTHER)
    if pair.lens == "text" and canonicals and canonicals[0].kind is Kind.TEXT:
        return Form.LONG_TEXT
    if pair.lens == "text" and canonicals and (canonicals[0].length or 0) > _LONGEST_LINE:
        return Form.LONG_TEXT
    return form


def _length(form: Form, pair: PairSpec, canonicals: list[Field]) -> int | None:
    if form is Form.LONG_TEXT:
        return canonicals[0].length if canonicals else None
    if form is not Form.TEXT:
        return None
    length = canonicals[0].length if pair.lens in ("text", "staff") and canonicals else None
    return length or _USUAL_LINE


def own_label(lens: str, canonicals: Sequence[Field], place: int, natives: int) -> Text | None:
    """Returns the label of the canonical field that a native one stands for alone, None where none does."""
    if len(canonicals) == natives:
        return canonicals[place].label
    return canonicals[0].label if len(canonicals) == 1 and place == _OWN_PLACE.get(lens) else None


def _label(name: str, canonicals: list[Field], place: int, pair: PairSpec) -> Text:
    """Returns what people should read over the field; of several native fields each has its own name in it."""
    spoken, natives = name.removesuffix("__c").replace("_", " "), len(pair.natives)
    if not canonicals:
        return Text(spoken, spoken)
    if (own := own_label(pair.lens, canonicals, place, natives)) is not None:
        return own
    nearest = canonicals[min(place, len(canonicals) - 1)].label
    return nearest if len(canonicals) > 1 else Text(f"{nearest.en} ({spoken})", f"{nearest.zh}（{spoken}）")


def option_labels(
    pair: PairSpec, native: str, schema: Schema, fields: Iterable[Field], tables: Tables, system_kind: str
) -> dict[str, str]:
    """Returns what people call the options of one native field of a pair, in Chinese: stored value -> label.

    An enumeration is called as the canonical schema calls it, a list by its own words, a code as its table names it.
    """
    enum = next((each.enum for each in fields if each.enum), None)
    known = schema.enums.get(enum, {}) if enum else {}
    values: Mapping[str, str] = pair.params.get("values") or {}
    if pair.lens in ("enum", "option_list"):
        return {str(value): known[name].zh if name in known else str(name) for name, value in values.items()}
    table = tables.get(str(pair.params.get("table", ""))) if pair.lens == "code_table" else None
    columns = pair.params.get("columns") or [system_kind]
    place = pair.natives.index(native)
    if table is None or place >= len(columns) or "name_zh" not in table.columns:
        return {}
    return _named_codes(table, columns, place)


def _named_codes(table: Table, columns: list[str], place: int) -> dict[str, str]:
    """Names a code by the row that goes no deeper than it."""
    deeper = columns[place + 1 :]
    ends = [row for row in table.rows.values() if row.get(columns[place]) and not any(row.get(c) for c in deeper)]
    return {row[columns[place]]: row["name_zh"] for row in ends}


def _in_order(pair: PairSpec, options: set[str]) -> tuple[str, ...]:
    """Returns the options in the order of the mapping file, so that people find them in the order they know."""
    listed = [str(value) for part in ("types", "values") for value in (pair.params.get(part) or {}).values()]
    first = [value for value in dict.fromkeys(listed) if value in options]
    return (*first, *sorted(options.difference(first)))
