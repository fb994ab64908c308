"""What testers and the demo do to the simulated enterprise: edits in its screens, rules, clocks, faults."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from connectors.fxiaoke.simulator import lifecycle, pools
from connectors.fxiaoke.simulator.auth import Caller
from connectors.fxiaoke.simulator.objects import build_object
from connectors.fxiaoke.simulator.planting import plant
from connectors.fxiaoke.simulator.records import Record
from connectors.fxiaoke.simulator.refusal import Refusal
from connectors.fxiaoke.simulator.related import follow_up, move_links
from connectors.fxiaoke.simulator.tenant import Rule, Tenant
from connectors.fxiaoke.simulator.writing import Writer
from connectors.simulation.admin import AdminRefused
from connectors.simulation.clock import SimClock
from connectors.simulation.faults import FaultPlan
from connectors.simulation.ledger import Ledger

PERSON = "1001"
"""The employee who edits in the screens unless an admin call names another."""


class Backend:
    """Offers one tenant to the shared admin path."""

    def __init__(self, tenant: Tenant, faults: FaultPlan, truth: Callable[[], list[dict[str, Any]]]) -> None:
        self.tenant = tenant
        self.clock: SimClock = tenant.clock
        self.faults = faults
        self.ledger = Ledger()
        self._truth = truth

    def records(self, object_name: str) -> list[dict[str, Any]]:
        """Returns every stored record of an object, invalid ones included, without lag or masks."""
        return self.tenant.tables[object_name].all()

    def truth(self) -> list[dict[str, Any]]:
        """Returns who is who across both simulated systems."""
        return self._truth()

    def change_settings(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Flips switches all or none and returns them all."""
        self.tenant.settings.apply(changes)
        self.tenant.apply_switches()
        return self.tenant.settings.as_dict()

    def act(self, action: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Does one admin action; raises AdminRefused with the vendor's message when it refuses."""
        try:
            return {"ok": True, **(ACTS[action](self.tenant, request) or {})}
        except Refusal as refused:
            raise AdminRefused(f"{refused.code} {refused.message}") from None


def _name(request: Mapping[str, Any]) -> str:
    return str(request.get("object", "AccountObj"))


def _by(request: Mapping[str, Any]) -> str:
    return str(request.get("by", PERSON))


def _found(tenant: Tenant, request: Mapping[str, Any]) -> Record:
    record = tenant.tables[_name(request)].get(str(request["id"]))
    if record is None:
        raise AdminRefused(f"{_name(request)} {request['id']} does not exist")
    return record


def _known(tenant: Tenant, request: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the fields of a request; a person cannot fill a field that is not on the screen."""
    fields = dict(request["fields"])
    unknown = sorted(set(fields) - set(tenant.kind(_name(request)).fields))
    if unknown:
        raise AdminRefused(f"{_name(request)} has no field {unknown[0]}")
    return fields


def _writer(tenant: Tenant, request: Mapping[str, Any]) -> Writer:
    """Returns a writer that works as a person in the screens does: checked, but without an approval."""
    body = {"data": {"optionInfo": {"useValidationRule": False}}, "triggerApprovalFlow": False}
    return Writer(tenant, tenant.kind(_name(request)), Caller(_by(request), converted=False), body)


def edit(tenant: Tenant, request: Mapping[str, Any]) -> None:
    """Changes fields of a record; an `owner` is changed as the screens do."""
    fields = _known(tenant, request)
    owner = fields.pop("owner", None)
    record = _found(tenant, request)
    writer = _writer(tenant, request)
    if fields or owner is None:
        writer.update({**fields, "_id": record["_id"]})
    if owner is not None:
        writer.change_owner([{"objectDataId": record["_id"], "ownerId": owner}])


def create(tenant: Tenant, request: Mapping[str, Any]) -> dict[str, Any]:
    """Makes a record; the person who makes it owns it unless `owner` is given."""
    return {"id": _writer(tenant, request).create({"owner": [_by(request)], **_known(tenant, request)})}


def delete(tenant: Tenant, request: Mapping[str, Any]) -> None:
    """Makes a record invalid, and with `physical` removes it for good."""
    record = _found(tenant, request)
    if not record.get("is_deleted"):
        lifecycle.check_target(tenant, _name(request), record, "invalid")
        lifecycle.bury(tenant, _name(request), record, _by(request))
        lifecycle.release_target(tenant, _name(request), record, _by(request), "invalid")
    if request.get("physical"):
        lifecycle.delete(tenant, _name(request), [record["_id"]], _by(request))


def restore(tenant: Tenant, request: Mapping[str, Any]) -> None:
    """Brings an invalid record back."""
    lifecycle.recover(tenant, _name(request), [_found(tenant, request)["_id"]], _by(request))


def merge(tenant: Tenant, request: Mapping[str, Any]) -> None:
    """Keeps the record `id`, makes those in `losers` invalid and moves what points at them."""
    survivor = _found(tenant, request)["_id"]
    for loser in request["losers"]:
        lifecycle.bury(tenant, _name(request), _found(tenant, {**request, "id": loser}), _by(request))
        move_links(tenant, _name(request), loser, survivor, _by(request))


def hide(tenant: Tenant, request: Mapping[str, Any]) -> None:
    """Takes a record out of the operator's sight, or with `hidden` false brings it back."""
    hidden = tenant.tables[_name(request)].hidden
    record_id = _found(tenant, request)["_id"]
    if request.get("hidden", True):
        hidden.add(record_id)
    else:
        hidden.discard(record_id)


def touch(tenant: Tenant, request: Mapping[str, Any]) -> None:
    """Notes a customer as followed up, as a new 销售记录 does, without making one."""
    follow_up(tenant, _found(tenant, request), _by(request))


def lock(tenant: Tenant, request: Mapping[str, Any]) -> None:
    """Locks a record, or with `locked` false unlocks it."""
    lifecycle.set_lock(
        tenant, _name(request), [_found(tenant, request)["_id"]], bool(request.get("locked", True)), _by(request)
    )


def pool(tenant: Tenant, request: Mapping[str, Any]) -> None:
    """Returns a customer to the pool `pool`, where nobody owns it."""
    found = _found(tenant, request)
    pools.put_back(tenant, _name(request), found, str(request.get("pool", "sea1")), _by(request))


def approve(tenant: Tenant, request: Mapping[str, Any]) -> None:
    """Ends a record's approval; `agreed` false rejects it."""
    record_id = _found(tenant, request)["_id"]
    lifecycle.end_approval(tenant, _name(request), record_id, bool(request.get("agreed", True)), _by(request))


def rules(tenant: Tenant, request: Mapping[str, Any]) -> dict[str, Any]:
    """Replaces the validation rules (`refuse`: message) and automations (`set`: fields) by the list `rules`."""
    made: list[Rule] = []
    for rule in request["rules"]:
        unknown = set(rule) - {"object", "field", "values", "refuse", "set", "workflow_only"}
        if unknown or ("refuse" in rule) is ("set" in rule):
            raise AdminRefused("a rule has object, field, values and either refuse or set, workflow_only")
        made.append(
            Rule(
                object_name=_name(rule),
                field=str(rule["field"]),
                when=tuple(rule.get("values", ())),
                refuse=rule.get("refuse"),
                assign=tuple(rule.get("set", {}).items()),
                workflow_only=bool(rule.get("workflow_only", True)),
            )
        )
    tenant.rules[:] = made
    return {"rules": len(made)}


def lag(tenant: Tenant, request: Mapping[str, Any]) -> None:
    """Sets the index lag in seconds."""
    tenant.settings.apply({"index_lag_seconds": request["seconds"]})


def revoke(tenant: Tenant, request: Mapping[str, Any]) -> None:
    """Makes every token unknown, so that the next call is answered with 20016."""
    tenant.gate.revoke()


def quota(tenant: Tenant, request: Mapping[str, Any]) -> None:
    """Leaves so many calls of today's quota."""
    tenant.gate.leave(int(request["left"]))


def new_object(tenant: Tenant, request: Mapping[str, Any]) -> None:
    """Makes a custom object of the name `object`, which the screens call `label`, or switches one on or off."""
    if "active" in request:
        tenant.objects[_name(request)].active = bool(request["active"])
        return
    tenant.make_object(build_object(_name(request), str(request["label"])))


def schema(tenant: Tenant, request: Mapping[str, Any]) -> None:
    """Changes, adds or removes a field of an object, as an administrator does."""
    tenant.kind(_name(request)).change_field(str(request["field"]), request["changes"])


def leave(tenant: Tenant, request: Mapping[str, Any]) -> None:
    """Lets the employee `user` leave, or with `left` false come back."""
    tenant.leave(str(request["user"]), left=bool(request.get("left", True)))


def trace(tenant: Tenant, request: Mapping[str, Any]) -> dict[str, Any]:
    """Tells how many calls had no thirdTraceId or repeated one."""
    return tenant.traces.report()


def arrivals(tenant: Tenant, request: Mapping[str, Any]) -> dict[str, Any]:
    """Tells when the last calls of each path came, refused ones too, in epoch seconds."""
    found: dict[str, list[float]] = {}
    for path, at in tenant.gate.arrivals:
        found.setdefault(path, []).append(at)
    return {"paths": found}


ACTS: dict[str, Callable[[Tenant, Mapping[str, Any]], dict[str, Any] | None]] = {
    act.__name__: act
    for act in (
        edit, create, delete, restore, merge, hide, touch, lock, approve, rules, lag, revoke, quota, new_object, schema,
        leave, trace, pool, arrivals, plant,
    )
}  # fmt: skip
ACTS["events"] = lambda tenant, request: tenant.events.act(request)
ACTIONS = tuple(ACTS)
