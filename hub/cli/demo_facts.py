"""Reads from the hub what became of a change: what flowed, what waits for a person, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hub.cli.demo_edits import Change, Fact
from hub.cli.demo_lab import ENTITY, FXIAOKE, ZOHO, Lab
from hub.core.state import BindingState
from hub.kernel.errors import NotFound, Text
from hub.store import history, quarantine, questions, records
from hub.store.quarantine import Held
from hub.store.questions import Question
from hub.store.records import Stored

NAMES = {ZOHO: Text("Zoho", " Zoho "), FXIAOKE: Text("Fxiaoke", "纷享销客")}
OTHER = {ZOHO: FXIAOKE, FXIAOKE: ZOHO}


@dataclass(frozen=True, slots=True)
class Finding:
    """Is one thing the hub did with a change, and why; `command` settles what waits."""

    fact: Fact
    what: Text
    why: Text
    id: str = ""


@dataclass(frozen=True, slots=True)
class Story:
    """Is a change with everything it led to."""

    change: Change
    hub_id: str
    findings: tuple[Finding, ...]

    @property
    def facts(self) -> frozenset[Fact]:
        return frozenset(item.fact for item in self.findings)


def tell(lab: Lab, changes: Sequence[Change], runs: frozenset[str]) -> list[Story]:
    """Returns what each change led to in these runs."""
    return [_story(lab, change, runs) for change in changes]


def _story(lab: Lab, change: Change, runs: frozenset[str]) -> Story:
    ring = lab.hub.store.ring
    with lab.hub.store.read() as conn:
        place = records.bindings_by_native(conn, change.system, change.object, [change.native_id])
        binding = place.get(change.native_id)
        if binding is None:
            raise NotFound(
                f"the hub does not know {change.system}:{change.native_id}", f"未知 {change.system}:{change.native_id}"
            )
        hub_id = binding.hub_id
        stored = records.load(conn, ring, [hub_id])[hub_id]
        past = [item for item in history.timeline(conn, ring, hub_id) if item.run_id in runs]
        conflicts = questions.load(conn, ring, "conflict", hub_ids=[hub_id])
        holds = questions.load(conn, ring, "hold", hub_ids=[hub_id])
        held = [item for item in quarantine.listing(conn, ENTITY) if item.hub_id == hub_id]
    findings: list[Finding] = []
    if not change.fresh:
        findings += [_merged(lab, item.field, item.origin) for item in past if item.origin in NAMES]
    findings += [_conflict(lab, item) for item in conflicts]
    findings += [_hold(lab, item) for item in holds]
    findings += [_refused(lab, item) for item in held]
    findings += _placed(change, stored)
    return Story(change, hub_id, tuple(findings))


def label(lab: Lab, field: str) -> Text:
    fields = lab.hub.schema.entity(ENTITY).fields
    return fields[field].label if field in fields else Text("the record", "整条记录")


def _merged(lab: Lab, field: str, origin: str) -> Finding:
    name, who, there = label(lab, field), NAMES[origin], NAMES[OTHER[origin]]
    what = Text(f"{name.en}: {who.en} won", f"{name.zh}：采用{who.zh}的值")
    why = Text(f"only {who.en} changed it", f"只有{who.zh}改过，{there.zh}未动")
    return Finding(("merged", field), what, why)


def _conflict(lab: Lab, item: Question) -> Finding:
    name = label(lab, item.field)
    what = Text(f"{name.en}: conflict, nobody overwritten", f"{name.zh}：冲突，两侧均未覆盖")
    why = Text(f"both changed it; policy `{item.rule}`", f"两侧都改了；策略 `{item.rule}`：由人决定")
    return Finding(("conflict", item.field), what, why, item.id)


def _hold(lab: Lab, item: Question) -> Finding:
    name = label(lab, item.field)
    what = Text(f"{name.en}: held", f"{name.zh}：暂缓变更")
    why = Text(f"field guard `{item.rule}`", f"字段保护规则 `{item.rule}`")
    return Finding(("hold", item.field), what, why, item.id)


def _refused(lab: Lab, item: Held) -> Finding:
    name, system = label(lab, item.field), NAMES[item.system]
    what = Text(f"{name.en}: quarantined", f"{name.zh}：列为异常记录")
    why = Text(f"{system.en} refused it ({item.code})", f"{system.zh}拒收（{item.code}）".strip())
    return Finding(("quarantine", item.field), what, why, item.quarantine_id)


def _placed(change: Change, stored: Stored) -> Iterator[Finding]:
    for item in stored.bindings:
        here, there = NAMES[item.system], NAMES[OTHER[item.system]]
        if item.state is BindingState.DETACHED:
            what = Text(f"detached; {there.en} keeps the record", f"解除绑定；{there.zh}的记录保留")
            yield Finding(("detach", item.system), what, Text("on_delete: detach", "删除策略 on_delete: detach"))
        elif change.fresh and item.system != change.system and item.state is BindingState.ACTIVE:
            what = Text(f"created in {here.en}", f"已在{here.zh}新建")
            yield Finding(("create", item.system), what, Text("nobody like it there", "该系统中无此客户"))
