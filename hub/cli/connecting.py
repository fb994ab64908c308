"""The command that lets the hub in at a system: connect. What a person brings is neither shown nor an argument."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Annotated

from connectors.admission import Admission, Invitation
from hub.cli.commands import Arg, Opt, command
from hub.cli.desk import Answer, Desk
from hub.cli.failures import SYSTEM
from hub.cli.preparing import answer_preparation
from hub.kernel.errors import Declined
from hub.kernel.redaction import escape
from hub.operations import connecting

_LONGEST = 16 * 1024


@command(
    "connect",
    "Authorise the hub at a system: exchange a code once, keep the credential sealed; or make the fields it lacks.",
    "在接入系统授权：换取一次凭据并加密保存；或新建其缺少的字段。",
    action="system.change",
)
def connect(
    desk: Desk,
    system: Annotated[str, Arg("a configured system", "接入系统", "SYSTEM")],
    link: Annotated[
        bool,
        Opt(
            "by a consent link instead of a code; with --json the link alone is given, --code-from ends it",
            "改用授权链接；与 --json 同用时仅输出链接，再以 --code-from 完成",
            ("--link",),
        ),
    ] = False,
    code_from: Annotated[
        Path | None,
        Opt(
            "read the code, or the address that the browser ended at, from a file (- for standard input)",
            "从文件读取授权码或浏览器最终停留的地址（- 为标准输入）",
            ("--code-from",),
        ),
    ] = None,
    prepare: Annotated[
        bool,
        Opt(
            "no sign-in: list the fields and options that it lacks for the mappings",
            "不授权：列出映射所需而系统缺少的字段和选项",
            ("--prepare",),
        ),
    ] = False,
    apply: Annotated[
        bool, Opt("with --prepare: make what can be made", "与 --prepare 同用：新建可自动新建的部分", ("--apply",))
    ] = False,
) -> Answer:
    if prepare and not (link or code_from):
        return answer_preparation(desk, system, apply)
    if prepare or apply:
        raise Declined(
            "--apply goes with --prepare, and --prepare with no code or link",
            "--apply 须与 --prepare 同用；--prepare 不能与授权码或链接同用",
        )
    with desk.hub() as hub:
        if link and code_from is None:
            invitation = connecting.invite(hub, system, by_link=True)
            if desk.json and invitation.link:
                return _linked(system, invitation)
        else:
            invitation = connecting.invite(hub, system)
        brought = ""
        if invitation.asks:
            if code_from is None:
                _tell(desk, invitation)
            brought = _read(desk, code_from)
        admission = connecting.admit(hub, system, brought, by_link=link)
    return _admitted(desk, system, admission)


def _linked(system: str, invitation: Invitation) -> Answer:
    body = {"system": system, "link": invitation.link, "en": invitation.en, "zh": invitation.zh}
    return Answer(body, lambda: None)


def _admitted(desk: Desk, system: str, admission: Admission) -> Answer:
    kept = sorted(admission.credentials)

    def show() -> None:
        for line in admission.lines:
            mark = ("ok", "正常") if line.ok else ("fail", "失败")
            desk.say(f"  {mark[0]:<6}{line.name}: {line.en}", f"  {mark[1]}  {line.name}：{line.zh}")
        for name in kept:
            desk.say(f"{system}: {name} is kept sealed in the store", f"{system}：{name} 已加密保存到存储")
        desk.say(f"next: crmhub check {system}", f"下一步：crmhub check {system}")

    body = {"system": system, "way": admission.way, "kept": kept, "lines": admission.lines}
    return Answer(body, show, 0 if all(line.ok for line in admission.lines) else SYSTEM)


def _tell(desk: Desk, invitation: Invitation) -> None:
    for line in [*desk.text(invitation).splitlines(), *filter(None, [invitation.link])]:
        print(escape(line), file=sys.stderr, flush=True)


def _read(desk: Desk, source: Path | None) -> str:
    """Reads one word without showing it: typed at a terminal, or from a file or a pipe."""
    if source is None and sys.stdin.isatty():
        text = _typed(desk)
    elif source is None or str(source) == "-":
        text = sys.stdin.buffer.read(_LONGEST).decode("utf-8", "replace")
    else:
        with source.open("rb") as file:
            text = file.read(_LONGEST).decode("utf-8", "replace")
    words = text.split()
    if len(words) != 1:
        raise Declined(
            "bring the code, or the whole address, and nothing else; nothing was sent",
            "请仅提供授权码或完整地址；未发送任何内容",
        )
    return words[0]


def _typed(desk: Desk) -> str:
    try:
        return getpass.getpass(desk.word("code or address (not shown): ", "授权码或地址（不显示）："), sys.stderr)
    except EOFError:
        return ""
