"""Commands about what may leave for which region: egress show."""

from __future__ import annotations

from typing import Annotated

from hub.cli.commands import GROUPS, Opt, command
from hub.cli.desk import Answer, Desk
from hub.cli.terms import HEADINGS
from hub.kernel.errors import Text
from hub.operations.egress import SystemEgress, show_egress

GROUPS["egress"] = Text("See what may leave for which region.", "查看各区域允许发送的内容。")
HEADINGS.update({"class": "分级", "decision": "处理", "basis": "依据"})
_WORDS = {"allow": ("allow", "放行"), "mask": ("mask", "脱敏"), "block": ("block", "禁止")}


@command(
    "egress show",
    "Show where each system lies, what may be sent to it, and how many persons were sent abroad this year.",
    "查看各系统所在区域、允许发送的字段，以及本年度出境人数。",
    action="egress.read",
)
def show(
    desk: Desk,
    fields: Annotated[bool, Opt("every field with its rule", "列出每个字段及其规则", ("--fields",))] = False,
) -> Answer:
    with desk.hub() as hub:
        found = show_egress(hub)

    def say() -> None:
        for item in found:
            _say(desk, item)
            if fields:
                rows = [(f.entity, f.field, f.field_class, desk.word(*_WORDS[f.verdict]), f.rule) for f in item.fields]
                desk.table(("entity", "field", "class", "decision", "rule"), rows)

    return Answer({"systems": found}, say)


def _say(desk: Desk, item: SystemEgress) -> None:
    number = {name: sum(1 for field in item.fields if field.verdict == name) for name in _WORDS}
    desk.say(
        f"{item.system}: region {item.region}; fields: {number['allow']} leave, {number['mask']} masked, "
        f"{number['block']} blocked",
        f"{item.system}：区域 {item.region}；字段：放行 {number['allow']}，脱敏 {number['mask']}，"
        f"禁止 {number['block']}",
    )
    if item.basis is not None:
        warns = desk.word("  [80 % and more]", "  【已达 80 %】") if item.warns else ""
        desk.say(
            f"    basis {item.basis} until {item.until}; persons this year {item.persons} of {item.approved}{warns}",
            f"    依据 {item.basis}，至 {item.until}；本年度人数 {item.persons} / {item.approved}{warns}",
        )
    elif item.persons:
        desk.say(f"    no basis; persons this year {item.persons}", f"    无依据；本年度人数 {item.persons}")
