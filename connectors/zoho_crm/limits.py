"""Keeps within what the organisation may use: credits of a rolling day, and calls at once.

Source: Zoho API v8 api-limits. Credits come back as the day rolls on. More than ten calls at once are never sent, which
is also the sub-concurrency of every edition, so that no kind of call must be told from another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Condition
from zlib import crc32

from connectors.allowance import Spent, Terms
from connectors.base import Clock, ConnectorContext, Response
from connectors.errors import QuotaExhausted, RateLimited
from connectors.zoho_crm.answers import THROTTLED, Answer, header
from connectors.zoho_crm.settings import ZohoSettings
from connectors.zoho_crm.times import stamp

REMAINING = "X-API-CREDITS-REMAINING"
"""Says what is left of the day; sent once half of it is used."""
_LONGEST_WAIT = 60.0
_RECOVERS = 30.0
"""Seconds without a refusal after which one call more goes at once."""
_SPENT_WORDS = ("24 hour", "24-hour", "credit")


class Credits:
    """Takes the credits of every call from the organisation's day before it leaves, retries included."""

    def __init__(self, settings: ZohoSettings, context: ConnectorContext) -> None:
        self._system = context.system
        terms = Terms(settings.credits, settings.reserve, heeded=settings.quota_pause)
        self._allowance = context.allowance("credits", terms)

    def take(self, cost: int, operation: str) -> None:
        """Takes the cost of one call. Raises QuotaExhausted."""
        try:
            if cost:
                self._allowance.take(cost)
        except Spent as spent:
            raise self.exhausted(spent.until) from None

    def pause(self, seconds: float) -> None:
        """Counts nothing as left until the vendor is asked again."""
        self._allowance.hear(0)

    def hear(self, response: Response) -> int | None:
        """Takes in what the vendor says is left, and returns it: others use the organisation's credits too."""
        told = header(response, REMAINING).strip()
        if not told.isascii() or not told.isdigit():
            return None
        self._allowance.hear(int(told))
        return int(told)

    def exhausted(self, until: float) -> QuotaExhausted:
        """Returns the error of a day that is used up, down to what is kept for people."""
        at = stamp(until)
        return QuotaExhausted(
            f"{self._system}: the organisation's API credits of the last 24 hours are used up, but for what is "
            f"kept for people; work goes on by itself from {at}. See `crmhub status`; if there are more, set "
            "daily_credits, or edition and users",
            f"{self._system}：最近 24 小时的 API 额度已用完（为人工预留的除外），{at} 起自动继续；"
            "可用 `crmhub status` 查看；如额度更高，请设置 daily_credits，或 edition 与 users",
            resets_at=until,
            system=self._system,
        )


class Crowd:
    """Lets so many calls go at once; half as many after a refusal, and one more for each while without one."""

    def __init__(self, most: int, clock: Clock) -> None:
        self._most, self._clock = most, clock
        self._allowed, self._running, self._generation = most, 0, 0
        self._changed_at = clock.now()
        self._turn = Condition()

    @property
    def allowed(self) -> int:
        """Returns how many calls may go at once now."""
        return self._allowed

    @contextmanager
    def place(self) -> Iterator[int]:
        """Waits for a place and holds it; yields what tells a refusal under it from older ones."""
        with self._turn:
            self._turn.wait_for(self._is_free)
            self._running += 1
            entered = self._generation
        try:
            yield entered
        finally:
            with self._turn:
                self._running -= 1
                self._turn.notify_all()

    def refused(self, entered: int) -> None:
        """Hears that the vendor refused a call; those of one burst were refused together and count once."""
        with self._turn:
            if entered == self._generation:
                self._generation += 1
                self._allowed = max(1, min(self._allowed, self._running + 1) // 2)
                self._changed_at = self._clock.now()

    def _is_free(self) -> bool:
        now = self._clock.now()
        if not 0 <= now - self._changed_at < _RECOVERS:
            grown = max(0, int((now - self._changed_at) // _RECOVERS))
            self._allowed, self._changed_at = min(self._most, self._allowed + grown), now
        return self._running < self._allowed


class Limits:
    """Judges answers by the organisation's limits, for all threads of one connection."""

    def __init__(self, settings: ZohoSettings, context: ConnectorContext) -> None:
        self._settings, self._context = settings, context
        self.credits = Credits(settings, context)
        self.crowd = Crowd(settings.workers, context.clock)
        self._throttled_since: float | None = None
        self._throttled = 0

    def judge(self, response: Response, answer: Answer, entered: int) -> float | None:
        """Returns how long to wait before the call is made again, None for an answer that was no refusal.

        The vendor refuses both too many calls at once and a used-up day with 429. Raises QuotaExhausted.
        """
        left = self.credits.hear(response)
        if response.status != 429 and answer.code not in THROTTLED:
            self._throttled_since, self._throttled = None, 0
            return None
        now = self._context.clock.now()
        since = self._throttled_since if self._throttled_since is not None else now
        self._throttled_since = since
        self._throttled += 1
        if left == 0 or _says_spent(answer.error) or now - since >= self._settings.quota_pause:
            self.credits.pause(self._settings.quota_pause)
            raise self.credits.exhausted(now + self._settings.quota_pause)
        self.crowd.refused(entered)
        told = header(response, "Retry-After").strip()
        return float(told) if told.isascii() and told.isdigit() else self._backoff()

    def limited(self, after: float) -> RateLimited:
        """Returns the error of calls that were refused for as long as one call may wait."""
        system = self._context.system
        return RateLimited(
            f"{system}: Zoho admits no more calls at once; waiting {after:.0f} s. Lower workers if it recurs",
            f"{system}：Zoho 并发调用受限，等待 {after:.0f} 秒；如反复出现请调低 workers",
            after=after,
            system=system,
        )

    def _backoff(self) -> float:
        longest = min(_LONGEST_WAIT, 2.0**self._throttled)
        return longest * (0.5 + crc32(self._context.new_id().encode()) / 2**33)


def _says_spent(error: Mapping[str, object]) -> bool:
    message = str(error.get("message", "")).lower()
    return any(words in message for words in _SPENT_WORDS)
