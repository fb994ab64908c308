"""Commands that run or judge a cycle: plan, sync, status, reconcile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Annotated

from connectors.pricing import Price
from hub.cli.anchors import say_standing, shown_standing
from hub.cli.commands import Arg, Opt, command
from hub.cli.desk import Answer, Desk, stopping
from hub.cli.failures import BLOCKED, INTERRUPTED, PROGRESSED, system_exit
from hub.cli.progress import watching
from hub.cli.rotation import say_rotation
from hub.cli.status_lines import say_process, say_short
from hub.operations import anchoring, channels, complaints, cycles, egress, rotating
from hub.operations.choice import entities_of, entity_of
from hub.operations.cycles import Difference, Preview, Synced
from hub.operations.progress import Progress
from hub.operations.reasons import Advice
from hub.operations.rounds import sync_all
from hub.operations.standing import Allowed, EntityStanding, allowances, overview, steering
from hub.store.callbacks import ChannelRow

Entity = Annotated[str | None, Arg("an entity (default: the only one)", "业务实体（仅一个时可省略）", "ENTITY")]
OUTCOMES = {
    "converged": ("converged", "一致"),
    "progressed": ("progressed, more is owed", "有进展，仍有待同步"),
    "blocked": ("blocked", "受阻"),
    "failed": ("failed", "失败"),
}
PASSED_OVER = {
    "unlinked": ("that belong to no customer", "不属于任何客户"),
    "filtered": ("outside the filter of the mapping", "不符合映射的筛选条件"),
    "too_old": ("older than the cut-off (since) of the mapping", "早于映射的起始时间（since）"),
}
STOOD_IN = {
    "fallback_owner": ("written with the fallback owner: their owner left", "负责人已离职，写入后备负责人"),
    "not_taken": (
        "records keep another value in a system that lets nobody change them",
        "条记录保留系统原值：该系统不允许修改",
    ),
    "waiting_filter": (
        "writes wait: the record left the filter of its mapping; see `quarantine list`",
        "条写入暂停：记录已不符合映射筛选条件，请查看 quarantine list",
    ),
    "defaulted": ("empty values written by the declared default", "空值按声明的默认值写入"),
    "listing_differs": (
        "records differ between a listing and its system's own count; see `audit list` and run `crmhub reconcile`",
        "条记录：完整读取结果与系统计数不一致，请查看 audit list 并运行 crmhub reconcile",
    ),
}
_OWED = ("system", "bound", "creates", "updates", "deletes")


@command(
    "plan",
    "Read and merge, write to no system, and show what a sync would write.",
    "试运行：读取并合并，不写入任何系统，列出待同步清单。",
    action="sync.run",
)
def plan(
    desk: Desk,
    entity: Entity = None,
    limit: Annotated[int, Opt("actions shown per system", "每个系统列出的操作数", ("--limit",))] = 10,
) -> Answer:
    with desk.hub() as hub, stopping() as stop:
        name = entity_of(hub, entity)
        with watching(desk, hub, name):
            found = cycles.plan(hub, name, limit, stop)
    code = INTERRUPTED if stop.is_set() else _system_code(found.blocked)
    return Answer({"plan": found}, lambda: _show_plan(desk, found), code)


def _show_plan(desk: Desk, found: Preview) -> None:
    desk.say(f"plan of {found.entity}, run {found.run_id}", f"{found.entity} 的待同步清单，批次 {found.run_id}")
    show_owed(desk, found.owed)
    for name, (en, zh) in PASSED_OVER.items():
        if number := found.counts.get(name):
            desk.say(f"passed over: {number} {en}", f"略过 {number} 条：{zh}")
    _show_stood_in(desk, found.counts)
    for system, actions in found.actions.items():
        if actions:
            calls = found.calls.get(system)
            desk.say()
            desk.say(
                f"{system}: first {len(actions)} actions; at least {calls or '?'} write calls in all",
                f"{system}：前 {len(actions)} 项操作；写入至少需 {calls or '?'} 次调用",
            )
            _show_price(desk, found.prices.get(system))
            columns = ("action", "hub id", "fields")
            desk.table(columns, [(act.act, act.hub_id, ", ".join(act.fields)) for act in actions])
    show_advice(desk, found.advice)


def _show_price(desk: Desk, price: Price | None) -> None:
    """Says what the vendor charges, and how many records go alone so that nobody's edit is overwritten."""
    if price is None:
        return
    en, zh = price.unit
    desk.say(
        f"cost: about {price.calls} calls, reads before writes included, {price.units} {en}; "
        f"{price.alone} records go one by one",
        f"成本：含写前读取约 {price.calls} 次调用，{price.units} 个 {zh}；其中 {price.alone} 条逐条写入",
    )


def _show_deferred(desk: Desk, counts: Mapping[str, int]) -> None:
    """Says what a system put off and why, by the vendor's codes; it is tried again with every cycle."""
    reasons = {name.partition(":")[2]: number for name, number in counts.items() if name.startswith("deferred:")}
    if reasons:
        shown = ", ".join(f"{code} {number}" for code, number in sorted(reasons.items()))
        desk.say(f"put off by a system, tried again by itself: {shown}", f"对方系统暂不接受，将自动重试：{shown}")


def _show_stood_in(desk: Desk, counts: Mapping[str, int]) -> None:
    for name, (en, zh) in STOOD_IN.items():
        if number := counts.get(name):
            desk.say(f"{number} {en}", f"{number} 项：{zh}")


def show_owed(desk: Desk, owed: Mapping[str, Mapping[str, int]]) -> None:
    rows = [(system, *(counts.get(name, 0) for name in _OWED[1:])) for system, counts in sorted(owed.items())]
    desk.table(_OWED, rows)


def show_advice(desk: Desk, advice: Sequence[Advice]) -> None:
    """Prints what blocks or is owed, and below it the command that helps, once where it helps several in a row."""
    for helps, items in groupby(advice, key=lambda item: item.command):
        for item in items:
            desk.say(f"- {item.en}", f"- {item.zh}")
        desk.say(f"    {helps}", f"    {helps}")


@command("sync", "Run one cycle of an entity, or of all.", "运行一个同步批次（默认全部业务实体）。", action="sync.run")
def sync(
    desk: Desk,
    entity: Entity = None,
    until_converged: Annotated[
        bool, Opt("go on until nothing is owed or nothing moves", "直到一致或不再有进展", ("--until-converged",))
    ] = False,
    max_cycles: Annotated[int, Opt("cycles at most", "最多批次数", ("--max-cycles",))] = 10,
) -> Answer:
    with desk.hub() as hub, stopping() as stop:
        done = sync_all(
            hub,
            entities_of(hub, entity),
            until_converged=until_converged,
            max_cycles=max_cycles,
            stop=stop,
            watch=lambda name: watching(desk, hub, name),
        )

    def show() -> None:
        for item in done:
            _show_synced(desk, item)

    # The most serious outcome decides: a system that failed, then what waits, then what is only owed.
    codes = [INTERRUPTED] if stop.is_set() else [_sync_code(item) for item in done]
    order = {code: place for place, code in enumerate((0, PROGRESSED, BLOCKED))}
    return Answer({"runs": done}, show, max(codes, key=lambda code: order.get(code, len(order)), default=0))


def _sync_code(done: Synced) -> int:
    if done.blocked:
        return _system_code(done.blocked)
    return {"converged": 0, "progressed": PROGRESSED}.get(done.outcome, BLOCKED)


def _system_code(blocked: Sequence[str]) -> int:
    return max((system_exit(code) for code in blocked), default=0)


def _show_synced(desk: Desk, done: Synced) -> None:
    en, zh = OUTCOMES.get(done.outcome, (done.outcome, done.outcome))
    if done.stopped:
        en, zh = f"stopped as asked; {en}", f"已按要求停止；{zh}"
    desk.say(
        f"{done.entity}: {en} (run {done.run_id}, {done.cycles} cycles)",
        f"{done.entity}：{zh}（批次 {done.run_id}，共 {done.cycles} 个）",
    )
    counts = done.counts
    written = sum(number for name, number in counts.items() if name.startswith("written:"))
    desk.say(
        f"read {counts.get('read', 0)}, changed {counts.get('changed', 0)}, written {written}, "
        f"quarantined {counts.get('quarantined', 0)}",
        f"读取 {counts.get('read', 0)}，变化 {counts.get('changed', 0)}，写入 {written}，"
        f"异常 {counts.get('quarantined', 0)}",
    )
    _show_stood_in(desk, counts)
    _show_deferred(desk, counts)
    show_owed(desk, done.owed)
    calls = {system: sum(by_name.values()) for system, by_name in done.calls.items()}
    shown = ", ".join(f"{system} {number}" for system, number in sorted(calls.items()))
    desk.say(f"calls: {shown}", f"接口调用：{shown}")
    show_advice(desk, done.advice)


@command("status", "Show where everything stands and what to do next.", "查看整体状态和下一步。", action="status.read")
def status(desk: Desk) -> Answer:
    with desk.hub() as hub:
        found = overview(hub)
        process = complaints.counts(hub)
        name, profile = hub.settings.installation.name, hub.settings.profile
        steers = steering(hub)
        allowed = allowances(hub)
        heard = channels.list_channels(hub)
        audit = anchoring.standing(hub)
        short = egress.short_of(hub)
        rotations, now = rotating.under_way(hub), hub.clock.now()

    def show() -> None:
        desk.say(name)
        if steers is not None:
            since = local(steers.since)
            en, zh = f"{steers.name} leads since {since}", f"{steers.name} 主导，自 {since}"
            if not steers.held:
                en, zh = (
                    f"none runs; {steers.name} led last, from {since}: crmhub run",
                    f"未运行；上次为 {steers.name}，自 {since}：crmhub run",
                )
            desk.say(f"daemon: {en}", f"守护进程：{zh}")
        for window in allowed:
            _show_allowed(desk, window)
        for row in heard:
            say_channel(desk, row)
        say_standing(desk, audit)
        say_short(desk, short)
        for rotation in rotations:
            say_rotation(desk, rotation, now)
        for item in found:
            _show_standing(desk, item)
        say_process(desk, process)

    body = {
        "installation": name,
        "profile": profile,
        "entities": found,
        "complaints": process,
        "daemon": steers,
        "allowances": allowed,
        "channels": [channels.shown(row) for row in heard],
        "audit": shown_standing(audit),
        "egress": short,
        "key_rotations": rotations,
    }
    return Answer(body, show)


def _show_allowed(desk: Desk, item: Allowed) -> None:
    """Says how much of what a vendor grants is used up, and when the daemon may go on where it is too much."""
    stopped = ("", "")
    if item.frees_at is not None:
        at = local(item.frees_at)
        stopped = (f"; the daemon goes on at {at}", f"；守护进程将于 {at} 继续")
    desk.say(
        f"{item.system}, {item.unit}: used {item.used:,} of {item.size:,}, left {item.left:,}, "
        f"of them {item.reserve:,} for people{stopped[0]}",
        f"{item.system}，{desk.term(item.unit)}：已用 {item.used:,} / {item.size:,}，剩余 {item.left:,}，"
        f"其中预留给人工 {item.reserve:,}{stopped[1]}",
    )


def _show_standing(desk: Desk, item: EntityStanding) -> None:
    desk.say()
    total = ", ".join(f"{desk.term(state)} {number}" for state, number in sorted(item.records.items())) or "0"
    desk.say(
        f"{item.label.en} ({item.entity}): golden records {total}; to be merged {item.queued}",
        f"{item.label.zh}（{item.entity}）：黄金记录 {total}；待合并 {item.queued}",
    )
    if item.last is not None:
        ended = item.last.ended_at or item.last.started_at
        en, zh = OUTCOMES.get(item.last.outcome or "", ("not ended", "未结束"))
        desk.say(
            f"last run: {item.last.act} {local(ended)}, {en} ({item.last.run_id})",
            f"上一批次：{desk.term(item.last.act)} {local(ended)}，{zh}（{item.last.run_id}）",
        )
    if item.owed:
        show_owed(desk, item.owed)
    for each in item.backfills:
        _show_backfill(desk, each)
    desk.say("next:" if item.advice else "nothing to do", "下一步：" if item.advice else "无需处理")
    show_advice(desk, item.advice)


def _show_backfill(desk: Desk, item: Progress) -> None:
    """Says how far a first load has come; what nobody knows is said to be unknown."""
    what = (f"{item.object} read", f"读取 {item.object}") if item.object else ("created", "新建")
    of = "" if item.remaining is None else f" / {item.done + item.remaining:,}"
    en, zh = ("unknown", "未知") if item.seconds_left is None else span(item.seconds_left)
    bought = _by_quota(item.quota_seconds)
    desk.say(
        f"first load, {item.system}: {what[0]} {item.done:,}{of}; time left: {en}{bought[0]}",
        f"初始加载，{item.system}：{what[1]} {item.done:,}{of}；剩余时间：{zh}{bought[1]}",
    )


def _by_quota(seconds: float | None) -> tuple[str, str]:
    """Says how long the rest waits for the calls that were bought, where that is known."""
    if seconds is None:
        return "", ""
    if not seconds:
        return "; today's quota suffices", "；当日额度足够"
    en, zh = span(seconds)
    return f"; by the quota bought at least {en}", f"；按已购额度至少 {zh}"


def span(seconds: float) -> tuple[str, str]:
    """Formats a length of time in its two largest units, in English and Chinese."""
    minutes = int(-(-seconds // 60))
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} d {hours} h", f"{days} 天 {hours} 小时"
    return (f"{hours} h {minutes} min", f"{hours} 小时 {minutes} 分") if hours else (f"{minutes} min", f"{minutes} 分")


def local(instant: float) -> str:
    """Formats epoch seconds in the machine's own zone."""
    return datetime.fromtimestamp(instant).astimezone().isoformat(sep=" ", timespec="seconds")


def say_channel(desk: Desk, row: ChannelRow) -> None:
    """Says in two lines how a channel is."""
    until = ("", "") if row.expires_at is None else (f" until {local(row.expires_at)}", f"，至 {local(row.expires_at)}")
    code = ("", "") if row.code is None else (f", last error {row.code}", f"，最近错误 {row.code}")
    desk.say(
        f"callbacks: {row.system} {row.state}{until[0]}{code[0]}", f"回调：{row.system} {row.state}{until[1]}{code[1]}"
    )
    heard = "-" if row.heard_at is None else local(row.heard_at)
    desk.say(
        f"    received {row.received}, of them late {row.late}; forged {row.forged}; last heard {heard}",
        f"    已接收 {row.received}，其中迟到 {row.late}；伪造 {row.forged}；最近接收 {heard}",
    )
    if missing := [name for name in row.asked if name not in row.granted]:
        named = ", ".join(missing)
        desk.say(f"    does not tell of: {named}", f"    未覆盖：{named}")


def _say_unseen(desk: Desk, item: Difference) -> None:
    """Says which records cannot be seen, and what a person does about it."""
    if not item.unseen:
        return
    named = ", ".join(item.unseen_ids) + (" …" if item.unseen > len(item.unseen_ids) else "")
    where = f"{item.system} {item.object}"
    desk.say(f"- {where}: {item.unseen} cannot be seen: {named}", f"- {where}：{item.unseen} 条不可见：{named}")
    if item.hidden:
        desk.say(
            f"    {item.hidden} of them are there, but hidden from the hub's user: give access",
            f"    其中 {item.hidden} 条存在，但集成用户无权限：请授权",
        )
    if item.hidden < item.unseen:
        desk.say(
            f"    {item.unseen - item.hidden} are hidden or deleted for good, nobody can tell; nothing is concluded. "
            f"Give access, or: crmhub record gone {item.system}:ID --system {item.system} --reason TEXT",
            f"    {item.unseen - item.hidden} 条无法判断是无权限还是已彻底删除，未作任何处理。"
            f"请授权，或执行：crmhub record gone {item.system}:ID --system {item.system} --reason 原因",
        )


@command(
    "reconcile",
    "Compare complete listings with what is bound, and stage what differs.",
    "对账：用完整清单核对绑定，并登记差异。",
    action="sync.run",
)
def reconcile(desk: Desk, entity: Entity = None) -> Answer:
    with desk.hub() as hub, stopping() as stop:
        name = entity_of(hub, entity)
        with watching(desk, hub, name):
            found, failed = cycles.reconcile_entity(hub, name, stop)

    def show() -> None:
        columns = ("system", "object", "bound", "listed", "missing", "gone", "out of sight", "extra", "moved", "")
        desk.table(
            columns,
            [
                (d.system, d.object, d.known, d.listed, d.missing, d.gone, d.unseen, d.extra, d.moved, d.stopped)
                for d in found
            ],
        )
        for item in found:
            _say_unseen(desk, item)
        for system, code, text in failed:
            desk.say(f"- {code} {text.en}", f"- {code} {text.zh}")
            desk.say(f"    crmhub check {system}", f"    crmhub check {system}")
        if any(d.missing or d.extra or d.moved for d in found):
            desk.say("next: crmhub sync takes the differences in", "下一步：crmhub sync 处理差异")

    code = _system_code([code for _, code, _ in failed])
    stopped = [d for d in found if d.stopped]
    body = {"entity": name, "differences": found, "failed": [{"system": s, "code": c} for s, c, _ in failed]}
    return Answer(body, show, INTERRUPTED if stop.is_set() else code or (BLOCKED if stopped else 0))
