"""What a tester arranges in bulk: further custom fields, and many records at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from connectors.simulation.admin import AdminRefused
from connectors.zoho_crm.simulator.records import ModuleStore, Org, Row
from connectors.zoho_crm.simulator.schema import FieldSpec, read_field


def add_fields(store: ModuleStore, texts: list[str]) -> dict[str, Any]:
    """Adds custom fields written as `Name kind/length flags…`, empty in the records that are there."""
    made: dict[str, FieldSpec] = {}
    for text in texts:
        spec = read_field(text.split())
        if spec.api_name in store.spec.fields:
            raise AdminRefused(f"{spec.api_name} is a field already")
        number = len(store.spec.fields) + len(made) + 1
        made[spec.api_name] = replace(spec, custom=True, field_id=f"{store.spec.module_id[:-3]}9{number:05d}"[-19:])
    store.spec.fields.update(made)
    for row in store.rows.values():
        row.fields = {**dict.fromkeys(made), **row.fields}
    return {"fields": sorted(made)}


def fill(org: Org, store: ModuleStore, request: Mapping[str, Any]) -> dict[str, Any]:
    """Adds `number` records in one go; `{n}` in a text becomes the number of the record, nothing is checked.

    All bear the time of `age` seconds ago.
    """
    at, user = int(org.clock.now() - float(request.get("age", 0))), org.api_user.lookup()
    common: dict[str, Any] = dict.fromkeys(store.spec.fields)
    common |= {"Owner": user, "Created_By": user, "Modified_By": user, "Tag": []}
    common |= {"Created_Time": org.iso(at), "Modified_Time": org.iso(at)}
    rows = []
    for n in range(int(request["number"])):
        texts: dict[str, str] = {}
        fields = {**common, "id": org.next_id()}
        for name, value in request.get("fields", {}).items():
            if isinstance(value, str):
                value = texts.setdefault(value, value.replace("{n}", str(n)))
            fields[name] = value
        rows.append(Row(fields["id"], fields, at, at))
    store.load(rows)
    return {"made": len(rows)}
