"""Asks the systems about themselves: whether the credentials work, and what an object looks like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connectors.base import CheckLine, ObjectDescription
from connectors.channels import ProveChannels
from connectors.errors import ConnectorError
from hub.kernel.errors import Problem
from hub.operations.choice import system_of
from hub.operations.configuration import check_mappings
from hub.operations.installation import Installation
from hub.operations.permission import permit
from hub.operations.staffing import staff_lines


@dataclass(frozen=True, slots=True)
class SystemCheck:
    """Is the proof of one connection, line by line."""

    system: str
    kind: str
    lines: tuple[CheckLine, ...]

    @property
    def ok(self) -> bool:
        return all(line.ok for line in self.lines)


@permit("system.check")
def check_systems(hub: Installation, name: str | None = None) -> list[SystemCheck]:
    """Proves the connection of one system, or of all; a system that cannot be reached is a line that failed."""
    names = [system_of(hub, name)] if name is not None else list(hub.settings.systems)
    return [SystemCheck(system, hub.settings.systems[system].kind, tuple(_prove(hub, system))) for system in names]


def _prove(hub: Installation, system: str) -> Sequence[CheckLine]:
    try:
        connector = hub.connect(system)
        lines = list(connector.check())
        # A system that cannot be signed in to says so once.
        if not lines or not lines[0].ok or lines[-1].ends:
            return lines
        if hub.settings.callbacks.base is not None and isinstance(connector, ProveChannels):
            lines += connector.check_channels()
        return [*lines, *staff_lines(hub.settings, system, connector)]
    except ConnectorError as error:
        return [CheckLine("connection", False, f"{error.code} {error.en}", f"{error.code} {error.zh}")]


@permit("system.check")
def describe(hub: Installation, system: str, object_: str) -> ObjectDescription:
    """Returns an object as its system describes it now. Raises NotFound and the connector's errors."""
    return hub.connect(system_of(hub, system)).describe(object_)


@permit("system.check")
def check_described_mappings(hub: Installation) -> list[Problem]:
    """Returns every problem of the mappings in use, against the schema and against what the systems describe."""
    return check_mappings(hub.settings, hub.schema, lambda system, object_: describe(hub, system, object_))
