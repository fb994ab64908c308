"""What people do with keys: see them, retire and destroy those of before, wrap all under a new one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hub.audit.event import Event
from hub.crypto.suites import SUITES
from hub.crypto.wrapping import WRAP_ALARM
from hub.kernel.errors import Declined, NotFound
from hub.keys.rows import KeyRow, KeyState, Purpose
from hub.operations.approvals import require_approval, take
from hub.operations.installation import Installation
from hub.operations.permission import permit
from hub.operations.rotating import rows_left, watch_of, who, with_provider
from hub.store import approvals, rotations
from hub.store.key_rows import key_rows, next_version, put_keys, ring_version
from hub.store.ring_watch import Holder, holders
from hub.store.rotations import Phase, Rotation
from hub.store.sealed import wrapped_by

DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class KeyView:
    """Is one key as people see it; `since` is when it came into its state, `wraps` how many keys it wraps."""

    id: int
    purpose: str
    suite: str
    state: str
    kek_id: str
    created_at: float
    since: float
    wraps: int | None = None


@dataclass(frozen=True, slots=True)
class ProviderView:
    """Is a configured key provider as people see it: the key it wraps by now, and whether it can."""

    kek_id: str
    ok: bool
    hsm: bool
    exportable: bool
    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class Ring:
    """Is every key, every rotation, and who holds which version of the ring."""

    version: int
    keys: tuple[KeyView, ...]
    rotations: tuple[Rotation, ...]
    holders: tuple[Holder, ...]
    alarm: bool
    """Tells whether a key wraps so many that it is to be rotated."""
    providers: tuple[ProviderView, ...]


@permit("key.read")
def list_keys(hub: Installation) -> Ring:
    """Returns the keys of the installation, how far rotations are and which processes hold what."""
    providers = look_at_providers(hub)
    with hub.store.read() as conn:
        rows, now = key_rows(conn), hub.clock.now()
        wraps = wrapped_by(conn)
        return Ring(
            ring_version(conn),
            tuple(_view(row, wraps) for row in rows if row.purpose is not Purpose.CANARY),
            tuple(rotations.rotations(conn).values()),
            tuple(holders(conn, now)),
            any(number >= WRAP_ALARM for number in wraps.values()),
            providers,
        )


@permit("key.read")
def look_at_providers(hub: Installation) -> tuple[ProviderView, ...]:
    """Asks every configured key provider whether it can wrap and unwrap now, the current one first."""
    found = []
    for item in hub.store.ring.providers():
        status, can = item.health(), item.capabilities()
        found.append(
            ProviderView(item.kek_id(), status.ok, can.hsm, can.exportable, status.reason.en, status.reason.zh)
        )
    return tuple(found)


def _view(row: KeyRow, wraps: Mapping[int, int]) -> KeyView:
    suite = next(name for name, item in SUITES.items() if item == row.suite)
    since = row.retired_at or row.promoted_at or row.created_at
    count = wraps.get(row.id, 0) if row.purpose is Purpose.SUBJECT_WRAP else None
    return KeyView(row.id, row.purpose, suite, row.state, row.kek_id, row.created_at, since, count)


@permit("key.change")
def retire_key(hub: Installation, key_id: int, reason: str, *, undo: bool = False) -> KeyView:
    """Disables a key under which nothing stands any more, or makes it open again. Raises Declined and NotFound."""
    _reasoned(reason)
    watch_of(hub).beat(now=True)
    row = _key(hub, key_id)
    wanted, to = (KeyState.DISABLED, KeyState.ACTIVE) if undo else (KeyState.ACTIVE, KeyState.DISABLED)
    _require(row, wanted)
    if not undo:
        _require_unused(hub, row)
    return _change(hub, row, to, Event("key.enable" if undo else "key.retire", "key", str(key_id), reason=reason))


@permit("key.change")
def destroy_key(
    hub: Installation, key_id: int, reason: str, ticket: str = "", approval_id: str | None = None
) -> KeyView:
    """Destroys a key that has been disabled for long enough. Raises Declined and NotFound.

    It cannot be taken back: a second person agrees first, ApprovalPending.
    """
    _reasoned(reason)
    watch_of(hub).beat(now=True)
    row = _key(hub, key_id)
    _require(row, KeyState.DISABLED)
    if row.purpose is Purpose.DIGEST:
        raise Declined(
            f"key {key_id} made digests that stand in the audit log, which only it can compare; keep it disabled",
            f"审计日志中的摘要由密钥 {key_id} 生成，仅可用它比对；请保持停用，不要销毁",
        )
    kept = hub.settings.keys.keep_disabled_days
    if (disabled := hub.clock.now() - (row.retired_at or 0.0)) < kept * DAY:
        raise Declined(
            f"key {key_id} has been disabled for {int(disabled // DAY)} of {kept} days (keys.keep_disabled_days)",
            f"密钥 {key_id} 已停用 {int(disabled // DAY)} 天，须满 {kept} 天（keys.keep_disabled_days）",
        )
    _require_unused(hub, row)
    change = {"key": key_id, "purpose": str(row.purpose)}
    agreed = require_approval(hub, "key.destroy", change, approval_id=approval_id, ticket=ticket, reason=reason)
    event = Event("key.destroy", "key", str(key_id), reason=reason, ticket=ticket or None)
    return _change(hub, row, KeyState.DESTROYED, event, agreed)


def _change(
    hub: Installation, row: KeyRow, state: KeyState, event: Event, agreed: approvals.Approval | None = None
) -> KeyView:
    with hub.store.begin() as work:
        event = replace(event, approver=take(hub, work, agreed))
        next_version(work.conn)
        stands = {item.id: item for item in key_rows(work.conn)}[row.id]
        _require(stands, row.state)
        retired = None if state is KeyState.ACTIVE else work.now
        after = replace(stands, state=state, retired_at=retired)
        if state is KeyState.DESTROYED:
            after = replace(after, wrapped=b"")
        put_keys(work.conn, [after])
        work.audit(replace(event, code=row.purpose))
        view = _view(after, {})
    watch_of(hub).beat(now=True)
    return view


def _require_unused(hub: Installation, row: KeyRow) -> None:
    """Raises Declined while anything may stand or come to stand under a key."""
    with hub.store.read() as conn:
        version = ring_version(conn)
        late = [item for item in holders(conn, hub.clock.now()) if item.version < version]
        busy = rotations.rotations(conn).get(row.purpose)
    if late:
        raise Declined(
            f"{who(late)} still holds older keys; stop it, or wait two minutes",
            f"{who(late)} 仍持有较早的密钥；请停止该进程，或等待两分钟",
        )
    if busy is not None and busy.phase is not Phase.DONE:
        raise Declined(
            f"the rotation of {row.purpose} has not ended; `crmhub key rotate {row.purpose}` goes on with it",
            f"{row.purpose} 的轮换尚未完成；请用 `crmhub key rotate {row.purpose}` 继续",
        )
    left = {name: number for name, number in rows_left(hub, row.purpose).items() if number}
    if left:
        said = ", ".join(f"{name} {number}" for name, number in left.items())
        raise Declined(
            f"rows still stand under older keys of {row.purpose}: {said}; `crmhub key rotate {row.purpose}` seals "
            "them anew; rows that do not open are restored from a backup or read again from their system first",
            f"仍有数据由 {row.purpose} 的旧密钥封存：{said}；请用 `crmhub key rotate {row.purpose}` 重新封存；"
            "无法打开的行须先从备份恢复或从源系统重新读取",
        )


# The key-encrypting key.


@permit("key.change")
def rewrap_keys(hub: Installation, reason: str) -> int:
    """Wraps every data key under the current key-encrypting key; returns how many. Raises Declined and KeyUnusable."""
    watch = watch_of(hub)
    watch.beat(now=True)
    current = hub.store.ring.kek_ids[0]
    with hub.store.read() as conn:
        version, rows = ring_version(conn), key_rows(conn)
        blind = [item for item in holders(conn, hub.clock.now()) if current not in item.kek_ids]
    if all(row.kek_id == current for row in rows):
        raise Declined(
            f"every key is wrapped under {current} already; put the new key-encrypting key into config/hub.yaml as "
            "`keys`, the old one under `keys.also`, restart or reload, and repeat",
            f"所有密钥均已由 {current} 封装；请在 config/hub.yaml 的 keys 中填写新主密钥、"
            "在 keys.also 中保留旧主密钥，重启或重新加载后重试",
        )
    if blind:
        raise Declined(
            f"{who(blind)} cannot use key {current} yet; give it the new key and settings, or stop it",
            f"{who(blind)} 尚无法使用密钥 {current}；请为其配置新密钥，或停止该进程",
        )
    event = Event("key.rewrap", "key", current, reason=reason)
    made = with_provider(hub, event, lambda: hub.store.ring.rewrap(rows))
    with hub.store.begin() as work:
        if next_version(work.conn) != version + 1:
            raise Declined("the keys were changed meanwhile; try again", "密钥在此期间已变更，请重试")
        put_keys(work.conn, made)
        work.audit(replace(event, stage="result", counts={"keys": len(made)}))
    watch.beat(now=True)
    return len(made)


def _key(hub: Installation, key_id: int) -> KeyRow:
    with hub.store.read() as conn:
        found = next((row for row in key_rows(conn) if row.id == key_id), None)
    if found is None or found.purpose is Purpose.CANARY:
        raise NotFound(f"there is no key {key_id}; see `crmhub key list`", f"没有密钥 {key_id}；见 `crmhub key list`")
    return found


def _require(row: KeyRow, state: KeyState) -> None:
    if row.state is not state:
        raise Declined(
            f"key {row.id} is {row.state}, not {state}; see `crmhub key list`",
            f"密钥 {row.id} 的状态为 {row.state}，而非 {state}；见 `crmhub key list`",
        )


def _reasoned(reason: str) -> None:
    if not reason.strip():
        raise Declined("say why: --reason TEXT; it is audited", "须填写原因：--reason 文本，会留痕")
