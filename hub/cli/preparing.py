"""The answer of `crmhub connect SYSTEM --prepare`: what a system lacks is listed, made, or told to a person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from connectors.preparing import FieldNeed, Finding, Form, State
from hub.cli.desk import Answer, Desk
from hub.cli.failures import BLOCKED, PROGRESSED
from hub.kernel.errors import Text
from hub.operations.preparing import BY_A_PERSON, CODES, DONE, Preparation, prepare_system, survey_system

_STATES = {
    State.READY: Text("ready", "已就绪"),
    State.MISSING: Text("missing", "缺少"),
    State.LACKS_OPTIONS: Text("lacks options", "缺少选项"),
    State.CREATED: Text("made", "已新建"),
    State.EXTENDED: Text("options added", "已加选项"),
    State.WAITING: Text("not seen yet", "尚未生效"),
    State.MANUAL: Text("by hand", "须手工"),
    State.WRONG: Text("wrong", "不符"),
}
_FORMS = {
    Form.TEXT: "单行文本",
    Form.LONG_TEXT: "多行文本",
    Form.INTEGER: "整数",
    Form.DECIMAL: "小数",
    Form.FLAG: "是否",
    Form.DATE: "日期",
    Form.INSTANT: "日期时间",
    Form.PHONE: "电话",
    Form.EMAIL: "电子邮箱",
    Form.CHOICE: "单选",
    Form.LINK: "关联",
    Form.OTHER: "其他",
}


def answer_preparation(desk: Desk, system: str, apply: bool) -> Answer:
    """Lists what a system lacks, or makes it; exit 0 when nothing is left, 10 to run on, 11 when a person must act."""
    with desk.hub() as hub:
        found = prepare_system(hub, system) if apply else survey_system(hub, system)
        configured = hub.settings.systems[system]
        chosen = configured.mapping_set
        single = ", ".join(f"{entity}: {name}" for entity, name in configured.mapping_sets.items())
        others = f" ({single})" if single else ""
    left = [finding for item in found for finding in item.findings if finding.state not in DONE]
    by_hand = any(finding.state in BY_A_PERSON for finding in left)

    def show() -> None:
        desk.say(f"{system}: what the mapping set {chosen}{others} needs", f"{system}：映射集 {chosen}{others} 的需要")
        for item in found:
            _show(desk, item)
        desk.say()
        _advise(desk, system, left, apply)

    body = {"system": system, "mapping_set": chosen, "applied": apply, "objects": [_body(item) for item in found]}
    return Answer(body, show, BLOCKED if by_hand else PROGRESSED if left else 0)


def _show(desk: Desk, item: Preparation) -> None:
    ready = len(item.standing(DONE))
    total = len(item.needs)
    desk.say(f"  {item.object}: {ready} of {total} ready", f"  {item.object}：{total} 项中 {ready} 项已就绪")
    for finding in item.findings:
        if finding.state is State.READY:
            continue
        state, need = _STATES[finding.state], item.need(finding)
        code = f" [{CODES[finding.state]}]" if finding.state in CODES else ""
        told_en, told_zh = _told(finding, need)
        desk.say(f"    {state.en}: {told_en}{code}", f"    {state.zh}：{told_zh}{code}")
        for number, step in enumerate(finding.steps, 1):
            desk.say(f"      {number}. {step.en}", f"      {number}. {step.zh}")


def _told(finding: Finding, need: FieldNeed | None) -> tuple[str, str]:
    """Returns one line about a finding: the field, what it must be, the options in question, the reason."""
    if need is None:
        return finding.en, finding.zh
    length = f"({need.length})" if need.length else ""
    unique = (", unique", "，唯一") if need.key else ("", "")
    target = f" -> {need.target}" if need.target else ""
    form = need.form.value.replace("_", " ")
    en = [f"{need.api_name} ({need.en}), {form}{length}{target}{unique[0]}"]
    zh = [f"{need.api_name}（{need.zh}），{_FORMS[need.form]}{length}{target}{unique[1]}"]
    if finding.options:
        listed = " · ".join(finding.options)
        en.append(f"options {listed}")
        zh.append(f"选项 {listed}")
    if finding.en:
        en.append(finding.en)
        zh.append(finding.zh)
    return "; ".join(en), "；".join(zh)


def _advise(desk: Desk, system: str, left: Sequence[Finding], apply: bool) -> None:
    """Ends with what to do next."""
    states = {finding.state for finding in left}
    again = f"crmhub connect {system} --prepare"
    if not left:
        desk.say("nothing is left to do", "无需再做任何操作")
    if states & {State.MISSING, State.LACKS_OPTIONS} and not apply:
        desk.say(f"next: {again} --apply makes what is missing", f"下一步：{again} --apply 新建缺少的部分")
    if State.WAITING in states:
        desk.say(f"next: {again} --apply, in a minute", f"下一步：稍后运行 {again} --apply")
    if states & set(BY_A_PERSON):
        desk.say(
            f"next: an administrator does the steps above, then {again}", f"下一步：管理员完成以上步骤后运行 {again}"
        )


def _body(item: Preparation) -> dict[str, Any]:
    return {"object": item.object, "fields": list(_rows(item))}


def _rows(item: Preparation) -> Iterable[dict[str, Any]]:
    for finding in item.findings:
        need = item.need(finding)
        row: dict[str, Any] = {"field": finding.field, "state": finding.state, "code": CODES.get(finding.state)}
        if need is not None:
            row |= {"form": need.form, "length": need.length, "target": need.target, "unique": need.key}
            row |= {"label": {"en": need.en, "zh": need.zh}}
        row |= {"options": finding.options, "reason": {"en": finding.en, "zh": finding.zh}}
        yield row | {"steps": [{"en": step.en, "zh": step.zh} for step in finding.steps]}
