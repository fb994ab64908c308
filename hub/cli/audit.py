"""Commands that read the audit log: audit list, show, sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from hub.cli.commands import Arg, Opt, command
from hub.cli.desk import Answer, Desk
from hub.operations import audit_search
from hub.operations.audit_search import Entry, moment_of
from hub.store.audit_index import Wanted

Person = Annotated[str | None, Opt("who acted (local:USER)", "操作人（local:用户名）", ("--person",))]
Act = Annotated[str | None, Opt("an act or its beginning (guard.release)", "操作或其前缀", ("--act",))]
About = Annotated[str | None, Opt("a hub id, run id or name", "统一编号、批次号或名称", ("--about",))]
System = Annotated[str | None, Opt("a system", "接入系统", ("--system",))]
FieldName = Annotated[str | None, Opt("a changed field", "发生变更的字段", ("--field",))]
Branch = Annotated[str | None, Opt("a branch", "机构", ("--branch",))]
Outcome = Annotated[str | None, Opt("success, denied or error", "success、denied 或 error", ("--outcome",))]
Since = Annotated[
    str | None, Opt("from this time on, Beijing unless Z follows", "起始时间，默认北京时间", ("--since",))
]
Until = Annotated[str | None, Opt("before this time, or to the end of a day", "截止时间（日期含当日）", ("--until",))]


def wanted_of(
    person: str | None,
    act: str | None,
    system: str | None,
    about: str | None,
    field: str | None,
    branch: str | None,
    outcome: str | None,
    since: str | None,
    until: str | None,
) -> Wanted:
    """Returns the filters that were typed. Raises Declined for a time that is none."""
    start = None if since is None else moment_of(since)
    end = None if until is None else moment_of(until, end=True)
    return Wanted(person, act, system, about, field, branch, outcome, start, end)


@command(
    "audit list", "List audit entries, the newest by default.", "列出审计记录，默认最近的记录。", action="audit.read"
)
def list_entries(
    desk: Desk,
    act: Act = None,
    about: About = None,
    person: Person = None,
    system: System = None,
    field: FieldName = None,
    branch: Branch = None,
    outcome: Outcome = None,
    since: Since = None,
    until: Until = None,
    before: Annotated[
        str | None, Opt("earlier than this row, as the last page says", "该行之前，见上一页提示", ("--before",))
    ] = None,
    limit: Annotated[int, Opt("rows at most", "最多行数", ("--limit",))] = 50,
) -> Answer:
    wanted = wanted_of(person, act, system, about, field, branch, outcome, since, until)
    with desk.hub() as hub:
        page = audit_search.read_page(hub, wanted, limit=limit, before=before)

    def show() -> None:
        _table(desk, page.entries)
        if page.before is not None:
            desk.say(f"earlier ones: add --before {page.before}", f"更早的记录：加 --before {page.before}")

    return Answer({"entries": list(page.entries), "before": page.before}, show)


@command(
    "audit show",
    "Show one audit entry whole, with its proof.",
    "查看一条审计记录全文及其存在证明。",
    action="audit.read",
)
def show_entry(
    desk: Desk, row: Annotated[str, Arg("SEQ or EPOCH:SEQ, as `list` shows it", "序号或 纪元:序号，见 list", "ROW")]
) -> Answer:
    with desk.hub() as hub:
        found = audit_search.show_entry(hub, row)

    def show() -> None:
        for name, value in found.entry.items():
            desk.say(f"{name}: {value}", f"{name}：{value}")
        desk.say(f"leaf: {found.leaf}", f"叶哈希：{found.leaf}")
        if found.size is None:
            desk.say("no checkpoint stands for it yet", "尚无检查点覆盖该行")
        else:
            desk.say(
                f"in the signed tree of {found.size} rows, root {found.root}; path:",
                f"位于已签名的 {found.size} 行树中，根 {found.root}；路径：",
            )
            for node in found.proof:
                desk.say(f"  {node}", f"  {node}")

    return Answer({"entry": found}, show)


@command(
    "audit sample",
    "Draw a sample of audit entries; the same seed draws the same ones.",
    "按种子抽取审计样本，同一种子结果相同。",
    action="audit.read",
)
def sample(
    desk: Desk,
    seed: Annotated[str, Opt("any text; note it with the findings", "任意文本，请随结论留存", ("--seed",))],
    size: Annotated[int, Opt("entries", "抽样数量", ("--size",))] = 25,
    act: Act = None,
    about: About = None,
    person: Person = None,
    system: System = None,
    field: FieldName = None,
    branch: Branch = None,
    outcome: Outcome = None,
    since: Since = None,
    until: Until = None,
) -> Answer:
    wanted = wanted_of(person, act, system, about, field, branch, outcome, since, until)
    with desk.hub() as hub:
        entries = audit_search.sample(hub, wanted, size, seed)
    return Answer({"seed": seed, "entries": entries}, lambda: _table(desk, entries))


def _table(desk: Desk, entries: Sequence[Entry]) -> None:
    rows = []
    for entry in entries:
        obj = " ".join(str(entry["obj"][name]) for name in ("type", "id", "connection") if name in entry["obj"])
        said = " ".join(str(entry[name]) for name in ("code", "reason") if name in entry)
        names = ", ".join(note["name"] for note in entry.get("fields", ()))
        place = f"{entry['epoch']}:{entry['seq']}"
        at, who = entry["beijing"], entry["actor"]["id"]
        rows.append((place, at, who, entry["act"], obj, names, entry["outcome"], said))
    desk.table(("row", "beijing", "actor", "act", "object", "fields", "outcome", "reason"), rows)
