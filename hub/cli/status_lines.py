"""Lines of `status` about what is no entity's own: complaints that come due, persons sent abroad."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hub.cli.desk import Desk
from hub.operations.egress import Used


def say_process(desk: Desk, process: Mapping[str, int]) -> None:
    """Says how complaints stand; nothing where none are kept."""
    if not process:
        return
    desk.say()
    still, late, silent = (process[name] for name in ("open", "overdue", "closed_without_feedback"))
    soon, unheard = process["due_within_5"], process.get("reviews_late", 0)
    desk.say(
        f"complaints: open {still}, due within 5 days {soon}, overdue {late}, "
        f"closed without feedback {silent}, reviews late {unheard}",
        f"投诉：未办结 {still}，5 日内到期 {soon}，逾期 {late}，未反馈即结案 {silent}，核查逾期 {unheard}",
    )
    if soon or late or silent or unheard:
        desk.say("    crmhub complaint list", "    crmhub complaint list")


def say_short(desk: Desk, short: Sequence[Used]) -> None:
    """Says which systems abroad have nearly used up the persons approved for this year."""
    for item in short:
        desk.say(
            f"{item.system}: {item.persons} of {item.approved} persons approved for this year were sent abroad: "
            "crmhub egress show",
            f"{item.system}：本年度已出境 {item.persons} 人，批准 {item.approved} 人：crmhub egress show",
        )
