"""The calls of a write, each made once, and how each one ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.base import Refused, Unknown, WriteRequest, WriteUnclear
from connectors.fxiaoke.client import Client, WriteOperation
from connectors.fxiaoke.descriptions import Descriptions
from connectors.fxiaoke.envelope import Answer, Rejected
from connectors.fxiaoke.refusals import refused


class Calls:
    """Makes the calls of one connection's writes; threads may share it."""

    def __init__(self, client: Client, descriptions: Descriptions, system: str) -> None:
        self._client, self._descriptions, self._system = client, descriptions, system

    def make(
        self, request: WriteRequest, operation: WriteOperation, body: Mapping[str, Any]
    ) -> Answer | Refused | Unknown:
        """Makes one call for a request; an error of the contract comes through and means "not done"."""
        try:
            return self._client.write(request.object, operation, body)
        except WriteUnclear as unclear:
            return Unknown(str(unclear))
        except Rejected as no:
            return refused(self._system, request, no, self._descriptions.labels(request.object))
