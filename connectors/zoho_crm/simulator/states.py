"""What keeps a record from being changed: a lock, an approval that is awaited, a blueprint that owns fields.

Source: Zoho API v8 record locking (field Locked_Reason__s), update-records (row errors).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from connectors.zoho_crm.simulator.answers import Failure, RowRefused, answer, empty, invalid
from connectors.zoho_crm.simulator.records import ModuleStore, Org, Row

REASON = "Locked_Reason__s"
LOCKS = "Locking_Information__s"


def refuse_change(row: Row, payload: Mapping[str, Any] | None) -> None:
    """Raises RowRefused where a record's state forbids a change of these fields, or its delete (None)."""
    details = {"id": row.record_id}
    if row.locked:
        raise RowRefused("RECORD_LOCKED", "record is locked", details)
    if row.awaits_approval:
        raise RowRefused("NOT_APPROVED", "record is not approved", details)
    if payload is not None and row.blueprint & payload.keys():
        raise RowRefused("RECORD_IN_BLUEPRINT", "the record is in a blueprint", details)


def locking(org: Org, store: ModuleStore, method: str, record_id: str, lock_id: str, body: Any) -> Response:
    """Answers GET and POST /{module}/{id}/Locking_Information__s, PUT and DELETE …/{lock_id}."""
    row = store.live(record_id)
    if row is None:
        raise invalid("the id given seems to be invalid", id=record_id)
    if method == "GET":
        shown = {"id": row.lock_id, REASON: row.locked_reason, "Locked_For_s": {"id": row.record_id}}
        return answer({"data": [shown]}) if row.locked else empty(204)
    if method == "POST":
        if row.locked:
            raise Failure(400, "RECORD_LOCKED", "record is already locked", {"id": record_id})
        row.locked, row.lock_id, row.locked_reason = True, org.next_id(), _reason(body)
        return _done(row.lock_id, "record added", 201)
    if not row.locked or lock_id != row.lock_id:
        raise Failure(404, "NOT_FOUND", "there is no such lock", {"id": lock_id})
    if method == "PUT":
        row.locked_reason = _reason(body)
        return _done(lock_id, "record updated")
    row.locked, row.lock_id, row.locked_reason = False, "", ""
    return _done(lock_id, "record deleted")


def _reason(body: Any) -> str:
    rows = body.get("data") if isinstance(body, dict) else None
    if not isinstance(rows, list) or len(rows) != 1 or not isinstance(rows[0], dict):
        raise invalid("invalid data", api_name="data", expected_data_type="jsonarray")
    reason = rows[0].get(REASON)
    if not isinstance(reason, str) or not reason:
        raise Failure(400, "MANDATORY_NOT_FOUND", "required field not found", {"api_name": REASON})
    return reason


def _done(lock_id: str, message: str, status: int = 200) -> Response:
    result = {"code": "SUCCESS", "details": {"id": lock_id}, "message": message, "status": "success"}
    return answer({"data": [result]}, status)
