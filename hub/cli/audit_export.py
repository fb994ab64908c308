"""The command that hands the audit log to a stranger: audit export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from hub.cli.audit import About, Act, Branch, FieldName, Outcome, Person, Since, System, Until, wanted_of
from hub.cli.commands import Arg, command
from hub.cli.desk import Answer, Desk


@command(
    "audit export",
    "Write audit entries into a package that is verified without crmhub.",
    "导出审计记录包，可脱离 crmhub 独立校验。",
    action="audit.export",
)
def export(
    desk: Desk,
    file: Annotated[Path, Arg("the ZIP file to write; never overwritten", "导出的 ZIP 文件；不会覆盖", "FILE")],
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
    # The library for workbooks comes along; only who asks for a package waits for that.
    from hub.operations import audit_export

    wanted = wanted_of(person, act, system, about, field, branch, outcome, since, until)
    with desk.hub() as hub:
        made = audit_export.export(hub, file, wanted)

    def show() -> None:
        kind_en, kind_zh = ("the whole log", "完整日志") if made.complete else ("filtered", "按条件筛选")
        desk.say(
            f"{made.file}: {made.entries} of {made.rows} signed rows ({kind_en}), read back and verified",
            f"{made.file}：已签名 {made.rows} 行中的 {made.entries} 行（{kind_zh}），已回读校验",
        )
        desk.say(
            f"SHA-256 of its manifest, also in the log: {made.digest}",
            f"清单的 SHA-256（日志中亦有记录）：{made.digest}",
        )
        desk.say(
            "give the auditor keys/audit.key.pub by another way than this file",
            "请通过其他途径将 keys/audit.key.pub 交给审计人员",
        )

    return Answer({"package": made}, show)
