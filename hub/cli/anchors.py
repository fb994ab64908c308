"""How the audit log stands towards its anchors, in words and for JSON."""

from __future__ import annotations

from typing import Any

from hub.cli.desk import Desk
from hub.operations.anchoring import AuditStanding


def say_unanchored(desk: Desk) -> None:
    """Says that nothing outside the database could prove a cut-off end."""
    desk.say(
        "UNANCHORED: no copy of the checkpoints is kept outside; a cut-off end cannot be proved. Set audit.sinks; "
        "where it is set: crmhub audit checkpoint",
        "UNANCHORED（未存证）：库外没有检查点副本，无法证明末尾未被截断。请配置 audit.sinks；"
        "已配置的执行 crmhub audit checkpoint",
    )


def say_standing(desk: Desk, found: AuditStanding) -> None:
    """Says what is to be looked at, nothing where all is well."""
    if found.unanchored:
        say_unanchored(desk)
    if found.verified is not None and not found.verified.ok:
        desk.say(
            "the audit log did not verify when it was looked at last: crmhub audit verify --full",
            "最近一次审计日志校验未通过：crmhub audit verify --full",
        )
    for sink in found.sinks:
        if sink.late:
            minutes = round(sink.lag / 60)
            desk.say(
                f"audit sink {sink.name} has lacked what is due for {minutes} minutes ({sink.code})",
                f"审计存证点 {sink.name} 已滞后 {minutes} 分钟（{sink.code}）",
            )


def shown_standing(found: AuditStanding) -> dict[str, Any]:
    """Returns it for JSON."""
    return {
        "unanchored": found.unanchored,
        "epoch": found.epoch,
        "rows": found.size,
        "signed_at": found.signed_at,
        "alarms": list(found.alarms),
        "sinks": found.sinks,
        "verified_at": None if found.verified is None else found.verified.at,
    }
