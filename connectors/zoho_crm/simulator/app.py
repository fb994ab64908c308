"""The simulator's HTTP application: one router for every API version, the accounts server and the admin path."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from connectors.simulation.activities import invent_activities
from connectors.simulation.admin import admin_routes, change_fields
from connectors.simulation.calls import CallLayer, notes_of
from connectors.simulation.clock import SimClock
from connectors.simulation.faults import FaultPlan
from connectors.simulation.ledger import Ledger
from connectors.simulation.reset import Resettable
from connectors.simulation.server import SimulatorOptions, announce, follow_parent, serve
from connectors.zoho_crm.simulator import (
    coql,
    fields,
    leads,
    listing,
    metadata,
    recycling,
    related,
    searching,
    states,
    tags,
    writing,
)
from connectors.zoho_crm.simulator.admin import ZohoAdmin
from connectors.zoho_crm.simulator.answers import Failure, answer, vendor_error, whole_number
from connectors.zoho_crm.simulator.bulk_routes import BulkRoutes
from connectors.zoho_crm.simulator.call import Call
from connectors.zoho_crm.simulator.gate import Gate, is_heavy
from connectors.zoho_crm.simulator.oauth import Accounts, require_scope
from connectors.zoho_crm.simulator.records import ModuleStore, Org
from connectors.zoho_crm.simulator.seeding import make_world, seed_org
from connectors.zoho_crm.simulator.seeding_activities import seed_activities
from connectors.zoho_crm.simulator.settings import Settings
from connectors.zoho_crm.simulator.watch import Watch

VERSIONS = ("v2", "v2.1", "v3", "v4", "v5", "v6", "v7", "v8")
_RESERVED = {"settings", "users", "org", "coql", "actions"}
TOKEN_CALLS = {"authorization_code": "token code", "client_credentials": "token client"}
"""How the call ledger names sign-ins; a refresh is `token`."""


class Simulator:
    """Answers the CRM's paths; state lives in the org, tokens and page tokens."""

    def __init__(self, org: Org, accounts: Accounts, ledger: Ledger) -> None:
        self.org = org
        self.accounts = accounts
        self.ledger = ledger
        self.gate = Gate(org)
        self.page_tokens = listing.PageTokens()
        self.bulk_routes = BulkRoutes(org, self.gate)
        self.watch = Watch(org)

    async def token(self, request: Request) -> Response:
        """Answers the token endpoint; parameters stand in the body or in the query."""
        form = dict(request.query_params) | dict(parse_qsl((await request.body()).decode()))
        if request.url.path.endswith("/revoke"):
            notes_of(request).operation = "revoke"
            return self.accounts.revoke(form.get("token", ""))
        notes_of(request).operation = TOKEN_CALLS.get(form.get("grant_type", ""), "token")
        return self.accounts.token(form, _origin(request))

    async def consent(self, request: Request) -> Response:
        """Answers the consent page of the web flow."""
        notes_of(request).operation = "consent"
        return self.accounts.grants.consent(request.query_params, _origin(request))

    async def crm(self, request: Request) -> Response:
        """Answers /crm/{version}/…"""
        return await self._serve(request, self._route)

    async def bulk(self, request: Request) -> Response:
        """Answers /crm/bulk/{version}/…"""
        return await self._serve(request, self.bulk_routes.route)

    async def _serve(self, request: Request, route: Callable[[Call], Response]) -> Response:
        try:
            version = request.path_params["version"]
            parts = [part for part in request.path_params["rest"].split("/") if part]
            if version not in VERSIONS or not parts:
                raise Failure(404, "INVALID_URL_PATTERN", "Please check if the URL trying to access is a correct one")
            raw = await request.body()
            user, scopes = self.accounts.authorize(request.headers.get("authorization"))
            kind = request.headers.get("content-type", "")
            body = None if kind.startswith("multipart/") else _read_json(raw)
            call = Call(request, version, parts, body, raw, user, scopes)
            fields.settle(self.org)
            self.bulk_routes.writes.settle()
            with self.gate.call(is_heavy(request, parts, call.body)):
                if self.org.settings.latency_ms:
                    await asyncio.sleep(self.org.settings.latency_ms / 1000)
                with self.watch.during(call.workflows):
                    response = self._counted(call, route)
        except Failure as failure:
            response = answer(failure.body(self.org.settings.error_style), failure.status)
        response.headers.update(self.gate.headers())
        return response

    def _counted(self, call: Call, route: Callable[[Call], Response]) -> Response:
        before = self.gate.total
        try:
            return route(call)
        finally:
            notes_of(call.request).cost = self.gate.total - before

    def _route(self, call: Call) -> Response:
        head = call.parts[0]
        if (call.request.method, call.parts) == ("POST", ["upload"]):
            return self.bulk_routes.upload(call)
        if head in _RESERVED:
            return self._reserved(call)
        store = self.org.modules.get(head)
        if store is None:
            raise Failure(400, "INVALID_MODULE", "the module name given seems to be invalid", {})
        require_scope(call.scopes, f"modules.{head.lower()}", call.request.method)
        match (call.request.method, call.parts[1:]):
            case ("GET", [] | ["deleted"] | ["search"] | ["actions", "count"]):
                return self._read_many(call, store)
            case ("POST", [] | ["upsert"]) | ("PUT", [] | [_]):
                return self._write(call, store)
            case ("DELETE", [] | [_]):
                return self._delete(call, store)
            case ("GET", [record_id]):
                self._note(call, "get", head)
                self.gate.spend(1)
                response, rows = listing.get_record(self.org, store, self._id(call, record_id), call.reading())
                notes_of(call.request).rows = rows
                return response
            case ("GET", [record_id, "actions", "fetch_full_data"]):
                self._note(call, "full", head)
                self.gate.spend(1)
                return related.get_full_data(self.org, store, record_id, call.reading())[0]
            case ("GET", [record_id, "Notes"]):
                require_scope(call.scopes, "modules.notes", "GET")
                self._note(call, "related Notes", head)
                self.gate.spend(1)
                response, notes_of(call.request).rows = related.list_notes(self.org, store, record_id, call.reading())
                return response
            case ("POST", [record_id, "actions", "convert"]):
                self._note(call, "convert", head)
                self.gate.spend(5)
                return leads.convert(self.org, store, record_id, call.user)
            case (("GET" | "POST"), [record_id, states.LOCKS]):
                return self._lock(call, store, record_id, "")
            case (("PUT" | "DELETE"), [record_id, states.LOCKS, lock_id]):
                return self._lock(call, store, record_id, lock_id)
            case ("POST", [record_id, "actions", "merge"]):
                self._note(call, "merge", head)
                self.gate.spend(50)
                return recycling.merge(self.org, store, record_id, call.body, call.user)
            case ("POST", [*ids, "actions", "add_tags" | "remove_tags" as action]) if len(ids) < 2:
                self._note(call, action, head)
                self.gate.spend(1)
                return tags.put_on(self.org, store, action, ids, call.params, call.body, call.user)
            case (_, [] | [_]):
                raise Failure(400, "INVALID_REQUEST_METHOD", "The http request method type is not a valid one")
            case _:
                raise Failure(404, "INVALID_URL_PATTERN", "Please check if the URL trying to access is a correct one")

    def _reserved(self, call: Call) -> Response:
        self.gate.spend(1)
        org, params, version = self.org, call.params, call.version
        notes_of(call.request).operation = " ".join(["/".join(call.parts[:3]), params.get("module", "")]).strip()
        area = ".".join(call.parts[:2]) if call.parts[0] == "settings" else call.parts[0]
        area = "notifications" if area == "actions" else area
        require_scope(call.scopes, area, "GET" if area == "coql" else call.request.method)
        match (call.request.method, call.parts):
            case ("GET", ["settings", "modules"]):
                return metadata.modules(org, version, call.reading().since)
            case ("GET", ["settings", "modules", name]):
                return metadata.module(org, name)
            case ("GET", ["settings", "fields"]):
                return metadata.fields(org, params, version)
            case ("GET", ["settings", "fields", field_id]):
                return metadata.field(org, field_id, params, version)
            case ("GET", ["settings", "fields", field_id, "pick_list_values"]):
                return metadata.pick_list_values(org, field_id, params)
            case ("POST", ["settings", "fields"]):
                return fields.create(org, params, call.body, call.user)
            case ("PATCH", ["settings", "fields", *rest]) if len(rest) < 2:
                return fields.update(org, params, call.body, call.user, rest[0] if rest else None)
            case (method, ["settings", "tags", *rest]):
                return tags.handle(org, method, rest, params, call.body, call.user)
            case ("GET", ["settings", "layouts"]):
                return metadata.layouts(org, params, version)
            case ("GET", ["users"]):
                return metadata.users(org, params, call.user)
            case ("GET", ["users", user_id]):
                return metadata.user(org, user_id)
            case ("GET", ["org"]):
                return metadata.organization(org)
            case ("POST", ["coql"]):
                return self._coql(call)
            case ("GET" | "POST" | "PUT" | "PATCH" | "DELETE", ["actions", "watch"]):
                return self.watch.handle(call.request.method, params, call.body, call.user, version)
            case ("GET", ["settings", "recycle_bin"]):
                return recycling.list_bin(org, whole_number(params, "page", 1), whole_number(params, "per_page", 200))
            case ("POST", ["settings", "recycle_bin", "actions", "restore"]):
                return recycling.restore_ids(org, (call.body or {}).get("ids", []))
            case ("POST", ["settings", "recycle_bin", record_id, "actions", "restore"]):
                return recycling.restore_ids(org, [record_id])
            case ("DELETE", ["settings", "recycle_bin", record_id]):
                return recycling.purge(org, [record_id])
        raise Failure(404, "INVALID_URL_PATTERN", "Please check if the URL trying to access is a correct one")

    def _coql(self, call: Call) -> Response:
        response, rows, credits_needed = coql.run_query(self.org, call.body, call.version)
        self.gate.spend(credits_needed - 1)
        notes_of(call.request).rows = rows
        return response

    def _read_many(self, call: Call, store: ModuleStore) -> Response:
        org, name = self.org, store.spec.api_name
        kind = call.parts[-1] if len(call.parts) > 1 else "list"
        self._note(call, kind, name)
        self.gate.spend(2 if kind == "deleted" else 1)
        if kind == "count":
            return searching.count(org, store, call.params)
        if kind == "search":
            require_scope(call.scopes, "ZohoSearch:securesearch", "GET")
            response, rows = searching.search(org, store, call.params)
        elif kind == "deleted":
            response, rows = listing.list_deleted(org, store, call.reading())
        else:
            response, rows = listing.list_records(org, store, self.page_tokens, call.reading())
        notes_of(call.request).rows = rows
        return response

    def _lock(self, call: Call, store: ModuleStore, record_id: str, lock_id: str) -> Response:
        self._note(call, "lock", store.spec.api_name)
        self.gate.spend(1)
        return states.locking(self.org, store, call.request.method, record_id, lock_id, call.body)

    def _write(self, call: Call, store: ModuleStore) -> Response:
        name, method = store.spec.api_name, call.request.method
        kind = "update" if method == "PUT" else ("upsert" if call.parts[-1] == "upsert" else "insert")
        self._note(call, kind, name)
        rows = writing.read_rows(call.body)
        write = writing.read_call(self.org, call.body, call.user, kind, name)
        write.fault = notes_of(call.request).fault
        write.replaces_lists = call.version in ("v2", "v2.1") and self.org.settings.v2_replaces_lists
        header = call.request.headers.get("if-unmodified-since")
        write.unmodified_since = writing.read_unmodified_since(self.org, header, call.version)
        self.gate.spend((len(rows) + 9) // 10)
        notes_of(call.request).rows = len(rows)
        if kind == "insert":
            return writing.insert(self.org, store, rows, write)
        if kind == "upsert":
            write.check_fields = writing.read_check_fields(store, call.body)
            return writing.upsert(self.org, store, rows, write)
        if len(call.parts) == 2:
            if len(rows) != 1 or not isinstance(rows[0], dict):
                raise Failure(400, "INVALID_DATA", "invalid data", {"api_name": "data"})
            rows = [{**rows[0], "id": self._id(call, call.parts[1])}]
        return writing.update(self.org, store, rows, write)

    def _delete(self, call: Call, store: ModuleStore) -> Response:
        self._note(call, "delete", store.spec.api_name)
        if len(call.parts) == 2:
            ids = [self._id(call, call.parts[1])]
        else:
            ids = [part.strip() for part in call.params.get("ids", "").split(",") if part.strip()]
            if not ids:
                details = {"param_name": "ids"}
                raise Failure(400, "REQUIRED_PARAM_MISSING", "One of the expected parameter is missing", details)
        workflows = call.params.get("wf_trigger", "true") != "false"
        self.org.triggers[f"delete {store.spec.api_name} wf_trigger={str(workflows).lower()}"] += 1
        self.gate.spend(1)
        notes_of(call.request).rows = len(ids)
        fault = notes_of(call.request).fault
        return writing.delete(self.org, store, ids, writing.WriteCall(call.user, workflows, fault=fault))

    def _id(self, call: Call, text: str) -> str:
        """Returns the record id meant by a path: itself, or what X-EXTERNAL says it is the external value of."""
        header = call.request.headers.get("x-external")
        if header is None:
            return text
        module, _, name = header.partition(".")
        store = self.org.modules.get(module)
        if store is None or name != self.org.settings.external_field or name not in store.index:
            raise Failure(400, "INVALID_DATA", "invalid data", {"header": "X-EXTERNAL"})
        return next(iter(store.holders(name, text)), "0")

    def _note(self, call: Call, kind: str, name: str) -> None:
        notes_of(call.request).operation = f"{kind} {name}"


def _origin(request: Request) -> str:
    return f"{request.url.scheme}://{request.headers['host']}"


def _read_json(raw: bytes) -> Any:
    if not raw:
        return None
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise Failure(400, "INVALID_REQUEST", "unable to parse the request body") from None


def make_app(options: SimulatorOptions) -> ASGIApp:
    """Builds the application with its people.

    Raises ValueError for a wrong option file and AdminRefused for a wrong setting.
    """
    settings = Settings().for_limits(options.limits)
    settings.latency_ms = options.latency_ms
    faults = FaultPlan.from_file(Path(options.faults)) if options.faults else FaultPlan()
    clock, ledger, world = SimClock(), Ledger(), make_world(options)
    change_fields(settings, dict(options.settings))
    org = Org(clock, settings)
    if not options.empty:
        seed_org(org, world)
        seed_activities(org, world, invent_activities(world, options.logs, options.complaints))
    accounts = Accounts(org)
    simulator = Simulator(org, accounts, ledger)
    ledger.remarks = org.triggers
    admin = ZohoAdmin(org, accounts, faults, ledger, world, simulator.watch)
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    routes = [
        *admin_routes(admin, admin.actions),
        Route("/oauth/v2/auth", simulator.consent, methods=["GET"]),
        Route("/oauth/v2/token", simulator.token, methods=["POST"]),
        Route("/oauth/v2/token/revoke", simulator.token, methods=["POST"]),
        Route("/crm/bulk/{version}/{rest:path}", simulator.bulk, methods=methods),
        Route("/crm/{version}/{rest:path}", simulator.crm, methods=methods),
    ]
    return CallLayer(Starlette(routes=routes), faults, ledger, vendor_error, clock=clock)


def run(options: SimulatorOptions, ready: Callable[[int], None] | None = None) -> None:
    """Serves the simulator until it is stopped; `ready(port)` is called once it listens."""
    gc.disable()  # a hundred thousand records are made once and kept; collecting among them only takes time
    app = Resettable(lambda: make_app(options))
    gc.freeze()
    gc.enable()
    if options.exit_with_parent:
        follow_parent()
    serve(app, options.host, options.port, ready or announce("zoho_crm"))
