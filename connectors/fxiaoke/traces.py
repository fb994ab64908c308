"""Logs every call with both ids by which it can be found again: ours (thirdTraceId) and the vendor's (traceId).

The vendor's support asks for them. Nothing else of an answer is logged: its wording may hold personal values.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from connectors.base import WriteUnclear
from connectors.errors import ProtocolViolation, RetryLater
from connectors.fxiaoke.envelope import Answer, Call


class Trace:
    """Follows one call: successes are logged at DEBUG, refusals at INFO, a call without a clear answer at WARNING."""

    def __init__(self, call: Call, trace_id: str, log: logging.Logger) -> None:
        self._call, self._trace_id, self._log = call, trace_id, log

    @property
    def params(self) -> Mapping[str, str]:
        """Returns what carries our id. Source: Fxiaoke start/example/public, unique per request."""
        return {"thirdTraceId": self._trace_id}

    def heard(self, answer: Answer) -> Answer:
        """Notes what the vendor said, and returns it."""
        event, level = ("call_answered", logging.DEBUG) if answer.code == 0 else ("call_refused", logging.INFO)
        self._note(level, event, vendor_code=answer.code, vendor_trace_id=answer.trace_id)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        if isinstance(error, RetryLater | ProtocolViolation | WriteUnclear):
            self._note(logging.WARNING, "call_unanswered", code=getattr(error, "code", "unclear"))

    def _note(self, level: int, event: str, **more: object) -> None:
        if self._log.isEnabledFor(level):
            call = self._call
            place = {"system": call.system, "object": call.object, "path": call.path}
            self._log.log(level, event, extra={**place, "third_trace_id": self._trace_id, **more})
