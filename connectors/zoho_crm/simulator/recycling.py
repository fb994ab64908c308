"""The recycle bin and the merge of duplicates."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from connectors.zoho_crm.simulator import activities
from connectors.zoho_crm.simulator.answers import Failure, RowRefused, answer, empty, invalid
from connectors.zoho_crm.simulator.listing import bin_state
from connectors.zoho_crm.simulator.records import ModuleStore, Org, Row
from connectors.zoho_crm.simulator.schema import User
from connectors.zoho_crm.simulator.writing import recycle, write_fields

MERGEABLE = ("Contacts", "Accounts", "Leads")
"""The modules whose duplicates the vendor merges (Zoho help: merging duplicate records)."""


def list_bin(org: Org, page: int, per_page: int) -> Response:
    """Answers GET /settings/recycle_bin."""
    kept = [(store, row) for store in org.modules.values() for row in store.gone.values() if _is_kept(org, row)]
    kept.sort(key=lambda pair: -pair[1].deleted)
    shown = kept[(page - 1) * per_page : page * per_page]
    if not shown:
        return empty(204)
    notes = {"per_page": per_page, "count": len(shown), "page": page, "more_records": len(kept) > page * per_page}
    return answer({"recycle_bin": [_shown(org, store, row) for store, row in shown], "info": notes})


def _is_kept(org: Org, row: Row) -> bool:
    return bin_state(org, row) == "recycle"


def _shown(org: Org, store: ModuleStore, row: Row) -> dict[str, Any]:
    owner = row.fields["Owner"]
    return {
        "id": row.record_id,
        "display_name": row.fields.get(store.spec.name_field),
        "module": store.spec.api_name,
        "deleted_time": org.iso(row.deleted),
        "deleted_by": org.users[row.deleted_by].short(),
        "owner": {"name": owner["name"], "id": owner["id"]},
    }


def restore_ids(org: Org, ids: list[Any]) -> Response:
    """Answers POST /settings/recycle_bin/actions/restore with the body {"ids": […]}."""
    results = [_restored(org, str(record_id)) for record_id in ids]
    good = sum(result["status"] == "success" for result in results)
    return answer({"recycle_bin": results}, 200 if good == len(results) else (207 if good else 400))


def _restored(org: Org, record_id: str) -> dict[str, Any]:
    for store in org.modules.values():
        row = store.gone.get(record_id)
        if row is not None and _is_kept(org, row):
            restore(org, store, row)
            return {"code": "SUCCESS", "details": {"id": record_id}, "message": "restored", "status": "success"}
    details = {"id": record_id}
    return {"code": "INVALID_DATA", "details": details, "message": "invalid id", "status": "error"}


def restore(org: Org, store: ModuleStore, row: Row) -> None:
    """Puts a record back under the same id; whether its time moves and its activities come along are switches."""
    row.deleted, row.deleted_by, row.deleted_with = 0, "", ""
    store.enter(row)
    if org.settings.restore_bumps_modified:
        write_fields(org, store, row, {}, org.api_user)
    if not org.settings.restore_cascades:
        return
    for other in org.modules.values():
        for child in [one for one in other.gone.values() if one.deleted_with == row.record_id and not one.permanent]:
            restore(org, other, child)


def merge(org: Org, store: ModuleStore, master_id: str, body: Any, user: User) -> Response:
    """Answers POST /{module}/{master}/actions/merge: the losers are gone, the master may take their values."""
    parts = body.get("merge") if isinstance(body, dict) else None
    losers = parts[0].get("data") if isinstance(parts, list) and parts and isinstance(parts[0], dict) else None
    if not isinstance(losers, list) or not losers:
        raise Failure(400, "MANDATORY_NOT_FOUND", "required field not found", {"api_name": "merge"})
    if len(losers) > 2:
        raise Failure(400, "LIMIT_EXCEEDED", "the limit is exceeded", {"limit": 2})
    taken = [(str(loser.get("id")), [one["api_name"] for one in loser.get("_fields", [])]) for loser in losers]
    try:
        merge_into(org, store, master_id, taken, user)
    except RowRefused as refused:
        raise Failure(400, refused.code, refused.message, refused.details) from None
    done = {"code": "SUCCESS", "details": {"id": master_id}, "message": "records merged", "status": "success"}
    return answer({"merge": [done]})


def merge_into(org: Org, store: ModuleStore, master_id: str, losers: list[tuple[str, list[str]]], user: User) -> None:
    """Merges losers into a master, which takes the fields named for each and what was linked to them.

    Raises RowRefused for a wrong id, and for a module whose records cannot be merged.
    """
    if store.spec.api_name not in MERGEABLE:
        raise RowRefused("NOT_SUPPORTED", "merge is not supported for this module", {})
    master = store.live(master_id)
    rows = [(store.live(loser_id), names) for loser_id, names in losers]
    if master is None or any(row is None or row is master for row, _ in rows):
        raise RowRefused("INVALID_DATA", "the id given seems to be invalid", {"id": master_id})
    values: dict[str, Any] = {}
    for row, names in rows:
        assert row is not None
        values |= {name: row.fields[name] for name in names if name in store.spec.fields}
        link = {"name": master.fields.get(store.spec.name_field), "id": master_id}
        for other, name, linked in activities.links_to(org, row.record_id):
            write_fields(org, other, linked, {name: link}, user)
        recycle(org, store, row, user)
        row.permanent, row.merged_into = True, master_id
    write_fields(org, store, master, values, user)


def purge(org: Org, ids: list[str]) -> Response:
    """Answers DELETE /settings/recycle_bin?filters=…: here by ids alone."""
    for record_id in ids:
        found = [store.gone[record_id] for store in org.modules.values() if record_id in store.gone]
        if not found:
            raise invalid("invalid id", id=record_id)
        found[0].permanent = True
    done = {"code": "SUCCESS", "details": {}, "message": "deleted", "status": "success"}
    return answer({"recycle_bin": [done]})
