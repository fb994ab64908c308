"""Commands of API tokens: token create, list, revoke; a token is made by a person who signed in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from hub.access import door
from hub.access.threshold import Visitor
from hub.access.tokens import HERE, Wanted
from hub.cli.asking import Walk, keep_secret
from hub.cli.commands import GROUPS, Arg, Opt, command
from hub.cli.cycles import local
from hub.cli.desk import Answer, Desk
from hub.kernel.errors import Text
from hub.operations import tokens
from hub.operations.doorway import doorway
from hub.operations.installation import Installation
from hub.store.api_tokens import ApiTokenRow

GROUPS["token"] = Text("API tokens, for programs and for this shell.", "API 令牌，供程序和命令行使用。")

AsWhom = Annotated[
    str | None,
    Opt(
        "sign in for this command only (default: CRMHUB_TOKEN_FILE)",
        "仅为本命令登录（默认 CRMHUB_TOKEN_FILE）",
        ("--login",),
    ),
]
Everybody = Annotated[bool, Opt("of everybody; for the security administrator", "全部人员；限安全管理员", ("--all",))]


@contextmanager
def _hub(desk: Desk, login: str | None) -> Iterator[Installation]:
    """Opens the hub for the session of this shell, or for one that lasts as long as the command."""
    if login is None:
        with desk.hub() as hub:
            yield hub
        return
    with desk.hub(signed_in=False) as hub:
        way = doorway(hub, Visitor(HERE), console=False)
        opened = Walk(desk, way.at).sign_in(login)
        try:
            yield way.inside(door.enter(way.at, opened.token).who)
        finally:
            door.leave(way.at, opened.token)


@command(
    "token create",
    "Make an API token of yours; it is shown once, or goes into a file of mode 0600.",
    "创建本人的 API 令牌；仅显示一次，或写入权限 0600 的文件。",
    action="self.manage",
)
def create(
    desk: Desk,
    name: Annotated[str, Arg("what it is for", "用途", "NAME")],
    days: Annotated[int, Opt("how long it lasts, at most 90", "有效天数，最多 90", ("--days",))] = 30,
    only: Annotated[
        str | None,
        Opt(
            "actions it may do, with commas (default: all of yours)",
            "允许的操作，逗号分隔（默认本人全部）",
            ("--only",),
        ),
    ] = None,
    branch: Annotated[
        str | None, Opt("one branch only, such as /010/03/", "仅限某机构，如 /010/03/", ("--branch",))
    ] = None,
    network: Annotated[
        str | None, Opt("networks it works from, with commas", "允许的来源网段，逗号分隔", ("--network",))
    ] = None,
    file: Annotated[Path | None, Opt("write it here and show nothing", "写入此文件，不显示", ("--file",))] = None,
    login: AsWhom = None,
) -> Answer:
    wanted = Wanted(name, days, None if only is None else _words(only), branch, _words(network or ""))
    with _hub(desk, login) as hub:
        row, token = tokens.create_token(hub, wanted)
        if file is not None:
            try:
                keep_secret(file, token.text)
            except BaseException:
                tokens.revoke_token(hub, row.token_id)
                raise

    def show() -> None:
        until = local(row.expires_at)
        desk.say(f"token {row.token_id}, until {until}", f"令牌 {row.token_id}，有效期至 {until}")
        desk.say(f"{file or token.text}")

    return Answer({**_shown(row), "token": None if file else token.text, "file": file}, show)


@command("token list", "List your API tokens.", "列出本人的 API 令牌。", action="self.manage")
def list_(desk: Desk, everybody: Everybody = False, login: AsWhom = None) -> Answer:
    with _hub(desk, login) as hub:
        found, now = tokens.list_all_tokens(hub) if everybody else tokens.list_tokens(hub), hub.clock.now()

    def show() -> None:
        rows = [(r.token_id, r.name, _state(desk, r, now), local(r.expires_at), _used(r), _scopes(r)) for r in found]
        desk.table(("id", "name", "state", "until", "used at", "scopes"), rows)

    return Answer({"tokens": [_shown(row) for row in found]}, show)


@command("token revoke", "End an API token at once.", "立即吊销 API 令牌。", action="self.manage")
def revoke(
    desk: Desk,
    token_id: Annotated[str, Arg("its eight public characters", "令牌的 8 位公开标识", "ID")],
    everybody: Everybody = False,
    login: AsWhom = None,
) -> Answer:
    with _hub(desk, login) as hub:
        row = (tokens.revoke_any_token if everybody else tokens.revoke_token)(hub, token_id)
    return Answer(_shown(row), lambda: desk.say(f"token {token_id} is revoked", f"已吊销令牌 {token_id}"))


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _state(desk: Desk, row: ApiTokenRow, now: float) -> str:
    if row.revoked_at is not None:
        return desk.word("revoked", "已吊销")
    return desk.word("live", "有效") if row.live(now) else desk.word("expired", "已过期")


def _used(row: ApiTokenRow) -> str:
    return "-" if row.used_at is None else local(row.used_at)


def _scopes(row: ApiTokenRow) -> str:
    return ", ".join([*(row.only or ("*",)), *filter(None, [row.branch]), *row.networks])


def _shown(row: ApiTokenRow) -> dict[str, Any]:
    names = (
        "token_id",
        "user_id",
        "name",
        "only",
        "branch",
        "networks",
        "made_at",
        "expires_at",
        "used_at",
        "revoked_at",
    )
    return {name: getattr(row, name) for name in names}
