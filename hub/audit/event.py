"""What the audit log says about one act, and its one canonical form in bytes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal

import orjson

from hub.kernel.redaction import escape, redact

VERSION = 1
TEXT_LIMIT = 512
CLOCK_JUMP = "clock.jump"

_MAX_INT = 2**53 - 1
_NAME = re.compile(r"[a-z][a-z0-9_.]{0,63}")

Stage = Literal["attempt", "result", "single"]
Outcome = Literal["success", "denied", "error"]
Channel = Literal["console", "cli", "daemon", "webhook"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Is who acted: a stable user id, never a display name."""

    type: str
    id: str
    roles: tuple[str, ...] = ()
    auth: str | None = None
    session_ref: str | None = None
    on_behalf: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Is where the act came from."""

    channel: Channel
    host: str | None = None
    pid: int | None = None
    ip: str | None = None
    ua_hash: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Is what all events of one process share: who it acts for, where it runs, which release and which settings."""

    actor: Actor
    source: Source
    app_version: str
    config_digest: str | None = None


@dataclass(frozen=True, slots=True)
class FieldNote:
    """Is one changed field: keyed digests of both values and, where useful, the masked text; never a value."""

    name: str
    field_class: str
    before: str | None = None
    after: str | None = None
    shown: str | None = None


@dataclass(frozen=True, slots=True)
class Egress:
    """Is the decision under which a value left, or did not leave, the hub."""

    region: str
    decision: str
    rule: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """Is one audited act. Strings, integers, booleans and None only; no personal value anywhere.

    A creation carries one `digest` of the record instead of `fields`, an update the changed fields, a read one event a
    page with `counts`. `obj_id` is a hub id, run id or name. `actor` overrides the one of the process.
    """

    act: str
    obj_type: str
    obj_id: str | None = None
    outcome: Outcome = "success"
    code: str | None = None
    reason: str | None = None
    fields: tuple[FieldNote, ...] = ()
    digest: str | None = None
    counts: Mapping[str, int] | None = None
    connection: str | None = None
    branch: str | None = None
    corr: str | None = None
    prev_corr: str | None = None
    ticket: str | None = None
    approver: str | None = None
    egress: Egress | None = None
    checkpoint: tuple[str, ...] = ()
    """Lines of the last signed note, in the first entry of a new epoch."""
    stage: Stage = "single"
    actor: Actor | None = None


def safe_text(text: str) -> str:
    """Escapes control, bidi and surrogate characters as `\\uXXXX` and cuts the result to 512 characters."""
    if text.isprintable() and len(text) <= TEXT_LIMIT:
        return text
    text = escape(text)
    return text if len(text) <= TEXT_LIMIT else text[: TEXT_LIMIT - 1] + "…"


class Encoder:
    """Writes the body of a row: canonical JSON (RFC 8785), members without a value left out.

    orjson's sorted output equals RFC 8785 here because member names are ASCII, numbers are integers of at most 53 bits
    and hostile characters are escaped before. What all rows of a process share is written once.
    """

    def __init__(self, origin: Origin) -> None:
        self._actor = _actor_fragment(origin.actor)
        self._shared: dict[str, Any] = {
            "v": VERSION,
            "src": _source_fragment(origin.source),
            "app_version": safe_text(origin.app_version),
        }
        if origin.config_digest is not None:
            self._shared["config_digest"] = safe_text(origin.config_digest)

    def __call__(self, event: Event, *, seq: int, epoch: int, id: str, at: float) -> bytes:
        """Encodes one event; `at` is epoch seconds, the row shows UTC with microseconds.

        Raises ValueError for a name or number that cannot stand in the log.
        """
        body = self._shared | {
            "id": id,
            "ts": stamp(at),
            "seq": seq,
            "epoch": epoch,
            "stage": event.stage,
            "act": _name(event.act),
            "outcome": event.outcome,
            "actor": self._actor if event.actor is None else _actor_fragment(event.actor),
            "obj": _object_members(event),
        }
        if event.digest is not None:
            body["digest"] = safe_text(event.digest)
        if event.corr is not None:
            body["corr"] = safe_text(event.corr)
        if event.code is not None:
            body["code"] = safe_text(event.code)
        if event.reason is not None:
            body["reason"] = safe_text(redact(event.reason))
        if event.fields:
            body["fields"] = [_field_members(note) for note in event.fields]
        if event.counts:
            body["counts"] = {_name(name): _integer(number) for name, number in event.counts.items()}
        if event.prev_corr or event.ticket or event.approver or event.egress or event.checkpoint:
            body |= _rare_members(event)
        return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)


def encode(event: Event, *, seq: int, epoch: int, id: str, at: float, origin: Origin) -> bytes:
    """Encodes one event on its own; see `Encoder`."""
    return Encoder(origin)(event, seq=seq, epoch=epoch, id=id, at=at)


@lru_cache(maxsize=64)
def stamp(at: float) -> str:
    """Formats epoch seconds as UTC with microseconds; rows of one commit usually share it."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def instant(ts: str) -> float:
    """Returns the epoch seconds of a `ts` member. Raises ValueError."""
    return datetime.fromisoformat(ts).timestamp()


def _members(**texts: str | None) -> dict[str, Any]:
    return {name: safe_text(text) for name, text in texts.items() if text is not None}


def _object_members(event: Event) -> dict[str, str]:
    members = {"type": safe_text(event.obj_type)}
    if event.obj_id is not None:
        members["id"] = safe_text(event.obj_id)
    if event.connection is not None:
        members["connection"] = safe_text(event.connection)
    if event.branch is not None:
        members["branch"] = safe_text(event.branch)
    return members


def _rare_members(event: Event) -> dict[str, Any]:
    members = _members(prev_corr=event.prev_corr, ticket=event.ticket, approver=event.approver)
    if (egress := event.egress) is not None:
        members["egress"] = _members(region=egress.region, decision=egress.decision, rule=egress.rule)
    if event.checkpoint:
        members["checkpoint"] = [safe_text(line) for line in event.checkpoint]
    return members


def _field_members(note: FieldNote) -> dict[str, str]:
    members = _members(name=note.name, before=note.before, after=note.after, shown=note.shown)
    members["class"] = safe_text(note.field_class)
    return members


def _actor_fragment(actor: Actor) -> orjson.Fragment:
    members = _members(
        type=actor.type, id=actor.id, auth=actor.auth, session_ref=actor.session_ref, on_behalf=actor.on_behalf
    )
    if actor.roles:
        members["roles"] = [safe_text(role) for role in actor.roles]
    return orjson.Fragment(orjson.dumps(members, option=orjson.OPT_SORT_KEYS))


def _source_fragment(source: Source) -> orjson.Fragment:
    members = _members(channel=source.channel, host=source.host, ip=source.ip, ua_hash=source.ua_hash)
    if source.pid is not None:
        members["pid"] = _integer(source.pid)
    return orjson.Fragment(orjson.dumps(members, option=orjson.OPT_SORT_KEYS))


@lru_cache(maxsize=256)
def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError("an audit name is lower-case ASCII with dots and underscores, at most 64 characters")
    return text


def _integer(number: int) -> int:
    if type(number) is not int or abs(number) > _MAX_INT:
        raise ValueError("an audit row carries integers of at most 53 bits and no floats")
    return number
