"""How far the rotation of a key is, as people read it."""

from __future__ import annotations

from hub.cli.desk import Desk
from hub.store.rotations import Phase, Rotation

PHASES = {
    Phase.ANNOUNCED: ("waits until every process has loaded the new key", "等待各进程载入新密钥"),
    Phase.SEALING: ("seals anew", "正在重新封存"),
    Phase.SETTLING: ("waits until every process seals with the new key", "等待各进程改用新密钥"),
    Phase.DONE: ("done", "已完成"),
}


def say_rotation(desk: Desk, item: Rotation, now: float) -> None:
    """Says how far one rotation is, its rate and the time left."""
    en, zh = PHASES[item.phase]
    if item.phase is Phase.SEALING and item.total >= 0:
        rate, left = item.rate(now), item.seconds_left(now)
        en, zh = f"{en}: {item.done:,} of {item.total:,}", f"{zh}：{item.done:,} / {item.total:,}"
        if rate is not None and left is not None:
            en, zh = (
                f"{en}, {rate:,.0f} a second, {left:,.0f} s left",
                f"{zh}，每秒 {rate:,.0f} 行，剩余 {left:,.0f} 秒",
            )
    if item.broken:
        en, zh = f"{en}; {item.broken} rows do not open", f"{zh}；{item.broken} 行无法打开"
    desk.say(f"rotation of {item.purpose} to key {item.key_id}: {en}", f"{item.purpose} 轮换至密钥 {item.key_id}：{zh}")
