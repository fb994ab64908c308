"""Pauses: all, an entity or a system waits, for a person or because it must; what is owed meanwhile stays owed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NoReturn

import orjson

from connectors.base import Capabilities, Connector
from connectors.errors import ConnectorError
from hub.audit.event import Event
from hub.kernel.errors import Declined, NotFound
from hub.kernel.redaction import redact
from hub.kernel.secrets import STORED, SecretMissing, not_stored, resolve_secret, stored_as
from hub.operations.choice import person
from hub.operations.installation import Installation
from hub.operations.permission import permit
from hub.store import schedules
from hub.store.schedules import Pause
from hub.store.vault import SealedTokens

ALL = "all"
PERSON, AUTH, BUG = "person", "auth", "bug"


class Paused(Declined):
    """Is raised when a cycle is asked of an entity that is paused."""

    code = "HUB-PAUSE-001"


class SystemPaused(ConnectorError):
    """Blocks a paused system for a run; what it is owed stays owed."""

    code = "HUB-PAUSE-002"


class SystemRests(ConnectorError):
    """Blocks a system for a run because its own schedule is not due."""

    code = "HUB-PAUSE-003"


class ClosedDoor:
    """Stands for the connector of a system that a run leaves alone: says what the system can do, calls nobody."""

    def __init__(self, behind: Connector, error: ConnectorError) -> None:
        self.kind = behind.kind
        self._behind, self._error = behind, error

    def capabilities(self, object: str) -> Capabilities:
        """Returns what the object can do."""
        return self._behind.capabilities(object)

    def _refuse(self, *given: object) -> NoReturn:
        raise self._error

    check = describe = changes = deletions = fetch = find = list_ids = write = _refuse

    def close(self) -> None:
        """Leaves the connection open for the runs that follow the pause."""


def scope_of(hub: Installation, what: str) -> str:
    """Returns the scope that a person names: all, a system or an entity, with its kind before it where both exist."""
    kind, _, name = what.rpartition(":")
    system, entity = name in hub.settings.systems, name in hub.rules
    if what == ALL:
        return ALL
    if system and entity and not kind:
        raise Declined(
            f"{name} is both a system and an entity; say system:{name} or entity:{name}",
            f"{name} 既是接入系统也是业务实体；请写 system:{name} 或 entity:{name}",
        )
    if (system and kind in ("", "system")) or (entity and kind in ("", "entity")):
        return f"{kind or ('system' if system else 'entity')}:{name}"
    known = ", ".join([ALL, *hub.settings.systems, *hub.rules])
    raise NotFound(f"{what} is nothing that can be paused; known: {known}", f"无法暂停 {what}；可选：{known}")


@permit("status.read")
def list_pauses(hub: Installation) -> list[Pause]:
    """Returns everything that is paused."""
    with hub.store.read() as conn:
        return schedules.pauses(conn)


@permit("sync.pause")
def pause(
    hub: Installation, scope: str, reason: str, *, cause: str = PERSON, digest: bytes | None = None
) -> Pause | None:
    """Pauses a scope; None where this cause paused it already. Raises Declined without a reason."""
    if not reason.strip():
        raise Declined("a pause needs a reason: --reason TEXT", "暂停须填写原因：--reason 文本")
    with hub.store.begin() as work:
        key_id = hub.store.ring.digest_key_id if digest is not None else None
        made = Pause(scope, cause, redact(reason)[:512], person(hub), work.now, digest, key_id)
        if not schedules.add_pause(work, made):
            return None
        work.audit(_event("pause", made))
    return made


@permit("sync.resume")
def resume(hub: Installation, scope: str, reason: str = "", *, cause: str | None = None) -> list[Pause]:
    """Lifts the pauses of a scope, or those of one cause. Raises Declined where nothing of it is paused."""
    with hub.store.begin() as work:
        lifted = schedules.lift_pauses(work, scope, cause)
        if not lifted:
            raise Declined(
                f"{scope} is not paused; see `crmhub schedule list`", f"{scope} 未暂停；请查看 `crmhub schedule list`"
            )
        for item in lifted:
            work.audit(_event("resume", item, reason))
    return lifted


def _event(act: str, item: Pause, reason: str | None = None) -> Event:
    kind, _, name = item.scope.rpartition(":")
    about = redact(item.reason if reason is None else reason) or None
    if act == "pause":
        return Event("pause", kind or ALL, name, code=item.cause, reason=about)
    return Event("resume", kind or ALL, name, code=item.cause, reason=about)


@permit("sync.pause")
def pause_refused(hub: Installation, system: str, code: str) -> Pause | None:
    """Pauses a system that refuses the hub, until a person resumes it or its secrets change; None if it is already."""
    said = f"{system} refuses the credentials of the hub ({code})"
    return pause(hub, f"system:{system}", said, cause=AUTH, digest=_connection_digest(hub, system))


@permit("sync.resume")
def resume_rotated(hub: Installation, paused: Iterable[Pause]) -> list[str]:
    """Resumes the systems whose secrets or settings are others than those that were refused; returns their names."""
    resumed = []
    for item in paused:
        system = item.scope.removeprefix("system:")
        if item.cause != AUTH or system not in hub.settings.systems:
            continue
        now = _connection_digest(hub, system)
        if now is None or (now == item.digest and item.digest_key_id == hub.store.ring.digest_key_id):
            continue
        resume(hub, item.scope, "the credentials of the connection changed", cause=AUTH)
        resumed.append(system)
    return resumed


def _connection_digest(hub: Installation, system: str) -> bytes | None:
    """Returns the keyed digest of what a system is reached with, None while a secret cannot be read."""
    configured = hub.settings.systems[system]
    parts = [b"connection", system.encode(), orjson.dumps(dict(configured.settings), default=str)]
    try:
        for name, reference in sorted(configured.credentials.items()):
            parts += [name.encode(), _secret(hub, system, name, reference)]
    except SecretMissing:
        return None
    return hub.store.ring.digest(*parts)


def _secret(hub: Installation, system: str, name: str, reference: str) -> bytes:
    if reference != STORED:
        return resolve_secret(reference, hub.settings.home).encode()
    kept = SealedTokens(hub.store, system).get(stored_as(name))
    if not kept:
        raise not_stored(system)
    return kept


def waits(entity: str, paused: Iterable[Pause]) -> Pause | None:
    """Returns the pause that stops an entity as a whole, if any."""
    return next((item for item in paused if item.scope in (ALL, f"entity:{entity}")), None)


def stopped_systems(paused: Iterable[Pause]) -> dict[str, Pause]:
    """Returns the systems that are paused, each with one of its pauses."""
    named = [(item.scope.removeprefix("system:"), item) for item in paused if item.scope.startswith("system:")]
    return dict(named)


def require_running(hub: Installation, entity: str) -> None:
    """Raises Paused where the entity, or everything, is paused."""
    found = waits(entity, list_pauses(hub))
    if found is not None:
        what = found.scope.rpartition(":")[2]
        raise Paused(
            f"{entity} is paused ({found.scope}, {found.cause}); go on with `crmhub resume {what}`",
            f"{entity} 已暂停（{found.scope}，{found.cause}）；可用 `crmhub resume {what}` 恢复",
        )


def held_back(hub: Installation, systems: Sequence[str], resting: Iterable[str] = ()) -> Mapping[str, ConnectorError]:
    """Returns which of these systems a run must leave alone, each with the reason it is blocked with."""
    found: dict[str, ConnectorError] = {
        system: SystemRests(
            f"{system} has a schedule of its own and is not due", f"{system} 有单独的调度，尚未到时间", system=system
        )
        for system in resting
        if system in systems
    }
    for system, item in stopped_systems(list_pauses(hub)).items():
        if system in systems:
            found[system] = SystemPaused(
                f"{system} is paused ({item.cause}); go on with `crmhub resume {system}`",
                f"{system} 已暂停（{item.cause}）；可用 `crmhub resume {system}` 恢复",
                system=system,
            )
    return found
