"""Keeps calls within what the vendor allows per interface and per day, and after it has asked to wait.

All processes and hosts of the installation share both: a token bucket per path, and the count of the day's calls.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

from connectors.allowance import Spent, Terms
from connectors.base import Budget, Clock, ConnectorContext, Resting
from connectors.errors import QuotaExhausted, RateLimited
from connectors.fxiaoke.settings import FxiaokeSettings

CHINA = 8 * 3600.0
DAY = 86_400.0
_CLOCKS_DIFFER = 120.0
"""Seconds by which our clock may have reached the new day before the vendor's."""
_STEADY = 60.0
"""Seconds without a refusal after which an interface is used twice as fast again."""
_SLOWEST = 2


def next_reset(now: float) -> float:
    """Returns the next midnight in China, when the daily quota starts anew. Source: Fxiaoke 调用限制, zone inferred."""
    return ((now + CHINA) // DAY + 1) * DAY - CHINA


def terms(settings: FxiaokeSettings) -> Terms | None:
    """Returns the day's calls as an allowance, None where nobody said how many were bought."""
    bought = settings.daily_calls
    if bought is None:
        return None
    stop = int(bought * settings.daily_stop)
    spare = max(0, stop - int(bought * settings.backfill_stop))
    return Terms(bought, bought - stop, DAY, heeded=settings.quota_recheck, starts_at=-CHINA, spare=spare)


class Slowed(Exception):
    """Says that an interface rests: the call did not leave, or was refused unseen; `after` is in seconds."""

    def __init__(self, after: float) -> None:
        super().__init__(f"{after:.0f} s")
        self.after = after


@dataclass(slots=True)
class Speed:
    """Is how fast an interface is used: at full speed, half of it or a quarter (level 0, 1, 2).

    Others may use the same enterprise's calls, so a refusal at our own pace says that less is left for us.
    """

    level: int = 0
    changed_at: float = 0.0

    def cost(self, now: float) -> int:
        """Returns what one call takes from the bucket now."""
        steps = int(max(0.0, now - self.changed_at) // _STEADY)
        if self.level and steps:
            self.level, self.changed_at = max(0, self.level - steps), now
        return 1 << self.level

    def refused(self, now: float, wait: float) -> None:
        """Goes slower; the refusals of one window count once."""
        if not 0 <= now - self.changed_at < wait:
            self.level, self.changed_at = min(_SLOWEST, self.level + 1), now


class Interface:
    """Admits the calls of one path; the HTTP client asks it before each attempt."""

    def __init__(self, bucket: Budget, day: Day, clock: Clock, wait: float) -> None:
        self._bucket, self._day, self._clock, self._wait = bucket, day, clock, wait
        self._speed, self._lock = Speed(), Lock()

    def take(self, cost: int, operation: str) -> None:
        """Waits for the call's turn. Raises Slowed while the path rests, QuotaExhausted at the day's stop."""
        with self._lock:
            cost *= self._speed.cost(self._clock.now())
        try:
            self._bucket.take(cost, operation)
        except Resting as resting:
            self._slow_down()
            raise Slowed(resting.left) from None
        self._day.take()

    def pause(self, seconds: float) -> None:
        """Rests, for everybody."""
        self._bucket.pause(seconds)
        self._slow_down()

    def _slow_down(self) -> None:
        with self._lock:
            self._speed.refused(self._clock.now(), self._wait)


class Day:
    """Counts the calls of a day of China for all processes, and stops before they are used up."""

    def __init__(self, settings: FxiaokeSettings, context: ConnectorContext) -> None:
        self._system, self._clock = context.system, context.clock
        bought = terms(settings)
        self._allowance = context.allowance("calls", bought) if bought is not None else None

    def take(self) -> None:
        """Counts one call. Raises QuotaExhausted."""
        try:
            if self._allowance is not None:
                self._allowance.take(1)
        except Spent as spent:
            raise self._exhausted(spent.until) from None

    def refused(self, server_at: float | None) -> QuotaExhausted:
        """Takes in the vendor's word that the day is used up; `server_at` is its clock. Returns the error."""
        now = self._clock.now()
        vendors = server_at if server_at is not None else now - _CLOCKS_DIFFER
        if (reset := next_reset(vendors)) < next_reset(now):
            # Ours is the new day already and the vendor's is still the old one: it says nothing about the new day.
            return self._exhausted(max(reset, now) + _CLOCKS_DIFFER)
        if self._allowance is not None:
            self._allowance.hear(0)
        return self._exhausted(reset)

    def _exhausted(self, until: float) -> QuotaExhausted:
        system = self._system
        return QuotaExhausted(
            f"{system}: the day's Fxiaoke calls are used up, but for what is kept for people; work goes on by itself "
            "after 00:00 China time. See `crmhub status`; if more were bought, set daily_calls",
            f"{system}：纷享销客当日接口调用额度已用完（为人工预留的除外），北京时间 0 点后自动继续；"
            "可用 `crmhub status` 查看；如已增购调用包，请设置 daily_calls",
            resets_at=until,
            system=system,
        )


class Pace:
    """Hands out the interfaces of a connection; threads share them."""

    def __init__(self, settings: FxiaokeSettings, context: ConnectorContext) -> None:
        self._settings, self._context = settings, context
        self._interfaces: dict[str, Interface] = {}
        self._lock = Lock()
        self.day = Day(settings, context)

    def of(self, path: str) -> Interface:
        """Returns what admits the calls of a path."""
        with self._lock:
            if path not in self._interfaces:
                settings, context = self._settings, self._context
                bucket = context.budget(path, settings.rate_per_second, settings.rate_burst)
                self._interfaces[path] = Interface(bucket, self.day, context.clock, settings.rate_limit_wait)
            return self._interfaces[path]

    def pause(self, path: str) -> Slowed:
        """Rests a path for the vendor's window, on every host, and returns what says so."""
        wait = self._settings.rate_limit_wait
        self.of(path).pause(wait)
        return Slowed(wait)

    def limited(self, after: float) -> RateLimited:
        """Returns the error of a call that was kept waiting for as long as it may."""
        system = self._context.system
        return RateLimited(
            f"{system}: Fxiaoke asks to slow down; the work goes on by itself in {after:.0f} s. If it recurs, see who "
            "else calls for this enterprise, or lower rate_per_second",
            f"{system}：纷享销客提示调用过于频繁；约 {after:.0f} 秒后自动继续。如反复出现，请检查企业内其他调用方，"
            "或调低 rate_per_second",
            after=after,
            system=system,
        )
