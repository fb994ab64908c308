"""Sends one call to the API: pace, credentials, trace id, envelope; again with a fresh token where it is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from connectors.base import ConnectorContext
from connectors.fxiaoke.auth import Token, Tokens
from connectors.fxiaoke.envelope import (
    Answer,
    Call,
    QuotaRefused,
    RateRefused,
    TokenRefused,
    auth_rejected,
    open_answer,
)
from connectors.fxiaoke.pacing import Pace
from connectors.fxiaoke.settings import FxiaokeSettings

PRESET = "/cgi/crm/v2/data/"
CUSTOM = "/cgi/crm/custom/v2/data/"
OBJECT_LIST = "/cgi/crm/v2/object/list"
OBJECT_DESCRIBE = "/cgi/crm/v2/object/describe"
WriteOperation = Literal["create", "update", "changeOwner", "choose", "invalid", "recover"]
"""Every way in which this connector changes a record. The vendor's `delete`, which is for good, is none of them."""
_WRITES = frozenset(get_args(WriteOperation))


def record_path(object: str, operation: str) -> str:
    """Returns the path of a record operation, which the object's suffix decides. Source: Fxiaoke CustomObj pages."""
    return (CUSTOM if object.endswith("__c") else PRESET) + operation


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
        token = self.tokens.current()
        try:
            return self._once(call, body, token)
        except TokenRefused:
            token = self.tokens.renew(token)
        try:
            return self._once(call, body, token)
        except TokenRefused:
            style = self._settings.auth_style
            missing = f"a fresh access token ({style}: app_id, permanent_code, operator_id and the app's IP allow-list)"
            raise auth_rejected(call, missing, 20016, "-") from None

    def _once(self, call: Call, body: Mapping[str, Any], token: Token) -> Answer:
        self.pace.take(call.path)
        headers, signed = self.tokens.sign(token, body)
        response = self._context.http.send(
            "POST",
            self._settings.base_url + call.path,
            operation=call.operation if call.object else f"object/{call.operation}",
            read=call.read,
            headers=headers,
            params={"thirdTraceId": self._context.new_id()},
            json=signed,
        )
        try:
            return open_answer(response, call)
        except RateRefused:
            raise self.pace.pause(call.path) from None
        except QuotaRefused:
            raise self.pace.exhausted() from None
