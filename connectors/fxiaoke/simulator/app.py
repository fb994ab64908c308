"""The simulator's HTTP face: one POST interface per path, status 200 for everything, errors in the envelope."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from connectors.fxiaoke.simulator import refusal
from connectors.fxiaoke.simulator.activity_seeding import seed_activities
from connectors.fxiaoke.simulator.admin import ACTIONS, Backend
from connectors.fxiaoke.simulator.auth import APP_ID, CORP_ID, EA
from connectors.fxiaoke.simulator.operations import PATHS, Call
from connectors.fxiaoke.simulator.refusal import Refusal, bad_parameter
from connectors.fxiaoke.simulator.seeding import seed_tenant
from connectors.fxiaoke.simulator.settings import Settings
from connectors.fxiaoke.simulator.staff import OPERATOR
from connectors.fxiaoke.simulator.tenant import Tenant
from connectors.simulation.admin import admin_routes
from connectors.simulation.calls import CallLayer, notes_of
from connectors.simulation.clock import SimClock
from connectors.simulation.columns import load_csv, table_world
from connectors.simulation.faults import FaultPlan
from connectors.simulation.ledger import CallNotes
from connectors.simulation.people import World, generate
from connectors.simulation.reset import Resettable
from connectors.simulation.server import SimulatorOptions, announce, follow_parent, serve

KIND = "fxiaoke"
BEARER_TOKEN_PATH = "/oauth2.0/token"  # noqa: S105 (a path)
LEGACY_TOKEN_PATH = "/cgi/corpAccessToken/get/V2"  # noqa: S105 (a path)
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def build_world(options: SimulatorOptions) -> World:
    """Returns the people of the simulator: those of a CSV file, or invented ones.

    Raises connectors.simulation.columns.TableRefused for a broken file.
    """
    if options.load:
        if not options.columns:
            raise ValueError("--load needs --columns")
        return table_world(list(load_csv(options.load, options.columns, options.seed)), options.seed, KIND)
    return generate(options.records, options.seed)


def build_backend(options: SimulatorOptions) -> Backend:
    """Returns a seeded tenant with its faults; raises ValueError for wrong options."""
    settings = Settings.for_limits(options.limits)
    settings.apply(dict(options.settings))
    tenant = Tenant(SimClock(), settings)
    world = build_world(options)
    if not options.empty:
        seed_tenant(tenant, world)
        seed_activities(tenant, world, options.logs, options.complaints)
    faults = FaultPlan.from_file(options.faults) if options.faults else FaultPlan()
    return Backend(tenant, faults, world.truth)


def run(options: SimulatorOptions, ready: Callable[[int], None] | None = None) -> None:
    """Serves one simulated tenant until it is told to stop; `ready(port)` is called once it listens."""
    if options.exit_with_parent:
        follow_parent()
    app = Resettable(lambda: build_app(build_backend(options), options.latency_ms))
    serve(app, options.host, options.port, ready or announce(KIND))


def build_app(backend: Backend, latency_ms: float = 0.0) -> ASGIApp:
    """Returns the whole application: vendor interfaces, admin path, faults and ledger."""
    door = Door(backend)
    vendor = Route("/{path:path}", door.answer, methods=METHODS)
    app = Starlette(routes=[*admin_routes(backend, ACTIONS), vendor])
    traced = frozenset({"thirdTraceId"})
    return CallLayer(app, backend.faults, backend.ledger, door.fault, latency_ms, backend.clock, traced)


def envelope(code: int, message: str, description: str, user_id: str = OPERATOR) -> dict[str, Any]:
    """Returns the frame of every answer."""
    trace = f"E-O.{EA}.{user_id}-{secrets.token_hex(12)}"
    return {"errorCode": code, "errorMessage": message, "errorDescription": description, "traceId": trace}


def _json(content: dict[str, Any], status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json;charset=utf-8")


class Door:
    """Answers the vendor's calls."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    @property
    def tenant(self) -> Tenant:
        """Returns the enterprise that answers."""
        return self.backend.tenant

    async def answer(self, request: Request) -> Response:
        """Answers one call of the API."""
        notes = notes_of(request)
        if request.method != "POST":
            return PlainTextResponse("Method Not Allowed", 405, {"allow": "POST"})
        path = request.url.path
        try:
            self._note_trace(request.query_params.get("thirdTraceId"))
            if path in {BEARER_TOKEN_PATH, LEGACY_TOKEN_PATH}:
                notes.operation = "token"
                return _json(await self._token(path, await request.body()))
            return _json(await self._business(path, request, notes))
        except Refusal as refused:
            self.backend.ledger.remarks[f"errorCode {refused.code}"] += 1
            more = {} if refused.data is None else {"data": refused.data}
            return _json(envelope(refused.code, refused.message, refused.description) | more)

    def fault(self, fault: dict[str, Any]) -> Response:
        """Renders an injected fault the way this vendor and its gateways fail."""
        action = fault["action"]
        if action in {"http_500", "http_503"}:
            status = int(action[-3:])
            return Response(f"<html><body><h1>{status}</h1></body></html>", status, media_type="text/html")
        if action == "auth_expired":
            self.tenant.gate.revoke()
            code, message = refusal.TOKEN_UNKNOWN, refusal.TOKEN_ERROR_TEXT
        elif action == "http_429":
            code, message = self.tenant.settings.rate_limit_code, "接口调用超过限制"
        else:
            code, message = refusal.BUSY, "系统繁忙"
        code = int(fault.get("code", code))
        message = str(fault.get("message", message))
        self.backend.ledger.remarks[f"errorCode {code}"] += 1
        return _json(envelope(code, message, message), int(fault.get("status", 200)))

    async def _token(self, path: str, raw: bytes) -> dict[str, Any]:
        body = _read(raw)
        gate = self.tenant.gate
        self.tenant.check_address("token")
        head = envelope(0, "success", "success")
        if path == LEGACY_TOKEN_PATH:
            text, life = await gate.legacy.issue(body)
            return {**head, "corpAccessToken": text, "corpId": CORP_ID, "expiresIn": life}
        if body.get("grantType") != "app_secret":
            raise bad_parameter("grantType")
        text, life = await gate.bearer.issue(body)
        named = {"openUserId": CORP_ID, "appId": APP_ID, "ea": EA}
        return {**head, "accessToken": text, "expiresIn": life, **named}

    async def _business(self, path: str, request: Request, notes: CallNotes) -> dict[str, Any]:
        found = PATHS.get(path)
        if found is None:
            text = f"the request uri=[{path}], apiName=[null] is not exists"
            raise Refusal(refusal.BAD_PARAMETER, text, refusal.ILLEGAL_PARAMETER_TEXT)
        name, run = found
        notes.operation = name
        body = _read(await request.body())
        caller = self.tenant.gate.identify(request.headers, body)
        self.tenant.check_address("call")
        self.tenant.gate.admit(path)
        notes.operation = f"{name} {_object_name(body)}".strip()
        if notes.fault is not None and notes.fault["action"] == "row_error":
            raise self._row_error(notes.fault)
        with self.tenant.events.by_api():
            answer = run(Call(self.tenant, caller, path, body))
        notes.rows = answer.rows
        return {**envelope(0, "OK", "success", caller.user_id), **answer.extra}

    def _row_error(self, fault: dict[str, Any]) -> Refusal:
        code = int(fault.get("code", self.tenant.settings.business_code))
        text = str(fault.get("message", "数据校验失败"))
        return Refusal(code, f"[{fault['field']}]{text}" if fault.get("field") else text)

    def _note_trace(self, trace: str | None) -> None:
        if trace:
            self.tenant.traces.seen[trace] += 1
            return
        self.tenant.traces.missing += 1
        if self.tenant.settings.third_trace_id_strict:
            raise bad_parameter("thirdTraceId")


def _object_name(body: dict[str, Any]) -> str:
    """Returns the object a call is about, wherever the body names it, for the ledger."""
    inner = body.get("data")
    inner = inner if isinstance(inner, dict) else {}
    sent = inner.get("object_data")
    for place in (inner, sent if isinstance(sent, dict) else {}, body):
        name = place.get("dataObjectApiName") or place.get("apiName")
        if isinstance(name, str):
            return name
    return ""


def _read(raw: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise bad_parameter("body") from None
    if not isinstance(body, dict):
        raise bad_parameter("body")
    return body
