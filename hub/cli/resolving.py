"""The command that turns the labels of a mapping file into the names of a system: mapping resolve."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from hub.cli.commands import Arg, Opt, command
from hub.cli.desk import Answer, Desk
from hub.cli.failures import CONFIGURATION, PROGRESSED, problem_body, problem_line
from hub.operations.resolving import Resolved, remaining, resolve_mappings


@command(
    "mapping resolve",
    "Find objects, fields and options by their labels in a system, and write their names into the mapping file.",
    "按标签在系统中查找对象、字段和选项，并将其名称写入映射文件。",
    action="mapping.read",
)
def mapping_resolve(
    desk: Desk,
    system: Annotated[str, Arg("a configured system", "接入系统", "SYSTEM")],
    draft: Annotated[
        Path | None,
        Opt("this file instead of the mappings in use", "处理该草稿文件，而非当前使用的映射", ("--file",)),
    ] = None,
    write: Annotated[
        bool, Opt("write what is beyond doubt; else only show it", "写入已确定的名称；不加则仅显示", ("--write",))
    ] = False,
) -> Answer:
    with desk.hub() as hub:
        found = resolve_mappings(hub, system, draft, write)
    problems = [each for item in found for each in remaining(item)]
    changes = sum(len(item.resolution.changes) for item in found)

    def show() -> None:
        for item in found:
            _show(desk, item)
        for each in problems:
            desk.say(problem_line(each, "en").strip(), problem_line(each, "zh").strip())
        desk.say(
            f"{changes} names {'written' if write else 'found'}, {len(problems)} problems",
            f"{'已写入' if write else '已找到'} {changes} 个名称，{len(problems)} 个问题",
        )
        again = f"crmhub mapping resolve {system}" + (f" --file {draft}" if draft else "")
        if changes and not write:
            desk.say(f"next: {again} --write", f"下一步：{again} --write")
        elif not problems:
            desk.say("next: crmhub mapping check --describe", "下一步：crmhub mapping check --describe")

    left = PROGRESSED if changes and not write else 0
    body = {"system": system, "files": [_body(item) for item in found], "problems": [problem_body(p) for p in problems]}
    return Answer(body, show, CONFIGURATION if problems else left)


def _show(desk: Desk, item: Resolved) -> None:
    for change in item.resolution.changes:
        line = f"{item.file}:{change.line}: {change.place} -> {change.after}"
        desk.say(line, line)


def _body(item: Resolved) -> dict[str, Any]:
    rows = [{"line": c.line, "place": c.place, "before": c.before, "after": c.after} for c in item.resolution.changes]
    return {"file": str(item.file), "written": item.written, "changes": rows}
