"""An administrator at the console of the simulated Fxiaoke, who does what `connect --prepare` prints, word for word."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

TYPES = {
    "单行文本": "text",
    "多行文本": "long_text",
    "日期时间": "date_time",
    "手机": "phone_number",
    "邮箱": "email",
    "单选": "select_one",
    "查找关联": "object_reference",
}
"""What the screens call a type of field."""
_OBJECT = re.compile(r"自定义对象 > 新建：对象名称 (?P<label>\S+)，API 名称 (?P<object>\w+)。")
_PLACE = re.compile(r"> \S+（(?P<object>\w+)）> 字段 > 新建字段")
_WORDS: dict[str, re.Pattern[str]] = {
    "type": re.compile(r"字段类型：(.+?)。"),
    "label": re.compile(r"字段名称：(.+?)。"),
    "name": re.compile(r"API 名称：(\w+)。"),
    "max_length": re.compile(r"最大长度：至少 (\d+)。"),
    "target": re.compile(r"关联对象：(\w+)。"),
    "choices": re.compile(r"选项（标签 = 选项值）：(.+?)。"),
    "unique": re.compile(r"(勾选“唯一性”)"),
}


class Screens(Protocol):
    """What the simulator lets an administrator do."""

    def post(self, action: str, request: Mapping[str, Any]) -> Any:
        """Does one act."""


def follow(screens: Screens, prepared: Mapping[str, Any], own_names: Mapping[str, str]) -> int:
    """Makes objects and fields by the Chinese steps of `connect --prepare --json`; returns how many it made.

    `own_names` are the fields that the console gives an API name of its own.
    """
    steps = [[step["zh"] for step in row["steps"]] for item in prepared["objects"] for row in item["fields"]]
    made = [lines for lines in steps if lines]
    for lines in made:
        _make(screens, lines, own_names)
    return len(made)


def _make(screens: Screens, lines: Iterable[str], own_names: Mapping[str, str]) -> None:
    text = "\n".join(lines)
    if (found := _OBJECT.search(text)) is not None:
        screens.post("new_object", found.groupdict())
        return
    place = _PLACE.search(text)
    assert place is not None, f"no way to a screen: {text}"
    said = {key: found.group(1) for key, word in _WORDS.items() if (found := word.search(text))}
    changes: dict[str, Any] = {"type": TYPES[said["type"]], "label": said["label"], "define_type": "custom"}
    changes |= {"max_length": int(said["max_length"])} if "max_length" in said else {}
    changes |= {"target": said["target"]} if "target" in said else {}
    changes |= {"unique": True} if "unique" in said else {}
    if "choices" in said:
        pairs = (pair.split(" = ") for pair in said["choices"].split(" · "))
        changes["choices"] = [{"label": label, "value": value} for label, value in pairs]
    name = own_names.get(said["name"], said["name"])
    screens.post("schema", {"object": place["object"], "field": name, "changes": changes})
