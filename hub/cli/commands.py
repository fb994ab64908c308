"""The table of commands: each module adds its own, `build` makes the parser in the language asked for."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import typer

from hub.cli.desk import Answer, Desk, default_home
from hub.kernel.errors import Text
from hub.kernel.i18n import Language, choose_language

Handler = Callable[..., Answer]


@dataclass(frozen=True, slots=True)
class Opt:
    """Is an option with its help in both languages."""

    en: str
    zh: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Arg:
    """Is an argument with its help in both languages."""

    en: str
    zh: str
    metavar: str | None = None


@dataclass(frozen=True, slots=True)
class Command:
    path: str
    help: Text
    handler: Handler
    passes_on: bool
    action: str | None
    """The least that one must be permitted to run it; None fails the build."""


COMMANDS: dict[str, Command] = {}
GROUPS = {
    "config": Text("Check the settings.", "检查配置。"),
    "mapping": Text("Check field mappings.", "检查字段映射。"),
    "record": Text("Show, explain and edit golden records.", "查看、追溯和编辑黄金记录。"),
    "conflict": Text("Settle fields that two writers changed differently.", "处理冲突：双方改成不同值的字段。"),
    "hold": Text("Settle changes that a field guard keeps back.", "处理被字段保护规则暂缓的变更。"),
    "match": Text("Settle whose record is whose.", "确认哪些记录属于同一对象。"),
    "guard": Text("Release mass changes that were stopped.", "放行被拦下的批量变更。"),
    "quarantine": Text("See and retry records that were held out.", "查看异常记录并重新处理。"),
    "user": Text("Manage accounts and roles.", "管理账号与角色。"),
    "approval": Text("Agree to, or refuse, what another asks for.", "复核他人提交的事项。"),
    "audit": Text("Verify and read the audit log.", "校验和查看审计日志。"),
}


def command(
    path: str, en: str, zh: str, *, action: str | None = None, passes_on: bool = False
) -> Callable[[Handler], Handler]:
    """Adds a command: its handler takes a Desk first, then its options; --home, --json and --lang come by themselves.

    `action` names what one must be permitted to do, `HOST` where the command opens no store for a person. It only
    declares: the operations refuse. With `passes_on` unknown options, --help among them, go into the handler's list
    argument.
    """

    def add(handler: Handler) -> Handler:
        COMMANDS[path] = Command(path, Text(en, zh), handler, passes_on, action)
        return handler

    return add


def build(lang: Language) -> typer.Typer:
    """Makes the parser of all commands, with help in one language."""
    top = Text("Keeps customers equal in several CRMs.", "让多个 CRM 中的客户保持一致。")
    options: dict[str, Any] = {"no_args_is_help": True, "add_completion": False, "rich_markup_mode": None}
    app = typer.Typer(help=top.say(lang), pretty_exceptions_enable=False, **options)
    groups: dict[str, typer.Typer] = {}
    for found in COMMANDS.values():
        group, _, name = found.path.rpartition(" ")
        place = app
        if group:
            if group not in groups:
                groups[group] = typer.Typer(help=GROUPS[group].say(lang), **options)
                app.add_typer(groups[group], name=group)
            place = groups[group]
        settings: dict[str, Any] = {"ignore_unknown_options": True, "help_option_names": []} if found.passes_on else {}
        place.command(name, help=found.help.say(lang), context_settings=settings)(_bind(found, lang))
    return app


def _bind(found: Command, lang: Language) -> Callable[..., int]:
    """Returns the handler as the parser calls it: with the options of every command added."""
    signature = inspect.signature(found.handler, eval_str=True)
    own = [_translated(p, lang) for p in list(signature.parameters.values())[1:]]

    @functools.wraps(found.handler)
    def call(**given: Any) -> int:
        desk = Desk(given.pop("home"), given.pop("json"), choose_language(given.pop("lang")))
        return desk.answer(found.handler(desk, **given))

    parameters = own + [_translated(p, lang) for p in _common_parameters()]
    call.__signature__ = inspect.Signature(parameters, return_annotation=int)  # type: ignore[attr-defined]
    call.__annotations__ = {p.name: p.annotation for p in parameters}
    del call.__wrapped__
    return call


def _translated(parameter: inspect.Parameter, lang: Language) -> inspect.Parameter:
    annotation, made = parameter.annotation, None
    if get_origin(annotation) is Annotated:
        kind, note = get_args(annotation)
        text = note.zh if lang == "zh" else note.en
        if isinstance(note, Opt):
            made = typer.Option(*note.names, help=text)
        else:
            made = typer.Argument(help=text, metavar=note.metavar)
        annotation = Annotated[kind, made]
    return parameter.replace(annotation=annotation, kind=inspect.Parameter.KEYWORD_ONLY)


def _common(
    home: Annotated[Path, Opt("the hub's folder (or CRMHUB_HOME)", "crmhub 目录（或 CRMHUB_HOME）", ("--home",))],
    json: Annotated[bool, Opt("answer with one JSON object", "以一个 JSON 对象输出", ("--json",))] = False,
    lang: Annotated[str | None, Opt("zh or en", "zh 或 en", ("--lang",))] = None,
) -> None:
    """Names the options of every command."""


def _common_parameters() -> list[inspect.Parameter]:
    found = inspect.signature(_common, eval_str=True).parameters.values()
    return [item.replace(default=default_home()) if item.name == "home" else item for item in found]
