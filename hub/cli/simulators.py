"""The command that starts a simulator."""

from __future__ import annotations

from typing import Annotated

from hub.access.roles import HOST
from hub.cli.commands import Arg, command
from hub.cli.desk import Answer, Desk
from hub.operations.simulation import simulate


@command(
    "simulate",
    "Serve the simulator of a kind of system until stopped; `simulate KIND --help` lists its options.",
    "运行某类接入系统的模拟器；`simulate 类型 --help` 查看其选项。",
    passes_on=True,
    action=HOST,
)
def simulate_command(
    desk: Desk,
    kind: Annotated[str, Arg("the kind, as in config/hub.yaml", "类型，同 config/hub.yaml", "KIND")],
    options: Annotated[list[str] | None, Arg("options of the simulator", "模拟器选项", "OPTIONS")] = None,
) -> Answer:
    simulate(kind, options or [])
    return Answer({"kind": kind}, lambda: None)
