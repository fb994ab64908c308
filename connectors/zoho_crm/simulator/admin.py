"""The Zoho side of the admin path: what a person does in the vendor's screens, and what a tester arranges."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from connectors.simulation.admin import AdminRefused, change_fields
from connectors.simulation.clock import SimClock
from connectors.simulation.faults import FaultPlan
from connectors.simulation.ledger import Ledger
from connectors.simulation.people import World
from connectors.zoho_crm.simulator.answers import RowRefused
from connectors.zoho_crm.simulator.arranging import add_fields, fill
from connectors.zoho_crm.simulator.leads import convert_lead
from connectors.zoho_crm.simulator.oauth import Accounts
from connectors.zoho_crm.simulator.records import ModuleStore, Org, Row
from connectors.zoho_crm.simulator.recycling import merge_into, restore
from connectors.zoho_crm.simulator.schema import User
from connectors.zoho_crm.simulator.seeding import grow
from connectors.zoho_crm.simulator.writing import WriteCall, insert_row, recycle, update_row


class ZohoAdmin:
    """Arranges the simulated org from outside the vendor's API."""

    def __init__(self, org: Org, accounts: Accounts, faults: FaultPlan, ledger: Ledger, world: World) -> None:
        self.clock: SimClock = org.clock
        self.faults = faults
        self.ledger = ledger
        self._org = org
        self._accounts = accounts
        self._world = world
        self._actions: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "edit": self._edit,
            "create": self._create,
            "delete": self._delete,
            "restore": self._restore,
            "merge": self._merge,
            "hide": self._hide,
            "hide_field": self._hide_field,
            "lock": self._lock,
            "rules": self._rules,
            "lag": self._lag,
            "tokens": self._tokens,
            "user": self._user,
            "fields": self._fields,
            "fill": self._fill,
            "grow": self._grow,
            "convert": self._convert,
        }

    @property
    def actions(self) -> tuple[str, ...]:
        """Returns the names that `act` understands."""
        return tuple(self._actions)

    def records(self, object_name: str) -> list[dict[str, Any]]:
        """Returns every record of a module with its state beside its fields."""
        return [
            {
                **row.fields,
                "_state": "live" if not row.deleted else ("permanent" if row.permanent else "recycle"),
                "_hidden": row.hidden,
                "_merged_into": row.merged_into or None,
            }
            for row in self._store(object_name).rows.values()
        ]

    def truth(self) -> list[dict[str, Any]]:
        """Returns who is who across both simulated systems."""
        return self._world.truth()

    def change_settings(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Changes switches and returns them all."""
        return change_fields(self._org.settings, changes)

    def act(self, action: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Does one action; raises AdminRefused with the vendor's reason."""
        try:
            return self._actions[action](request)
        except RowRefused as refused:
            raise AdminRefused(f"{refused.code} {refused.details}") from None

    def _store(self, object_name: object) -> ModuleStore:
        store = self._org.modules.get(str(object_name))
        if store is None:
            raise AdminRefused(f"unknown object {object_name}; known: {', '.join(self._org.modules)}")
        return store

    def _live(self, request: Mapping[str, Any]) -> tuple[ModuleStore, Row]:
        store = self._store(request.get("object"))
        row = store.live(str(request.get("id")))
        if row is None:
            raise AdminRefused(f"no live record {request.get('id')} in {request.get('object')}")
        return store, row

    def _by(self, request: Mapping[str, Any]) -> User:
        user = self._org.users.get(str(request["by"])) if "by" in request else None
        return user or next(one for one in self._org.users.values() if one.active and not one.admin)

    def _edit(self, request: Mapping[str, Any]) -> dict[str, Any]:
        store, row = self._live(request)
        payload = {**request.get("fields", {}), "id": row.record_id}
        update_row(self._org, store, payload, 0, WriteCall(self._by(request)))
        return {"id": row.record_id, "Modified_Time": row.fields["Modified_Time"]}

    def _create(self, request: Mapping[str, Any]) -> dict[str, Any]:
        store, call = self._store(request.get("object")), WriteCall(self._by(request))
        insert_row(self._org, store, request.get("fields", {}), 0, call)
        return {"id": call.written[0].record_id}

    def _delete(self, request: Mapping[str, Any]) -> dict[str, Any]:
        store, row = self._live(request)
        recycle(self._org, store, row, self._by(request))
        row.permanent = bool(request.get("permanent", False))
        return {"id": row.record_id}

    def _restore(self, request: Mapping[str, Any]) -> dict[str, Any]:
        store = self._store(request.get("object"))
        row = store.gone.get(str(request.get("id")))
        if row is None or row.permanent:
            raise AdminRefused(f"no record {request.get('id')} in the recycle bin")
        restore(self._org, store, row)
        return {"id": row.record_id}

    def _merge(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Merges `losers` (ids) into `id`; `fields` names what the master takes from them."""
        store, row = self._live(request)
        losers = [(str(loser), list(request.get("fields", []))) for loser in request.get("losers", [])]
        merge_into(self._org, store, row.record_id, losers, self._by(request))
        return {"id": row.record_id}

    def _hide(self, request: Mapping[str, Any]) -> dict[str, Any]:
        _, row = self._live(request)
        row.hidden = bool(request.get("hidden", True))
        return {"id": row.record_id, "hidden": row.hidden}

    def _hide_field(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Takes a field out of the token user's sight, or gives it back with `hidden` false."""
        store, name = self._store(request.get("object")), str(request.get("field"))
        if name not in store.spec.fields:
            raise AdminRefused(f"unknown field {name}")
        change = store.hidden_fields.add if request.get("hidden", True) else store.hidden_fields.discard
        change(name)
        return {"hidden": sorted(store.hidden_fields)}

    def _lock(self, request: Mapping[str, Any]) -> dict[str, Any]:
        _, row = self._live(request)
        row.locked = bool(request.get("locked", True))
        return {"id": row.record_id, "locked": row.locked}

    def _rules(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Replaces refusals [{module, field, value}] and automations [{module, when|when_empty, set}]."""
        for name, keys in (("refusals", {"module", "field", "value"}), ("automations", {"module", "set"})):
            rules = request.get(name)
            if rules is None:
                continue
            if any(keys - set(rule) for rule in rules):
                raise AdminRefused(f"each of {name} needs {', '.join(sorted(keys))}")
            setattr(self._org, name, list(rules))
        return {"refusals": len(self._org.refusals), "automations": len(self._org.automations)}

    def _lag(self, request: Mapping[str, Any]) -> dict[str, Any]:
        names = {"search": "search_lag", "list": "list_lag"}
        return self.change_settings({names[name]: float(seconds) for name, seconds in request.items()})

    def _tokens(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Kills access tokens, revokes a refresh token, or makes a grant token."""
        done: dict[str, Any] = {}
        if request.get("expire"):
            done["expired"] = self._accounts.expire()
        if "revoke" in request:
            done["revoked"] = self._accounts.revoke(str(request["revoke"])).status_code
        if "grant" in request:
            done["grant"] = self._accounts.grant(**request["grant"])
        return done

    def _user(self, request: Mapping[str, Any]) -> dict[str, Any]:
        user = self._org.users.get(str(request.get("id")))
        if user is None:
            raise AdminRefused(f"unknown user {request.get('id')}")
        user.active = bool(request.get("active", user.active if "admin" in request else True))
        user.admin = bool(request.get("admin", user.admin))
        return {"id": user.user_id, "active": user.active, "admin": user.admin}

    def _fields(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return add_fields(self._store(request.get("object")), list(request["add"]))

    def _fill(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return fill(self._org, self._store(request.get("object")), request)

    def _grow(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Fills a module with copies of its records until it holds `to`."""
        store = self._store(request.get("object"))
        return {"made": grow(self._org, store.spec.api_name, int(request["to"]))}

    def _convert(self, request: Mapping[str, Any]) -> dict[str, Any]:
        store, row = self._live({"object": "Leads", **request})
        return convert_lead(self._org, store, row, self._by(request))
