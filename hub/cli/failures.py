"""Every way a command can fail, as one message with code, place and remedy, and a documented exit code."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer._click.exceptions import (
    BadParameter,
    ClickException,
    MissingParameter,
    NoSuchOption,
    UsageError,
)

from connectors.errors import ConnectorError
from hub.cli.desk import print_json
from hub.kernel.errors import ConfigInvalid, HubError, Problem
from hub.kernel.redaction import escape, redact
from hub.operations.cycles import RUN_NOTE

UNEXPECTED, CONFIGURATION, REQUEST, STORE, SYSTEM, PROGRESSED, BLOCKED, INTERRUPTED = 1, 2, 3, 5, 7, 10, 11, 130
"""Exit codes; `docs/operations.md` explains each."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Is what went wrong, in both languages."""

    code: str
    en: str
    zh: str
    exit_code: int
    run_id: str | None = None
    problems: tuple[Problem, ...] = ()


def failure_of(error: BaseException) -> Failure:
    """Returns what an error means for the person at the terminal; no value of an unexpected one is shown."""
    run_id = next((n.removeprefix(RUN_NOTE) for n in getattr(error, "__notes__", ()) if n.startswith(RUN_NOTE)), None)
    if isinstance(error, ConfigInvalid):
        return Failure(error.code, error.en, error.zh, error.exit_code, run_id, error.problems)
    if isinstance(error, HubError):
        return Failure(error.code, error.en, error.zh, error.exit_code, run_id)
    if isinstance(error, ConnectorError):
        return Failure(error.code, error.en, error.zh, system_exit(error.code), run_id)
    if isinstance(error, ClickException):
        return _usage(error)
    if isinstance(error, KeyboardInterrupt):
        en, zh = (
            "interrupted; what was written is recorded, the next sync goes on",
            "已中断；已写入的均已登记，下次同步将继续",
        )
        return Failure("HUB-STOP-001", en, zh, INTERRUPTED, run_id)
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        en = f"{place}{error.strerror}; correct it (path, rights, space) and run the command again"
        return Failure("HUB-FILE-001", en, f"{place}{error.strerror}；请检查路径、权限和磁盘空间后重试", STORE, run_id)
    return _unexpected(error, run_id)


def system_exit(code: str) -> int:
    """Returns the exit code of a connector's error: wrong settings are configuration, all else is the system."""
    return CONFIGURATION if code.startswith("HUB-CONF") else SYSTEM


def _unexpected(error: BaseException, run_id: str | None) -> Failure:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/hub/" in frame.filename or "/connectors/" in frame.filename]
    frame = (ours or list(frames) or [None])[-1]  # type: ignore[list-item]
    place = f" at {'/'.join(Path(frame.filename).parts[-3:])}:{frame.lineno}" if frame else ""
    name = type(error).__name__
    en = f"unexpected {name}{place}; unfinished changes were rolled back: run it again; report this line if it returns"
    zh = f"意外错误 {name}{place}；未完成的改动已回滚，请重试；如再次出现，请上报本行"
    return Failure("HUB-000", en, zh, UNEXPECTED, run_id)


def _usage(error: ClickException) -> Failure:
    name = ""
    if isinstance(error, NoSuchOption):
        name = error.option_name
    elif isinstance(error, BadParameter):
        name = _hint(error.param)
    command = error.ctx.command_path if isinstance(error, UsageError) and error.ctx is not None else "crmhub"
    # What was typed may be a value, so the parser's own words stay out.
    if isinstance(error, NoSuchOption):
        en, zh = f"there is no option {name}", f"没有选项 {name}"
    elif isinstance(error, MissingParameter):
        en, zh = f"{name} is missing", f"缺少 {name}"
    elif isinstance(error, BadParameter):
        en, zh = f"{name} has a value that cannot be used", f"{name} 的取值无效"
    else:
        en, zh = "there is no such command, or too many words follow it", "没有该命令，或参数过多"
    return Failure("HUB-REQ-400", f"{en}; see `{command} --help`", f"{zh}；请查看 `{command} --help`", REQUEST)


def _hint(parameter: object) -> str:
    """Returns how a parameter is called: its option names, else its metavar."""
    names = [str(name) for name in getattr(parameter, "opts", ()) if str(name).startswith("-")]
    return " / ".join(names) or str(getattr(parameter, "metavar", None) or getattr(parameter, "name", ""))


def report(failure: Failure, lang: str, as_json: bool, *, lab: bool = False) -> int:
    """Writes the one message to standard error, and as JSON to standard output; returns the exit code."""
    if as_json:
        print_json({"ok": False, **({"profile": "lab"} if lab else {}), "error": _body(failure)})
    print(_line(failure, lang) + (" [lab]" if lab else ""), file=sys.stderr, flush=True)
    return failure.exit_code


def _line(failure: Failure, lang: str) -> str:
    zh = lang == "zh"
    run = f"（批次 {failure.run_id}）" if zh else f" (run {failure.run_id})"
    tail = run if failure.run_id else ""
    if not failure.problems:
        return f"{failure.code} {_safe(failure.zh if zh else failure.en)}{tail}"
    lines = [problem_line(item, lang) for item in failure.problems]
    head = f"{failure.code} 配置有误，请更正以下各处：" if zh else f"{failure.code} correct these and run it again:"
    return "\n".join([head, *lines])


def problem_line(item: Problem, lang: str) -> str:
    """Returns one finding as `file:line code text`."""
    return _safe(f"  {item.place()}: {item.code} {item.zh if lang == 'zh' else item.en}")


def _body(failure: Failure) -> Mapping[str, Any]:
    body: dict[str, Any] = {
        "code": failure.code,
        "en": _safe(failure.en),
        "zh": _safe(failure.zh),
        "exit_code": failure.exit_code,
    }
    if failure.run_id:
        body["run_id"] = failure.run_id
    if failure.problems:
        body["problems"] = [problem_body(item) for item in failure.problems]
    return body


def problem_body(item: Problem) -> dict[str, Any]:
    names = ("file", "line", "code", "severity", "en", "zh")
    return {name: getattr(item, name) for name in names}


def _safe(text: str) -> str:
    return escape(redact(text))
