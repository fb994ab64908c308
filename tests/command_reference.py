"""Writes docs/commands.md from the table of commands: `python -m tests.command_reference > docs/commands.md`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Annotated, get_args, get_origin

from hub.cli import commands, main
from hub.cli.commands import GROUPS, Arg, Command, Opt

HEAD = """\
# Commands · 命令

Written from the program by `python -m tests.command_reference > docs/commands.md`; a test keeps it current. What to do
when, the exit codes and the error codes are in [operations](operations.md).

本页由程序生成。何时使用、退出码和错误码见[运维手册](operations.md)。

Every command also takes `--home DIR` (the hub's folder; default `CRMHUB_HOME`, else the current one), `--json` (one
JSON object on standard output, messages in both languages), `--lang zh|en` and `--help`.

每条命令均可使用 `--home DIR`（crmhub 目录，默认 `CRMHUB_HOME` 或当前目录）、
`--json`（输出一个 JSON 对象）、`--lang zh|en` 和 `--help`。
"""
SIMULATOR = """\
Options of every simulator · 模拟器选项：

| option | meaning | 含义 |
|---|---|---|
| `--host` `--port` | where it listens; port 0: a free one, shown first | 监听地址；端口 0 自动选择并首行输出 |
| `--records` `--seed` | how many invented customers; the same seed makes the same ones | 虚构客户数；相同种子结果相同 |
| `--logs` `--complaints` | how many contact logs and complaints, both sides together | 两侧合计的沟通记录数、投诉数 |
| `--empty` | make the customers, for the table of who is who, but no records | 只生成真实身份表，不建记录 |
| `--load` `--columns` | load a CSV file instead; which column is which field | 改为载入 CSV；列与字段的对应文件 |
| `--limits` | `vendor`: the vendor's limits and lag; `fast`: raised, shortened | `vendor` 按厂商限额，`fast` 放宽 |
| `--latency-ms` | how long every answer takes | 每次应答的延迟 |
| `--faults` | a YAML file of faults to inject | 故障注入规则文件 |
| `--set` | `NAME=JSON`, a switch of vendor behaviour that is not known for certain; repeatable | 厂商行为开关，可重复 |
| `--exit-with-parent` | stop when standard input closes | 标准输入关闭时退出 |
"""


@cache
def table() -> dict[str, Command]:
    """Returns every command by its words, in the order of the program's own modules, whoever imported which first."""
    modules = [import_module(f"hub.cli.{name}").__name__ for name in (*main.MODULES, "demo")]
    return dict(sorted(commands.COMMANDS.items(), key=lambda item: modules.index(item[1].handler.__module__)))


def notes(command: Command) -> Iterator[tuple[inspect.Parameter, type, Opt | Arg]]:
    """Yields the parameters of a command with what the parser knows of them."""
    for parameter in inspect.signature(command.handler, eval_str=True).parameters.values():
        if get_origin(parameter.annotation) is Annotated:
            kind, *rest = get_args(parameter.annotation)
            yield from ((parameter, kind, note) for note in rest if isinstance(note, Opt | Arg))


def reference() -> str:
    """Returns the whole page."""
    parts, group = [HEAD], ""
    for path, command in table().items():
        head, _, last = path.rpartition(" ")
        if not head:
            parts.append(f"## {last}")
        elif head != group:
            parts.append(f"## {head}\n{GROUPS[head].en} · {GROUPS[head].zh}\n")
        parts.append(_section(path, command, grouped=bool(head)))
        group = head
    return "\n".join(parts)


def _section(path: str, command: Command, *, grouped: bool) -> str:
    found = list(notes(command))
    words = "".join(f" {_word(parameter, note)}" for parameter, _, note in found if isinstance(note, Arg))
    lines = [f"### {path}"] if grouped else []
    lines += ["```text", f"crmhub {path}{words}", "```", f"{command.help.en} · {command.help.zh}", ""]
    options = [(parameter, kind, note) for parameter, kind, note in found if isinstance(note, Opt)]
    if options:
        lines += ["| option | meaning | 含义 |", "|---|---|---|"]
        lines += [_row(parameter, kind, note) for parameter, kind, note in options]
        lines.append("")
    if path == "simulate":
        lines.append(SIMULATOR)
    return "\n".join(lines)


def _word(parameter: inspect.Parameter, note: Arg) -> str:
    word = (note.metavar or parameter.name.upper()).strip("[]")
    return word if parameter.default is inspect.Parameter.empty else f"[{word}]"


def _row(parameter: inspect.Parameter, kind: type, note: Opt) -> str:
    default = parameter.default
    shown = "" if default in (None, False, "", inspect.Parameter.empty) else f" ({default})"
    needed = ("; required", "；必填") if default is inspect.Parameter.empty else ("", "")
    names = " ".join(f"`{name}`" for name in note.names)
    return f"| {names} | {note.en}{shown}{needed[0]} | {note.zh}{shown}{needed[1]} |"


if __name__ == "__main__":
    sys.stdout.write(reference())
