"""Commands that ask the systems about themselves: check, describe."""

from __future__ import annotations

from typing import Annotated

from connectors.base import FieldDescription
from hub.cli.commands import Arg, command
from hub.cli.desk import Answer, Desk
from hub.cli.failures import SYSTEM
from hub.operations import connections


@command(
    "check",
    "Prove that a system, or every system, accepts the hub.",
    "确认接入系统（默认全部）可用。",
    action="system.check",
)
def check(desk: Desk, system: Annotated[str | None, Arg("one system only", "仅检查该系统", "SYSTEM")] = None) -> Answer:
    with desk.hub() as hub:
        found = connections.check_systems(hub, system)

    def show() -> None:
        for item in found:
            desk.say(f"{item.system} ({item.kind})")
            for line in item.lines:
                mark = ("ok", "正常") if line.ok else ("fail", "失败")
                desk.say(f"  {mark[0]:<6}{line.name}: {line.en}", f"  {mark[1]}  {line.name}：{line.zh}")
        for name in (item.system for item in found if any(line.unprepared for line in item.lines)):
            survey = f"crmhub connect {name} --prepare"
            desk.say(
                f"next: {survey} lists what {name} lacks, and how it is made",
                f"下一步：{survey} 列出 {name} 缺少的对象和字段及新建步骤",
            )

    body = {"systems": [{"system": i.system, "kind": i.kind, "ok": i.ok, "lines": i.lines} for i in found]}
    return Answer(body, show, 0 if all(item.ok for item in found) else SYSTEM)


@command(
    "describe", "Show an object as its system describes it.", "查看接入系统对某个对象的描述。", action="system.check"
)
def describe(
    desk: Desk,
    system: Annotated[str, Arg("a configured system", "接入系统", "SYSTEM")],
    object: Annotated[str, Arg("an object of it", "其对象", "OBJECT")],
) -> Answer:
    with desk.hub() as hub:
        found = connections.describe(hub, system, object)

    def show() -> None:
        desk.say(f"{system} {found.object} ({found.label})")
        columns = ("field", "label", "kind", "length", "", "options")
        rows = []
        for field in found.fields.values():
            marks = (
                (field.required, "required", "必填"),
                (not field.writable, "read-only", "只读"),
                (field.unique, "unique", "唯一"),
                (field.masked, "masked", "脱敏"),
            )
            noted = " ".join(desk.word(en, zh) for holds, en, zh in marks if holds)
            rows.append((field.api_name, field.label, field.kind, field.length, noted, _content(desk, field)))
        desk.table(columns, rows)

    return Answer({"system": system, "object": found.object, "label": found.label, "fields": found.fields}, show)


def _content(desk: Desk, field: FieldDescription) -> str:
    """Returns what a field may hold: options as value=label, those retired, what it depends on or points at."""
    listed = {**(field.options or {})}
    parts = [", ".join(value if label in ("", value) else f"{value}={label}" for value, label in listed.items())]
    if field.retired:
        parts.append(
            f"{desk.word('retired', '已停用')} {', '.join(f'{v}={label}' for v, label in field.retired.items())}"
        )
    if field.parent:
        parts.append(f"{desk.word('depends on', '取决于')} {field.parent}")
    if field.lookup:
        parts.append(f"-> {field.lookup}")
    if field.members:
        parts.append(f"{desk.word('stands for', '包含')} {', '.join(field.members)}")
    return "; ".join(filter(None, parts))
