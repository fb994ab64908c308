"""Converting a lead: it becomes a contact and an account, leaves the list of leads, and is not deleted.

Source: Zoho API v8 convert-lead, get-records (`converted`).
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from connectors.zoho_crm.simulator.answers import Failure, RowRefused, answer
from connectors.zoho_crm.simulator.records import ModuleStore, Org, Row
from connectors.zoho_crm.simulator.schema import User
from connectors.zoho_crm.simulator.writing import WriteCall, insert_row, write_fields


def convert(org: Org, store: ModuleStore, lead_id: str, user: User) -> Response:
    """Answers POST /Leads/{id}/actions/convert."""
    row = store.live(lead_id)
    if store.spec.api_name != "Leads" or row is None:
        raise Failure(400, "INVALID_DATA", "the id given seems to be invalid", {"id": lead_id})
    try:
        made = convert_lead(org, store, row, user)
    except RowRefused as refused:
        raise Failure(400, refused.code, refused.message, refused.details) from None
    done = {"code": "SUCCESS", "details": made, "message": "The record has been converted successfully"}
    return answer({"data": [{**done, "status": "success"}]})


def convert_lead(org: Org, store: ModuleStore, row: Row, user: User) -> dict[str, Any]:
    """Makes a contact and an account of a lead. Raises RowRefused for one that was converted before."""
    if row.converted:
        raise RowRefused("ID_ALREADY_CONVERTED", "id already converted", {"id": row.record_id})
    call = WriteCall(user, workflows=False)
    insert_row(org, org.modules["Accounts"], {"Account_Name": row.fields["Company"]}, 0, call)
    person = {name: row.fields[name] for name in ("Last_Name", "First_Name", "Email", "Phone", "Mobile")}
    insert_row(org, org.modules["Contacts"], person, 0, call)
    account, contact = (
        _link(org, name, made) for name, made in zip(("Accounts", "Contacts"), call.written, strict=True)
    )
    row.converted = True
    changes = {"Converted__s": True, "Converted_Date_Time": org.iso(org.now())}
    write_fields(org, store, row, {**changes, "Converted_Account": account, "Converted_Contact": contact}, user)
    return {"Accounts": account, "Contacts": contact}


def _link(org: Org, module: str, row: Row) -> dict[str, Any]:
    return {"name": row.fields.get(org.modules[module].spec.name_field), "id": row.record_id}
