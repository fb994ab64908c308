"""Notification channels: /actions/watch with the vendor's rules, and the callbacks that follow every change.

Source: Zoho API v8 notifications; nothing is signed, and retries, order and duplicates are not documented, so the
simulator has a switch for each. It calls addresses of this machine only.
"""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from ipaddress import ip_address
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qsl, urlsplit

import orjson
from starlette.responses import Response

from connectors.zoho_crm.simulator.answers import Failure, answer, empty, whole_number
from connectors.zoho_crm.simulator.records import Org, Row
from connectors.zoho_crm.simulator.schema import User

DEFAULT_LIFE = 3_600
LONGEST = {"v2": 86_400, "v2.1": 86_400, "v3": 86_400}
WEEK = 604_800
_ACTIONS = {"insert": "create", "update": "edit", "delete": "delete"}
_KEPT = 2_000
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_FLAGS = ("notify_on_related_action", "return_affected_field_values")


@dataclass(slots=True)
class Watched:
    """One channel: who subscribed to what, and until when it calls."""

    channel_id: str
    user_id: str
    events: list[str]
    expires: float
    notify_url: str = field(repr=False)
    token: str | None = field(repr=False)
    flags: dict[str, bool]


class Watch:
    """Keeps the channels of the org, collects what a request changed and calls who watches it."""

    def __init__(self, org: Org) -> None:
        self.org = org
        self.channels: dict[str, Watched] = {}
        self.sent: list[dict[str, Any]] = []
        self._silent = False
        self._changed: dict[tuple[str, str], list[str]] = {}
        self._held: list[tuple[str, dict[str, Any], bool]] = []
        self._number = 0
        self._tasks: set[asyncio.Task[None]] = set()
        for name, store in org.modules.items():
            store.told = partial(self._note, name)

    # The vendor's API.

    def handle(self, method: str, params: Mapping[str, str], body: Any, user: User, version: str) -> Response:
        """Answers /actions/watch."""
        if method == "GET":
            return self._details(params, user)
        if method == "DELETE":
            return self._disable(params, user)
        rows = body.get("watch") if isinstance(body, dict) else None
        if rows is None and method == "PATCH" and isinstance(body, dict):
            rows = [body]  # the published document of PATCH shows the channel without its list
        if not isinstance(rows, list) or not rows:
            raise Failure(400, "MANDATORY_NOT_FOUND", "required field not found", {"api_name": "watch"})
        if len(rows) > 50:
            raise Failure(400, "LIMIT_REACHED", "the limit is reached", {})
        results = [self._change(method, row, place, user, version) for place, row in enumerate(rows)]
        return _finish(results, 201 if method == "POST" else 200)

    def _change(self, method: str, row: Any, place: int, user: User, version: str) -> dict[str, Any]:
        try:
            channel_id = _channel_id(row, place)
            known = self._live(channel_id, user)
            if method != "POST" and known is None:
                raise _refused("NOT_SUBSCRIBED", "The given channel is not subscribed", place)
            if method == "PATCH" and known is not None:
                row = _patched(known, row, self.org)
            made = self._read(row, channel_id, place, user, version)
        except Failure as failure:
            return failure.body()
        if made.events:
            self.channels[channel_id] = made
        else:
            self.channels.pop(channel_id, None)
        words = "Successfully subscribed for actions-watch of the given module"
        return _success(words if method == "POST" else "Successfully updated the subscribe details", self._told(made))

    def _read(self, row: Mapping[str, Any], channel_id: str, place: int, user: User, version: str) -> Watched:
        """Reads a channel; an expiry beyond the maximum, like none, means one hour. Raises Failure."""
        events, url, token = row.get("events"), row.get("notify_url"), row.get("token")
        if not isinstance(url, str) or not url:
            raise _refused("MANDATORY_NOT_FOUND", "required field not found", place, "notify_url")
        if len(url) > 255 or not _is_ours(url):
            raise _refused("INVALID_DATA", "invalid data", place, "notify_url")
        if not isinstance(events, list) or (not events and "_delete_events" not in row):
            raise _refused("MANDATORY_NOT_FOUND", "required field not found", place, "events")
        for number, event in enumerate(events):
            module, _, action = str(event).partition(".")
            if module not in self.org.modules or action not in (*_ACTIONS.values(), "all"):
                raise _refused("INVALID_DATA", "invalid data", place, f"events[{number}]")
        if token is not None and (not isinstance(token, str) or len(token) > 50):
            raise _refused("INVALID_DATA", "invalid data", place, "token")
        now, longest = self.org.clock.now(), LONGEST.get(version, WEEK)
        expires = _instant(row.get("channel_expiry"), place)
        if expires is None or not now < expires <= now + longest:
            expires = now + DEFAULT_LIFE
        flags = {name: row.get(name, name == "notify_on_related_action") is True for name in _FLAGS}
        return Watched(channel_id, user.user_id, [str(event) for event in events], expires, url, token, flags)

    def _live(self, channel_id: str, user: User) -> Watched | None:
        """Returns a channel of a user that has not expired; those of others do not exist for them."""
        found = self.channels.get(channel_id)
        return found if found and found.user_id == user.user_id and found.expires > self.org.clock.now() else None

    def _told(self, channel: Watched) -> list[dict[str, Any]]:
        modules = dict.fromkeys(event.partition(".")[0] for event in channel.events)
        return [
            {
                "channel_expiry": self.org.iso(channel.expires),
                "resource_uri": f"https://www.zohoapis.com/crm/v8/{name}",
                "resource_id": self.org.modules[name].spec.module_id,
                "resource_name": name,
                "channel_id": channel.channel_id,
            }
            for name in modules
        ]

    def _details(self, params: Mapping[str, str], user: User) -> Response:
        rows = []
        for channel in self.channels.values():
            wanted = params.get("channel_id") in (None, channel.channel_id)
            if not wanted or self._live(channel.channel_id, user) is None:
                continue
            for event in self._told(channel):
                name = event["resource_name"]
                if params.get("module") in (None, name):
                    rows.append(event | self._shown(channel, name))
        page, per_page = whole_number(params, "page", 1), whole_number(params, "per_page", 200)
        part = rows[(page - 1) * per_page : page * per_page]
        if not part:
            return empty(204)
        notes = {"per_page": per_page, "count": len(part), "page": page, "more_records": len(rows) > page * per_page}
        return answer({"watch": part, "info": notes})

    def _shown(self, channel: Watched, name: str) -> dict[str, Any]:
        return {
            **channel.flags,
            "notify_url": channel.notify_url,
            "fields": None,
            "notification_condition": None,
            "events": [event for event in channel.events if event.partition(".")[0] == name],
            "token": channel.token if self.org.settings.watch_shows_token else None,
        }

    def _disable(self, params: Mapping[str, str], user: User) -> Response:
        ids = [one.strip() for one in params.get("channel_ids", "").split(",") if one.strip()]
        if not ids:
            raise Failure(400, "EXPECTED_PARAM_MISSING", "One of the expected parameter is missing", {})
        results: list[dict[str, Any]] = []
        for place, channel_id in enumerate(ids):
            if self._live(channel_id, user) is None:
                results.append(_refused("NOT_SUBSCRIBED", "The given channel is not subscribed", place).body())
                continue
            for event in self._told(self.channels.pop(channel_id)):
                details = {name: event[name] for name in ("resource_uri", "resource_id", "channel_id")}
                results.append(_success("Successfully un-subscribed from actions-watch", details))
        return _finish(results, 200)

    # What changes, and the calls that follow.

    @contextmanager
    def during(self, workflows: bool) -> Iterator[None]:
        """Keeps quiet about a write without automations, where the switch says that such a write tells nobody."""
        before, self._silent = self._silent, not workflows and self.org.settings.watch_silenced_by_trigger
        try:
            yield
        finally:
            self._silent = before

    def _note(self, module: str, row: Row, operation: str) -> None:
        if self._silent or not self.channels or row.hidden:
            return
        if not self._changed:
            asyncio.get_running_loop().call_soon(self._tell)
        told = self._changed.setdefault((module, operation), [])
        if row.record_id not in told and row.record_id not in self._changed.get((module, "insert"), ()):
            told.append(row.record_id)

    def _tell(self) -> None:
        """Calls about what one request changed: one callback for each channel, module and operation."""
        changed, self._changed = self._changed, {}
        for (module, operation), ids in changed.items():
            for channel in list(self.channels.values()):
                gone = channel.expires <= self.org.clock.now() or not self._speaks(channel)
                events = {f"{module}.all", f"{module}.{_ACTIONS[operation]}"}
                if ids and not gone and events & set(channel.events):
                    self._post(channel.notify_url, self._callback(channel, module, operation, ids))

    def _speaks(self, channel: Watched) -> bool:
        return self.org.users[channel.user_id].active or self.org.settings.watch_outlives_user

    def _callback(self, channel: Watched, module: str, operation: str, ids: list[str]) -> dict[str, Any]:
        body: dict[str, Any] = {
            "server_time": int(self.org.clock.now() * 1000),
            "query_params": dict(parse_qsl(urlsplit(channel.notify_url).query)),
            "module": module,
            "resource_uri": f"https://www.zohoapis.com/crm/v8/{module}",
            "ids": ids,
            "affected_fields": [{one: ["Modified_Time"]} for one in ids] if operation == "update" else [],
            "operation": operation,
            "channel_id": channel.channel_id,
            "token": channel.token,
        }
        if channel.flags["return_affected_field_values"]:
            body["affected_values"] = []
        return body

    def _post(self, url: str, body: dict[str, Any]) -> None:
        settings = self.org.settings
        self._number += 1
        lost = settings.watch_loses_every and self._number % settings.watch_loses_every == 0
        twice = settings.watch_repeats_every and self._number % settings.watch_repeats_every == 0
        self._held.append((url, body, bool(lost)))
        if twice:
            self._held.append((url, body, False))
        if settings.watch_reverses:
            # Those of the last half second arrive in the wrong order.
            asyncio.get_running_loop().call_later(0.5, self._release, True)
        else:
            self._release(False)

    def _release(self, reverse: bool) -> None:
        held, self._held = self._held, []
        for each in reversed(held) if reverse else held:
            task = asyncio.get_running_loop().create_task(self._deliver(*each))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _deliver(self, url: str, body: dict[str, Any], lost: bool) -> None:
        settings = self.org.settings
        await asyncio.sleep(settings.watch_delay)
        tries = 0 if lost else 1 + settings.watch_retries
        status = 0
        for _ in range(tries):
            status = await asyncio.to_thread(post_callback, url, orjson.dumps(body))
            if 0 < status < 500:
                break
        self.sent = [*self.sent[-_KEPT:], {"url": url, "body": body, "status": status}]


def post_callback(url: str, raw: bytes) -> int:
    """Posts one callback as the vendor does and returns the status, 0 where nobody answered."""
    request = urllib.request.Request(url, data=raw, headers={"Content-Type": "application/json"}, method="POST")  # noqa: S310
    try:
        with _OPENER.open(request, timeout=5) as told:
            return int(told.status)
    except HTTPError as refused:
        return refused.code
    except OSError:
        return 0


def _finish(results: list[dict[str, Any]], success: int) -> Response:
    good = sum(result["status"] == "success" for result in results)
    return answer({"watch": results}, success if good == len(results) else (207 if good else 400))


def _success(message: str, told: Any) -> dict[str, Any]:
    details = {"events": told} if isinstance(told, list) else told
    return {"code": "SUCCESS", "details": details, "message": message, "status": "success"}


def _refused(code: str, message: str, place: int, name: str | None = None) -> Failure:
    details = {"api_name": name.partition("[")[0], "json_path": f"$.watch[{place}].{name}"} if name else {}
    return Failure(400, code, message, details)


def _channel_id(row: Any, place: int) -> str:
    found = row.get("channel_id") if isinstance(row, dict) else None
    text = str(found) if isinstance(found, int) and not isinstance(found, bool) else found
    if not isinstance(text, str) or not text:
        raise _refused("MANDATORY_NOT_FOUND", "required field not found", place, "channel_id")
    if not text.isascii() or not text.isdigit() or int(text) >= 2**63:
        raise _refused("INVALID_DATA", "invalid data", place, "channel_id")
    return text


def _patched(known: Watched, row: Mapping[str, Any], org: Org) -> dict[str, Any]:
    """Returns a channel with the changes of a PATCH: events are added, or taken away with `_delete_events`."""
    whole: dict[str, Any] = {
        "channel_id": known.channel_id,
        "events": known.events,
        "channel_expiry": org.iso(known.expires),
        "token": known.token,
        "notify_url": known.notify_url,
        **known.flags,
    }
    listed = [str(event) for event in row.get("events", [])]
    kept = [event for event in known.events if event not in listed]
    return whole | dict(row) | {"events": kept if row.get("_delete_events") is True else [*kept, *listed]}


def _instant(text: object, place: int) -> float | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise _refused("INVALID_DATA", "invalid data", place, "channel_expiry")
    return moment.timestamp()


def _is_ours(url: str) -> bool:
    """Tells whether an address belongs to this machine: a simulator calls nobody else."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False
