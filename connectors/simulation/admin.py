"""The admin path that every simulator has under /__admin/; it is no part of any vendor's API."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.simulation.clock import SimClock, parse_instant
from connectors.simulation.faults import FaultPlan
from connectors.simulation.ledger import Ledger


class AdminRefused(Exception):
    """An admin call that cannot be done, with the reason for the tester."""


class AdminBackend(Protocol):
    """What a simulator offers to the shared admin path."""

    clock: SimClock
    faults: FaultPlan
    ledger: Ledger

    def records(self, object_name: str) -> list[dict[str, Any]]:
        """Returns every record of an object as it is stored, deleted ones included."""

    def truth(self) -> list[dict[str, Any]]:
        """Returns who is who across both simulated systems."""

    def change_settings(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Changes switches and returns them all."""

    def act(self, action: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Does what a person does in the vendor's screens: edit, create, delete, merge, rules…"""


Handler = Callable[[Request], Awaitable[Response]]


def json_answer(content: object, status: int = 200) -> Response:
    """Returns a JSON answer made with orjson."""
    return Response(orjson.dumps(content), status, media_type="application/json")


def change_fields(target: Any, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Sets known fields of a switches dataclass; raises AdminRefused for an unknown name or a wrong type."""
    known = {spec.name for spec in dataclasses.fields(target)}
    for name, value in changes.items():
        if name not in known:
            raise AdminRefused(f"unknown setting {name}; known: {', '.join(sorted(known))}")
        present = getattr(target, name)
        if isinstance(present, float) and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if present is not None and type(value) is not type(present):
            raise AdminRefused(f"setting {name} must be {type(present).__name__}")
        setattr(target, name, value)
    return {name: getattr(target, name) for name in sorted(known)}


def admin_routes(backend: AdminBackend, actions: tuple[str, ...]) -> list[Route]:
    """Builds the admin routes; `actions` are the names that the backend's `act` understands."""

    async def calls(request: Request) -> Response:
        return json_answer({**backend.ledger.report(), "faults": backend.faults.report()})

    async def reset(request: Request) -> Response:
        backend.ledger.reset()
        return json_answer({"ok": True})

    async def record(request: Request) -> Response:
        backend.ledger.tape.on = bool((await _body(request)).get("on", True))
        return json_answer({"on": backend.ledger.tape.on})

    async def exchanges(request: Request) -> Response:
        # A body that is still on its way when the answer is closed would reset the connection.
        await request.body()
        return json_answer(backend.ledger.tape.take())

    async def records(request: Request) -> Response:
        return json_answer(backend.records(request.query_params.get("object", "")))

    async def truth(request: Request) -> Response:
        return json_answer(backend.truth())

    async def clock(request: Request) -> Response:
        return json_answer({"now": _move(backend.clock, await _body(request))})

    async def faults(request: Request) -> Response:
        body = await _body(request)
        backend.faults.replace(body.get("faults", []) if isinstance(body, dict) else body)
        return json_answer({"ok": True, "rules": len(backend.faults.rules)})

    async def settings(request: Request) -> Response:
        return json_answer(backend.change_settings(await _body(request)))

    def doing(action: str) -> Handler:
        async def act(request: Request) -> Response:
            return json_answer(backend.act(action, await _body(request)))

        return act

    routes = [
        Route("/__admin/calls", _guarded(calls), methods=["GET"]),
        Route("/__admin/calls/reset", _guarded(reset), methods=["POST"]),
        Route("/__admin/record", _guarded(record), methods=["POST"]),
        Route("/__admin/exchanges", _guarded(exchanges), methods=["POST"]),
        Route("/__admin/records", _guarded(records), methods=["GET"]),
        Route("/__admin/truth", _guarded(truth), methods=["GET"]),
        Route("/__admin/clock", _guarded(clock), methods=["POST"]),
        Route("/__admin/faults", _guarded(faults), methods=["POST"]),
        Route("/__admin/settings", _guarded(settings), methods=["POST"]),
    ]
    return routes + [Route(f"/__admin/{name}", _guarded(doing(name)), methods=["POST"]) for name in actions]


def _guarded(handler: Handler) -> Handler:
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except (AdminRefused, ValueError, KeyError) as refused:
            return json_answer({"error": f"{type(refused).__name__}: {refused}"}, 400)

    return answer


async def _body(request: Request) -> Any:
    raw = await request.body()
    return orjson.loads(raw) if raw else {}


def _move(clock: SimClock, order: Mapping[str, Any]) -> float:
    if "set" in order:
        clock.set(parse_instant(order["set"]))
    if "advance" in order:
        clock.advance(float(order["advance"]))
    if order.get("freeze") is True:
        clock.freeze()
    elif order.get("freeze") is False:
        clock.thaw()
    return clock.now()
