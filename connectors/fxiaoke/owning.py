"""Gives a record its owner: by a call of its own, and out of its pool (公海) first where it has none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.base import Refused, Unknown, WriteRequest
from connectors.errors import ConnectorError
from connectors.fxiaoke import bodies
from connectors.fxiaoke.calls import Calls
from connectors.fxiaoke.envelope import Answer
from connectors.fxiaoke.refusals import in_pool
from connectors.fxiaoke.settings import FxiaokeSettings

OWNER = "owner"
_POOL_FIELDS = {"AccountObj": "high_seas_id", "LeadsObj": "leads_pool_id"}
"""The objects that have pools, and the field that names a record's. Source: Fxiaoke data/choose."""


def is_pooled(object: str, row: Mapping[str, Any]) -> bool:
    """Tells whether a record lies in a pool, where nobody owns it and nobody may edit it."""
    pool = _POOL_FIELDS.get(object)
    return pool is not None and bool(row.get(pool)) and not row.get(OWNER)


class Owners:
    """Changes owners over one connection; threads may share it."""

    def __init__(self, calls: Calls, settings: FxiaokeSettings, system: str) -> None:
        self._calls, self._settings, self._system = calls, settings, system

    def change(
        self, request: WriteRequest, native_id: str, owner: Any, row: Mapping[str, Any]
    ) -> Answer | Refused | Unknown:
        """Makes an employee the owner of a record as it was just read.

        A record that was taken out of its pool and did not get its owner after that is unknown: recovery looks.
        """
        step = bodies.change_owner(request.object, native_id, owner, self._settings)
        if not is_pooled(request.object, row):
            return self._calls.make(request, "changeOwner", step)
        if not self._settings.claim_from_pool:
            return in_pool(self._system, request)
        chosen = self._calls.make(request, "choose", bodies.choose(request.object, native_id, self._settings))
        if not isinstance(chosen, Answer):
            return chosen
        half = Unknown(f"{self._system} {request.object} {native_id}: taken out of its pool, the owner perhaps not set")
        try:
            done = self._calls.make(request, "changeOwner", step)
        except ConnectorError:
            return half
        return done if isinstance(done, Answer) else half
