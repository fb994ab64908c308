"""Commands that keep the store safe: backup, restore."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from hub.access.actor import local
from hub.access.roles import HOST
from hub.app import origin_of, provider_of
from hub.audit.tree import Appender
from hub.cli.commands import Arg, Opt, command
from hub.cli.desk import Answer, Desk
from hub.kernel.clock import SystemClock
from hub.kernel.ids import Uuid7
from hub.kernel.settings import Settings, load_settings

if TYPE_CHECKING:
    from hub.operations.backups import Kept
    from hub.store.restoring import Bench


@command(
    "backup",
    "Copy the store into one file while it runs, and prove the copy; keys are not inside.",
    "在线备份存储为单个文件并校验；不含密钥。",
    action="backup.make",
)
def backup(
    desk: Desk,
    file: Annotated[Path, Arg("the file to write; never overwritten", "备份文件；不会覆盖", "FILE")],
) -> Answer:
    # The driver of the other database comes along; only who asks for a backup waits for that.
    from hub.operations import backups

    with desk.hub() as hub:
        kept = backups.back_up(hub, file)

    def show() -> None:
        _show(desk, kept, ("backup written and read back", "备份已写入并校验"))
        desk.say(
            f"the key is NOT inside: keep a copy of {kept.key} in another place; without it nobody opens this file",
            f"备份不含密钥：请将 {kept.key} 另行保管；没有密钥，任何人都无法打开该备份",
        )

    return Answer(_payload(kept), show)


@command(
    "restore",
    "Put a backup in the place of the store; stop every other crmhub first.",
    "用备份替换存储；请先停止其他 crmhub 进程。",
    action=HOST,
)
def restore(
    desk: Desk,
    file: Annotated[Path, Arg("the backup", "备份文件", "FILE")],
    into: Annotated[
        Path | None, Opt("try it: into this folder, not the store", "试恢复到该目录，不动现有存储", ("--into",))
    ] = None,
    replace: Annotated[bool, Opt("give up what the store holds", "放弃存储中现有的内容", ("--replace",))] = False,
) -> Answer:
    from hub.operations import backups

    settings = load_settings(desk.home)
    kept = backups.restore(settings, _bench(settings), file, into=into, replace=replace)

    def show() -> None:
        _show(desk, kept, ("backup restored and brought to this release", "备份已恢复并升级到本版本"))
        if into is None:
            desk.say(
                "next: `crmhub sync`. It lists every record of every system, binds them again, deletes nothing and "
                "creates nothing before that is done",
                "下一步：`crmhub sync`。系统将完整读取各系统全部记录并重新绑定，完成之前不删除、不新建任何记录",
            )

    return Answer(_payload(kept), show)


def _bench(settings: Settings) -> Bench:
    from hub.store.restoring import Bench

    clock = SystemClock()
    new_id = Uuid7(clock)
    who = local(getpass.getuser(), open=False).audited(clock.now())
    append = Appender(clock, new_id, origin_of(settings, who, "cli"))
    return Bench(
        settings.installation.id,
        settings.profile,
        tuple(settings.entities),
        provider_of(settings),
        clock,
        new_id,
        append,
    )


def _show(desk: Desk, kept: Kept, done: tuple[str, str]) -> None:
    made = kept.manifest
    desk.say(f"{done[0]}: {kept.file}", f"{done[1]}：{kept.file}")
    desk.say(
        f"{made.rows} rows, {kept.size} bytes, {made.database}, taken {made.made_at} by release {made.release}",
        f"{made.rows} 行，{kept.size} 字节，{made.database}，备份于 {made.made_at}，版本 {made.release}",
    )
    desk.say(f"audit log up to row {made.seq}, chain {made.chain}", f"审计日志至第 {made.seq} 行，链值 {made.chain}")


def _payload(kept: Kept) -> dict[str, Any]:
    made = kept.manifest
    return {
        "file": str(kept.file),
        "bytes": kept.size,
        "made_at": made.made_at,
        "release": made.release,
        "database": made.database,
        "schema": made.revision,
        "installation": made.installation,
        "rows": made.rows,
        "tables": dict(made.tables),
        "head": {"epoch": made.epoch, "seq": made.seq, "chain": made.chain},
        "key": {"inside": False, "path": str(kept.key)},
    }
