"""Commands about who is who: match report, list, decide, undo."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import orjson

from hub.cli.commands import Arg, Opt, command
from hub.cli.desk import Answer, Desk
from hub.kernel.errors import Declined
from hub.operations import matching
from hub.operations.choice import entity_of

Entity = Annotated[str | None, Opt("the entity (default: the only one)", "业务实体（仅一个时可省略）", ("--entity",))]
Id = Annotated[str, Arg("the question, as `list` shows it", "问题编号，见 list", "ID")]
_SAID = {
    "stamped": ("known by hub id", "凭统一编号认出"),
    "sure": ("sure: linked", "确定：已关联"),
    "answered": ("answered by a person", "人工确认"),
    "new": ("new: golden records made", "新增：建立的黄金记录"),
    "unsure": ("unsure: asked", "待确认"),
}


@command("match report", "Count sure, unsure and new records.", "统计确定、待确认、新增的记录。", action="status.read")
def report(
    desk: Desk,
    entity: Entity = None,
    truth: Annotated[
        Path | None,
        Opt("JSON of who is who, to score against", "真实身份 JSON，用于核对", ("--truth",)),
    ] = None,
) -> Answer:
    rows = None if truth is None else _rows(truth)
    with desk.hub() as hub:
        name = entity_of(hub, entity)
        found = matching.match_report(hub, name)
        score = None if rows is None else matching.compare_with_truth(hub, name, rows)

    def show() -> None:
        for word, number in found.items():
            en, zh = _SAID[word]
            desk.say(f"{number:>8}  {en}", f"{number:>8}  {zh}")
        if score is not None:
            desk.say(
                f"of {score.people} people {score.bound} are bound; {score.split} have several golden records, "
                f"{score.mixed} golden records hold several people, {score.unbound} records are unbound",
                f"共 {score.people} 人，已绑定 {score.bound}；{score.split} 人有多条黄金记录，"
                f"{score.mixed} 条黄金记录混入多人，{score.unbound} 条记录未绑定",
            )

    return Answer({"entity": name, "counts": found, "truth": score}, show)


def _rows(file: Path) -> list[Mapping[str, Any]]:
    try:
        rows = orjson.loads(file.read_bytes())
    except orjson.JSONDecodeError:
        rows = None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Declined("--truth must hold a JSON list of objects", "--truth 应为 JSON 对象列表")
    return rows


@command(
    "match list",
    "List records whose match is unsure, evidence masked.",
    "列出待确认匹配（依据已脱敏）。",
    action="question.read",
)
def list_matches(desk: Desk, entity: Entity = None) -> Answer:
    with desk.hub() as hub:
        found = matching.list_matches(hub, entity_of(hub, entity))

    def show() -> None:
        if not found:
            desk.say("none", "无")
        for item in found:
            answered = f" -> {item.answer}" if item.answer else ""
            desk.say(f"{item.question_id}  {item.system} {item.object} {item.native_id}  {item.state}{answered}")
            desk.say(f"    {_pairs(item.fields)}", f"    {_pairs(item.fields)}")
            for other in item.candidates:
                why = ", ".join(other.reasons)
                desk.say(f"  ? {other.hub_id}  {why}", f"  ? {other.hub_id}  {why}")
                desk.say(f"    {_pairs(other.fields)}", f"    {_pairs(other.fields)}")
        if found:
            word = "crmhub match decide ID --link HUB_ID | --new"
            desk.say(f"next: {word}", f"下一步：{word}")

    return Answer({"questions": found}, show)


def _pairs(fields: Mapping[str, str]) -> str:
    return "  ".join(f"{name}={value}" for name, value in fields.items())


@command(
    "match merges",
    "List records that people are to merge in their own system.",
    "列出须在其系统内合并的记录。",
    action="question.read",
)
def merges(desk: Desk, entity: Entity = None) -> Answer:
    with desk.hub() as hub:
        found = matching.list_merges(hub, entity_of(hub, entity))

    def show() -> None:
        if not found:
            desk.say("none", "无")
            return
        columns = ("system", "object", "native id", "merge into", "record")
        desk.table(columns, [(t.system, t.object, t.native_id, t.beside, t.heir_id) for t in found])
        desk.say(
            "next: merge each in its system; the hub never deletes it, and takes nothing more from it",
            "下一步：请在所在系统合并；中心不会删除该记录，也不再读取其变更",
        )

    return Answer({"merges": found}, show)


@command("match decide", "Say whose record it is.", "确认该记录属于谁。", action="match.answer")
def decide(
    desk: Desk,
    id: Id,
    link: Annotated[str | None, Opt("it is this golden record", "属于该黄金记录", ("--link",))] = None,
    new: Annotated[bool, Opt("it is nobody known", "是新的对象", ("--new",))] = False,
) -> Answer:
    with desk.hub() as hub:
        found = matching.decide_match(hub, id, link=link, new=new)

    def show() -> None:
        place = f"{found.system} {found.object} {found.native_id}"
        said = link or desk.word("new", "新增")
        desk.say(f"{place}: {said}; the next cycle applies it", f"{place}：{said}；下一批次生效")

    return Answer({"decided": id, "answer": link or matching.NEW}, show)


@command(
    "match undo",
    "Take an answer back that no cycle has applied yet.",
    "撤回尚未生效的匹配答复。",
    action="match.answer",
)
def undo(desk: Desk, id: Id) -> Answer:
    with desk.hub() as hub:
        fresh = matching.undo_match(hub, id)
    return Answer(
        {"undone": id, "question": fresh},
        lambda: desk.say(f"taken back; the question is now {fresh}", f"已撤回；新的问题编号为 {fresh}"),
    )
