"""Commands of the daemon: run it, pause and resume, see and change when what runs."""

from __future__ import annotations

import os
from typing import Annotated

from hub.app import open_installation
from hub.cli.commands import GROUPS, Arg, Opt, command
from hub.cli.cycles import local
from hub.cli.desk import Answer, Desk
from hub.kernel.clock import SystemClock
from hub.kernel.errors import Text
from hub.kernel.settings import load_settings
from hub.operations import pausing, scheduling
from hub.operations.choice import entity_of
from hub.operations.installation import Installation
from hub.store.schedules import Pause
from hub.telemetry import configure, logger

GROUPS["schedule"] = Text("See and change when the daemon runs what.", "查看和修改守护进程的调度。")

What = Annotated[str, Arg("all, a system or an entity", "all、接入系统或业务实体", "WHAT")]
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@command(
    "run",
    "Run the daemon: cycles by schedule, nightly reconciliation, health and metrics, until SIGTERM.",
    "运行守护进程：按调度同步、夜间对账、健康检查与指标，直至收到 SIGTERM。",
    action="daemon.run",
)
def run(desk: Desk) -> Answer:
    from hub.schedule.loop import run_daemon

    level = os.environ.get("CRMHUB_LOG", "").upper()
    clock = SystemClock()
    configure(clock, level=level if level in LEVELS else "INFO")

    def open_hub() -> Installation:
        return open_installation(desk.home, channel="daemon", lang=desk.lang)

    def told(port: int | None) -> None:
        logger("schedule").info("daemon_started", management_port=port)

    code = run_daemon(load_settings(desk.home), open_hub, clock, told)
    return Answer({"stopped": True}, lambda: desk.say("stopped", "已停止"), code)


@command(
    "worker",
    "Carry out parts of the daemon's cycles on this machine too, until SIGTERM; needs dispatch: workers.",
    "在本机分担守护进程的同步批次，直至收到 SIGTERM；需 dispatch: workers。",
    action="daemon.run",
)
def worker(
    desk: Desk,
    at_once: Annotated[
        int | None, Opt("parts at once (default: daemon.workers)", "同时执行数（默认 daemon.workers）", ("--at-once",))
    ] = None,
    management: Annotated[
        str | None,
        Opt(
            "HOST:PORT for health and metrics (default: nowhere)", "健康检查与指标地址（默认不开放）", ("--management",)
        ),
    ] = None,
) -> Answer:
    from hub.schedule.worker_loop import run_worker

    level = os.environ.get("CRMHUB_LOG", "").upper()
    clock = SystemClock()
    configure(clock, level=level if level in LEVELS else "INFO")

    def open_hub() -> Installation:
        return open_installation(desk.home, channel="daemon", lang=desk.lang)

    code = run_worker(load_settings(desk.home), open_hub, clock, at_once, management)
    return Answer({"stopped": True}, lambda: desk.say("stopped", "已停止"), code)


@command(
    "pause",
    "Stop the cycles of all, a system or an entity; what changes meanwhile is caught up later.",
    "暂停全部、某接入系统或某业务实体的同步；期间的变更在恢复后补上。",
    action="sync.pause",
)
def pause(
    desk: Desk, what: What, reason: Annotated[str, Opt("why; it is audited", "原因，留痕", ("--reason",))]
) -> Answer:
    with desk.hub() as hub:
        scope = pausing.scope_of(hub, what)
        made = pausing.pause(hub, scope, reason)

    def show() -> None:
        if made is None:
            desk.say(f"{scope} was paused already", f"{scope} 早已暂停")
        else:
            desk.say(f"{scope} is paused; go on: crmhub resume {what}", f"已暂停 {scope}；恢复：crmhub resume {what}")

    return Answer({"scope": scope, "paused": made is not None}, show)


@command(
    "resume", "Go on with what was paused, by a person or by the daemon.", "恢复已暂停的同步。", action="sync.resume"
)
def resume(
    desk: Desk, what: What, reason: Annotated[str, Opt("why; it is audited", "原因，留痕", ("--reason",))] = ""
) -> Answer:
    with desk.hub() as hub:
        scope = pausing.scope_of(hub, what)
        lifted = pausing.resume(hub, scope, reason)

    def show() -> None:
        causes = ", ".join(item.cause for item in lifted)
        desk.say(f"{scope} goes on (was paused: {causes})", f"已恢复 {scope}（原因：{causes}）")

    return Answer({"scope": scope, "lifted": [_pause(item) for item in lifted]}, show)


@command(
    "schedule list",
    "Show every schedule, when it is due, and every pause.",
    "列出全部调度、下次时间和暂停项。",
    action="status.read",
)
def schedule_list(desk: Desk) -> Answer:
    with desk.hub() as hub:
        found = scheduling.read_board(hub)

    def show() -> None:
        columns = ("act", "record", "system", "rule", "from", "at", "outcome")
        rows = [
            (s.act, s.entity, s.system or "*", s.timing, s.origin, _when(s.next_due_at), s.last_outcome)
            for s in found.schedules
        ]
        if rows:
            desk.table(columns, rows)
        else:
            desk.say(
                "none yet: the daemon takes them from config/hub.yaml: crmhub run", "暂无；由 crmhub run 从配置载入"
            )
        for item in found.pauses:
            at = local(item.at)
            desk.say(
                f"paused: {item.scope} ({item.cause}) since {at} by {item.by}: {item.reason}",
                f"已暂停：{item.scope}（{item.cause}），自 {at}，{item.by}：{item.reason}",
            )

    schedules = [
        {
            "id": s.schedule_id,
            "act": s.act,
            "entity": s.entity,
            "system": s.system or None,
            "timing": s.timing,
            "time_zone": s.zone,
            "blackout": s.blackout,
            "freeze": s.freeze,
            "origin": s.origin,
            "next_due_at": s.next_due_at,
            "last_started_at": s.last_started_at,
            "last_ended_at": s.last_ended_at,
            "last_outcome": s.last_outcome,
            "last_run_id": s.last_run_id,
            "missed": s.missed,
            "slices_left": len(s.slices),
            "changed_at": s.changed_at,
            "changed_by": s.changed_by,
        }
        for s in found.schedules
    ]
    return Answer({"schedules": schedules, "pauses": [_pause(item) for item in found.pauses]}, show)


def _when(instant: float | None) -> str:
    return "-" if instant is None else local(instant)


def _pause(item: Pause) -> dict[str, object]:
    return {"scope": item.scope, "cause": item.cause, "reason": item.reason, "by": item.by, "at": item.at}


@command(
    "schedule set",
    "Change when an entity, or one system of it, runs; a running daemon follows within seconds.",
    "修改某业务实体（或其某一接入系统）的调度；运行中的守护进程数秒内生效。",
    action="schedule.change",
)
def schedule_set(
    desk: Desk,
    timing: Annotated[
        str,
        Arg(
            "every 5m; daily 02:00; workdays 08:30,18:00; mon,thu 06:00; cron 0 2 * * 1-5; never; or configured",
            "every 5m；daily 02:00；workdays 08:30,18:00；mon,thu 06:00；cron 0 2 * * 1-5；never；configured（按配置）",
            "TIMING",
        ),
    ],
    reason: Annotated[str, Opt("why; it is audited", "原因，留痕", ("--reason",))],
    entity: Annotated[
        str | None, Opt("the entity (default: the only one)", "业务实体（仅一个时可省略）", ("--entity",))
    ] = None,
    system: Annotated[str | None, Opt("one system of it only", "仅其某一接入系统", ("--system",))] = None,
    reconcile: Annotated[bool, Opt("the reconciliation, not the sync", "对账而非同步", ("--reconcile",))] = False,
) -> Answer:
    act = scheduling.RECONCILE if reconcile else scheduling.SYNC
    with desk.hub() as hub:
        wanted = None if timing == "configured" else timing
        made = scheduling.set_schedule(hub, entity_of(hub, entity), wanted, act=act, system=system, reason=reason)

    def show() -> None:
        desk.say(f"{made.schedule_id}: {made.timing}", f"{made.schedule_id}：{made.timing}")

    return Answer({"id": made.schedule_id, "timing": made.timing, "origin": made.origin}, show)
