"""Channels: opened, looked after and closed. What a system is about to be told is noted first, so a crash loses none.

A channel is no more than a way to hear of changes early: whatever becomes of it, the poll reads everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

from connectors.channels import Channel, Notify, Subscription
from connectors.errors import ConnectorError
from hub.audit.event import Event
from hub.kernel.errors import Busy, Declined, NotFound
from hub.kernel.ids import secret_text
from hub.kernel.redaction import redact
from hub.operations import signing
from hub.operations.choice import system_of
from hub.operations.installation import Installation
from hub.operations.pausing import ALL, list_pauses, stopped_systems
from hub.operations.permission import permit
from hub.store import callbacks
from hub.store.callbacks import ChannelRow, ChannelState
from hub.store.lease import kernel_lock

RENEW_AT = 0.8
"""Part of its life after which a channel is renewed."""
LOOK_EVERY = 3600.0
AGAIN, REFUSED_AGAIN = 60.0, 1800.0
"""Seconds until a call that failed is tried again; and one that was refused, which needs a person."""
LOCK = "channels"
T = TypeVar("T")


class Step(StrEnum):
    """Says what a channel needs now."""

    NOTHING = "nothing"
    OPEN = "open"
    LOOK = "look"
    RENEW = "renew"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class Kept:
    """Is what was done for the channel of a system; `missing` are objects that it does not tell of."""

    system: str
    step: Step
    missing: tuple[str, ...] = ()
    lost: bool = False
    """The system had dropped the channel, and a new one was opened."""
    error: ConnectorError | None = None


def step_of(row: ChannelRow | None, objects: Sequence[str], base: str | None, now: float) -> Step:
    """Returns what a channel needs: `objects` are mapped now, `base` is where systems shall call, None for nowhere."""
    if row is None:
        return Step.OPEN if base is not None and objects else Step.NOTHING
    if row.state is ChannelState.CLOSED:
        return Step.NOTHING
    if row.retry_at is not None and row.retry_at - REFUSED_AGAIN <= now < row.retry_at:
        return Step.NOTHING
    if base is None or not objects:
        return Step.CLOSE
    if row.state is ChannelState.OPENING or row.expires_at is None or now >= row.expires_at:
        return Step.LOOK
    moved = row.asked != tuple(objects) or not row.url.startswith(f"{base}/")
    if row.state is ChannelState.RENEWING or moved or row.renew_at is None or now >= row.renew_at:
        return Step.RENEW
    looked = row.looked_at if row.looked_at is not None else 0.0
    return Step.NOTHING if looked <= now < looked + LOOK_EVERY else Step.LOOK


def speakers(hub: Installation) -> dict[str, tuple[Notify, tuple[str, ...]]]:
    """Returns the systems that can tell of changes, each with its connector and the objects that are mapped there."""
    found: dict[str, tuple[Notify, tuple[str, ...]]] = {}
    for entity in hub.rules:
        for system, link in hub.links(entity).items():
            if isinstance(link.connector, Notify):
                speaker, objects = found.get(system, (link.connector, ()))
                found[system] = (speaker, tuple(dict.fromkeys((*objects, *link.objects))))
    return found


@permit("status.read")
def list_channels(hub: Installation) -> list[ChannelRow]:
    """Returns every channel; never show its `tokens` and `url`."""
    with hub.store.read() as conn:
        return callbacks.channels(conn, hub.store.ring)


def shown(row: ChannelRow) -> dict[str, object]:
    """Returns what may be shown of a channel: not its tokens, nor where it calls."""
    return {name: getattr(row, name) for name in ChannelRow.__dataclass_fields__ if name not in ("tokens", "url")}


@permit("system.change")
def keep(hub: Installation) -> list[Kept]:
    """Gives every channel what it needs; systems that are paused are not called. Raises Busy."""
    found: list[Kept] = []
    with _alone(hub):
        rows = {row.system: row for row in list_channels(hub)}
        paused = stopped_systems(pauses := list_pauses(hub))
        if any(item.scope == ALL for item in pauses):
            return []
        known, signed = speakers(hub), signing.listeners(hub)
        for system in sorted(rows.keys() - known.keys() - signed.keys()):
            _forget(hub, system)
        found += map(_as_kept, signing.keep(hub, signed, rows))
        for system, (speaker, objects) in known.items():
            step = step_of(rows.get(system), objects, hub.settings.callbacks.base, hub.clock.now())
            if step is Step.NOTHING or system in paused:
                continue
            try:
                found.append(_take(Keeper(hub, system, speaker, objects), step, rows.get(system)))
            except ConnectorError as error:
                found.append(Kept(system, step, error=error))
    return found


def _as_kept(told: signing.Standing) -> Kept:
    step = Step.CLOSE if told.closed else Step.OPEN if told.opened else Step.LOOK
    return Kept(told.system, step, error=told.error)


@contextmanager
def _alone(hub: Installation) -> Iterator[None]:
    with ExitStack() as held:
        try:
            held.enter_context(kernel_lock(hub.store.engine, LOCK))
        except Busy:
            raise Busy(
                "somebody else is at work on the channels; try again in a moment", "通道正在处理中，请稍后重试"
            ) from None
        yield


def _forget(hub: Installation, system: str) -> None:
    """Forgets the channel of a system that is not configured any more; there it ends by itself."""
    with hub.store.begin() as work:
        callbacks.drop_channel(work, system)
        work.audit(Event("channel.close", "channel", system, reason="no longer configured", connection=system))


def _take(keeper: Keeper, step: Step, row: ChannelRow | None) -> Kept:
    if row is None:
        return keeper.open()
    return {Step.LOOK: keeper.look, Step.RENEW: keeper.renew, Step.CLOSE: keeper.close}[step](row)


@dataclass(frozen=True, slots=True)
class Keeper:
    """Takes steps for the channel of one system."""

    hub: Installation
    system: str
    speaker: Notify
    objects: tuple[str, ...]

    def open(self, row: ChannelRow | None = None) -> Kept:
        """Opens a channel, with fresh secrets unless `row` is one whose opening nobody knows the end of."""
        if row is None:
            new_id = self.hub.new_id().replace("-", "")
            # 14 digits, and none of them looks like a telephone or card number in a log.
            name = f"9{int(new_id[-12:], 16) % 10**13:013d}"
            row = ChannelRow(self.system, name, ChannelState.OPENING, self.objects, tokens=(secret_text(),))
            row = replace(row, url=self._new_url())
            self._put(row)
        channel = self._call(row, lambda: self.speaker.open_channel(self._wanted(row)))
        return self._settled(row, channel, "open")

    def look(self, row: ChannelRow) -> Kept:
        """Looks whether a channel is as it should be; one that is gone is opened anew, another one set right."""
        channel = self._call(row, lambda: self.speaker.look_at_channel(row.channel_id))
        if channel is None:
            if row.state is ChannelState.OPENING:
                return self.open(row)
            return self._reopen()
        ours = channel.token in (None, row.tokens[0]) and channel.url in (None, row.url)
        if row.state is ChannelState.OPENING or not ours or not set(row.granted) <= set(channel.objects):
            return self.renew(row)
        now = self.hub.clock.now()
        soon = min(now + channel.life * RENEW_AT, row.renew_at or now)
        # What was sent with the token before has arrived by now.
        self._put(
            replace(
                row, tokens=row.tokens[:1], renew_at=soon, expires_at=now + channel.life, looked_at=now, retry_at=None
            )
        )
        return Kept(self.system, Step.LOOK)

    def renew(self, row: ChannelRow) -> Kept:
        """Renews a channel with a new token; both are believed, for nobody knows which one is under way."""
        if row.state is not ChannelState.RENEWING:
            url = row.url if row.url.startswith(f"{self.hub.settings.callbacks.base}/") else self._new_url()
            row = replace(row, state=ChannelState.RENEWING, tokens=(secret_text(), *row.tokens[:1]), url=url)
            self._put(row)
        row = replace(row, asked=self.objects)
        channel = self._call(row, lambda: self.speaker.renew_channel(self._wanted(row)))
        if channel is None:
            return self._reopen()
        return self._settled(row, channel, "renew")

    def _reopen(self) -> Kept:
        with self.hub.store.begin() as work:
            work.audit(Event("channel.lost", "channel", self.system, outcome="error", connection=self.system))
        return replace(self.open(), lost=True)

    def close(self, row: ChannelRow, *, stays: bool = False, reason: str = "callbacks are off") -> Kept:
        """Closes a channel; one that `stays` closed is not opened again by the daemon."""
        self._call(row, lambda: self.speaker.close_channel(row.channel_id))
        with self.hub.store.begin() as work:
            if stays:
                callbacks.put(work, ChannelRow(self.system, row.channel_id, ChannelState.CLOSED, row.asked))
            else:
                callbacks.drop_channel(work, self.system)
            work.audit(Event("channel.close", "channel", self.system, reason=reason, connection=self.system))
        return Kept(self.system, Step.CLOSE)

    def _settled(self, row: ChannelRow, channel: Channel, act: str) -> Kept:
        now = self.hub.clock.now()
        missing = tuple(name for name in row.asked if name not in channel.objects)
        fresh = replace(
            row,
            state=ChannelState.OPEN,
            granted=channel.objects,
            renew_at=now + channel.life * RENEW_AT,
            expires_at=now + channel.life,
            looked_at=now,
            retry_at=None,
            code=None,
        )
        counts = {"objects": len(channel.objects), "missing": len(missing), "seconds": int(channel.life)}
        with self.hub.store.begin() as work:
            callbacks.put(work, fresh)
            if act == "open":
                work.audit(Event("channel.open", "channel", self.system, counts=counts, connection=self.system))
            else:
                work.audit(Event("channel.renew", "channel", self.system, counts=counts, connection=self.system))
        return Kept(self.system, Step(act), missing)

    def _call(self, row: ChannelRow, ask: Callable[[], T]) -> T:
        """Asks the system; notes a failure with the channel before it is raised."""
        try:
            return ask()
        except ConnectorError as error:
            wait = AGAIN if error.retryable else REFUSED_AGAIN
            self._put(replace(row, code=error.code, retry_at=self.hub.clock.now() + wait))
            raise

    def _put(self, row: ChannelRow) -> None:
        with self.hub.store.begin() as work:
            callbacks.put(work, row)

    def _wanted(self, row: ChannelRow) -> Subscription:
        return Subscription(row.channel_id, row.asked, row.tokens[0], row.url)

    def _new_url(self) -> str:
        return f"{self.hub.settings.callbacks.base}/{secret_text()}"


# What people do.


@permit("system.change")
def open_channel(hub: Installation, name: str) -> Kept:
    """Opens the channel of a system, also one that a person closed. Raises Declined, Busy, the connector's errors."""
    signed = signing.listeners(hub)
    keeper = None if name in signed else _keeper(hub, name)
    if hub.settings.callbacks.base is None:
        raise Declined(
            "callbacks are off: set callbacks.listen and callbacks.public_url in config/hub.yaml",
            "未启用回调：请在 config/hub.yaml 中设置 callbacks.listen 和 callbacks.public_url",
        )
    with _alone(hub):
        if keeper is None:
            return _as_kept(signing.open_signed(hub, name, signed))
        row = _row(hub, name)
        if row is None or row.state is ChannelState.CLOSED:
            return keeper.open()
        return keeper.look(row)


@permit("system.change")
def renew_channel(hub: Installation, name: str) -> Kept:
    """Renews the channel of a system now, with a new token. Raises Declined where there is none, Busy."""
    keeper = _keeper(hub, name)
    with _alone(hub):
        return keeper.renew(_open_row(hub, name))


@permit("system.change")
def close_channel(hub: Installation, name: str, reason: str) -> Kept:
    """Closes the channel of a system until a person opens it again. Raises Declined without a reason, Busy."""
    if not reason.strip():
        raise Declined("closing a channel needs a reason: --reason TEXT", "关闭通道须填写原因：--reason 文本")
    if name in signing.listeners(hub):
        with _alone(hub):
            return _as_kept(signing.close_signed(hub, _open_row(hub, name).system, redact(reason)))
    keeper = _keeper(hub, name)
    with _alone(hub):
        return keeper.close(_open_row(hub, name), stays=True, reason=redact(reason))


def _keeper(hub: Installation, name: str) -> Keeper:
    found = speakers(hub).get(system_of(hub, name))
    if found is None and name in signing.listeners(hub):
        raise Declined(
            f"the callbacks of {name} are set up by hand and do not end; for another key: crmhub channel setup {name}",
            f"{name} 的回调由人工设置，不会到期；如需更换密钥：crmhub channel setup {name}",
        )
    if found is None:
        raise NotFound(
            f"{name} cannot tell of changes by callbacks; it is polled", f"{name} 不支持回调通知，仅按调度轮询"
        )
    return Keeper(hub, name, *found)


def _row(hub: Installation, name: str) -> ChannelRow | None:
    return next((row for row in list_channels(hub) if row.system == name), None)


def _open_row(hub: Installation, name: str) -> ChannelRow:
    row = _row(hub, name)
    if row is None or row.state is ChannelState.CLOSED:
        raise Declined(
            f"{name} has no open channel; open it: crmhub channel open {name}",
            f"{name} 没有已开通的通道；可用 crmhub channel open {name} 开通",
        )
    return row
