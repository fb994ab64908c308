"""Channels, hints and messages. Tokens and addresses are sealed; a hint is the id of a record and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as attribute
from enum import StrEnum

import orjson
import sqlalchemy as sa

from hub.keys.keyring import Keyring
from hub.store.callback_tables import callback_message, channel, hint
from hub.store.database import Prepared
from hub.store.tables import binding
from hub.store.unit_of_work import UnitOfWork


class ChannelState(StrEnum):
    """Says where a channel stands; what is being done to it is noted before its system is called."""

    OPENING = "opening"
    OPEN = "open"
    RENEWING = "renewing"
    CLOSED = "closed"
    """By a person, and it stays so until a person opens it."""


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """Is the channel of a system; instants in epoch seconds. `tokens` are those believed, the newest first.

    `asked` are the objects that it was asked to tell of, `granted` those that it does tell of.
    """

    system: str
    channel_id: str
    state: ChannelState
    asked: tuple[str, ...]
    granted: tuple[str, ...] = ()
    tokens: tuple[str, ...] = attribute(default=(), repr=False)
    url: str = attribute(default="", repr=False)
    renew_at: float | None = None
    expires_at: float | None = None
    looked_at: float | None = None
    retry_at: float | None = None
    code: str | None = None
    changed_at: float = 0.0
    heard_at: float | None = None
    received: int = 0
    late: int = 0
    forged: int = 0

    @property
    def path(self) -> str:
        """Returns the part of the address that nobody can guess."""
        return self.url.rpartition("/")[2]


_COUNTED = ("heard_at", "received", "late", "forged")
_PLAIN = ("system", "channel_id", "renew_at", "expires_at", "looked_at", "retry_at", "code")


def channels(conn: sa.Connection, ring: Keyring) -> list[ChannelRow]:
    """Returns every channel with its secrets."""
    found = []
    for row in conn.execute(sa.select(channel).order_by(channel.c.system)):
        plain = {name: getattr(row, name) for name in (*_PLAIN, *_COUNTED, "changed_at")}
        asked, granted = tuple(orjson.loads(row.asked)), tuple(orjson.loads(row.granted))
        made = ChannelRow(state=ChannelState(row.state), asked=asked, granted=granted, **plain)
        if row.blob is not None:
            secrets = orjson.loads(ring.open_secret(_name(row.system), bytes(row.blob)))
            made = replace(made, tokens=tuple(secrets["tokens"]), url=secrets["url"])
        found.append(made)
    return found


def put(work: UnitOfWork, row: ChannelRow) -> None:
    """Keeps a channel; what was counted of it stays."""
    blob = None
    if row.tokens:
        secrets = orjson.dumps({"tokens": row.tokens, "url": row.url})
        blob = work.ring.seal_secret(_name(row.system), secrets)
    values: dict[str, object] = {name: getattr(row, name) for name in _PLAIN}
    values |= {"asked": orjson.dumps(row.asked).decode(), "granted": orjson.dumps(row.granted).decode()}
    values |= {"state": row.state.value, "blob": blob, "changed_at": work.now}
    if not work.conn.execute(channel.update().where(channel.c.system == row.system).values(values)).rowcount:
        work.conn.execute(channel.insert().values(**values))


def drop_channel(work: UnitOfWork, system: str) -> None:
    work.conn.execute(channel.delete().where(channel.c.system == system))


def count(work: UnitOfWork, system: str, *, received: int, late: int, forged: int) -> None:
    """Adds to what came in by a channel; `received` holds the late ones, not the forged."""
    c = channel.c
    values: dict[str, object] = {"late": c.late + late, "forged": c.forged + forged, "received": c.received + received}
    if received:
        values["heard_at"] = work.now
    work.conn.execute(channel.update().where(c.system == system).values(values))


def _name(system: str) -> str:
    return f"channel/{system}"


# A hint that comes again while it waits is the same hint, later.
_ADD = sa.text(
    "INSERT INTO hint (system, object, native_id, received_at) VALUES (:system, :object, :native_id, :received_at) "
    "ON CONFLICT (system, object, native_id) DO UPDATE SET received_at = excluded.received_at"
)
_OF_OBJECT = Prepared(
    sa.select(hint.c.native_id, hint.c.received_at)
    .where(hint.c.system == sa.bindparam("at"), hint.c.object == sa.bindparam("of"))
    .order_by(hint.c.received_at, hint.c.native_id)
    .limit(sa.bindparam("most"))
)
_WAITING = Prepared(sa.select(hint.c.system, hint.c.object, sa.func.count()).group_by(hint.c.system, hint.c.object))


def add_hints(work: UnitOfWork, hints: Iterable[tuple[str, str, str]]) -> None:
    """Notes hints: (system, object, native id)."""
    # In one order for everybody, or two hosts could wait for each other.
    rows = [
        {"system": system, "object": object_, "native_id": native_id, "received_at": work.now}
        for system, object_, native_id in sorted(set(hints))
    ]
    if rows:
        work.conn.execute(_ADD, rows)


def waiting(conn: sa.Connection) -> dict[tuple[str, str], int]:
    """Returns how many hints wait: (system, object) -> number."""
    return {(row[0], row[1]): row[2] for row in _WAITING.run(conn)}


def hints_of(conn: sa.Connection, system: str, object_: str, most: int) -> Sequence[tuple[str, float]]:
    """Returns the oldest hints of an object: (native id, when it came)."""
    return [(row[0], row[1]) for row in _OF_OBJECT.run(conn, {"at": system, "of": object_, "most": most})]


def drop_hints(work: UnitOfWork, system: str, object_: str, until: float) -> None:
    """Forgets the hints of an object up to an instant; one that came again later stays."""
    here = sa.and_(hint.c.system == system, hint.c.object == object_, hint.c.received_at <= until)
    work.conn.execute(hint.delete().where(here))


def drop_echoes(work: UnitOfWork, system: str, objects: Sequence[str], window: float) -> int:
    """Forgets hints at records that we wrote ourselves, no longer than `window` before, and have not seen since."""
    b = binding.c
    own = sa.exists().where(
        b.system == hint.c.system,
        b.object == hint.c.object,
        b.native_id == hint.c.native_id,
        b.obs_digest.is_(None),
        b.updated_at >= hint.c.received_at - window,
    )
    return work.conn.execute(hint.delete().where(hint.c.system == system, hint.c.object.in_(objects), own)).rowcount


# What was heard may be said again by a later repetition, and is then remembered as long as that one.
_HEARD = sa.text(
    "INSERT INTO callback_message (system, message_id, until) VALUES (:system, :message_id, :until) "
    "ON CONFLICT (system, message_id) DO UPDATE SET until = excluded.until "
    "WHERE callback_message.until < excluded.until"
)


def heard_before(conn: sa.Connection, system: str, message_ids: Iterable[str]) -> set[str]:
    """Returns those of some signed callbacks that came already."""
    c = callback_message.c
    asked = sorted(set(message_ids))
    return set(conn.execute(sa.select(c.message_id).where(c.system == system, c.message_id.in_(asked))).scalars())


def remember(work: UnitOfWork, system: str, messages: Mapping[str, float]) -> None:
    """Remembers signed callbacks until the instant given with each, and forgets those whose instant has passed."""
    work.conn.execute(callback_message.delete().where(callback_message.c.until < work.now))
    rows = [{"system": system, "message_id": name, "until": until} for name, until in sorted(messages.items())]
    if rows:
        work.conn.execute(_HEARD, rows)
