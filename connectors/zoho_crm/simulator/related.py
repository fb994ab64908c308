"""What belongs to one record and no list shows: its texts whole, and its notes."""

from __future__ import annotations

from starlette.responses import Response

from connectors.zoho_crm.simulator.answers import Failure, answer, empty, whole_number
from connectors.zoho_crm.simulator.listing import PAGE, ListCall, get_record, read_fields, shower
from connectors.zoho_crm.simulator.records import ModuleStore, Org


def get_full_data(org: Org, store: ModuleStore, record_id: str, call: ListCall) -> tuple[Response, int]:
    """Answers GET /{module}/{id}/actions/fetch_full_data?fields=: the texts that lists cut, whole."""
    names = [name for name in call.params.get("fields", "").split(",") if name]
    rich = org.settings.rich_text_fields.split(",")
    if not org.settings.full_data_for_plain and any(name not in rich for name in names):
        raise Failure(400, "NOT_SUPPORTED", "the field is no rich text", {"param_name": "fields"})
    row = store.live(record_id)
    if row is None or row.hidden:
        return get_record(org, store, record_id, call)
    shown = {name: row.fields.get(name) for name in names if store.visible(name)}
    return answer({"data": [{**shown, "id": row.record_id}]}), 1


def list_notes(org: Org, store: ModuleStore, record_id: str, call: ListCall) -> tuple[Response, int]:
    """Answers GET /{module}/{id}/Notes: the notes of one record, the newest first."""
    parent, notes = store.live(record_id), org.modules["Notes"]
    names = read_fields(notes, call)
    if parent is None or parent.hidden:
        return empty(204), 0
    per_page, page = whole_number(call.params, "per_page", PAGE), max(1, whole_number(call.params, "page", 1))
    ids = sorted(notes.holders("Parent_Id", record_id), key=int, reverse=True)
    rows = [row for one in ids if (row := notes.live(one)) is not None and not row.hidden]
    shown = rows[(page - 1) * per_page : page * per_page]
    if not shown:
        return empty(204), 0
    show = shower(org, notes, names)
    notes_shown = {"per_page": per_page, "count": len(shown), "page": page, "more_records": len(rows) > page * per_page}
    return answer({"data": [show(row) for row in shown], "info": notes_shown}), len(shown)
