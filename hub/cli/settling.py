"""The command that tries out what a vendor leaves open: settle."""

from __future__ import annotations

from typing import Annotated

from hub.cli.commands import Arg, Opt, command
from hub.cli.desk import Answer, Desk
from hub.cli.failures import BLOCKED
from hub.operations.settling import settle_questions


@command(
    "settle",
    "Try out on a system what its vendor leaves open, and name the setting that goes with it.",
    "在接入系统上核实厂商未明确的行为，并给出对应的配置。",
    action="system.change",
)
def settle(
    desk: Desk,
    system: Annotated[str, Arg("a configured system", "接入系统", "SYSTEM")],
    object: Annotated[str, Arg("an object to try it on", "用于核实的对象", "OBJECT")],
    question: Annotated[
        str | None, Opt("one question only (default: all)", "仅核实该问题（默认全部）", ("--question",))
    ] = None,
    write: Annotated[
        bool,
        Opt(
            "also what needs a test record, which is made in the object and invalidated; pause the system first",
            "包括需要测试记录的问题：在该对象中新建一条并作废；请先暂停该系统",
            ("--write",),
        ),
    ] = False,
) -> Answer:
    with desk.hub() as hub:
        found = settle_questions(hub, system, object, question, write)

    def show() -> None:
        for item in found:
            setting = f" [{item.setting}]" if item.setting else ""
            mark = ("ok", "一致") if item.agrees else ("set", "须改")
            desk.say(
                f"  {mark[0]:<4}{item.question}: {item.en}{setting}",
                f"  {mark[1]}  {item.question}：{item.zh}{setting}",
            )
        wrong = [item.setting for item in found if not item.agrees and item.setting]
        if wrong:
            listed = "; ".join(wrong)
            desk.say(f"next: write into the connection: {listed}", f"下一步：写入连接配置：{listed}")

    rows = [{"question": i.question, "en": i.en, "zh": i.zh, "setting": i.setting, "agrees": i.agrees} for i in found]
    body = {"system": system, "object": object, "answers": rows}
    return Answer(body, show, 0 if all(item.agrees for item in found) else BLOCKED)
