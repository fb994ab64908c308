"""Lenses for what happened at a contact: how a call went, how long a meeting took, when something began."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Annotated, Any, Literal

from pydantic import Field as Rule

from hub.canonical.refusal import NOT_INSTANT, ValueRefused
from hub.canonical.schema import Kind
from hub.canonical.values import Value, compile_canon
from hub.kernel.errors import Text
from hub.mapping.lenses.base import (
    ABSENT,
    CHOICES,
    NOT_IN_TABLE,
    NOT_READABLE,
    TEXTS,
    BadLens,
    Fields,
    Joint,
    Lens,
    NoParams,
    NotObserved,
    Setting,
    Simple,
)
from hub.mapping.lenses.moments import MOMENTS, ZoneParams

NO_START = Text("cannot be written without the start that it is counted from", "缺少开始时间，无法写入时长")
_LENGTH = re.compile(r"(\d{1,6}):([0-5]\d)")
_NEVER = "00:00"
_CALL = ["direction", "duration_seconds", "outcome"]
_SPAN = ["started_at", "duration_seconds"]


class CallParams(NoParams):
    """`types` are the options for outbound, inbound and missed calls, `values` those of the outcome.

    `zero` is how the length of an unanswered outbound call is written, `when_unknown` the direction of a call whose
    direction is not known, `default_seconds` the length of one whose length is not known.
    """

    types: dict[Literal["outbound", "inbound", "missed"], str]
    values: dict[str, str]
    zero: Annotated[str, Rule(pattern=r"^\d\d:[0-5]\d$")] = "00:01"
    when_unknown: Literal["outbound", "inbound"] = "outbound"
    default_seconds: Annotated[int, Rule(ge=1)] = 60


def read_length(raw: Any, name: str) -> int | None:
    """Returns the seconds of a length written as minutes:seconds, with as many minutes as it takes."""
    if raw is None or raw == "":
        return None
    found = _LENGTH.fullmatch(raw) if isinstance(raw, str) else None
    if found is None:
        raise ValueRefused(name, NOT_READABLE)
    return int(found[1]) * 60 + int(found[2])


def write_length(seconds: int) -> str:
    """Returns minutes:seconds; a call of over an hour has more than 59 minutes."""
    return f"{seconds // 60:02d}:{seconds % 60:02d}"


@dataclass(frozen=True, slots=True)
class _Call:
    """Is the lens of a call in a system that refuses a length of zero but for missed calls.

    A call that was not answered has no length. One of no length that is said to be reached has the length `zero`, one
    of no length and no outcome was not answered. Source: Zoho API v8, Calls, DEPENDENT_MISMATCH of Call_Duration.
    """

    natives: tuple[str, ...]
    params: CallParams
    kinds: dict[str, str]
    outcomes: dict[str, str]
    least: int

    def get(self, raws: tuple[Any, ...]) -> tuple[Value, ...]:
        kind, length, result = raws
        outcome = self.outcomes[result] if result else None
        direction = self.kinds[kind] if kind else None
        if direction == "missed":
            return "inbound", 0, outcome or "no_answer"
        seconds = read_length(length, "duration_seconds")
        if direction == "outbound" and seconds == self.least and outcome not in (None, "reached"):
            seconds = 0
        return direction, seconds, outcome

    def put(self, fields: Fields, current: Fields) -> dict[str, Any]:
        params = self.params
        direction, seconds, outcome = (fields.get(name, current.get(name)) for name in _CALL)
        direction = direction or params.when_unknown
        if seconds is None and outcome != "no_answer":
            seconds = params.default_seconds
        elif not seconds and outcome == "reached":
            seconds = self.least
        elif not seconds:
            outcome = outcome or "no_answer"
        kind = "missed" if direction == "inbound" and not seconds else direction
        length = write_length(int(str(seconds))) if seconds else _NEVER if kind == "missed" else params.zero
        options: dict[Any, str] = {**params.types}
        patch: dict[str, Any] = {self.natives[0]: options[kind], self.natives[1]: length}
        if outcome is not None:
            return patch | {self.natives[2]: self._option(str(outcome))}
        known = "outcome" in fields or "outcome" in current
        return patch | {self.natives[2]: None} if known else patch

    def _option(self, outcome: str) -> str:
        try:
            return self.params.values[outcome]
        except KeyError:
            raise ValueRefused("outcome", NOT_IN_TABLE) from None


def _need(setting: Setting, names: list[str]) -> None:
    if [each.name for each in setting.fields] != names:
        listed = ", ".join(names)
        raise BadLens(f"needs canonical: [{listed}]", f"canonical 应为 [{listed}]")


def _call_outcome(setting: Setting, params: CallParams) -> Joint:
    _need(setting, _CALL)
    kinds: dict[str, str] = {native: kind for kind, native in params.types.items()}
    outcomes = {native: value for value, native in params.values.items()}
    if len(kinds) < 3:
        raise BadLens(
            "`types` must map outbound, inbound and missed, each to its own option",
            "types 须为 outbound、inbound、missed 各指定一个不同的选项",
        )
    if set(params.values) != set(setting.fields[2].values) or len(outcomes) < len(params.values):
        raise BadLens("`values` must map every outcome to its own option", "values 须为每种联系结果指定一个不同的选项")
    least = read_length(params.zero, "zero")
    if not least:
        raise BadLens("`zero` must be longer than 00:00", "zero 须大于 00:00")
    made = _Call(setting.natives, params, kinds, outcomes, least)
    return Joint(made.get, made.put, always=True)


class SpanParams(ZoneParams):
    """`default_minutes` is how long an event lasts whose duration is not known, `zero_seconds` one of no length.

    That an event must end after it begins is unverified; the other way round the one second does no harm.
    """

    default_minutes: Annotated[int, Rule(ge=1)] = 30
    zero_seconds: Annotated[int, Rule(ge=1)] = 1


def _event_span(setting: Setting, params: SpanParams) -> Joint:
    _need(setting, _SPAN)
    canon, zone, (start, end) = compile_canon(setting.fields[0]), timezone(params.offset()), setting.natives
    started_at, duration = _SPAN
    usual, least = timedelta(minutes=params.default_minutes), timedelta(seconds=params.zero_seconds)

    def get(raws: tuple[Any, ...]) -> tuple[Value, ...]:
        begun, ended = canon(raws[0]), canon(raws[1])
        if begun is None or ended is None:
            return begun, None
        span = datetime.fromisoformat(str(ended)) - datetime.fromisoformat(str(begun))
        if span < timedelta(0):
            raise ValueRefused(duration, NOT_READABLE)
        return begun, 0 if span == least else span // timedelta(seconds=1)

    def put(fields: Fields, current: Fields) -> dict[str, Any]:
        begun, seconds = (fields.get(name, current.get(name)) for name in _SPAN)
        if begun is None:
            raise ValueRefused(duration, NO_START)
        length = usual if seconds is None else timedelta(seconds=int(str(seconds))) or least
        try:
            moment = datetime.fromisoformat(str(begun)).astimezone(zone)
            return {start: moment.isoformat(timespec="seconds"), end: (moment + length).isoformat(timespec="seconds")}
        except (ValueError, OverflowError):
            raise ValueRefused(started_at, NOT_INSTANT) from None

    return Joint(get, put)


class ElseParams(ZoneParams):
    """`form` names the lens of both native fields; `zone` belongs to `datetime`."""

    form: Literal["datetime", "epoch_ms"] = "datetime"


def _instant_else(setting: Setting, params: ElseParams) -> Joint:
    forms = {lens.name: lens for lens in MOMENTS}
    own: Any = ZoneParams(zone=params.zone) if params.form == "datetime" else NoParams()
    made, name, (first, _) = forms[params.form].make(setting, own), setting.field.name, setting.natives
    assert isinstance(made, Simple)
    read, write = made.get, made.put

    def get(raws: tuple[Any, ...]) -> tuple[Value, ...]:
        for raw in raws:
            if raw is ABSENT:
                raise NotObserved
            if raw is not None and raw != "":
                return (read(raw),)
        return (None,)

    def put(fields: Fields, _: Fields) -> dict[str, Any]:
        return {first: None if fields[name] is None else write(fields[name])}

    return Joint(get, put, needed=1)


_INSTANTS = frozenset({"datetime", "date_time"})
ACTIVITY = (
    Lens(
        "call_outcome",
        Text("Direction, length and outcome of a call", "通话的方向、时长与结果"),
        CallParams,
        frozenset({Kind.ENUM, Kind.INTEGER}),
        _call_outcome,
        CHOICES | TEXTS,
        parts=(3, 3),
        canonicals=(3, 3),
    ),
    Lens(
        "event_span",
        Text("Start and end of an event", "活动的起止时间"),
        SpanParams,
        frozenset({Kind.DATETIME, Kind.INTEGER}),
        _event_span,
        _INSTANTS,
        parts=(2, 2),
        canonicals=(2, 2),
    ),
    Lens(
        "instant_else",
        Text("Instant, else that of another field", "时间，为空时取另一字段"),
        ElseParams,
        frozenset({Kind.DATETIME}),
        _instant_else,
        _INSTANTS,
        parts=(2, 2),
        written=1,
    ),
)
