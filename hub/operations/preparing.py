"""Sets a system up for the mappings in use: what it lacks is listed, and made where the system allows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connectors.errors import ConnectorError
from connectors.preparing import FieldNeed, Finding, Prepare, State, Survey
from hub.audit.event import Event, Stage
from hub.kernel.errors import ConfigInvalid, Declined
from hub.mapping.loader import load_chosen
from hub.mapping.needs import needs_of
from hub.mapping.tables import load_tables
from hub.operations.choice import system_of
from hub.operations.configuration import check_mappings
from hub.operations.installation import Installation
from hub.operations.permission import permit

CODES: Mapping[State, str] = {
    State.WRONG: "HUB-PREP-001",
    State.MANUAL: "HUB-PREP-002",
    State.WAITING: "HUB-PREP-003",
}
"""The codes of what is not done, for monitoring."""
DONE = (State.READY, State.CREATED, State.EXTENDED)
TO_MAKE = (State.MISSING, State.LACKS_OPTIONS)
BY_A_PERSON = (State.MANUAL, State.WRONG)


@dataclass(frozen=True, slots=True)
class Preparation:
    """Is one object of a system: what the mappings need of it and how each need stands."""

    object: str
    needs: tuple[FieldNeed, ...]
    findings: tuple[Finding, ...]

    def need(self, finding: Finding) -> FieldNeed | None:
        """Returns what a finding is about, None where that is the object as a whole."""
        return next((need for need in self.needs if need.api_name == finding.field), None)

    def standing(self, states: Sequence[State]) -> list[Finding]:
        """Returns the findings in one of these states."""
        return [finding for finding in self.findings if finding.state in states]


def system_needs(hub: Installation, system: str) -> dict[str, tuple[FieldNeed, ...]]:
    """Returns what the mappings in use need of every object of a system. Raises NotFound and ConfigInvalid."""
    settings = hub.settings
    configured = settings.systems[system_of(hub, system)]
    if wrong := [item for item in check_mappings(settings, hub.schema) if item.severity == "error"]:
        raise ConfigInvalid(wrong)
    entities = [name for name, entity in settings.entities.items() if system in entity.systems]
    chosen = [load_chosen(settings.mappings, configured, name) for name in entities]
    return needs_of(chosen, hub.schema, load_tables(settings.mappings / "tables"))


@permit("system.check")
def survey_system(hub: Installation, system: str) -> list[Preparation]:
    """Lists what a system has and lacks; only reads. Raises NotFound, Declined and the connector's errors."""
    needs, door = system_needs(hub, system), _door(hub, system)
    return [Preparation(name, wanted, tuple(door.survey(name, wanted))) for name, wanted in needs.items()]


@permit("system.change")
def prepare_system(hub: Installation, system: str) -> list[Preparation]:
    """Makes what a system lacks, object by object, each audited before and after; may be repeated at any time.

    Raises NotFound, Declined and the connector's errors; what was made until then stays, and the next run goes on.
    """
    needs, door = system_needs(hub, system), _door(hub, system)
    if not isinstance(door, Prepare):
        raise Declined(
            f"{system}: the vendor offers no public interface that makes fields or options, so --apply can make "
            f"nothing there; `crmhub connect {system} --prepare` prints what an administrator makes",
            f"{system}：厂商没有公开的新建字段或选项的接口，--apply 无法执行；"
            f"请运行 `crmhub connect {system} --prepare`，由管理员按列出的步骤新建",
        )
    return [_prepare(hub, system, door, name, wanted) for name, wanted in needs.items()]


def _door(hub: Installation, system: str) -> Survey:
    connector = hub.connect(system)
    if not isinstance(connector, Survey):
        raise Declined(
            f"{system}: this kind of system is not prepared by the hub yet; `crmhub mapping check --describe` names "
            "every field and option that it lacks",
            f"{system}：暂不支持自动准备该类系统；可用 `crmhub mapping check --describe` 列出缺少的字段和选项",
        )
    return connector


def _prepare(hub: Installation, system: str, door: Prepare, object_: str, needs: tuple[FieldNeed, ...]) -> Preparation:
    before = Preparation(object_, needs, tuple(door.survey(object_, needs)))
    wanted = before.standing(TO_MAKE)
    if not wanted:
        return before
    _note(hub, system, before, wanted, "attempt")
    try:
        after = Preparation(object_, needs, tuple(door.prepare(object_, needs)))
    except ConnectorError as stopped:
        _note(hub, system, before, wanted, "result", stopped.code)
        raise
    _note(hub, system, after, wanted, "result")
    return after


def _note(
    hub: Installation,
    system: str,
    prepared: Preparation,
    wanted: Sequence[Finding],
    stage: Stage,
    code: str | None = None,
) -> None:
    """Audits what is about to be made, or what came of it; field names only."""
    names = ", ".join(finding.field for finding in wanted)
    event = Event(
        "system.prepare",
        "object",
        prepared.object,
        outcome="success" if code is None else "error",
        code=code,
        reason=names,
        counts=Counter(str(finding.state) for finding in prepared.findings),
        connection=system,
        stage=stage,
    )
    with hub.store.begin() as work:
        work.audit(event)
