"""Notification channels: opened, looked at, renewed and closed; and callbacks, of which only the ids are taken.

Source: Zoho API v8 notifications (enable, details, update, disable). Nothing in a callback is signed; it repeats the
channel's token, and that is all that tells it from a forged one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from hmac import compare_digest
from typing import Any

from connectors.base import WriteUnclear
from connectors.channels import Channel, Hint, Subscription
from connectors.errors import AuthRejected, ConnectorError, ProtocolViolation, RetryLater
from connectors.json_text import read_json
from connectors.zoho_crm.answers import Answer, refusal, violation
from connectors.zoho_crm.calls import Api
from connectors.zoho_crm.times import instant, stamp

PATH = "/actions/watch"
SCOPE = "ZohoCRM.notifications.ALL"
MOST_IDS = 1000
"""Ids taken from one callback; the next poll reads the rest."""
_ACTIONS = ("create", "edit", "delete")
_OPERATIONS = frozenset({"insert", "update", "delete"})
_ID = re.compile(r"[0-9]{1,20}")
_UNKNOWN = "NOT_SUBSCRIBED"
_Row = Mapping[str, Any]


class Watch:
    """Keeps the channels of one connection; a channel belongs to the user who opened it."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def open(self, wanted: Subscription) -> Channel:
        """Opens a channel. Raises AuthRejected, SchemaDrift, RetryLater where nobody knows whether it was opened."""
        answer = self._send("POST", wanted, read=False)
        return self._granted(answer, wanted, "open the notification channel")

    def renew(self, wanted: Subscription) -> Channel | None:
        """Replaces everything of a channel, its expiry and token among it; None where it is not there any more."""
        # Sent again where it fails: it says the same however often it arrives.
        answer = self._send("PUT", wanted, read=True)
        refused = [row for row in _rows(answer) if not _succeeded(row)]
        if not any(map(_succeeded, _rows(answer))) and _code(answer, refused) == _UNKNOWN:
            return None
        return self._granted(answer, wanted, "renew the notification channel")

    def look(self, channel_id: str) -> Channel | None:
        """Returns what the vendor keeps of a channel: one row for each module."""
        answer = self._api.get(PATH, "watch details", {"channel_id": channel_id, "page": "1", "per_page": "200"})
        rows = _rows(answer)
        if not answer.ok:
            if _code(answer, rows) == _UNKNOWN:
                return None
            raise self._refused(answer, rows, "look at the notification channel")
        mine = [row for row in rows if str(row.get("channel_id")) == channel_id]
        told = {event for row in mine for event in row.get("events") or () if isinstance(event, str)}
        modules = dict.fromkeys(event.partition(".")[0] for event in sorted(told))
        whole = tuple(name for name in modules if f"{name}.all" in told or {f"{name}.{a}" for a in _ACTIONS} <= told)
        ends = [self._ends(row) for row in mine]
        life = min(ends, default=0.0) - self._now(answer)
        if life <= 0:
            return None
        shown = [(_text(row.get("token")), _text(row.get("notify_url"))) for row in mine]
        # Rows that do not agree are as good as wrong ones: the channel is then written anew.
        token, url = shown[0] if len(set(shown)) == 1 else ("", "")
        return Channel(channel_id, whole, life, token, url)

    def close(self, channel_id: str) -> None:
        """Ends a channel; one that the vendor does not know is gone already."""
        answer = self._api.call("DELETE", PATH, "watch disable", read=True, params={"channel_ids": channel_id})
        rows = _rows(answer)
        failed = [row for row in rows if not _succeeded(row)]
        if (not answer.ok or failed) and _code(answer, failed) != _UNKNOWN:
            raise self._refused(answer, failed, "close the notification channel")

    def _send(self, method: str, wanted: Subscription, *, read: bool) -> Answer:
        ends = self._api.context.clock.now() + self._api.settings.channel_lifetime
        channel = {
            "channel_id": wanted.channel_id,
            "events": [f"{module}.{action}" for module in wanted.objects for action in _ACTIONS],
            "channel_expiry": stamp(ends),
            "token": wanted.token,
            "notify_url": wanted.url,
            # The default is true: every edit of a contact would also tell of its account.
            "notify_on_related_action": False,
            "return_affected_field_values": False,
        }
        body = {"watch": [channel]}
        try:
            return self._api.call(method, PATH, f"watch {method.lower()}", read=read, body=body)
        except WriteUnclear:
            pass
        raise RetryLater(
            f"{self._api.system}: nobody knows whether Zoho opened the channel; it is looked at and tried again",
            f"{self._api.system}：无法确认 Zoho 是否已开通通知通道，将先查询再重试",
            system=self._api.system,
        )

    def _granted(self, answer: Answer, wanted: Subscription, doing: str) -> Channel:
        """Returns what was granted, module by module. Raises what the refusal means where nothing was."""
        rows = _rows(answer)
        ends: dict[str, float] = {}
        for event in _events(row for row in rows if _succeeded(row)):
            if (module := _module(event)) in wanted.objects:
                ends[module] = min(self._ends(event), ends.get(module, float("inf")))
        if not ends:
            raise self._refused(answer, [row for row in rows if not _succeeded(row)], doing)
        life = min(ends.values()) - self._now(answer)
        return Channel(wanted.channel_id, tuple(name for name in wanted.objects if name in ends), life)

    def _ends(self, row: _Row) -> float:
        try:
            return instant(row.get("channel_expiry"))
        except ProtocolViolation:
            pass
        raise violation(self._api.system, "watch", "a channel has no expiry with a zone", "通知通道缺少带时区的有效期")

    def _now(self, answer: Answer) -> float:
        return answer.at if answer.at is not None else self._api.context.clock.now()

    def _refused(self, answer: Answer, rows: Sequence[_Row], doing: str) -> ConnectorError:
        error = Answer(answer.status, rows[0], answer.at) if rows else answer
        if error.code == "OAUTH_SCOPE_MISMATCH":
            return AuthRejected(
                f"{self._api.system}: to {doing} the scope {SCOPE} is needed; authorise again with it, or switch "
                "callbacks off: everything works without",
                f"{self._api.system}：通知通道需要授权范围 {SCOPE}，请重新授权，或关闭 callbacks（不影响其他功能）",
                missing=SCOPE,
                system=self._api.system,
            )
        return refusal(error, self._api.system, "watch", doing)


def receive(body: bytes, channel_id: str, tokens: Sequence[str]) -> Hint | None:
    """Returns what a callback hints at; None where it is not JSON, or does not name the channel and its token.

    Ids beyond `MOST_IDS` and in another form than the vendor's are left out; so is everything of an unknown operation.
    """
    try:
        told = read_json(body)
    except ValueError:
        return None
    if not isinstance(told, Mapping):
        return None
    # All comparisons are made, whatever the first one says: the time that they take tells nothing.
    proofs = [_same(_text(told.get("token")), token) for token in tokens]
    if not _same(_digits(told.get("channel_id")), channel_id) & any(proofs):
        return None
    module, ids = _text(told.get("module")), told.get("ids")
    listed = ids[:MOST_IDS] if isinstance(ids, list) and _text(told.get("operation")) in _OPERATIONS else []
    taken = [one for one in map(_digits, listed) if one and _ID.fullmatch(one)]
    at = told.get("server_time")
    sent_at = at / 1000 if isinstance(at, int) and not isinstance(at, bool) and 0 < at < 10**14 else None
    return Hint(module or "", tuple(dict.fromkeys(taken)), sent_at)


def _same(said: str | None, known: str) -> bool:
    return compare_digest((said or "").encode(), known.encode())


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _digits(value: object) -> str | None:
    """Returns an id as text; the vendor writes channel ids as text or as a number."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else _text(value)


def _rows(answer: Answer) -> list[_Row]:
    rows = answer.content.get("watch") if isinstance(answer.content, Mapping) else None
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []


def _succeeded(row: _Row) -> bool:
    return row.get("status") == "success" and row.get("code") == "SUCCESS"


def _code(answer: Answer, rows: Sequence[_Row]) -> str:
    return str(rows[0].get("code", "")) if rows else answer.code


def _events(rows: Iterator[_Row]) -> Iterator[_Row]:
    for row in rows:
        details = row.get("details")
        events = details.get("events") if isinstance(details, Mapping) else None
        yield from (event for event in events or () if isinstance(event, Mapping))


def _module(event: _Row) -> str:
    """Returns the API name of the module that an event is about: the end of its address, which no language changes."""
    return str(event.get("resource_uri") or "").rpartition("/")[2] or str(event.get("resource_name") or "")
