"""Signed callbacks: set up by hand in a system, judged before they are answered, and known again when they come twice.

Nothing is opened or renewed by a call: the row of such a channel says that it is heard, and counts what came in.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from connectors.channels import Entry, Signed, Told
from connectors.errors import ConnectorError
from hub.audit.event import Event
from hub.kernel.errors import Declined, NotFound
from hub.kernel.ids import secret_bytes
from hub.operations.choice import system_of
from hub.operations.installation import Installation
from hub.operations.permission import permit
from hub.store import callbacks
from hub.store.callbacks import ChannelRow, ChannelState

PART = "signed"
"""The part of an address before the system's name; who calls there is answered once its call was judged."""
AGAIN = 1800.0
"""Seconds after which a key that cannot be used is looked at again."""
Listeners = Mapping[str, tuple[Signed, tuple[str, ...]]]
"""Systems whose signed callbacks are heard, each with its connector and its mapped objects."""


def listeners(hub: Installation) -> dict[str, tuple[Signed, tuple[str, ...]]]:
    """Returns the systems whose connections ask for signed callbacks."""
    found: dict[str, tuple[Signed, tuple[str, ...]]] = {}
    for entity in hub.rules:
        for system, link in hub.links(entity).items():
            if isinstance(link.connector, Signed) and link.connector.hears():
                listener, objects = found.get(system, (link.connector, ()))
                found[system] = (listener, tuple(dict.fromkeys((*objects, *link.objects))))
    return found


def judge(body: bytes, system: str, known: Listeners, rows: Sequence[ChannelRow]) -> Told | None:
    """Returns what a call tells, None for one that is not genuine or comes where nobody listens."""
    heard = any(row.system == system and row.state is ChannelState.OPEN for row in rows)
    if not heard or system not in known:
        return None
    try:
        return known[system][0].receive_signed(body)
    except ConnectorError:
        # A key that cannot be had is reported by `keep`; a call that nobody can judge is not believed.
        return None


@dataclass(frozen=True, slots=True)
class Standing:
    """Is what became of the channel of a system: whether it is heard from now on or no more, or what is wrong."""

    system: str
    opened: bool = False
    closed: bool = False
    error: ConnectorError | None = None


@permit("system.change")
def keep(hub: Installation, known: Listeners, rows: Mapping[str, ChannelRow]) -> list[Standing]:
    """Hears every system that asks for it, and looks whether its key can be used."""
    found = []
    for system, (listener, objects) in known.items():
        row = rows.get(system)
        if hub.settings.callbacks.base is None:
            if row is not None:
                _end(hub, system, "callbacks are off")
                found.append(Standing(system, closed=True))
        elif row is None:
            found.append(_begin(hub, system, listener, objects))
        elif row.state is ChannelState.OPEN and (told := _look(hub, row, listener, objects)) is not None:
            found.append(told)
    return found


def _begin(hub: Installation, system: str, listener: Signed, objects: tuple[str, ...]) -> Standing:
    row = ChannelRow(system, PART, ChannelState.OPEN, objects, objects)
    fault = _fault(listener)
    with hub.store.begin() as work:
        callbacks.put(work, _marked(hub, row, fault))
        work.audit(Event("channel.open", "channel", system, counts={"objects": len(objects)}, connection=system))
    return Standing(system, opened=True, error=fault)


def _look(hub: Installation, row: ChannelRow, listener: Signed, objects: tuple[str, ...]) -> Standing | None:
    """Looks at the key again, an unusable one seldom; says so where it is another matter than before."""
    now = hub.clock.now()
    if row.retry_at is not None and row.retry_at - AGAIN <= now < row.retry_at:
        return None
    fault = _fault(listener)
    fresh = _marked(hub, replace(row, asked=objects, granted=objects), fault)
    if fresh == row:
        return None
    with hub.store.begin() as work:
        callbacks.put(work, fresh)
    return Standing(row.system, opened=row.code is not None and fault is None, error=fault)


def _fault(listener: Signed) -> ConnectorError | None:
    try:
        listener.check_key()
    except ConnectorError as wrong:
        return wrong
    return None


def _marked(hub: Installation, row: ChannelRow, fault: ConnectorError | None) -> ChannelRow:
    if fault is None:
        return replace(row, code=None, retry_at=None)
    return replace(row, code=fault.code, retry_at=hub.clock.now() + AGAIN)


def _end(hub: Installation, system: str, reason: str) -> None:
    with hub.store.begin() as work:
        callbacks.drop_channel(work, system)
        work.audit(Event("channel.close", "channel", system, reason=reason, connection=system))


# What people do.


@permit("system.change")
def open_signed(hub: Installation, system: str, known: Listeners) -> Standing:
    """Hears a system from now on, also one that a person closed. Raises the connector's error for an unusable key."""
    listener, objects = known[system]
    listener.check_key()
    return _begin(hub, system, listener, objects)


@permit("system.change")
def close_signed(hub: Installation, system: str, reason: str) -> Standing:
    """Hears a system no more until a person opens it again."""
    with hub.store.begin() as work:
        callbacks.put(work, ChannelRow(system, PART, ChannelState.CLOSED, ()))
        work.audit(Event("channel.close", "channel", system, reason=reason, connection=system))
    return Standing(system, closed=True)


@dataclass(frozen=True, slots=True)
class SetUp:
    """Is what is entered where so that a system calls: here in the settings, there in its own screens."""

    system: str
    key_name: str
    key_file: Path | None
    heard: bool
    """Whether the connection asks for callbacks already."""
    url: str
    entries: tuple[Entry, ...]


@permit("system.change")
def set_up(hub: Installation, name: str, key_file: Path | None = None) -> SetUp:
    """Says how a system is made to call; writes a new key into a file that is not there yet.

    Raises NotFound for a system that cannot call so, and Declined.
    """
    system = system_of(hub, name)
    connector = hub.connect(system)
    if not isinstance(connector, Signed):
        raise NotFound(
            f"{system} has no callbacks that are set up by hand; see crmhub channel list",
            f"{system} 没有需手工设置的回调；参见 crmhub channel list",
        )
    if hub.settings.callbacks.base is None:
        raise Declined(
            "callbacks are off: set callbacks.listen and callbacks.public_url in config/hub.yaml",
            "未启用回调：请在 config/hub.yaml 中设置 callbacks.listen 和 callbacks.public_url",
        )
    if key_file is not None:
        _write_key(hub, system, connector, key_file)
    url = f"{hub.settings.callbacks.base}/{PART}/{system}"
    objects = [n for e in hub.rules if system in (links := hub.links(e)) for n in links[system].objects]
    entries = tuple(connector.entries(url, list(dict.fromkeys(objects))))
    return SetUp(system, connector.key_name, key_file, connector.hears(), url, entries)


def _write_key(hub: Installation, system: str, connector: Signed, file: Path) -> None:
    """Writes a new key that only its owner can read; an old one is never overwritten."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as failed:
        why = failed.strerror or type(failed).__name__
        raise Declined(
            f"the key cannot be written to {file}: {why}; name a file that is not there yet",
            f"无法将密钥写入 {file}：{why}；请指定尚不存在的文件",
        ) from None
    with os.fdopen(descriptor, "w") as out:
        out.write(connector.make_key(secret_bytes()) + "\n")
    with hub.store.begin() as work:
        work.audit(Event("channel.key", "channel", system, reason="a new key was made", connection=system))
