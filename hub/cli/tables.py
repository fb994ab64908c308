"""The command that compares the staff, branch and region tables with a system, and fills them."""

from __future__ import annotations

from typing import Annotated, Any

from hub.cli.commands import Arg, Opt, command
from hub.cli.desk import Answer, Desk
from hub.cli.failures import BLOCKED, PROGRESSED
from hub.mapping.filling import names_of
from hub.operations.filling import Comparison, compare_tables, fill_tables

SHOWN = 10
"""Changes and keys shown of one table; --json shows all."""


@command(
    "mapping tables",
    "Compare the staff, branch and region tables with a system; --apply fills them.",
    "将员工、机构、区域对照表与接入系统核对；加 --apply 时写入对照表。",
    action="mapping.read",
)
def mapping_tables(
    desk: Desk,
    system: Annotated[str, Arg("a configured system", "接入系统", "SYSTEM")],
    apply: Annotated[bool, Opt("write what differs into the tables", "将差异写入对照表", ("--apply",))] = False,
) -> Answer:
    with desk.hub() as hub:
        found = fill_tables(hub, system) if apply else compare_tables(hub, system)
    differs = any(not item.proposal.is_empty for item in found)
    by_hand = any(item.needs_a_person for item in found)

    def show() -> None:
        for item in found:
            _show(desk, item, apply)
        if differs and not apply:
            desk.say(f"next: crmhub mapping tables {system} --apply", f"下一步：crmhub mapping tables {system} --apply")
        if differs and apply:
            desk.say(
                "next: crmhub mapping check; the next cycle reads what these tables translate from the start",
                "下一步：crmhub mapping check；下一批次将重新读取用到这些对照表的数据",
            )

    body = {"system": system, "applied": apply, "tables": [_body(item) for item in found]}
    return Answer(body, show, BLOCKED if by_hand else PROGRESSED if differs and not apply else 0)


def _show(desk: Desk, item: Comparison, applied: bool) -> None:
    proposal = item.proposal
    cells, rows = len(proposal.cells), len(proposal.rows)
    done = ("written", "已写入") if applied else ("to be written", "待写入")
    columns = ", ".join(item.use.columns)
    desk.say(
        f"{item.use.table} ({columns}): {cells} cells and {rows} rows {done[0]}",
        f"{item.use.table}（{columns}）：{cells} 格、{rows} 行{done[1]}",
    )
    key = proposal.table.columns[0]
    for cell in proposal.cells[:SHOWN]:
        line = f"  {cell.key} {cell.column}: {cell.before or '-'} -> {cell.after or '-'}"
        desk.say(line, line)
    if cells > SHOWN:
        desk.say(f"  and {cells - SHOWN} more", f"  另有 {cells - SHOWN} 项")
    if rows:
        listed = [row[key] for row in proposal.rows]
        desk.say(f"  new: {names_of(listed, ', ', SHOWN)}", f"  新增：{names_of(listed, '、', SHOWN)}")
    if proposal.unmatched:
        desk.say(
            f"  not found there: {names_of(proposal.unmatched, ', ', SHOWN)}; correct the row by hand",
            f"  系统中未找到：{names_of(proposal.unmatched, '、', SHOWN)}；请手工更正",
        )
    if item.left:
        desk.say(
            f"  the fallback owner {', '.join(item.left)} left there; name another one in the mappings (fallback)",
            f"  后备负责人 {'、'.join(item.left)} 已离职；请在映射中更换（fallback）",
        )


def _body(item: Comparison) -> dict[str, Any]:
    proposal = item.proposal
    return {
        "table": item.use.table,
        "file": proposal.table.file,
        "columns": item.use.columns,
        "cells": [{"key": c.key, "column": c.column, "before": c.before, "after": c.after} for c in proposal.cells],
        "rows": [row[proposal.table.columns[0]] for row in proposal.rows],
        "unmatched": proposal.unmatched,
        "fallback_left": item.left,
    }
