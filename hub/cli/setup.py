"""Commands that make and examine an installation: init, config check, mapping check, doctor, version."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

from hub.access.roles import HOST
from hub.app import initialise, open_installation, prepare
from hub.canonical.schema import load_schema
from hub.canonical.shipped import shipped_folder
from hub.cli.commands import Arg, Opt, command
from hub.cli.desk import Answer, Desk
from hub.cli.failures import CONFIGURATION, problem_body, problem_line
from hub.kernel.errors import Problem
from hub.kernel.secrets import STORED
from hub.kernel.settings import FILE, load_settings
from hub.operations.configuration import check_configuration, check_mappings
from hub.operations.connections import check_described_mappings
from hub.operations.health import examine

_SURVEYS = ("lists the fields that it lacks, and how they are made", "列出缺少的字段及新建步骤")


@command(
    "init",
    "Make a hub folder: settings, mappings, key and store; again: complete it, bring its store to this release.",
    "新建 crmhub 目录：配置、映射、密钥和存储；再次运行则补全缺失部分并升级存储。",
    action=HOST,
)
def init(
    desk: Desk,
    directory: Annotated[Path | None, Arg("the folder (default: --home)", "目录（默认 --home）", "DIR")] = None,
) -> Answer:
    home = (directory or desk.home).absolute()
    fresh = not (home / FILE).exists()
    if fresh:
        initialise(home)
    else:
        _complete(home)
    prepare(home)
    settings = load_settings(home)
    variables = sorted(
        reference.removeprefix("env:")
        for system in settings.systems.values()
        for reference in system.credentials.values()
        if reference.startswith("env:")
    )
    to_connect = sorted(name for name, item in settings.systems.items() if STORED in item.credentials.values())
    provider = settings.keys.provider
    key = str(settings.path(settings.keys.path or "keys/hub.key")) if provider == "file" else None

    def show() -> None:
        done = ("made", "已建立") if fresh else ("complete and current", "已补全并为当前版本")
        desk.say(f"hub folder {home}: {done[0]}", f"crmhub 目录 {home}：{done[1]}")
        if key:
            desk.say(f"key file: {key} (keep a copy apart from backups)", f"密钥文件：{key}（须与存储备份分开保管）")
        else:
            desk.say(f"key provider: {provider}", f"密钥来源：{provider}")
        desk.say()
        desk.say("next:", "下一步：")
        desk.say(f"  1. edit {home / FILE}", f"  1. 编辑 {home / FILE}")
        if variables:
            desk.say(f"  2. set {', '.join(variables)}", f"  2. 设置环境变量 {'、'.join(variables)}")
        for number, (line, en, zh) in enumerate(
            (
                ("config check", "finds what is wrong in the files", "检查配置文件"),
                *((f"connect {name}", "authorises the hub there", "在该系统授权") for name in to_connect),
                *((f"connect {name} --prepare", *_SURVEYS) for name in sorted(settings.systems)),
                ("check", "proves that every system answers", "确认各接入系统可用"),
                (
                    f"plan {next(iter(settings.entities))}",
                    "shows what a first sync would do; writes nothing",
                    "查看首次同步清单，不写入",
                ),
            ),
            3 if variables else 2,
        ):
            desk.say(
                f"  {number}. crmhub {line} --home {home}   {en}", f"  {number}. crmhub {line} --home {home}   {zh}"
            )

    payload = {"home": str(home), "created": fresh, "key": key, "key_provider": provider, "variables": variables}
    return Answer(payload, show)


def _complete(home: Path) -> None:
    """Copies the shipped files that a hub folder lacks; what stands there stays as it is."""
    source = shipped_folder("mappings")
    for file in sorted(source.rglob("*")):
        place = home / "mappings" / file.relative_to(source)
        if file.is_file() and not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place)


def _problems(desk: Desk, problems: Sequence[Problem], what: tuple[str, str]) -> Answer:
    errors = sum(item.severity == "error" for item in problems)
    warnings = len(problems) - errors

    def show() -> None:
        for item in problems:
            mark = ("warning", "警告") if item.severity != "error" else ("error", "错误")
            desk.say(
                f"{mark[0]:<8}{problem_line(item, 'en').strip()}", f"{mark[1]}  {problem_line(item, 'zh').strip()}"
            )
        desk.say(f"{what[0]}: {errors} errors, {warnings} warnings", f"{what[1]}：{errors} 个错误，{warnings} 个警告")

    body = {"errors": errors, "warnings": warnings, "problems": [problem_body(item) for item in problems]}
    return Answer(body, show, CONFIGURATION if errors else 0)


@command(
    "config check",
    "Find everything wrong in config/ and mappings/.",
    "检查 config/ 与 mappings/ 中的全部问题。",
    action=HOST,
)
def config_check(desk: Desk) -> Answer:
    return _problems(desk, check_configuration(desk.home), ("settings and mappings", "配置与映射"))


@command(
    "mapping check",
    "Prove the mappings against the schema, and against the systems with --describe.",
    "按标准模型检查字段映射；加 --describe 时与各系统的对象描述核对。",
    action="system.check",
)
def mapping_check(
    desk: Desk,
    describe: Annotated[bool, Opt("ask the systems too", "同时核对各系统的描述", ("--describe",))] = False,
) -> Answer:
    if describe:
        with desk.hub() as hub:
            return _problems(desk, check_described_mappings(hub), ("mappings", "字段映射"))
    settings = load_settings(desk.home)
    schema = load_schema(settings.mappings / "canonical")
    return _problems(desk, check_mappings(settings, schema), ("mappings", "字段映射"))


@command(
    "doctor",
    "Examine settings, key, store, audit log and disk.",
    "体检：配置、密钥、存储、审计日志、磁盘。",
    action=HOST,
)
def doctor(
    desk: Desk,
    scan: Annotated[
        list[Path] | None,
        Opt("look for secrets in this file or folder too", "另在此文件或目录中查找密钥", ("--scan",)),
    ] = None,
) -> Answer:
    found = examine(desk.home, lambda: open_installation(desk.home, lang=desk.lang), scan or ())

    def show() -> None:
        for item in found:
            mark = ("ok", "正常") if item.ok else (("fail", "异常") if item.exit_code else ("note", "提示"))
            desk.say(f"{mark[0]:<6}{item.name:<12}{item.en}", f"{mark[1]}  {item.name:<12}{item.zh}")

    code = next((item.exit_code for item in found if item.exit_code), 0)
    return Answer({"findings": found}, show, code)


@command("version", "Show the release.", "显示版本。", action=HOST)
def show_version(desk: Desk) -> Answer:
    payload: dict[str, Any] = {"version": version("crmhub"), "python": platform.python_version()}
    return Answer(payload, lambda: desk.say(f"crmhub {payload['version']}", f"crmhub {payload['version']}"))
