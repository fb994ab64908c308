"""The paths of Bulk Read and Bulk Write, with the scopes and credits each takes.

Source: Zoho API v8 bulk-read, bulk-write, api-limits.
"""

from __future__ import annotations

from starlette.responses import Response

from connectors.simulation.calls import notes_of
from connectors.zoho_crm.simulator.answers import Failure
from connectors.zoho_crm.simulator.bulk import BulkReads
from connectors.zoho_crm.simulator.bulk_write import BulkWrites
from connectors.zoho_crm.simulator.call import Call
from connectors.zoho_crm.simulator.gate import Gate
from connectors.zoho_crm.simulator.oauth import require_scope
from connectors.zoho_crm.simulator.records import Org

_WRITES = {"insert": "POST", "update": "PUT"}


class BulkRoutes:
    """Answers /crm/bulk/{version}/… and the upload of files for it."""

    def __init__(self, org: Org, gate: Gate) -> None:
        self._org, self._gate = org, gate
        self.reads = BulkReads(org)
        self.writes = BulkWrites(org)

    def route(self, call: Call) -> Response:
        """Answers /crm/bulk/{version}/…; raises Failure."""
        match (call.request.method, call.parts):
            case ("POST", ["read"]):
                return self._make_read(call)
            case ("POST", ["write"]):
                return self._make_write(call)
            case ("GET", ["read" | "write" as kind, job_id, *rest]) if rest in ([], ["result"]):
                require_scope(call.scopes, "bulk", "GET")
                self._gate.spend(1)
                jobs = self.reads if kind == "read" else self.writes
                if rest:
                    response, name, rows = jobs.result(job_id)
                    notes_of(call.request).rows = rows
                else:
                    response, name = jobs.look(job_id)
                self._note(
                    call, ("bulk " if kind == "read" else "bulk write ") + ("download" if rest else "look"), name
                )
                return response
        raise Failure(404, "INVALID_URL_PATTERN", "Please check if the URL trying to access is a correct one")

    def upload(self, call: Call) -> Response:
        """Answers POST /crm/{version}/upload, which stands on the content host."""
        notes_of(call.request).operation = "bulk upload"
        require_scope(call.scopes, "ZohoFiles:files", "POST")
        self._gate.spend(1)
        return self.writes.take(call.raw, call.request.headers)

    def _make_read(self, call: Call) -> Response:
        # A job of a read is made with the right to read (Zoho API v8 create-bulk-read-job).
        require_scope(call.scopes, "bulk", "GET")
        _needs_json(call)
        name = self.reads.module_of(call.body)
        require_scope(call.scopes, f"modules.{name.lower()}", "GET")
        self._note(call, "bulk create", name)
        self._gate.spend(self._org.settings.bulk_credits)
        return self.reads.make(call.body, call.user)

    def _make_write(self, call: Call) -> Response:
        require_scope(call.scopes, "bulk", "POST")
        _needs_json(call)
        order = self.writes.read(call.body, call.version)
        for method in (_WRITES[order.operation],) if order.operation in _WRITES else _WRITES.values():
            require_scope(call.scopes, f"modules.{order.module.lower()}", method)
        self._note(call, "bulk write create", order.module)
        self._gate.spend(self._org.settings.bulk_write_credits)
        origin = f"{call.request.url.scheme}://{call.request.headers['host']}"
        return self.writes.make(order, call.user, f"{origin}/crm/bulk/{call.version}/write")

    def _note(self, call: Call, kind: str, name: str) -> None:
        notes_of(call.request).operation = f"{kind} {name}"


def _needs_json(call: Call) -> None:
    if "application/json" not in call.request.headers.get("content-type", ""):
        raise Failure(415, "MEDIA_TYPE_NOT_SUPPORTED", "The media type of the request is not supported")
