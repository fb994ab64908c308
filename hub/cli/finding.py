"""Command record find: looks a customer up by what a caller says."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated

from hub.cli.commands import Opt, command
from hub.cli.desk import Answer, Desk
from hub.kernel.errors import Declined
from hub.operations import finding
from hub.operations.choice import entities_of

_LONGEST = 1024


@command(
    "record find",
    "Find customers by a number, an address or a name, typed or piped in.",
    "按号码、邮箱或姓名查找客户。",
    action="record.find",
)
def find(
    desk: Desk,
    phone: Annotated[bool, Opt("by telephone number", "按电话", ("--phone",))] = False,
    email: Annotated[bool, Opt("by e-mail address", "按邮箱", ("--email",))] = False,
    id_number: Annotated[bool, Opt("by ID number or credit code", "按证件号或信用代码", ("--id-number",))] = False,
    account: Annotated[bool, Opt("by customer number", "按客户编号", ("--account",))] = False,
    name: Annotated[bool, Opt("by the whole name", "按完整名称", ("--name",))] = False,
    entity: Annotated[str, Opt("the entity", "业务实体", ("--entity",))] = "customer",
) -> Answer:
    chosen = [k for k, on in zip(finding.KINDS, (phone, email, id_number, account, name), strict=True) if on]
    if len(chosen) != 1:
        raise Declined(
            "say by what: one of --phone, --email, --id-number, --account, --name; the value is asked for",
            "请指定一种：--phone、--email、--id-number、--account、--name；随后输入内容",
        )
    value = _value(desk)
    with desk.hub() as hub:
        found = finding.find_records(hub, entities_of(hub, entity)[0], chosen[0], value)

    def show() -> None:
        for item in found:
            shown = ", ".join(f"{field}: {text}" for field, text in item.fields.items())
            desk.say(f"{item.hub_id} {item.state}  {shown}", f"{item.hub_id} {item.state}  {shown}")
        desk.say(f"{len(found)} found", f"找到 {len(found)} 条")

    return Answer({"entity": entity, "by": chosen[0], "found": found}, show)


def _value(desk: Desk) -> str:
    """Reads one line without showing it: typed at a terminal, or from a pipe; never an argument, which others see."""
    if sys.stdin.isatty():
        try:
            return getpass.getpass(desk.word("value (not shown): ", "查找内容（不显示）："), sys.stderr).strip()
        except EOFError:
            return ""
    return sys.stdin.buffer.read(_LONGEST).decode("utf-8", "replace").strip()
