"""Reads YAML so that every complaint about it can name its line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent

from hub.kernel.errors import Problem, problem

SIZE_LIMIT = 256 * 1024
DEPTH_LIMIT = 32
_DASHES = re.compile(rf"(?:\s*[-?]\s){{{DEPTH_LIMIT + 1},}}")
_BRACKETS = re.compile(r"[\[\]{}]")
_DIRECTIVE = re.compile(r"^%", re.M)
_DAY = re.compile(r"\b(\d{4})-(\d\d?)-(\d\d?)(?!\d)")

_EN = {
    "extra_forbidden": "is not a known key; remove it or correct its spelling",
    "missing": "is missing",
    "literal_error": "must be one of {expected}",
    "enum": "must be one of {expected}",
    "string_type": "must be text; put it in quotes",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "does not have the form {pattern}",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be a table of keys",
    "model_type": "must be a table of keys",
    "too_short": "must hold at least {min_length}",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
}
_ZH = {
    "extra_forbidden": "不是已知的键，请删除或更正拼写",
    "missing": "缺失，必须填写",
    "literal_error": "只能是 {expected}",
    "enum": "只能是 {expected}",
    "string_type": "应为文本，请加引号",
    "string_too_short": "不能为空",
    "string_too_long": "最多 {max_length} 个字符",
    "string_pattern_mismatch": "格式应为 {pattern}",
    "int_type": "应为整数",
    "int_from_float": "应为整数",
    "float_type": "应为数字",
    "bool_type": "应为 true 或 false",
    "list_type": "应为列表",
    "tuple_type": "应为列表",
    "dict_type": "应为键值表",
    "model_type": "应为键值表",
    "too_short": "至少 {min_length} 项",
    "greater_than_equal": "不能小于 {ge}",
    "greater_than": "应大于 {gt}",
    "less_than_equal": "不能大于 {le}",
}


def load_yaml(path: Path, problems: list[Problem]) -> CommentedMap | None:
    """Returns the top mapping of a YAML file, or None after adding what is wrong to `problems`.

    Files above 256 KB, anchors, duplicate keys and anything but plain UTF-8 YAML are refused.
    """
    text = ""
    try:
        text = _read(path)
        if (line := _nested_line(text)) is not None:
            problems.append(_too_deep(path, line))
            return None
        if (found := _DIRECTIVE.search(text)) is not None:
            line = text.count("\n", 0, found.start()) + 1
            problems.append(
                problem(path, line, "HUB-YAML-004", "directives (%NAME) are not used here", "不支持指令（%名称）")
            )
            return None
        if (line := _alias_line(text)) is not None:
            problems.append(
                problem(path, line, "HUB-YAML-004", "aliases (*name) are not used here", "不支持别名（*name）")
            )
            return None
        tree = YAML(typ="rt").load(text)
        if (line := _deep_line(tree, DEPTH_LIMIT)) is not None:
            problems.append(_too_deep(path, line))
            return None
    except RecursionError:
        problems.append(_too_deep(path, None))
        return None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else None
        reason = (error.problem or "cannot be parsed").splitlines()[0]
        if reason.startswith("found duplicate key"):
            reason = "a key stands twice"
        problems.append(problem(path, line, "HUB-YAML-001", f"not valid YAML: {reason}", f"YAML 语法错误：{reason}"))
        return None
    except (YAMLError, UnicodeDecodeError):
        problems.append(
            problem(path, None, "HUB-YAML-001", "not valid YAML in UTF-8", "不是有效的 UTF-8 编码 YAML 文件")
        )
        return None
    except ValueError:
        problems.append(
            problem(path, _day_line(text), "HUB-YAML-001", "a date that does not exist", "日期不存在，请更正")
        )
        return None
    except OSError as error:
        reason = error.strerror or "cannot be read"
        problems.append(problem(path, None, "HUB-YAML-002", f"cannot be read: {reason}", f"无法读取：{reason}"))
        return None
    if not isinstance(tree, CommentedMap):
        problems.append(problem(path, 1, "HUB-YAML-003", "must hold a table of keys at the top", "文件顶层应为键值表"))
        return None
    return tree


def _nested_line(text: str) -> int | None:
    """Returns the line of brackets or dashes that could nest beyond twice the limit; the parser would need minutes."""
    depth = 0
    for number, line in enumerate(text.splitlines(), 1):
        if _DASHES.match(line):
            return number
        for mark in _BRACKETS.findall(line):
            depth = depth + 1 if mark in "[{" else max(0, depth - 1)
            if depth > 2 * DEPTH_LIMIT:
                return number
    return None


def _deep_line(node: Any, left: int) -> int | None:
    """Returns the line of the first node that is nested deeper than `left`."""
    if not isinstance(node, dict | list):
        return None
    if not left:
        return line_of(node, ()) or 1
    inner = node.values() if isinstance(node, dict) else node
    return next((line for item in inner if (line := _deep_line(item, left - 1)) is not None), None)


def _too_deep(path: Path, line: int | None) -> Problem:
    en, zh = f"is nested deeper than {DEPTH_LIMIT} levels", f"嵌套超过 {DEPTH_LIMIT} 层"
    return problem(path, line, "HUB-YAML-005", en, zh)


def _alias_line(text: str) -> int | None:
    """Returns the line of the first alias; a text without an asterisk has none and is not parsed for it."""
    if "*" not in text:
        return None
    events = (event for event in YAML(typ="rt").parse(text) if isinstance(event, AliasEvent))
    return next((event.start_mark.line + 1 for event in events), None)


def _day_line(text: str) -> int | None:
    """Returns the line of the first day that no calendar has; YAML reads days and does not say where."""
    for number, line in enumerate(text.splitlines(), 1):
        for year, month, day in _DAY.findall(line):
            try:
                date(int(year), int(month), int(day))
            except ValueError:
                return number
    return None


def _read(path: Path) -> str:
    with path.open("rb") as file:
        octets = file.read(SIZE_LIMIT + 1)
    if len(octets) > SIZE_LIMIT:
        raise OSError(0, "larger than 256 KB")
    return octets.decode("utf-8-sig")


def plain(node: Any) -> Any:
    """Returns the node without its comments and positions, as plain dicts, lists and scalars."""
    if isinstance(node, dict):
        return {key: plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [plain(item) for item in node]
    for kind in (bool, int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node


def line_of(tree: Any, path: Sequence[str | int]) -> int | None:
    """Returns the 1-based line of the deepest node on `path` that is there."""
    line: int | None = tree.lc.line + 1 if hasattr(tree, "lc") and tree.lc.line is not None else None
    for step in path:
        if not hasattr(tree, "lc"):
            break
        try:
            position = tree.lc.key(step) if isinstance(tree, CommentedMap) else tree.lc.item(step)
            tree = tree[step]
        except (KeyError, IndexError, TypeError, AttributeError):
            break
        line = position[0] + 1
    return line


def schema_problems(path: Path, tree: CommentedMap, error: ValidationError, code: str) -> list[Problem]:
    """Turns what pydantic found into problems with file, line and key; never shows the value.

    A `PydanticCustomError` of kind `said` carries its own texts in the context keys `en` and `zh`.
    """
    return list(_schema_problems(path, tree, error, code))


def _schema_problems(path: Path, tree: CommentedMap, error: ValidationError, code: str) -> Iterator[Problem]:
    for item in error.errors(include_input=False, include_url=False):
        loc = [step for step in item["loc"] if not str(step).startswith(("function-", "["))]
        context = item.get("ctx", {})
        kind = item["type"]
        if kind == "said":
            en, zh = str(context["en"]), str(context["zh"])
        else:
            # Messages of pydantic never hold the input, only what was expected.
            en = _EN.get(kind, item["msg"]).format_map(context)
            zh = _ZH.get(kind, item["msg"]).format_map(context).replace(" or ", "、").replace(", ", "、")
        key = ".".join(str(step) for step in loc) or "file"
        yield problem(path, line_of(tree, loc), code, f"`{key}` {en}", f"`{key}` {zh}")
