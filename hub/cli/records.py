"""Commands about one golden record: record show, timeline, edit, resync."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import orjson

from hub.cli.commands import Arg, Opt, command
from hub.cli.cycles import local
from hub.cli.desk import Answer, Desk
from hub.kernel.errors import Declined
from hub.operations import cycles, departed, editing, inspection
from hub.operations.choice import record_of
from hub.operations.inspection import RecordView
from hub.store.merges import Merged

Record = Annotated[str, Arg("hub id, or SYSTEM:NATIVE_ID", "统一编号，或 系统:原编号", "RECORD")]
Reveal = Annotated[bool, Opt("show values whole; needs --reason", "查看明文，须填原因", ("--reveal",))]
Reason = Annotated[str | None, Opt("why", "原因", ("--reason",))]


def reason_of(reveal: bool, reason: str | None) -> str | None:
    """Returns the reason to reveal values, or None to mask them. Raises Declined for a reveal without one."""
    if reveal and not (reason or "").strip():
        raise Declined("--reveal needs --reason TEXT; both are audited", "--reveal 须同时填写 --reason 原因，均会留痕")
    return reason if reveal else None


@command(
    "record show",
    "Show a golden record and its place in every system.",
    "查看黄金记录及其在各系统的绑定。",
    action="record.read",
)
def show_record(desk: Desk, record: Record, reveal: Reveal = False, reason: Reason = None) -> Answer:
    with desk.hub() as hub:
        found = inspection.show_record(hub, record_of(hub, record), reason_of(reveal, reason))
    return Answer({"record": found}, lambda: _show(desk, found))


def _show(desk: Desk, found: RecordView) -> None:
    desk.say(
        f"{found.entity} {found.hub_id}: {found.state}, revision {found.revision}",
        f"{found.entity} {found.hub_id}：{found.state}，第 {found.revision} 版",
    )
    say_merges(desk, found.hub_id, found.merges)
    columns = ("field", "label", "value", "from", "")
    waits = desk.word("waits", "待处理")
    rows = [(f.name, desk.text(f.label), f.value, f.origin, waits if f.frozen else "") for f in found.fields]
    desk.table(columns, rows)
    desk.say()
    owed = desk.word("write owed", "待写入")
    columns = ("system", "object", "native id", "binding", "")
    desk.table(columns, [(b.system, b.object, b.native_id, b.state, owed if b.owed else "") for b in found.bindings])
    for kind, question_id, field in found.questions:
        desk.say(f"- {field}: crmhub {kind} show {question_id}", f"- {field}：crmhub {kind} show {question_id}")
    for row in found.quarantine:
        desk.say(f"- {row.system}: {row.code} {row.en}", f"- {row.system}：{row.code} {row.zh}")
    if found.staged:
        fields = ", ".join(found.staged)
        desk.say(f"- an edit of {fields} waits for the next cycle", f"- 对 {fields} 的编辑将在下一批次生效")


def say_merges(desk: Desk, hub_id: str, merges: Sequence[Merged]) -> None:
    """Says which record stands for one that was merged away, and whom a record took in."""
    for item in merges:
        if item.loser_id == hub_id:
            desk.say(
                f"merged into {item.heir_id} on {local(item.merged_at)}: crmhub record show {item.heir_id}",
                f"已于 {local(item.merged_at)} 合并到 {item.heir_id}：crmhub record show {item.heir_id}",
            )
        else:
            desk.say(
                f"took in {item.loser_id} on {local(item.merged_at)}, as {item.system} had merged them; "
                f"accepted by {item.accepted_by}",
                f"已于 {local(item.merged_at)} 并入 {item.loser_id}（{item.system} 中已合并），"
                f"由 {item.accepted_by} 确认",
            )


@command(
    "record timeline",
    "Show how a record was linked and every change of it.",
    "查看记录的匹配经过和全部变更。",
    action="record.read",
)
def timeline(desk: Desk, record: Record, reveal: Reveal = False, reason: Reason = None) -> Answer:
    with desk.hub() as hub:
        hub_id = record_of(hub, record)
        links, changes, merges = inspection.show_timeline(hub, hub_id, reason_of(reveal, reason))

    def show() -> None:
        say_merges(desk, hub_id, merges)
        columns = ("at", "system", "native id", "match", "rule", "by")
        desk.table(columns, [(local(k.at), k.system, k.native_id, k.certainty, k.rule, k.decided_by) for k in links])
        desk.say()
        headings = ("at", "field", "before", "after", "change", "from", "lost")
        rows = []
        for item in changes:
            lost = "; ".join(f"{origin}: {value}" for origin, value in item.losers)
            rows.append((local(item.at), item.field, item.before, item.after, desk.text(item.how), item.origin, lost))
        desk.table(headings, rows)

    return Answer({"hub_id": hub_id, "links": links, "changes": changes, "merges": merges}, show)


@command(
    "record edit",
    "Change fields of a golden record; the next cycle carries it out.",
    "编辑黄金记录。",
    action="record.edit",
)
def edit(
    desk: Desk,
    record: Record,
    set_: Annotated[list[str] | None, Opt("FIELD=VALUE, repeatable", "字段=值，可重复", ("--set",))] = None,
    clear: Annotated[list[str] | None, Opt("a field to empty, repeatable", "清空字段，可重复", ("--clear",))] = None,
    file: Annotated[
        Path | None,
        Opt(
            "JSON object of fields, - for standard input",
            "JSON 字段对象，- 为标准输入",
            ("--file",),
        ),
    ] = None,
) -> Answer:
    typed = _typed(set_ or [], clear or [], file)
    with desk.hub() as hub:
        made = editing.edit_record(hub, record_of(hub, record), typed)
    fields = ", ".join(made.fields)

    def show() -> None:
        desk.say(
            f"staged for {made.hub_id}: {fields}; `crmhub sync {made.entity}` carries it out",
            f"已登记 {made.hub_id}：{fields}；运行 `crmhub sync {made.entity}` 生效",
        )

    return Answer({"edit": made}, show)


def _typed(pairs: list[str], cleared: list[str], file: Path | None) -> dict[str, str]:
    typed: dict[str, str] = {} if file is None else _read(file)
    for pair in pairs:
        name, mark, value = pair.partition("=")
        if not mark:
            raise Declined("--set takes FIELD=VALUE", "--set 的格式为 字段=值")
        typed[name.strip()] = value
    return typed | dict.fromkeys(cleared, "")


def _read(file: Path) -> dict[str, str]:
    body = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict) or not all(v is None or isinstance(v, str | int | list) for v in found.values()):
        raise Declined(
            "--file must hold one JSON object of fields and values", "--file 应为一个由字段和值组成的 JSON 对象"
        )
    return {name: _text(value) for name, value in found.items()}


def _text(value: str | int | list[str] | None) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


@command(
    "record resync",
    "Read a record again in every system that has it.",
    "从各系统重新读取一条记录。",
    action="record.repair",
)
def resync(desk: Desk, record: Record) -> Answer:
    with desk.hub() as hub:
        hub_id = record_of(hub, record)
        seen = cycles.resync(hub, hub_id)

    def show() -> None:
        for system, alive in seen.items():
            en, zh = ("read", "已读取") if alive else ("not there", "不存在或不可见")
            desk.say(f"{system}: {en}", f"{system}：{zh}")
        desk.say("next: crmhub sync takes in what moved", "下一步：crmhub sync 处理变化")

    return Answer({"hub_id": hub_id, "systems": seen}, show)


@command(
    "record gone",
    "Say that a record was deleted for good in a system that shows neither it nor its deletion.",
    "声明一条记录已在某系统中被彻底删除（该系统既不显示记录，也不显示删除）。",
    action="record.repair",
)
def gone(
    desk: Desk,
    record: Record,
    system: Annotated[str, Opt("the system that lost it", "已删除该记录的系统", ("--system",))],
    reason: Annotated[str, Opt("how you know", "如何确认", ("--reason",))],
) -> Answer:
    with desk.hub() as hub:
        made = departed.declare_gone(hub, record_of(hub, record), system, reason)

    def show() -> None:
        where = ", ".join(made.native_ids)
        desk.say(f"{made.system} {where}: taken as deleted", f"{made.system} {where}：按已删除处理")
        desk.say("next: crmhub sync applies the rule on_delete", "下一步：crmhub sync 按 on_delete 规则处理")

    return Answer({"gone": made}, show)
