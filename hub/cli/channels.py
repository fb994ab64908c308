"""Commands of channels, by which systems tell of changes at once instead of at the next poll."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from hub.cli.commands import GROUPS, Arg, Opt, command
from hub.cli.cycles import say_channel
from hub.cli.desk import Answer, Desk
from hub.kernel.errors import Text
from hub.operations import channels, signing
from hub.operations.channels import Kept

GROUPS["channel"] = Text("See and steer the channels by which systems call.", "查看和管理系统回调通道。")

System = Annotated[str, Arg("a configured system", "接入系统", "SYSTEM")]


@command(
    "channel list", "Show every channel and what came in by it.", "列出全部回调通道及接收情况。", action="status.read"
)
def channel_list(desk: Desk) -> Answer:
    with desk.hub() as hub:
        rows = channels.list_channels(hub)
        on = hub.settings.callbacks.base is not None

    def show() -> None:
        if not on:
            desk.say("callbacks are off: systems are polled", "未启用回调，仅按调度轮询")
        for row in rows:
            say_channel(desk, row)

    return Answer({"callbacks": on, "channels": [channels.shown(row) for row in rows]}, show)


def _done(desk: Desk, kept: Kept) -> Answer:
    def show() -> None:
        desk.say(f"{kept.system}: {kept.step}", f"{kept.system}：{kept.step}")
        if kept.missing:
            named = ", ".join(kept.missing)
            desk.say(f"the system refuses to tell of: {named}", f"系统未同意通知：{named}")

    return Answer({"system": kept.system, "step": kept.step, "missing": kept.missing}, show)


@command(
    "channel open",
    "Open the channel of a system, or set it right.",
    "开通某系统的回调通道，或修复。",
    action="system.change",
)
def channel_open(desk: Desk, system: System) -> Answer:
    with desk.hub() as hub:
        return _done(desk, channels.open_channel(hub, system))


@command(
    "channel renew",
    "Renew the channel of a system now, with a new token.",
    "立即续期并更换令牌。",
    action="system.change",
)
def channel_renew(desk: Desk, system: System) -> Answer:
    with desk.hub() as hub:
        return _done(desk, channels.renew_channel(hub, system))


@command(
    "channel close",
    "Close the channel of a system until it is opened again; polling goes on.",
    "关闭某系统的回调通道，直至再次开通；轮询不受影响。",
    action="system.change",
)
def channel_close(
    desk: Desk, system: System, reason: Annotated[str, Opt("why; it is audited", "原因，留痕", ("--reason",))]
) -> Answer:
    with desk.hub() as hub:
        return _done(desk, channels.close_channel(hub, system, reason))


@command(
    "channel setup",
    "Say what an administrator enters in a system whose callbacks are set up by hand; --new-key makes its key.",
    "列出在对方系统中手工设置回调时需填写的内容；--new-key 生成密钥。",
    action="system.change",
)
def channel_setup(
    desk: Desk,
    system: System,
    new_key: Annotated[
        Path | None,
        Opt("write a new key into this file, which must not exist", "将新密钥写入该文件（须不存在）", ("--new-key",)),
    ] = None,
) -> Answer:
    with desk.hub() as hub:
        found = signing.set_up(hub, system, None if new_key is None else hub.settings.path(str(new_key)))

    def show() -> None:
        if found.key_file is not None:
            desk.say(
                f"a new key was written to {found.key_file} (readable by its owner only, and shown nowhere)",
                f"新密钥已写入 {found.key_file}（仅属主可读，不在任何地方显示）",
            )
        desk.say(f"1. config/hub.yaml, systems.{found.system}:", f"1. config/hub.yaml 的 systems.{found.system}：")
        desk.say(
            f"   credentials.{found.key_name}: file:PATH or env:NAME of the key; then crmhub check {found.system}",
            f"   credentials.{found.key_name}：密钥的 file:路径 或 env:变量名；然后执行 crmhub check {found.system}",
        )
        if not found.heard:
            desk.say(
                "   settings: this connection does not ask for callbacks yet; see docs/callbacks.md",
                "   settings：该连接尚未启用回调，参见 docs/callbacks.md",
            )
        desk.say(f"2. in {found.system}:", f"2. 在 {found.system} 中：")
        for entry in found.entries:
            desk.say(f"   - {entry.en}", f"   - {entry.zh}")

    entries = [{"en": entry.en, "zh": entry.zh} for entry in found.entries]
    body = {"system": found.system, "url": found.url, "key_file": found.key_file, "heard": found.heard}
    return Answer({**body, "entries": entries}, show)
