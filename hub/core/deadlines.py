"""When a complaint is due: by a dated table of rules, in calendar or working days of the bank's own zone. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, time, timedelta, timezone
from itertools import chain
from operator import attrgetter
from typing import Final

from hub.canonical.values import Value, write_instant
from hub.core.state import Fields
from hub.mapping.deadlines import NO_EXTENSION, DeadlineRule, Step, Unit

# China keeps one zone and has changed no clock since 1991, so no zone database is asked.
ZONE: Final = timezone(timedelta(hours=8), "Asia/Shanghai")
_LAST: Final = time(23, 59, 59, tzinfo=ZONE)
IsWorkday = Callable[[date], bool]


def day_of(instant: str) -> date:
    """Returns the day in Asia/Shanghai on which a canonical instant falls."""
    return datetime.fromisoformat(instant).astimezone(ZONE).date()


def end_of(day: date) -> str:
    """Returns the last second of a day in Asia/Shanghai as a canonical instant."""
    return write_instant(datetime.combine(day, _LAST))


def within(since: str, at: str, days: int | None = None) -> bool:
    """Tells whether `at` is not before `since`, and at most so many calendar days after its day."""
    if datetime.fromisoformat(at) < datetime.fromisoformat(since):
        return False
    return days is None or (day_of(at) - day_of(since)).days <= days


class Deadlines:
    """Is the table of deadlines, asked with the fields of one record."""

    def __init__(
        self,
        rules: Iterable[DeadlineRule],
        is_workday: IsWorkday,
        since: str = "received_at",
        extension: str = "extension",
    ) -> None:
        self._rules: dict[str, list[DeadlineRule]] = {}
        self._reviews: list[DeadlineRule] = []
        for rule in sorted(rules, key=attrgetter("effective_from")):
            where = self._reviews if rule.step is Step.REVIEW else self._rules.setdefault(rule.extension, [])
            where.append(rule)
        self._is_workday = is_workday
        self._since, self._extension = since, extension
        self._known: dict[tuple[date, str], str | None] = {}

    @property
    def counts_working_days(self) -> bool:
        """Tells whether any rule depends on the calendar of holidays."""
        every = chain(self._reviews, *self._rules.values())
        return any(rule.unit is Unit.WORKING_DAY for rule in every)

    @property
    def approved(self) -> frozenset[str]:
        """Returns the extensions that need a second person under any rule."""
        return frozenset(rule.extension for rules in self._rules.values() for rule in rules if rule.approval)

    def __call__(self, fields: Fields) -> Value:
        """Returns when the record is due; None while it is not known when it was received."""
        received, extension = fields.get(self._since), fields.get(self._extension)
        if not isinstance(received, str):
            return None
        return self.due_at(received, extension if isinstance(extension, str) else NO_EXTENSION)

    def due_at(self, received_at: str, extension: str = NO_EXTENSION) -> str | None:
        """Returns the end of the last day as a canonical instant; None for an extension without a rule."""
        place = day_of(received_at), extension
        if place not in self._known:
            self._known[place] = self._due(*place)
        return self._known[place]

    def rule_name(self, fields: Fields) -> Value:
        """Returns the name of the rule by which the record is due; None where there is none."""
        received, extension = fields.get(self._since), fields.get(self._extension)
        if not isinstance(received, str):
            return None
        rule = self.rule_of(day_of(received), extension if isinstance(extension, str) else NO_EXTENSION)
        return None if rule is None else rule.name

    def review_due_at(self, requested_at: str) -> str | None:
        """Returns the end of the last day for the decision on a review requested then; None without a rule."""
        day = day_of(requested_at)
        return self._end(day, _in_force(self._reviews, day))

    def rule_of(self, day: date, extension: str) -> DeadlineRule | None:
        """Returns the rule in force on a day; what is older than every rule falls under the oldest."""
        return _in_force(self._rules.get(extension, []), day)

    def _due(self, day: date, extension: str) -> str | None:
        return self._end(day, self.rule_of(day, extension))

    def _end(self, day: date, rule: DeadlineRule | None) -> str | None:
        try:
            return None if rule is None else end_of(self._last_day(day, rule))
        except OverflowError:
            # No calendar reaches that far; such a day is a typing error that people correct.
            return None

    def _last_day(self, day: date, rule: DeadlineRule) -> date:
        """Counts from the day after; the last day is not moved on, since only an earlier date can break no rule."""
        if rule.unit is Unit.CALENDAR_DAY:
            return day + timedelta(days=rule.days)
        left = rule.days
        while left:
            day += timedelta(days=1)
            left -= self._is_workday(day)
        return day


def _in_force(rules: Sequence[DeadlineRule], day: date) -> DeadlineRule | None:
    return rules[max(0, bisect_right(rules, day, key=attrgetter("effective_from")) - 1)] if rules else None
