"""Lenses for text, numbers, truth values and lists."""

from __future__ import annotations

from typing import Any, Literal

from hub.canonical.refusal import ValueRefused
from hub.canonical.schema import Kind
from hub.canonical.values import Canon, Value, compile_canon
from hub.kernel.errors import Text
from hub.mapping.lenses.base import NOT_READABLE, NUMBERS, TEXTS, BadLens, Lens, NoParams, Setting, Simple


def same(value: Any) -> Any:
    return value


class ShapeParams(NoParams):
    """`shape` says how the system wraps one value: as it is, as a list of one, or as an object with an id."""

    shape: Literal["plain", "list", "id_object"] = "plain"


def unwrap_list(raw: Any, name: str) -> Any:
    """Returns the only item of a list, None of an empty one; raises ValueRefused for several."""
    if not isinstance(raw, (list, tuple)):
        return raw
    if len(raw) > 1:
        raise ValueRefused(name, Text("holds several values where one is expected", "含有多个值，应只有一个"))
    return raw[0] if raw else None


def unwrap_id(raw: Any, name: str) -> Any:
    if isinstance(raw, dict):
        return raw.get("id")
    raise ValueRefused(name, NOT_READABLE)


def wrap_list(value: Any) -> Any:
    return [value]


def wrap_id(value: Any) -> Any:
    return {"id": value}


def shaped(setting: Setting, params: ShapeParams, canon: Canon) -> Simple:
    """Returns the simple lens of a canonical form inside a shape."""
    name = setting.field.name
    if params.shape == "list":
        return Simple(lambda raw: canon(unwrap_list(raw, name)), wrap_list, cleared=[])
    if params.shape == "id_object":
        return Simple(lambda raw: canon(unwrap_id(raw, name)), wrap_id)
    return Simple(canon, same)


def _text(setting: Setting, params: ShapeParams) -> Simple:
    return shaped(setting, params, compile_canon(setting.field))


def _formatted(shape: str, en: str, zh: str) -> Any:
    def make(setting: Setting, _: NoParams) -> Simple:
        if setting.field.format not in ((shape, "phone") if shape == "e164" else (shape,)):
            raise BadLens(f"needs a field of format {en}", f"需要格式为{zh}的字段")
        return Simple(compile_canon(setting.field), same)

    return make


def _number_text(setting: Setting, _: NoParams) -> Simple:
    return Simple(compile_canon(setting.field), str)


class DecimalParams(NoParams):
    """`written` says whether the system takes a decimal as text or as a number."""

    written: Literal["text", "number"] = "text"


def _decimal(setting: Setting, params: DecimalParams) -> Simple:
    return Simple(compile_canon(setting.field), same if params.written == "text" else float)


def _canonical(setting: Setting, _: NoParams) -> Simple:
    return Simple(compile_canon(setting.field), same)


def _text_list(setting: Setting, _: NoParams) -> Simple:
    return Simple(compile_canon(setting.field), list, cleared=[])


def _tag_list(setting: Setting, _: NoParams) -> Simple:
    canon, name = compile_canon(setting.field), setting.field.name

    def get(raw: Any) -> Value:
        try:
            return canon([tag["name"] for tag in raw])
        except (TypeError, KeyError):
            raise ValueRefused(name, NOT_READABLE) from None

    return Simple(get, lambda value: [{"name": tag} for tag in value], cleared=[])


_STRINGS = frozenset({Kind.STRING, Kind.TEXT})
PLAIN = (
    Lens(
        "text",
        Text("Text", "文本"),
        ShapeParams,
        _STRINGS,
        _text,
        TEXTS | {"phone", "phone_number", "email", "picklist"},
    ),
    Lens(
        "phone_e164",
        Text("Telephone number (E.164)", "电话号码（E.164）"),
        NoParams,
        frozenset({Kind.STRING}),
        _formatted("e164", "telephone number", "电话号码"),
        TEXTS | {"phone", "phone_number"},
    ),
    Lens(
        "email_lower",
        Text("E-mail in lower case", "电子邮箱（小写）"),
        NoParams,
        frozenset({Kind.STRING}),
        _formatted("email", "e-mail", "电子邮箱"),
        TEXTS | {"email"},
    ),
    Lens("number", Text("Whole number", "整数"), NoParams, frozenset({Kind.INTEGER}), _canonical, NUMBERS),
    Lens(
        "number_text",
        Text("Whole number written as text", "以文本传输的整数"),
        NoParams,
        frozenset({Kind.INTEGER}),
        _number_text,
        NUMBERS | TEXTS,
    ),
    Lens("decimal", Text("Decimal", "小数"), DecimalParams, frozenset({Kind.DECIMAL}), _decimal, NUMBERS | TEXTS),
    Lens(
        "boolean",
        Text("True or false", "布尔值"),
        NoParams,
        frozenset({Kind.BOOLEAN}),
        _canonical,
        frozenset({"boolean", "true_or_false"}),
    ),
    Lens(
        "text_list",
        Text("Set of texts", "文本集合"),
        NoParams,
        frozenset({Kind.LIST}),
        _text_list,
        frozenset({"multiselectpicklist", "select_many"}),
    ),
    Lens(
        "tag_list",
        Text("Tags as objects with a name", "标签对象列表"),
        NoParams,
        frozenset({Kind.LIST}),
        _tag_list,
    ),
)
