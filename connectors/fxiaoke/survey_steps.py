"""What an administrator reads and clicks to set a tenant up for the hub, in both languages.

Source: Fxiaoke product terms (对象管理, 字段, 角色管理, 字段权限); where a menu stands differs between releases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.preparing import FieldNeed, Form, Step

Words = tuple[str, str]
_NUMBERS = frozenset({"number", "currency", "percentile"})
_TYPES: dict[Form, Words] = {
    Form.TEXT: ("single-line text", "单行文本"),
    Form.LONG_TEXT: ("multi-line text", "多行文本"),
    Form.INTEGER: ("number, 0 decimal places", "数字（小数位 0）"),
    Form.DECIMAL: ("number, 2 decimal places", "数字（小数位 2）"),
    Form.FLAG: ("true or false", "布尔值"),
    Form.DATE: ("date", "日期"),
    Form.INSTANT: ("date and time", "日期时间"),
    Form.PHONE: ("phone", "手机"),
    Form.EMAIL: ("e-mail", "邮箱"),
    Form.CHOICE: ("single select", "单选"),
    Form.LINK: ("lookup", "查找关联"),
}
_BY_KIND: tuple[tuple[str, Words], ...] = (
    ("select_many", ("multi-select", "多选")),
    ("employee", ("employee", "人员")),
    ("department", ("department", "部门")),
)
_OBJECTS = {"complaint__c": "投诉"}
"""What new custom objects are called that the shipped mappings need."""
NOT_UNIQUE: Words = ("is not unique, so that one record may come to stand twice", "未设唯一，可能产生重复记录")
READ_ONLY: Words = (
    "cannot be written: Fxiaoke computes it, or makes it read-only",
    "不可写：由纷享销客计算，或为只读字段",
)
MASKED: Words = (
    "is shown masked to the operator, so that its values are never taken over",
    "对操作员脱敏显示，其值不会被采用",
)


@dataclass(frozen=True, slots=True)
class Place:
    """Is the object that a step is about, and what the screens call it."""

    object: str
    label: str
    system: str

    @property
    def resolve(self) -> str:
        """Returns the command that finds what the console named by itself, and writes it into the mapping files."""
        return f"`crmhub mapping resolve {self.system} --write`"

    def screen(self, en: str, zh: str) -> Step:
        """Returns the way to a screen of the object."""
        kinds = ("Custom objects", "自定义对象") if self.object.endswith("__c") else ("Preset objects", "预设对象")
        return Step(
            f"Admin console > CRM > Object management > {kinds[0]} > {self.label} ({self.object}) > {en}",
            f"管理后台 > CRM 管理 > 对象管理 > {kinds[1]} > {self.label}（{self.object}）> {zh}",
        )


def named(object: str) -> str:
    """Returns what a new object is to be called."""
    return _OBJECTS.get(object, object)


# --- reasons -------------------------------------------------------------------------------------------------------


def missing() -> Words:
    """Returns that a field must be made by a person."""
    return "is not there; an administrator makes it", "不存在，须由管理员新建"


def no_object(place: Place) -> Words:
    """Returns that a custom object is not there."""
    return (
        f"there is no object {place.object}, or the operator may not see it; Fxiaoke has no public interface that "
        "makes one",
        f"没有对象 {place.object}，或操作员无权查看；纷享销客没有公开的新建对象接口",
    )


def no_preset(place: Place) -> Words:
    """Returns that a preset object is not there."""
    return (
        f"there is no preset object {place.object} here: the edition lacks it, or the operator may not see it",
        f"没有预设对象 {place.object}：版本不含该对象，或操作员无权查看",
    )


def is_disabled(place: Place) -> Words:
    """Returns that an object is switched off."""
    return (
        f"{place.object} is disabled, or the operator may not describe it",
        f"{place.object} 已停用，或操作员无权读取其描述",
    )


def no_field(place: Place) -> Words:
    """Returns that a preset field is not there, which nobody can make."""
    return (
        f"this release of {place.object} has no such preset field, or the operator's role hides it (字段权限)",
        f"当前版本的 {place.object} 没有该预设字段，或角色的字段权限将其隐藏",
    )


def switched_off() -> Words:
    """Returns that a field is switched off."""
    return "is switched off (停用), so that it is neither read nor written", "字段已停用，既不读取也不写入"


def wrong_kind(kind: str, wanted: Sequence[str]) -> Words:
    """Returns that a field is of another type."""
    listed = ", ".join(wanted)
    return f"is of type {kind}, not {listed}", f"类型为 {kind}，应为 {listed}"


def too_short(length: int, wanted: int) -> Words:
    """Returns that a field is too short."""
    return (
        f"holds {length} characters, {wanted} are needed: longer values are refused",
        f"长度 {length}，需要 {wanted}：超长的值会被拒绝",
    )


def wrong_target(target: str, wanted: str) -> Words:
    """Returns that a lookup points elsewhere."""
    return f"points at {target}, not {wanted}", f"关联的是 {target}，应为 {wanted}"


def uncovered(name: str, spec: Mapping[str, Any]) -> Words:
    """Returns that a required field is filled by nothing."""
    label = str(spec.get("label") or name)
    return (
        f"{name} ({label}) is required by Fxiaoke, and no mapping writes it: every create would be refused",
        f"{name}（{label}）为必填，但映射没有写入：新建会被拒绝",
    )


def options_missing(need: FieldNeed, renamed: Mapping[str, str], retired: Sequence[str]) -> Words:
    """Returns how the options that are missing stand: under another value, retired, or not there."""
    en, zh = ["Fxiaoke has no public interface that makes options"], ["纷享销客没有公开的新建选项接口"]
    if renamed:
        listed = " · ".join(f"{need.spoken(mine)} = {theirs}" for mine, theirs in renamed.items())
        en.append(f"options of these labels are there under other values: {listed}")
        zh.append(f"以下标签的选项已存在，但选项值不同：{listed}")
    if retired:
        listed = " · ".join(need.spoken(value) for value in retired)
        en.append(f"retired: {listed}")
        zh.append(f"已停用：{listed}")
    return "; ".join(en), "；".join(zh)


# --- steps ---------------------------------------------------------------------------------------------------------


def make_field(place: Place, need: FieldNeed) -> tuple[Step, ...]:
    """Returns how a person makes a field."""
    en, zh = _type(need)
    made = [
        place.screen("Fields > New field", "字段 > 新建字段"),
        Step(f"Type: {en}. Name: {need.en} (Chinese: {need.zh}).", f"字段类型：{zh}。字段名称：{need.zh}。"),
        _api_name(place, need),
    ]
    if need.length:
        made.append(Step(f"Maximum length: at least {need.length}.", f"最大长度：至少 {need.length}。"))
    if need.options:
        made.append(_options(place, need, need.options))
    if need.target:
        made.append(Step(f"Related object: {need.target}.", f"关联对象：{need.target}。"))
    if need.key:
        made.append(Step("Tick: values must be unique. Leave “required” off.", "勾选“唯一性”；不要勾选“必填”。"))
    return (*made, *_rights(place, need))


def _type(need: FieldNeed) -> Words:
    if need.kinds and "text" not in need.kinds:
        named = next((words for kind, words in _BY_KIND if kind in need.kinds), None)
        if named is not None and need.form is Form.OTHER:
            return named
    if need.form is Form.TEXT and need.kinds & _NUMBERS:
        return _TYPES[Form.INTEGER]
    return _TYPES.get(need.form, ("as the mapping file names it", "以映射文件为准"))


def _options(place: Place, need: FieldNeed, values: Sequence[str]) -> Step:
    listed = " · ".join(value if need.spoken(value) == value else f"{need.spoken(value)} = {value}" for value in values)
    return Step(
        f"Options, label = value: {listed}. Where the console gives values of its own, keep them and run "
        f"{place.resolve}.",
        f"选项（标签 = 选项值）：{listed}。若界面自动生成选项值，请保留，并运行 {place.resolve}。",
    )


def _api_name(place: Place, need: FieldNeed) -> Step:
    if need.key:
        return Step(
            f"API name: {need.api_name}. Where the console gives another (field_…__c), write it into the connection: "
            f"external_keys: {{{place.object}: field_…__c}}.",
            f"API 名称：{need.api_name}。若界面自动生成其他名称（field_…__c），请写入连接配置："
            f"external_keys: {{{place.object}: field_…__c}}。",
        )
    return Step(
        f"API name: {need.api_name}. Where the console gives another (field_…__c), run {place.resolve}.",
        f"API 名称：{need.api_name}。若界面自动生成其他名称（field_…__c），请运行 {place.resolve}。",
    )


def _rights(place: Place, need: FieldNeed) -> tuple[Step, ...]:
    if need.key:
        return (
            Step(
                f"Roles > field permissions (字段权限) > {place.label}: the operator's role may edit it, for every "
                "other role it is hidden, so that nobody copies or imports it.",
                f"角色管理 > 字段权限 > {place.label}：操作员的角色设为可编辑，其他角色设为不可见，以免被复制或导入。",
            ),
        )
    return (
        Step(
            f"Roles > field permissions (字段权限) > {place.label}: the operator's role may edit it.",
            f"角色管理 > 字段权限 > {place.label}：操作员的角色设为可编辑。",
        ),
    )


def add_options(
    place: Place, need: FieldNeed, lacking: Sequence[str], renamed: Mapping[str, str], retired: Mapping[str, str]
) -> tuple[Step, ...]:
    """Returns how a person gives a select the options that are missing; the others stay."""
    told: list[Step] = []
    if renamed:
        told.append(
            Step(
                f"Run {place.resolve}, which writes the values that are there into the mapping file.",
                f"运行 {place.resolve}，将已有的选项值写入映射文件。",
            )
        )
    again = [value for value in lacking if value in retired and value not in renamed]
    new = [value for value in lacking if value not in renamed and value not in retired]
    if again or new:
        told.append(place.screen(f"Fields > {need.api_name} > Edit", f"字段 > {need.api_name} > 编辑"))
    if again:
        listed = " · ".join(need.spoken(value) for value in again)
        told.append(Step(f"Enable these options again: {listed}", f"重新启用选项：{listed}"))
    if new:
        told.append(_options(place, need, new))
    return tuple(told)


def make_object(place: Place) -> tuple[Step, ...]:
    """Returns how a person makes a custom object."""
    return (
        Step(
            f"Admin console > CRM > Object management > Custom objects > New: name {place.label}, API name "
            f"{place.object}.",
            f"管理后台 > CRM 管理 > 对象管理 > 自定义对象 > 新建：对象名称 {place.label}，API 名称 {place.object}。",
        ),
        Step(
            "Leave its field `name` (主属性) as text, required and unique: it holds the number of the record.",
            "主属性 name 保持为文本、必填且唯一：用于存放记录编号。",
        ),
        Step(
            f"Roles > function permissions (功能权限) > {place.label}: give the operator's role View list, View "
            "details, New, Edit, Change Owner, Invalidate and Restore. Then make the fields below.",
            f"角色管理 > 功能权限 > {place.label}：为操作员的角色勾选查看列表、查看详情、新建、编辑、更换负责人、"
            "作废、恢复。然后新建下列字段。",
        ),
    )


def enable(place: Place) -> tuple[Step, ...]:
    """Returns how a person switches an object on."""
    return (place.screen("Enable; then run the command again", "启用；然后重新运行"),)


def open_preset(place: Place) -> tuple[Step, ...]:
    """Returns what a person does about a preset object that is not there."""
    return (
        Step(
            f"Ask the vendor's contact whether the edition holds {place.object}; enable it under Object management, "
            "and give the operator's role its function permissions (功能权限). Else map another object.",
            f"请向厂商确认版本是否包含 {place.object}，在对象管理中启用，并为操作员的角色授予功能权限；"
            "否则请改映射其他对象。",
        ),
    )


def map_another(place: Place, need: FieldNeed) -> tuple[Step, ...]:
    """Returns what a person does about a preset field that is not there."""
    return (
        Step(
            f"`crmhub describe {place.system} {place.object}` lists the fields that are there; name another than "
            f"{need.api_name} in the mapping file, or let {place.resolve} find it by its label.",
            f"用 `crmhub describe {place.system} {place.object}` 查看已有的字段；在映射文件中改用 {need.api_name} "
            "以外的字段，"
            f"或用 {place.resolve} 按标签查找。",
        ),
    )


def switch_on(place: Place, need: FieldNeed) -> tuple[Step, ...]:
    """Returns how a person switches a field on."""
    return (place.screen(f"Fields > {need.api_name} > Enable", f"字段 > {need.api_name} > 启用"),)


def cover(place: Place, name: str) -> tuple[Step, ...]:
    """Returns what a person does about a required field that nothing fills."""
    return (
        place.screen(f"Fields > {name} > Edit: take “required” off", f"字段 > {name} > 编辑：取消“必填”"),
        Step(
            f"Or write it: add a pair for {name} to the mapping file, a constant if need be.",
            f"或在映射文件中为 {name} 增加一项（必要时用常量）。",
        ),
    )


def put_right(place: Place, need: FieldNeed, wrong: Words) -> tuple[Step, ...]:
    """Returns what a person does with a field that is there, but not as it must be; the hub never changes one."""
    edit = place.screen(f"Fields > {need.api_name} > Edit", f"字段 > {need.api_name} > 编辑")
    if wrong == NOT_UNIQUE:
        return (
            edit,
            Step(
                "Tick: values must be unique. While two records hold one value, empty all but the right one first.",
                "勾选“唯一性”；若已有重复值，请先清除多余的值。",
            ),
        )
    if wrong == MASKED:
        return (
            Step(
                f"{need.api_name}: add the operator's role to those that see it unmasked (脱敏设置), or switch masking "
                "off.",
                f"{need.api_name}：在脱敏设置中将操作员的角色设为可查看明文，或取消脱敏。",
            ),
        )
    if need.length and wrong[0].startswith("holds"):
        return (edit, Step(f"Maximum length: at least {need.length}.", f"最大长度：至少 {need.length}。"))
    if wrong == READ_ONLY:
        return (
            Step(
                f"Let the mapping only read it (direction: in), or name another field than {need.api_name} there.",
                f"在映射文件中改为只读（direction: in），或改用 {need.api_name} 以外的字段。",
            ),
        )
    en, zh = _type(need)
    return (
        Step(
            f"If nobody uses {need.api_name}: delete it, and make one of type {en}.",
            f"若 {need.api_name} 无人使用：请删除后新建类型为“{zh}”的字段。",
        ),
        Step("If it is used: name another field in the mapping file.", "若正在使用：请在映射文件中改用其他字段。"),
    )
