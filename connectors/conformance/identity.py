"""Clauses about hub ids."""

from __future__ import annotations

from dataclasses import replace

from connectors.base import Refused, Written
from connectors.conformance.kit import Kit, demand, refusal
from connectors.conformance.registration import clause
from connectors.conformance.world import NotOffered
from connectors.errors import Unsupported


def _keyed(kit: Kit) -> None:
    if not kit.can.external_key_field:
        raise NotOffered("there is no external key field; ID-05 asserts its refusal")


@clause("ID-01")
def finds_by_hub_id(kit: Kit) -> None:
    _keyed(kit)
    hub_id = kit.new_hub_id()
    written = kit.created(hub_id=hub_id)
    kit.settle()
    found = kit.find(hub_id)
    demand([each.native_id for each in found] == [written.native_id], "a hub id does not find its one record")
    demand(found[0].fields.get(kit.subject.key_field) == hub_id, "find does not show the hub id it found")
    demand(kit.subject.text in found[0].fields, "find does not deliver the requested fields")


@clause("ID-02")
def tells_twins(kit: Kit) -> None:
    _keyed(kit)
    hub_id = kit.new_hub_id()
    first = kit.created(hub_id=hub_id)
    kit.settle()
    second = kit.write(kit.create_request(hub_id=hub_id))
    kit.settle()
    ids = {each.native_id for each in kit.find(hub_id)}
    if kit.can.external_key_unique:
        demand(isinstance(second, Refused), f"a second create with one hub id ended in {type(second).__name__}")
        existing = second.existing_id if isinstance(second, Refused) else None
        demand(existing in (None, first.native_id), "a duplicate's refusal names the wrong record")
        demand(ids == {first.native_id}, "uniqueness is declared, but there are twins")
    elif isinstance(second, Written):
        demand(ids == {first.native_id, second.native_id}, "find does not return all records of one hub id")
    else:
        demand(False, f"uniqueness is not declared, but a second create ended in {type(second).__name__}")


@clause("ID-03")
def finds_at_once(kit: Kit) -> None:
    _keyed(kit)
    if not kit.can.strong_read_by_key:
        raise NotOffered("strong_read_by_key is not declared; ID-01 asserts the settled look-up")
    kit.world.freeze()
    for _ in range(5):
        hub_id = kit.new_hub_id()
        written = kit.created(hub_id=hub_id)
        ids = [each.native_id for each in kit.find(hub_id)]
        demand(ids == [written.native_id], "strong_read_by_key is declared, but a fresh create was not found")


@clause("ID-04")
def finds_several(kit: Kit) -> None:
    _keyed(kit)
    hub_ids = [kit.new_hub_id() for _ in range(3)]
    ids = {kit.created(hub_id=hub_id).native_id for hub_id in hub_ids}
    kit.settle()
    found = {each.native_id for each in kit.find(*hub_ids, kit.new_hub_id())}
    demand(found == ids, "find for several hub ids does not return exactly their records")


@clause("ID-05")
def refuses_without_key(kit: Kit) -> None:
    if kit.can.external_key_field:
        return
    with refusal(Unsupported):
        kit.find(kit.new_hub_id())


@clause("ID-06")
def repeats_creates(kit: Kit) -> None:
    _keyed(kit)
    if not kit.can.upsert and not kit.can.external_key_unique:
        raise NotOffered("nothing keeps a second create from making a twin; ID-02 asserts that it is told")
    hub_id = kit.new_hub_id()
    first = kit.created(hub_id=hub_id)
    kit.settle()
    again = kit.write(replace(kit.create_request(hub_id=hub_id), may_exist=True))
    kit.settle()
    demand(isinstance(again, Written | Refused), f"a repeated create ended in {type(again).__name__}")
    named = again.native_id if isinstance(again, Written) else again.existing_id if isinstance(again, Refused) else None
    known = (first.native_id,) if kit.can.upsert else (first.native_id, None)
    demand(named in known, "a repeated create does not name the record that holds the hub id")
    demand({each.native_id for each in kit.find(hub_id)} == {first.native_id}, "a repeated create made a twin")
    fresh = kit.new_hub_id()
    made = kit.write(replace(kit.create_request(hub_id=fresh), may_exist=True))
    kit.settle()
    demand(isinstance(made, Written), f"a repeated create of nobody ended in {type(made).__name__}")
    demand(len(kit.find(fresh)) == 1, "a repeated create of nobody made no record, or several")
