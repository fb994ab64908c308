"""Finds records that were created for certain, but which the answer did not name.

Whether a custom object's create answers with `dataId` is unverified: the official sample shows none, clients read one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connectors.base import ConnectorContext, NativeRecord, Unknown, WriteRequest, Written
from connectors.errors import ConnectorError
from connectors.fxiaoke.reading import Reader
from connectors.fxiaoke.settings import FxiaokeSettings


@dataclass(frozen=True, slots=True)
class Nameless(Unknown):
    """Says that a create took effect, but not as which record."""


class CreatedLookup:
    """Looks up created records by their hub ids, which the search index shows only after a while."""

    def __init__(self, reader: Reader, settings: FxiaokeSettings, context: ConnectorContext) -> None:
        self._reader, self._settings, self._clock = reader, settings, context.clock

    def await_created(self, requests: Sequence[WriteRequest]) -> dict[str, Written]:
        """Returns what was found by hub id, after one wait at most; what was not stays for recovery.

        A hub id that two records hold names neither. A failing look changes nothing about the outcome.
        """
        key = self._settings.key_of(requests[0].object)
        missing = [request.hub_id for request in requests if request.fields.get(key) == request.hub_id]
        found: dict[str, Written] = {}
        for wait in (0.0, self._settings.created_id_wait):
            if not missing:
                break
            if wait:
                self._clock.sleep(wait)
            try:
                records = self._reader.find(requests[0].object, key, missing, ())
            except ConnectorError:
                break
            found |= _alone(records, key)
            missing = [hub_id for hub_id in missing if hub_id not in found]
        return found


def _alone(records: Sequence[NativeRecord], key: str) -> dict[str, Written]:
    holders: dict[str, list[NativeRecord]] = {}
    for record in records:
        if not record.deleted:
            holders.setdefault(str(record.fields.get(key)), []).append(record)
    return {hub_id: Written(same[0].native_id, same[0].version) for hub_id, same in holders.items() if len(same) == 1}
