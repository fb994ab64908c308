"""Commands of channels, by which systems tell of changes at once instead of at the next poll."""

from __future__ import annotations

from typing import Annotated

from hub.cli.commands import GROUPS, Arg, Opt, command
from hub.cli.cycles import say_channel
from hub.cli.desk import Answer, Desk
from hub.kernel.errors import Text
from hub.operations import channels
from hub.operations.channels import Kept

GROUPS["channel"] = Text("See and steer the channels by which systems call.", "查看和管理系统回调通道。")

System = Annotated[str, Arg("a configured system", "接入系统", "SYSTEM")]


@command("channel list", "Show every channel and what came in by it.", "列出全部回调通道及接收情况。")
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


@command("channel open", "Open the channel of a system, or set it right.", "开通某系统的回调通道，或修复。")
def channel_open(desk: Desk, system: System) -> Answer:
    with desk.hub() as hub:
        return _done(desk, channels.open_channel(hub, system))


@command("channel renew", "Renew the channel of a system now, with a new token.", "立即续期并更换令牌。")
def channel_renew(desk: Desk, system: System) -> Answer:
    with desk.hub() as hub:
        return _done(desk, channels.renew_channel(hub, system))


@command(
    "channel close",
    "Close the channel of a system until it is opened again; polling goes on.",
    "关闭某系统的回调通道，直至再次开通；轮询不受影响。",
)
def channel_close(
    desk: Desk, system: System, reason: Annotated[str, Opt("why; it is audited", "原因，留痕", ("--reason",))]
) -> Answer:
    with desk.hub() as hub:
        return _done(desk, channels.close_channel(hub, system, reason))
