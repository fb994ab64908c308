"""Commands of the keys: key list, rotate, retire, destroy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

from hub.cli.commands import Arg, Opt, command
from hub.cli.cycles import local
from hub.cli.desk import Answer, Desk, stopping
from hub.cli.rotation import say_rotation
from hub.cli.terms import KEYS
from hub.kernel.errors import Declined
from hub.keys.rows import Purpose
from hub.operations import keys, rotating
from hub.operations.installation import Installation
from hub.store.ring_watch import Holder
from hub.store.rotations import Phase, Rotation

KEK, ALL, PROGRESSED = "kek", "all", 10
KeyId = Annotated[int, Arg("the key, as `list` shows it", "密钥编号，见 list", "KEY")]
Reason = Annotated[str, Opt("why; it is audited", "原因，留痕", ("--reason",))]


@command(
    "key list",
    "List the keys, how far rotations are and who holds them.",
    "列出密钥、轮换进度和持有进程。",
    action="key.read",
)
def key_list(
    desk: Desk,
    count: Annotated[
        bool, Opt("count the rows under older keys; reads whole tables", "统计旧密钥下的行数（全表读取）", ("--count",))
    ] = False,
) -> Answer:
    with desk.hub() as hub:
        ring, now = keys.list_keys(hub), hub.clock.now()
        left = {str(item): rotating.rows_left(hub, item) for item in rotating.ROTATED} if count else None

    def show() -> None:
        columns = ("id", "purpose", "suite", "state", "at", "kek")
        state = {item.id: desk.word(item.state, KEYS[item.state]) for item in ring.keys}
        desk.table(columns, [(k.id, k.purpose, k.suite, state[k.id], local(k.since), k.kek_id) for k in ring.keys])
        for one in ring.providers:
            mark = ("ok", "正常") if one.ok else ("AWAY", "不可用")
            desk.say(f"provider {one.kek_id}: {mark[0]}, {one.en}", f"密钥来源 {one.kek_id}：{mark[1]}，{one.zh}")
        for item in ring.rotations:
            say_rotation(desk, item, now)
        for name, places in (left or {}).items():
            for place, number in places.items():
                desk.say(f"{name}: {place} {number}", f"{name}：{place} {number}")
        if ring.alarm:
            desk.say(
                "a key wraps more than 268 million keys: crmhub key rotate subject_wrap",
                "某密钥已封装超过 2.68 亿个密钥：crmhub key rotate subject_wrap",
            )
        desk.say()
        held = ("process", "version", "kek", "at")
        held_by = [(rotating.who([h]), h.version, ", ".join(h.kek_ids), local(h.seen_at)) for h in ring.holders]
        desk.table(held, held_by)

    shown = [
        {**_plain(item), "rate": item.rate(now), "seconds_left": item.seconds_left(now)} for item in ring.rotations
    ]
    body = {"version": ring.version, "keys": ring.keys, "rotations": shown, "holders": ring.holders, "left": left}
    return Answer({**body, "alarm": ring.alarm, "providers": ring.providers}, show)


def _plain(item: Rotation) -> dict[str, object]:
    return {name: getattr(item, name) for name in Rotation.__slots__}


@command(
    "key rotate",
    "Replace the keys of a purpose while everything runs.",
    "在线轮换某一用途的密钥。",
    action="key.change",
)
def key_rotate(
    desk: Desk,
    purpose: Annotated[
        str,
        Arg(
            "field, secret, subject_wrap, index, digest; all of these; kek: wrap all under the current key",
            "field、secret、subject_wrap、index、digest；all 为全部；kek 为用当前主密钥重新封装",
            "PURPOSE",
        ),
    ],
    reason: Reason,
    wait: Annotated[int, Opt("seconds to wait for other processes", "等待其他进程的秒数", ("--wait",))] = 300,
) -> Answer:
    if purpose == KEK:
        with desk.hub() as hub:
            number = keys.rewrap_keys(hub, reason)
        return Answer(
            {"rewrapped": number},
            lambda: desk.say(f"{number} keys wrapped under the current key", f"已用当前主密钥重新封装 {number} 个密钥"),
        )
    chosen = _chosen(purpose)
    with desk.hub() as hub, stopping() as stop:
        ended, waits = [], list[Holder]()
        for item in chosen:
            rotating.begin_rotation(hub, item, reason)
            made, waits = _follow(desk, hub, item, wait, stop.is_set)
            ended.append(made)
            if made.phase is not Phase.DONE:
                break
        now = hub.clock.now()

    def show() -> None:
        for item in ended:
            say_rotation(desk, item, now)
        if ended[-1].phase is not Phase.DONE:
            _say_waiting(desk, waits)

    done = all(item.phase is Phase.DONE for item in ended)
    body = {"rotations": [_plain(item) for item in ended], "done": done, "waits_for": waits}
    return Answer(body, show, 0 if done else PROGRESSED)


def _chosen(purpose: str) -> Sequence[Purpose]:
    if purpose == ALL:
        return rotating.ROTATED
    found = [item for item in rotating.ROTATED if item == purpose]
    if not found:
        known = ", ".join([*rotating.ROTATED, ALL, KEK])
        raise Declined(f"{purpose} is no purpose of a key; name one of: {known}", f"没有用途 {purpose}；可选：{known}")
    return found


def _follow(
    desk: Desk, hub: Installation, purpose: Purpose, wait: int, stopped: Callable[[], bool]
) -> tuple[Rotation, list[Holder]]:
    """Goes on with a rotation until it has ended, until it waited too long for a process, or until it is stopped."""
    waited_from = said_at = hub.clock.now()
    while True:
        item, waits = rotating.advance(hub, purpose)
        now = hub.clock.now()
        if item.phase is Phase.DONE or stopped():
            return item, waits
        if not waits:
            waited_from = now
        elif now - waited_from >= wait:
            return item, waits
        if now - said_at >= 5.0 and not desk.json:
            said_at = now
            say_rotation(desk, item, now)
        if waits:
            hub.clock.sleep(1.0)


def _say_waiting(desk: Desk, waits: Sequence[Holder]) -> None:
    if waits:
        names = rotating.who(list(waits))
        desk.say(f"it waits for {names}, which has not loaded the key yet", f"正在等待 {names} 载入密钥")
    desk.say("a running daemon goes on by itself; so does the same command", "守护进程会自动继续，也可再次运行同一命令")


@command(
    "key retire", "Disable a key under which nothing stands any more.", "停用已无数据的旧密钥。", action="key.change"
)
def key_retire(
    desk: Desk,
    key: KeyId,
    reason: Reason,
    undo: Annotated[bool, Opt("let a disabled key open again", "恢复已停用密钥的解密能力", ("--undo",))] = False,
) -> Answer:
    with desk.hub() as hub:
        made = keys.retire_key(hub, key, reason, undo=undo)
    return Answer({"key": made}, lambda: desk.say(f"key {key} is {made.state}", f"密钥 {key} 状态：{KEYS[made.state]}"))


@command(
    "key destroy",
    "Destroy a key that has been disabled for long enough.",
    "销毁已停用满期限的密钥。",
    action="key.change",
)
def key_destroy(
    desk: Desk,
    key: KeyId,
    reason: Reason,
    ticket: Annotated[str, Opt("the change ticket", "变更单号", ("--ticket",))] = "",
    approval: Annotated[
        str | None, Opt("what a second person agreed to", "已通过的复核事项编号", ("--approval",))
    ] = None,
) -> Answer:
    with desk.hub() as hub:
        made = keys.destroy_key(hub, key, reason, ticket, approval)
    return Answer({"key": made}, lambda: desk.say(f"key {key} is {made.state}", f"密钥 {key} 状态：{KEYS[made.state]}"))
