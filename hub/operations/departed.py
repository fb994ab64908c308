"""A person's word that a record was deleted for good, where its system shows neither the record nor its deletion."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.base import Fetched, NativeRecord, NotVisible
from connectors.errors import ConnectorError
from hub.audit.event import Event
from hub.core.state import BindingState
from hub.kernel.errors import Declined
from hub.kernel.redaction import redact
from hub.operations.choice import no_record, system_of
from hub.operations.installation import Installation
from hub.operations.permission import permit, require_record
from hub.store import records
from hub.sync.engine import Link
from hub.sync.stage import Stream, stage

_THERE = (BindingState.ACTIVE, BindingState.DOOMED)


@dataclass(frozen=True, slots=True)
class Departed:
    """Is what a person declared deleted: the places of one golden record in one system."""

    hub_id: str
    entity: str
    system: str
    native_ids: tuple[str, ...]


@permit("record.repair")
def declare_gone(hub: Installation, hub_id: str, system: str, reason: str) -> Departed:
    """Stages the deletion of a record that nobody can see in a system; the next cycle applies the entity's rule.

    Raises NotFound, and Declined without a reason, for a record that the system shows, and for one of which it says
    that it may not be shown: that one is there.
    """
    if not reason.strip():
        raise Declined("say how you know that it was deleted: --reason TEXT", "请说明如何确认已删除：--reason 文本")
    system_of(hub, system)
    with hub.store.read() as conn:
        stored = records.load(conn, hub.store.ring, [hub_id]).get(hub_id)
    if stored is None:
        raise no_record(hub_id)
    require_record(hub, "record.repair", stored.golden)
    places = [
        (str(each.object), str(each.native_id))
        for each in stored.bindings
        if each.system == system and each.state in _THERE and each.native_id is not None
    ]
    if not places:
        raise Declined(
            f"{hub_id} has no place in {system}; see `crmhub record show {hub_id}`",
            f"{hub_id} 在 {system} 中没有绑定；请查看 `crmhub record show {hub_id}`",
        )
    with hub.run(stored.golden.entity) as run:
        if (error := run.tally.blocked.get(system)) is not None:
            raise error
        link = run.links[system]
        for object_, native_id in places:
            _require_unseen(link, object_, native_id)
        for object_, native_id in places:
            gone = NativeRecord(object_, native_id, {}, deleted=True)
            stage(run, link, Stream(object_, "person", None), [gone], strong=True)
        with hub.store.begin() as work:
            entity, said = stored.golden.entity, redact(reason)
            work.audit(Event("record.gone", entity, hub_id, connection=system, reason=said, corr=run.run_id))
    return Departed(hub_id, stored.golden.entity, system, tuple(native_id for _, native_id in places))


def _require_unseen(link: Link, object_: str, native_id: str) -> None:
    where_en, where_zh = f"{link.system} {object_} {native_id}", f"{link.system} 的 {object_} {native_id}"
    try:
        shown: Fetched = link.connector.fetch(object_, [native_id], ())[native_id]
    except ConnectorError as error:
        raise Declined(f"{where_en} cannot be looked at: {error.en}", f"{where_zh} 无法核实：{error.zh}") from error
    if isinstance(shown, NativeRecord):
        raise Declined(f"{where_en} is there and can be seen", f"{where_zh} 存在且可见")
    if isinstance(shown, NotVisible) and shown.refused:
        raise Declined(
            f"{where_en} is there: {link.system} says that it may not be shown; give the hub's user access to it",
            f"{where_zh} 存在：{link.system} 提示无查看权限；请为集成用户授权",
        )
