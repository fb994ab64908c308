"""What a contact log (销售记录) is about: its customer by lookup, by entry in a list of any records, or by both.

LOOKUP    `account_id`, one customer; newer tenants only.
RELATED   `related_object_data`, a list of {describe_api_name, id, name}; names are display only and left out.

Source: Fxiaoke ActiveRecordObj pages and real reads. Which of the two is to be written is unverified, so the tenant's
description decides, or the setting `log_links`. The lookup is offered even where only the list carries it.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from connectors.base import FieldDescription, ObjectDescription

LOG = "ActiveRecordObj"
CUSTOMER = "AccountObj"
LOOKUP = "account_id"
RELATED = "related_object_data"
LinkMode = Literal["described", "lookup", "related"]
Entry = Mapping[str, str]
_LOOKUP = FieldDescription(LOOKUP, "客户", "object_reference", lookup=CUSTOMER)
_RELATED = FieldDescription(RELATED, "关联数据", "object_reference_many")


def plain_entries(value: Any) -> list[Entry]:
    """Returns the links of a list without their display names; what names no record is left out."""
    found = value if isinstance(value, list) else []
    named = (item for item in found if isinstance(item, Mapping))
    pairs = ((item.get("describe_api_name"), item.get("id")) for item in named)
    return [{"describe_api_name": str(name), "id": str(key)} for name, key in pairs if name and key]


def read_links(row: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a row with plain links, and with the lookup that its list tells where the lookup itself is empty."""
    made = dict(row)
    if RELATED in row:
        entries = plain_entries(row[RELATED])
        made[RELATED] = entries or None
        if not row.get(LOOKUP):
            made[LOOKUP] = _customer(entries)
    return made


def same_value(name: str, one: Any, two: Any) -> bool:
    """Tells whether two values of a field are the same; a list of links names the same records in whatever order."""
    if name == RELATED:
        return _keys(plain_entries(one)) == _keys(plain_entries(two))
    return bool(one == two)


@dataclass(frozen=True, slots=True)
class Links:
    """Is how one tenant keeps the links of a log: the fields that carry them, and the objects that are the hub's."""

    carried: frozenset[str]
    ours: frozenset[str]

    def described(self, description: ObjectDescription) -> ObjectDescription:
        """Returns the description with the fields that can be read and written, carried by whichever field."""
        fields = {name: field for name, field in description.fields.items() if name not in (LOOKUP, RELATED)}
        if LOOKUP in self.carried and LOOKUP in description.fields:
            fields[LOOKUP] = description.fields[LOOKUP]
        if RELATED in self.carried:
            fields.setdefault(LOOKUP, _LOOKUP)
            # Of what type describe calls the list is unverified; it holds references and nothing else.
            listed = description.fields.get(RELATED, _RELATED)
            fields[RELATED] = replace(listed, kind=_RELATED.kind, writable=True, options=None, lookup=None)
        return replace(description, fields=fields)

    def asked(self, names: Iterable[str]) -> list[str]:
        """Returns the fields to ask for instead of the links wanted."""
        others = [name for name in names if name not in (LOOKUP, RELATED)]
        return [*others, *sorted(self.carried)]

    def written(self, fields: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the fields to send, on top of a row already read; links that people made to other objects stay."""
        if not {LOOKUP, RELATED} & fields.keys():
            return dict(fields)
        entries = self._entries(fields, plain_entries(row.get(RELATED)))
        if LOOKUP in fields:
            chosen = fields[LOOKUP]
            others = [item for item in entries if item["describe_api_name"] != CUSTOMER]
            entries = [*([{"describe_api_name": CUSTOMER, "id": chosen}] if chosen else []), *others]
        sent = {name: value for name, value in fields.items() if name not in (LOOKUP, RELATED)}
        carried = {LOOKUP: _customer(entries), RELATED: entries or None}
        return sent | {name: value for name, value in carried.items() if name in self.carried}

    def _entries(self, fields: Mapping[str, Any], present: list[Entry]) -> list[Entry]:
        if RELATED not in fields:
            return present
        given = plain_entries(fields[RELATED])
        named = {item["describe_api_name"] for item in given}
        # A list without a customer says nothing of the customer: the lookup would.
        replaced = named | (self.ours - {CUSTOMER})
        return [*given, *(item for item in present if item["describe_api_name"] not in replaced)]


def links_of(described: Container[str], mode: LinkMode, ours: Iterable[str]) -> Links:
    """Returns how the links are carried where an object has these fields."""
    if mode == "described":
        carried = frozenset(name for name in (LOOKUP, RELATED) if name in described)
    else:
        carried = frozenset({LOOKUP if mode == "lookup" else RELATED})
    return Links(carried, frozenset(ours))


def _customer(entries: Iterable[Entry]) -> str | None:
    return next((item["id"] for item in entries if item["describe_api_name"] == CUSTOMER), None)


def _keys(entries: Iterable[Entry]) -> set[tuple[str, str]]:
    return {(item["describe_api_name"], item["id"]) for item in entries}
