"""Lenses for dates and instants."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Annotated, Any

from pydantic import Field as Rule

from hub.canonical.refusal import NOT_DATE, NOT_INSTANT, ValueRefused
from hub.canonical.schema import Kind
from hub.canonical.values import Value, compile_canon, write_instant
from hub.kernel.errors import Text
from hub.mapping.lenses.base import Lens, NoParams, Setting, Simple
from hub.mapping.lenses.plain import same

_DAY_MS = 86_400_000
_FIRST_DAY = date(1970, 1, 1).toordinal()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DATES = frozenset({Kind.DATE})
_INSTANTS = frozenset({Kind.DATETIME})


class ZoneParams(NoParams):
    """`zone` is the offset in which the system is written to, or whose midnight begins a day."""

    zone: Annotated[str, Rule(pattern=r"^[+-](0\d|1[0-4]):[0-5]\d$")] = "+08:00"

    def offset(self) -> timedelta:
        size = timedelta(hours=int(self.zone[1:3]), minutes=int(self.zone[4:]))
        return -size if self.zone[0] == "-" else size


def _date(setting: Setting, _: NoParams) -> Simple:
    return Simple(compile_canon(setting.field), same)


def _datetime(setting: Setting, params: ZoneParams) -> Simple:
    name, zone = setting.field.name, timezone(params.offset())

    def put(value: Any) -> Any:
        try:
            return datetime.fromisoformat(value).astimezone(zone).isoformat(timespec="seconds")
        except (ValueError, OverflowError):
            raise ValueRefused(name, NOT_INSTANT) from None

    return Simple(compile_canon(setting.field), put)


def _milliseconds(raw: Any, name: str, refusal: Text) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int | str):
        raise ValueRefused(name, refusal)
    try:
        return int(raw)
    except ValueError:
        raise ValueRefused(name, refusal) from None


def _epoch_ms(setting: Setting, _: NoParams) -> Simple:
    name, fine = setting.field.name, setting.field.resolution == "ms"

    def get(raw: Any) -> Value:
        number = raw if type(raw) is int else _milliseconds(raw, name, NOT_INSTANT)
        try:
            return write_instant(_EPOCH + timedelta(milliseconds=number), fine)
        except OverflowError:
            raise ValueRefused(name, NOT_INSTANT) from None

    def put(value: Any) -> Any:
        return (datetime.fromisoformat(value) - _EPOCH) // timedelta(milliseconds=1)

    return Simple(get, put)


def _epoch_day(setting: Setting, params: ZoneParams) -> Simple:
    name, shift = setting.field.name, params.offset() // timedelta(milliseconds=1)

    def get(raw: Any) -> Value:
        number = raw if type(raw) is int else _milliseconds(raw, name, NOT_DATE)
        try:
            return date.fromordinal((number + shift) // _DAY_MS + _FIRST_DAY).isoformat()
        except (ValueError, OverflowError):
            raise ValueRefused(name, NOT_DATE) from None

    def put(value: Any) -> Any:
        return (date.fromisoformat(value).toordinal() - _FIRST_DAY) * _DAY_MS - shift

    return Simple(get, put)


MOMENTS = (
    Lens("date", Text("Date", "日期"), NoParams, _DATES, _date, frozenset({"date"})),
    Lens(
        "datetime",
        Text("Date and time with offset", "带时区的日期时间"),
        ZoneParams,
        _INSTANTS,
        _datetime,
        frozenset({"datetime", "date_time"}),
    ),
    Lens(
        "epoch_ms",
        Text("Instant in epoch milliseconds", "毫秒时间戳"),
        NoParams,
        _INSTANTS,
        _epoch_ms,
        frozenset({"date_time", "datetime", "number"}),
    ),
    Lens(
        "epoch_day",
        Text("Day as epoch milliseconds of its midnight", "以零点毫秒时间戳表示的日期"),
        ZoneParams,
        _DATES,
        _epoch_day,
        frozenset({"date", "date_time"}),
    ),
)
