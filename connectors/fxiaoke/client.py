"""Sends one call to the API: pace, credentials, trace id, envelope; again where a refusal proves it was not done."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Literal, get_args
from zlib import crc32

from connectors.base import ConnectorContext
from connectors.errors import RetryLater
from connectors.fxiaoke.auth import Token, Tokens
from connectors.fxiaoke.envelope import (
    Answer,
    Call,
    QuotaRefused,
    RateRefused,
    TokenRefused,
    judge,
    read_answer,
)
from connectors.fxiaoke.pacing import Pace, Slowed
from connectors.fxiaoke.settings import FxiaokeSettings
from connectors.fxiaoke.traces import Trace

PRESET = "/cgi/crm/v2/data/"
CUSTOM = "/cgi/crm/custom/v2/data/"
OBJECT_LIST = "/cgi/crm/v2/object/list"
OBJECT_DESCRIBE = "/cgi/crm/v2/object/describe"
_TRIES, _BACKOFF = 3, 0.5
"""How often a read is made where the vendor says that it is busy, and the first pause between in seconds."""
WriteOperation = Literal["create", "update", "changeOwner", "choose", "invalid", "recover"]
"""Every way in which this connector changes a record. The vendor's `delete`, which is for good, is none of them."""
_WRITES = frozenset(get_args(WriteOperation))


def record_path(object: str, operation: str) -> str:
    """Returns the path of a record operation, which the object's suffix decides. Source: Fxiaoke CustomObj pages."""
    return (CUSTOM if object.endswith("__c") else PRESET) + operation


class _Busy(Exception):
    """Says that the vendor was busy with a read; `error` is what it means if it stays so."""

    def __init__(self, error: RetryLater) -> None:
        super().__init__(error.en)
        self.error = error


class Client:
    """Calls the API of one connection; threads may share it."""

    def __init__(self, settings: FxiaokeSettings, context: ConnectorContext) -> None:
        self.pace = Pace(settings, context)
        self.tokens = Tokens(settings, context, self.pace)
        self._settings, self._context = settings, context

    def read(self, path: str, object: str, body: Mapping[str, Any]) -> Answer:
        """Reads. Raises Rejected beside the errors of the contract."""
        return self._call(Call(self._context.system, path, object, read=True), body)

    def write(self, object: str, operation: WriteOperation, body: Mapping[str, Any]) -> Answer:
        """Writes once. Raises Rejected, WriteUnclear, and errors of the contract, which all mean "not done"."""
        if operation not in _WRITES:
            raise ValueError(f"{operation} is not among the writes of this connector")
        call = Call(self._context.system, record_path(object, operation), object, read=False)
        return self._call(call, body)

    def _call(self, call: Call, body: Mapping[str, Any]) -> Answer:
        token, refused = self.tokens.current(), False
        waited, tries = 0.0, 0
        while True:
            try:
                return self._once(call, body, token)
            except TokenRefused as refusal:
                if refused:
                    raise self.tokens.give_up(token, call, refusal) from None
                token, refused = self.tokens.renew(token), True
            except Slowed as slowed:
                if waited + slowed.after > self._settings.rate_limit_patience:
                    raise self.pace.limited(slowed.after) from None
                waited += slowed.after
                self._context.clock.sleep(slowed.after)
            except _Busy as busy:
                tries += 1
                if tries == _TRIES:
                    raise busy.error from None
                self._context.clock.sleep(self._backoff(tries))

    def _once(self, call: Call, body: Mapping[str, Any], token: Token) -> Answer:
        headers, signed = self.tokens.sign(token, body)
        with Trace(call, self._context.new_id(), logging.getLogger(__name__)) as trace:
            response = self._context.http.send(
                "POST",
                self._settings.base_url + call.path,
                operation=call.operation if call.object else f"object/{call.operation}",
                read=call.read,
                headers=headers,
                params=trace.params,
                json=signed,
                budget=self.pace.of(call.path),
            )
            answer = trace.heard(read_answer(response, call))
        try:
            return judge(answer, call)
        except RateRefused:
            raise self.pace.pause(call.path) from None
        except QuotaRefused as used_up:
            raise self.pace.day.refused(used_up.server_at) from None
        except RetryLater as busy:
            raise _Busy(busy) from None

    def _backoff(self, tries: int) -> float:
        return _BACKOFF * 2.0**tries * (0.5 + crc32(self._context.new_id().encode()) / 2**33)
