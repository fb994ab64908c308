"""What a person reads and clicks where the API cannot set an organisation up, in both languages.

Source: Zoho CRM help, custom fields, field permissions, API names; the editions' limits from create-custom-field.
"""

from __future__ import annotations

from collections.abc import Sequence

from connectors.preparing import FieldNeed, Form, Step

LABEL_LENGTH = 25
"""How long a label may be in the published document of the fields API."""

Words = tuple[str, str]
_TYPES: dict[Form, Words] = {
    Form.TEXT: ("Single Line", "单行文本"),
    Form.LONG_TEXT: ("Multi-Line", "多行文本"),
    Form.INTEGER: ("Number", "数字"),
    Form.DECIMAL: ("Decimal", "小数"),
    Form.FLAG: ("Checkbox", "复选框"),
    Form.DATE: ("Date", "日期"),
    Form.INSTANT: ("Date/Time", "日期/时间"),
    Form.PHONE: ("Phone", "电话"),
    Form.EMAIL: ("Email", "电子邮件"),
    Form.CHOICE: ("Pick List", "选择列表"),
    Form.LINK: ("Lookup", "查找"),
    Form.OTHER: ("as the mapping file names it", "以映射文件为准"),
}
_ROOM = (
    "the edition has no room: Standard allows 10 custom fields in a module, Professional 155, Enterprise 300, Ultimate "
    "500, and every edition two unique ones; delete fields that nobody uses, or raise the edition",
    "已达版本上限：每个模块的自定义字段数 Standard 10、Professional 155、Enterprise 300、Ultimate 500，"
    "各版本唯一字段均限 2 个；请删除不用的字段或升级版本",
)
_REASONS: dict[str, Words] = {
    "DUPLICATE_DATA": (
        "another field bears this label or API name, perhaps a hidden or unused one; rename that one first",
        "已有字段使用该标签或 API 名称（可能被隐藏或未使用），请先改名",
    ),
    "RESERVED_KEYWORD_NOT_ALLOWED": ("Zoho keeps this name for itself; map another", "该名称为系统保留，请改映射"),
    "NOT_ALLOWED": (
        "the API may not change this field; a person may, in Setup",
        "接口不允许修改该字段，须在设置页面操作",
    ),
    "NOT_SUPPORTED": ("the API cannot make a field of this type here", "接口不支持在此新建该类型的字段"),
}


def refused(code: str, part: str, limit: object) -> Words:
    """Returns why Zoho refused a field."""
    en, zh = _REASONS.get(code, ("", ""))
    if code == "LIMIT_EXCEEDED" and part != "pick_list_values":
        en, zh = _ROOM
    elif code == "DUPLICATE_DATA" and part in ("display_value", "actual_value", "pick_list_values"):
        en, zh = "an option of that name is there, perhaps among the unused ones", "已有同名选项，可能在未使用的选项中"
    elif code == "LIMIT_EXCEEDED":
        en, zh = "too many options for one call; add them in Setup", "一次调用的选项过多，请在设置页面添加"
    told = f"{code}{f', limit {limit}' if isinstance(limit, int) else ''}{f', {part}' if part else ''}"
    return (
        f"Zoho refused it ({told}): {en or 'make it in Setup'}",
        f"Zoho 拒绝（{told}）：{zh or '请在设置页面操作'}",
    )


def not_permitted(code: str, method: str) -> Words:
    """Returns why nothing can be made at all."""
    scope = f"ZohoCRM.settings.fields.{'CREATE' if method == 'POST' else 'UPDATE'}"
    return (
        f"the organisation does not let the hub do it ({code}): authorise with the scope {scope}, give the user's "
        "profile the permission Customize Zoho CRM, use an edition with API field creation, or do it by hand",
        f"组织不允许通过接口操作（{code}）：请用含 {scope} 的范围重新授权，为用户角色授予“自定义 Zoho CRM”权限，"
        "使用支持该接口的版本，或手工操作",
    )


def no_scope(operation: str) -> Words:
    """Returns why a token cannot do it."""
    scope = f"ZohoCRM.settings.fields.{operation}"
    return (
        f"the token lacks the scope {scope}: authorise again with it, or do it by hand",
        f"令牌缺少 {scope}：请加上该范围重新授权，或手工操作",
    )


def not_makeable(need: FieldNeed) -> Words | None:
    """Returns why a field cannot be made at all, None where it can."""
    if need.form is Form.OTHER:
        return "a field of this kind cannot be made through the API", "该类字段无法通过接口新建"
    if need.form is Form.CHOICE and not need.options:
        return "the mapping names no options for it", "映射未给出选项"
    if need.form is Form.LINK and not need.target:
        return "the mapping does not say what it points at", "映射未说明关联对象"
    return None


def bad_name(need: FieldNeed) -> Words | None:
    """Returns why no label gives this API name, None where one does: the API takes no name, only a label."""
    words = need.api_name.split("_")
    plain = need.api_name.isascii() and need.api_name[0].isalpha() and all(word.isalnum() for word in words)
    if plain and len(need.api_name) <= LABEL_LENGTH:
        return None
    return (
        "the API makes the API name from a label of Latin letters, at most 25; this name must be given in Setup",
        "接口按标签（拉丁字母，最多 25 个字符）生成 API 名称；该名称须在设置页面指定",
    )


def not_seen(made: bool) -> Words:
    """Returns what to do where Zoho has not answered, or not yet shown, what was asked for."""
    if made:
        return "made, but Zoho does not show it yet; run the command again", "已新建，但 Zoho 尚未显示；请稍后重新运行"
    return "Zoho did not say whether it was made; run the command again", "未得到 Zoho 的明确答复；请重新运行"


def options_lost(values: Sequence[str]) -> Words:
    """Returns what to do where options that were there are no longer."""
    listed = ", ".join(values)
    return (
        f"these options were there before and are not any more; add them again in Setup: {listed}",
        f"以下原有选项已不在，请在设置页面重新添加：{listed}",
    )


def hidden_key() -> Words:
    """Returns what is true of a hub id field that only the hub's profile sees."""
    return (
        "only the profile of the hub's user sees it, so that others neither clone nor import it",
        "仅集成用户的角色可见，其他人无法复制或导入",
    )


def plain_key() -> Words:
    """Returns what is still to do with a hub id field that everybody sees."""
    return "everybody sees it, hide it as below", "目前所有人可见，请按下列步骤隐藏"


def no_module(object: str) -> Words:
    """Returns that a module is not there."""
    return (
        f"there is no module {object}, or the hub's user does not see its tab; the hub makes no modules",
        f"没有模块 {object}，或集成用户看不到其标签页；系统不会新建模块",
    )


def is_unused(object: str, need: FieldNeed) -> Words:
    """Returns that a field stands among the unused ones."""
    return (
        f"{need.api_name} is among the unused fields of {object}, where the API does not show it",
        f"{need.api_name} 在 {object} 的“未使用字段”中，接口读取不到",
    )


def wrong_kind(kind: str, wanted: Sequence[str]) -> Words:
    """Returns that a field is of another type."""
    listed = ", ".join(wanted)
    return f"is of type {kind}, not {listed}", f"类型为 {kind}，应为 {listed}"


def not_unique() -> Words:
    """Returns that the hub id may repeat."""
    return "is not unique, so that one record may come to stand twice", "未设唯一，可能产生重复记录"


def read_only() -> Words:
    """Returns that the API may not write a field."""
    return "cannot be written through the API", "接口不可写"


def too_short(length: int, wanted: int) -> Words:
    """Returns that a field is too short."""
    return f"holds {length} characters, {wanted} are needed", f"长度 {length}，需要 {wanted}"


def wrong_target(target: str, wanted: str) -> Words:
    """Returns that a lookup points elsewhere."""
    return f"points at {target}, not {wanted}", f"关联的是 {target}，应为 {wanted}"


# --- steps ---------------------------------------------------------------------------------------------------------


def _layout(object: str) -> Step:
    return Step(
        f"Setup (gear) > Customization > Modules and Fields > {object} > Layouts > Standard",
        f"设置（齿轮）> 自定义 > 模块和字段 > {object} > 布局 > 标准",
    )


def _save() -> Step:
    return Step("Done, then Save Layout.", "点击“完成”，再点击“保存布局”。")


def make_field(object: str, need: FieldNeed) -> tuple[Step, ...]:
    """Returns how a person makes a field."""
    label, (en, zh) = need.api_name.replace("_", " "), _TYPES[need.form]
    made = [
        _layout(object),
        Step(
            f"Drag a new field {en} into the layout; label: {label} (what people read: {need.en}).",
            f"将新字段“{zh}”拖入布局；标签：{label}（用户看到的名称：{need.zh}）。",
        ),
    ]
    if need.length:
        made.append(Step(f"Number of characters: at least {need.length}.", f"允许的字符数：至少 {need.length}。"))
    if need.options:
        listed = " · ".join(need.options)
        made.append(Step(f"Options, exactly so: {listed}", f"选项（须完全一致）：{listed}"))
    if need.target:
        made.append(Step(f"Lookup module: {need.target}.", f"查找模块：{need.target}。"))
    if need.key:
        made.append(Step("Tick: Do not allow duplicate values.", "勾选“不允许重复值”。"))
    made += [_save(), _api_name(object, need)]
    return (*made, *(hide(object, need) if need.key else ()))


def _api_name(object: str, need: FieldNeed) -> Step:
    return Step(
        f"Setup > Developer Hub > APIs and SDKs > API Names > {object}: the API name must read {need.api_name}.",
        f"设置 > 开发者中心 > API 和 SDK > API 名称 > {object}：API 名称须为 {need.api_name}。",
    )


def hide(object: str, need: FieldNeed) -> tuple[Step, ...]:
    """Returns how a person hides the hub id from everybody but the hub."""
    return (
        Step(
            f"{object} > Fields > {need.api_name.replace('_', ' ')} > Set Permission: Don't show for every profile but "
            "that of the hub's user. Nobody else then sees it on a layout, clones it or maps it in an import.",
            f"{object} > 字段 > {need.api_name.replace('_', ' ')} > 设置权限：除集成用户的角色外均设为“不显示”。"
            "其他人在布局、复制和导入中都不会看到它。",
        ),
        Step(
            "Do not move it to Unused Fields: the API would no longer show it.",
            "不要移入“未使用字段”：接口将读取不到。",
        ),
    )


def add_options(object: str, need: FieldNeed, options: Sequence[str]) -> tuple[Step, ...]:
    """Returns how a person adds options to a picklist; the others stay."""
    listed = " · ".join(options)
    return (
        _layout(object),
        Step(
            f"{need.api_name.replace('_', ' ')} > Edit Properties > add, exactly so, beside the options that are "
            f"there: {listed}",
            f"{need.api_name.replace('_', ' ')} > 编辑属性 > 在现有选项之外添加（须完全一致）：{listed}",
        ),
        _save(),
    )


def make_module(object: str) -> tuple[Step, ...]:
    """Returns how a person makes a module."""
    return (
        Step(
            "Setup > Customization > Modules and Fields > Create New Module; give the profile of the hub's user "
            "access to it.",
            "设置 > 自定义 > 模块和字段 > 新建模块；授予集成用户的角色访问权限。",
        ),
        Step(
            f"Setup > Developer Hub > APIs and SDKs > API Names: the module's API name must read {object}; then run "
            "the command again. If the module exists, give the profile its tab instead.",
            f"设置 > 开发者中心 > API 和 SDK > API 名称：模块 API 名称须为 {object}；然后重新运行。"
            "若模块已存在，请为该角色开放其标签页。",
        ),
    )


def use(object: str, need: FieldNeed) -> tuple[Step, ...]:
    """Returns how a person takes a field out of the unused ones."""
    return (
        _layout(object),
        Step(
            f"Drag {need.api_name.replace('_', ' ')} from Unused Fields into the layout, then Save Layout.",
            f"将 {need.api_name.replace('_', ' ')} 从“未使用字段”拖入布局，然后保存布局。",
        ),
        *(hide(object, need) if need.key else ()),
    )


def put_right(object: str, need: FieldNeed, wrong: Words) -> tuple[Step, ...]:
    """Returns what a person does with a field that is there, but not as it must be; the hub never changes one."""
    spoken = need.api_name.replace("_", " ")
    if wrong == not_unique():
        return (
            _layout(object),
            Step(
                f"{spoken} > Edit Properties > tick Do not allow duplicate values. Zoho refuses that while two records "
                "hold one value: find them with a report, empty all but the right one.",
                f"{spoken} > 编辑属性 > 勾选“不允许重复值”。若已有重复值会被拒绝：请先用报表找出并清除多余的值。",
            ),
            _save(),
        )
    en, zh = _TYPES[need.form]
    return (
        Step(
            f"If nobody uses {object}.{need.api_name}: rename its label and API name, and run the command again, which "
            f"makes one of type {en}.",
            f"若 {object}.{need.api_name} 无人使用：请更改其标签和 API 名称，再次运行即新建类型为“{zh}”的字段。",
        ),
        Step(
            "If it is used: name another field in the mapping file.",
            "若正在使用：请在映射文件中改用其他字段。",
        ),
    )
