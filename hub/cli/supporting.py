"""The command that gathers what somebody far away needs to help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from hub.access.roles import HOST
from hub.app import open_installation
from hub.cli.commands import Arg, Opt, command
from hub.cli.desk import Answer, Desk


@command(
    "support-bundle",
    "Gather versions, redacted settings, status, runs and logs in one file for support; no values and no secrets.",
    "将版本、脱敏配置、状态、批次和日志汇集为一个文件供技术支持使用；不含业务值与密钥。",
    action=HOST,
)
def support_bundle(
    desk: Desk,
    file: Annotated[Path, Arg("the file to write (.zip); never overwritten", "输出文件（.zip）；不会覆盖", "FILE")],
    log: Annotated[
        list[Path] | None, Opt("a log of the hub, its end goes along", "crmhub 日志文件，附上末尾部分", ("--log",))
    ] = None,
) -> Answer:
    # What gathers everything loads everything; only who asks for it waits for that.
    from hub.operations.support import make_bundle

    made = make_bundle(desk.home, file, lambda: open_installation(desk.home, lang=desk.lang), log or ())

    def show() -> None:
        desk.say(f"written: {made.file}", f"已写入：{made.file}")
        for name, size in made.members.items():
            desk.say(f"  {name}  {size} bytes", f"  {name}  {size} 字节")
        for name in made.missing:
            desk.say(f"  not inside, could not be opened: {name}", f"  无法打开，未包含：{name}")
        desk.say("look through it before you send it", "发送前请自行检查")

    payload = {"file": made.file, "members": made.members, "missing": made.missing, "digest": made.digest}
    return Answer(payload, show)
