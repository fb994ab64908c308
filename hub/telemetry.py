"""Logs: JSON lines on stderr with run ids; every value passes the redaction net, and no line can be forged."""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, TextIO

import orjson
import structlog

from hub.kernel.clock import Clock, iso
from hub.kernel.redaction import escape, redact

_DENIED = re.compile(r"(?i)token|secret|password|passwd|authorization|cookie|refresh|permanent_?code")
_DEPTH, _ITEMS, _LENGTH = 4, 50, 4096

EventDict = MutableMapping[str, Any]

_marks: dict[str, str] = {}


def configure(clock: Clock, *, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Sends every log line of the process, our own and the libraries', through one redacted handler."""

    def add_time(_: Any, __: str, event: EventDict) -> EventDict:
        event["ts"] = iso(clock.now())
        event.update(_marks)
        return event

    shared: list[Any] = [structlog.contextvars.merge_contextvars, structlog.stdlib.add_log_level, add_time]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name, add_connector_fields],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            describe_exception,
            redact_event,
            _render,
        ],
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # Opening the store is no migration worth two lines each time.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    logging.captureWarnings(True)
    sys.excepthook = _log_crash


def mark(profile: str) -> None:
    """Marks every further log line of the process with a profile other than production."""
    _marks.clear()
    if profile != "production":
        _marks["profile"] = profile


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """Returns the logger of a room; `logger("sync").info("page_read", system=name, rows=200)`."""
    bound: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return bound


@contextmanager
def bound(**context: str | int) -> Iterator[None]:
    """Adds run id, entity and system to every line inside the block."""
    with structlog.contextvars.bound_contextvars(**context):
        yield


_EXTRA = structlog.stdlib.ExtraAdder()


def add_connector_fields(bound: Any, name: str, event: EventDict) -> EventDict:
    """Adds what a connector logs beside the text (`extra=`), such as the ids of a call; other libraries' stay out."""
    if str(event.get("logger", "")).startswith("connectors."):
        return _EXTRA(bound, name, event)
    return event


def describe_exception(_: Any, __: str, event: EventDict) -> EventDict:
    """Replaces a traceback by its type, code, message and places; source lines and locals stay out."""
    exc_info = event.pop("exc_info", None)
    error = exc_info[1] if isinstance(exc_info, tuple) else exc_info
    if error is True:
        error = sys.exc_info()[1]
    if isinstance(error, BaseException):
        event["error"] = type(error).__name__
        event["message"] = str(error)
        if isinstance(code := getattr(error, "code", None), str):
            event["code"] = code
        frames = traceback.extract_tb(error.__traceback__)[-12:]
        event["at"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return event


def redact_event(_: Any, __: str, event: EventDict) -> EventDict:
    """Denies keys that name a secret, redacts personal values and escapes what could forge or disguise a line."""
    return {_clean_text(str(key)): _clean(str(key), value, _DEPTH) for key, value in event.items()}


def _clean(key: str, value: object, depth: int) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if _DENIED.search(key):
        return "[secret]"
    if isinstance(value, bytes | bytearray | memoryview):
        return f"[{len(value)} bytes]"
    if depth and isinstance(value, Mapping):
        return {_clean_text(str(k)): _clean(str(k), v, depth - 1) for k, v in list(value.items())[:_ITEMS]}
    if depth and isinstance(value, Sequence | set | frozenset) and not isinstance(value, str):
        return [_clean(key, item, depth - 1) for item in list(value)[:_ITEMS]]
    return _clean_text(value if isinstance(value, str) else str(value))


def _clean_text(text: str) -> str:
    return escape(redact(text[:_LENGTH]))


def _render(_: Any, __: str, event: EventDict) -> str:
    return orjson.dumps(event, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS).decode()


def _log_crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    logger("hub").critical("crashed", exc_info=(kind, error, trace))
