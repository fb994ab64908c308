"""Reads YAML so that every complaint about it can name its line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from hub.kernel.errors import Problem, problem

_ZH = {
    "extra_forbidden": "未知的键，请删除或更正拼写",
    "missing": "缺少必填的键",
    "literal_error": "取值不在允许范围内",
    "string_type": "应为字符串",
    "string_too_short": "不能为空",
    "string_pattern_mismatch": "格式不正确",
    "int_type": "应为整数",
    "bool_type": "应为 true 或 false",
    "list_type": "应为列表",
    "dict_type": "应为键值表",
    "model_type": "应为键值表",
}
_EN = {
    "extra_forbidden": "is not a known key; remove it or correct its spelling",
    "missing": "is missing",
}


def load_yaml(path: Path, problems: list[Problem]) -> CommentedMap | None:
    """Returns the top mapping of a YAML file, or None after adding what is wrong to `problems`."""
    try:
        tree = YAML(typ="rt").load(path.read_text(encoding="utf-8"))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else None
        reason = error.problem or "cannot be parsed"
        problems.append(problem(path, line, "HUB-YAML-001", f"not valid YAML: {reason}", f"YAML 语法错误：{reason}"))
        return None
    except (YAMLError, UnicodeDecodeError):
        problems.append(
            problem(path, None, "HUB-YAML-001", "not valid YAML in UTF-8", "不是有效的 UTF-8 编码 YAML 文件")
        )
        return None
    except OSError as error:
        reason = error.strerror or "cannot be read"
        problems.append(problem(path, None, "HUB-YAML-002", f"cannot be read: {reason}", f"无法读取：{reason}"))
        return None
    if not isinstance(tree, CommentedMap):
        problems.append(
            problem(path, 1, "HUB-YAML-003", "must hold a mapping of keys at the top", "文件顶层应为键值表")
        )
        return None
    return tree


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
    """Turns what pydantic found into problems with file, line and key."""
    found = []
    for item in error.errors(include_input=False, include_url=False):
        loc = [step for step in item["loc"] if not str(step).startswith("function-")]
        key = ".".join(str(step) for step in loc) or "file"
        kind = item["type"]
        en = f"`{key}` {_EN.get(kind, ': ' + item['msg'])}".replace("` : ", "`: ")
        zh = f"`{key}` {_ZH.get(kind, item['msg'])}"
        found.append(problem(path, line_of(tree, loc), code, en, zh))
    return found
