"""Commands of the audit log: audit verify, list."""

from __future__ import annotations

from typing import Annotated

from hub.cli.commands import Opt, command
from hub.cli.desk import Answer, Desk
from hub.operations import auditing


@command("audit verify", "Verify every row of the audit log.", "逐行校验审计日志。", action="audit.verify")
def verify(desk: Desk) -> Answer:
    with desk.hub() as hub:
        verdict = auditing.verify_log(hub)
    head = {"epoch": verdict.head.epoch, "seq": verdict.head.seq, "chain": verdict.head.chain.hex()}

    def show() -> None:
        desk.say(
            f"{verdict.count} rows verify; head: row {verdict.head.seq}, chain {verdict.head.chain.hex()}",
            f"{verdict.count} 行校验通过；末行 {verdict.head.seq}，链值 {verdict.head.chain.hex()}",
        )
        desk.say(
            "that no newest rows are missing shows only by comparing the head with a copy kept elsewhere",
            "末尾是否缺行，须与另处留存的链值比对",
        )

    return Answer({"rows": verdict.count, "head": head}, show)


@command("audit list", "List the newest audit entries.", "列出最近的审计记录。", action="audit.read")
def list_entries(
    desk: Desk,
    act: Annotated[str | None, Opt("an act or its beginning (guard.release)", "操作或其前缀", ("--act",))] = None,
    about: Annotated[str | None, Opt("a hub id, run id or name", "统一编号、批次号或名称", ("--about",))] = None,
    limit: Annotated[int, Opt("rows at most", "最多行数", ("--limit",))] = 50,
) -> Answer:
    with desk.hub() as hub:
        found = auditing.list_log(hub, act=act, about=about, limit=limit)

    def show() -> None:
        columns = ("row", "at", "actor", "act", "object", "outcome", "reason")
        rows = []
        for entry in found:
            obj = " ".join(str(entry["obj"][name]) for name in ("type", "id", "connection") if name in entry["obj"])
            said = " ".join(str(entry[name]) for name in ("code", "reason") if name in entry)
            rows.append((entry["seq"], entry["ts"], entry["actor"]["id"], entry["act"], obj, entry["outcome"], said))
        desk.table(columns, rows)

    return Answer({"entries": found}, show)
