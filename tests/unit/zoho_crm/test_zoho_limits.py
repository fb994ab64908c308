"""The organisation's limits: credits booked as the vendor counts them, fewer calls at once where it admits fewer."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from zoho_lab import LabContext

from connectors.allowance import Allowance, Book, Terms
from connectors.base import Op, WriteRequest
from connectors.errors import QuotaExhausted, RateLimited, SettingsInvalid
from connectors.zoho_crm.limits import Crowd
from connectors.zoho_crm.settings import read_settings

FIELDS = ("Hub_Id", "Last_Name", "Mobile")
WIDE = tuple(f"Field_{number}" for number in range(70))


class Booked(LabContext):
    """Shows what was booked, and keeps a reserve back where it is asked to."""

    kept_back = False
    terms: Terms | None = None

    def allowance(self, name: str, terms: Terms) -> Allowance:
        self.terms = terms
        return Allowance(terms, self.books(name, terms), terms.reserve if self.kept_back else 0, self.clock)

    def close_books(self, zoho: Any) -> int:
        """Returns the credits that were used, nothing being on hand."""
        zoho._reader.api.limits.credits._allowance.close()
        assert self.terms is not None
        with self.books("credits", self.terms)() as book:
            assert isinstance(book, Book)
            return book.total(self.clock.now())


def counted(org: Any) -> int:
    """Returns the credits that the simulated vendor counted since the last reset."""
    return sum(org.admin.calls()["costs"].values())


def read(zoho: Any) -> None:
    zoho.changes("Contacts", FIELDS, None, 200)


# --- credits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "credits", "at_once"),
    [
        ({"edition": "free", "users": 3}, 5_000, 5),
        ({"edition": "standard", "users": 10}, 52_500, 10),
        ({"edition": "standard", "users": 500}, 100_000, 10),
        ({"edition": "professional", "users": 20}, 60_000, 10),
        ({"edition": "professional", "users": 9_000}, 3_000_000, 10),
        ({"edition": "enterprise", "users": 200}, 250_000, 10),
        ({"edition": "enterprise", "users": 9_000}, 5_000_000, 10),
        ({"edition": "ultimate", "users": 9_000}, 18_050_000, 10),
        ({"daily_credits": 1_000, "credit_reserve": 200}, 1_000, 10),
        ({}, 50_000, 10),
    ],
)
def test_an_edition_says_what_may_be_used(settings: dict[str, Any], credits: int, at_once: int) -> None:
    read_settings({"workers": at_once, **settings}, "zoho")
    made = read_settings(settings, "zoho")
    assert made.credits == credits
    assert made.reserve == settings.get("credit_reserve", credits // 10)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"edition": "gold"}, "edition"),
        ({"edition": "free", "workers": 6}, "workers"),
        ({"daily_credits": 1_000, "credit_reserve": 1_000}, "credit_reserve"),
        ({"workers": 11}, "workers"),
    ],
)
def test_limits_that_cannot_be_are_refused(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingsInvalid) as refused:
        read_settings(settings, "zoho")
    assert named in refused.value.en


def rows(ids: list[str], op: Op = Op.UPDATE, **fields: Any) -> list[WriteRequest]:
    return [WriteRequest(op, "Contacts", one, fields, f"hub-{one}", f"k{one}") for one in ids]


def exercise(org: Any, zoho: Any) -> None:
    """Makes every kind of call the connector makes."""
    assert [line for line in zoho.check() if not line.ok] == []
    zoho.describe("Contacts")
    page = zoho.changes("Contacts", (*FIELDS, *WIDE), None, 200)
    zoho.changes("Contacts", FIELDS, page.next_cursor, 200)
    zoho.deletions("Contacts", None, 200)
    zoho.count("Contacts", None)
    ids = [one for one, _ in zoho.list_ids("Contacts", None, 200).ids]
    zoho.fetch("Contacts", [*ids[:150], "5843104000009999999"], FIELDS)
    zoho.find("Contacts", "Hub_Id", [f"hub-{number}" for number in range(60)], FIELDS)
    for size in (1, 10, 11, 100):
        zoho.write(rows(ids[:size], Mobile="+8613900000000"))
    zoho.write(rows(ids[:12], Op.DELETE))


@pytest.mark.parametrize(
    "settings",
    [{}, {"listing": "coql"}, {"listing": "coql", "coql_page_size": 900}, {"rich_text_fields": ["Description"]}],
    ids=["lists", "queries", "short queries", "rich texts"],
)
def test_every_call_is_booked_as_the_vendor_counts_it(org: Any, settings: dict[str, Any]) -> None:
    context = Booked()
    zoho = org.connect(context, **settings)
    zoho.write(org.create_requests(95, Description="长" * 600))
    zoho.write([WriteRequest(r.op, r.object, None, r.fields, r.hub_id, r.idempotency_key) for r in more(org, 95, 80)])
    exercise(org, zoho)
    listed = zoho.changes("Contacts", (*FIELDS, "Description"), None, 2_000)
    assert len(listed.records) > 100
    booked = context.close_books(zoho)
    assert booked == counted(org)
    assert booked > 60
    context.http.close()


def more(org: Any, after: int, number: int) -> list[WriteRequest]:
    return org.create_requests(after + number)[after:]


def test_a_retried_read_is_booked_as_often_as_it_is_sent(org: Any) -> None:
    context = Booked()
    zoho = org.connect(context)
    read(zoho)
    org.fault("GET", "/Contacts", "http_502_html", after_commit=True)
    read(zoho)
    assert context.close_books(zoho) == counted(org) == 3
    context.http.close()


def test_work_stops_at_the_reserve_without_a_call_and_people_go_on(org: Any) -> None:
    org.admin.settings(credits_per_day=100)
    settings = {"daily_credits": 100, "credit_reserve": 20}
    context = Booked()
    context.kept_back = True
    zoho = org.connect(context, **settings)
    with pytest.raises(QuotaExhausted) as spent:
        for _ in range(200):
            read(zoho)
    assert counted(org) == 80
    assert spent.value.resets_at is not None
    assert 86_400 <= spent.value.resets_at - context.clock.now() + 60 <= 86_400 + 15 * 60 + 60
    context.kept_back = False
    person = org.connect(context, **settings)
    with pytest.raises(QuotaExhausted):
        for _ in range(200):
            read(person)
    assert counted(org) == 100
    later = spent.value.resets_at - context.clock.now() + 1
    org.admin.advance(later)
    context.clock.offset += later
    read(zoho)
    assert counted(org) == 101
    context.http.close()


def test_a_write_that_no_credit_is_left_for_was_not_sent(org: Any) -> None:
    zoho = org.connect(daily_credits=15, credit_reserve=0)
    assert len(zoho.write(org.create_requests(100))) == 100
    with pytest.raises(QuotaExhausted):
        zoho.write(more(org, 100, 100))
    assert len(zoho.write(more(org, 100, 50))) == 50
    assert len(org.admin.records("Contacts")) == 150
    assert counted(org) == 15


def test_what_others_use_up_stops_the_work_too(org: Any) -> None:
    org.admin.settings(credits_per_day=100)
    zoho = org.connect(Booked(), daily_credits=100, credit_reserve=0)
    other = org.connect(LabContext())
    for _ in range(60):
        read(other)
    with pytest.raises(QuotaExhausted):
        for _ in range(200):
            read(zoho)
    # The vendor's number stopped it: not one call was refused.
    assert "429" not in org.admin.calls()["statuses"]
    assert counted(org) == 100


# --- calls at once ----------------------------------------------------------------------------------------------------


class Hands:
    def __init__(self) -> None:
        self.at = 1_000.0

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


def test_a_refusal_halves_what_goes_at_once_and_quiet_gives_it_back() -> None:
    clock = Hands()
    crowd = Crowd(8, clock)
    entered = []
    for _ in range(8):
        place = crowd.place()
        entered.append((place, place.__enter__()))
    for place, _ in entered:
        place.__exit__(None, None, None)
    crowd.refused(entered[0][1])
    assert crowd.allowed == 1, "nobody else was on the way"
    for _, generation in entered:
        crowd.refused(generation)
    assert crowd.allowed == 1, "one burst counts once"
    seen = []
    for _ in range(9):
        clock.at += 30.0
        with crowd.place():
            seen.append(crowd.allowed)
    assert seen == [2, 3, 4, 5, 6, 7, 8, 8, 8]


def test_a_clock_that_was_set_back_takes_no_place_away() -> None:
    clock = Hands()
    crowd = Crowd(4, clock)
    clock.at -= 500.0
    with crowd.place():
        assert crowd.allowed == 4


def test_a_crowd_waits_for_its_turn() -> None:
    crowd, order = Crowd(1, Hands()), []
    inside = threading.Event()

    def second() -> None:
        inside.wait(10)
        with crowd.place():
            order.append("second")

    waiting = threading.Thread(target=second)
    with crowd.place():
        waiting.start()
        inside.set()
        time.sleep(0.05)
        order.append("first")
    waiting.join(10)
    assert order == ["first", "second"]


class RealContext(LabContext):
    """Waits as long as it says."""

    def __init__(self) -> None:
        super().__init__()
        self.clock.sleep = time.sleep  # type: ignore[method-assign]


def test_eight_workers_adapt_to_a_vendor_that_admits_fewer(org: Any) -> None:
    context = RealContext()
    zoho = org.connect(context, workers=8)
    read(zoho)
    org.admin.settings(concurrency=3, latency_ms=15.0)
    org.admin.reset_calls()
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda number: zoho.write([made(number)])[0].native_id, range(240)))
    assert len(set(results)) == 240, "everything was written, and nothing twice"
    assert len(org.admin.records("Contacts")) == 240
    statuses = org.admin.calls()["statuses"]
    assert statuses["201"] == 240
    assert 0 < statuses["429"] <= 24, statuses
    assert zoho._reader.api.limits.crowd.allowed <= 4
    context.http.close()


def made(number: int) -> WriteRequest:
    return WriteRequest(Op.CREATE, "Contacts", None, {"Last_Name": f"李{number}"}, f"hub-{number}", f"k{number}")


def test_a_refused_call_is_made_again_after_a_while(org: Any) -> None:
    read(org.zoho)
    body = {"code": "TOO_MANY_REQUESTS", "details": {}, "message": "sub-concurrency limit", "status": "error"}
    org.fault("GET", "/Contacts", "vendor_error", status=429, body=body, times=2)
    before = org.context.clock.offset
    read(org.zoho)
    assert 3.0 <= org.context.clock.offset - before <= 6.0
    assert org.calls() == {"list Contacts": 4}


def test_a_write_that_was_refused_for_the_crowd_is_sent_again(org: Any) -> None:
    org.fault("POST", "/Contacts$", "http_429", times=2)
    assert len(org.zoho.write(org.create_requests(3))) == 3
    assert len(org.admin.records("Contacts")) == 3


def test_patience_ends(org: Any) -> None:
    read(org.zoho)
    org.fault("GET", "/Contacts", "http_429", times=0)
    with pytest.raises(RateLimited) as limited:
        read(org.zoho)
    assert 1.0 <= limited.value.after <= 60.0
    assert org.context.clock.offset <= 60.0


@pytest.mark.parametrize("code", ["TOO_MANY_REQUESTS", "RATE_LIMIT_EXCEEDED"])
@pytest.mark.parametrize("message", ["You have exceeded your 24 hour limit", "API credits exceeded"])
def test_a_refusal_for_want_of_credits_ends_the_work_at_once(org: Any, code: str, message: str) -> None:
    read(org.zoho)
    body = {"code": code, "details": {}, "message": message, "status": "error"}
    org.fault("GET", "/Contacts", "vendor_error", status=429, body=body, times=0)
    with pytest.raises(QuotaExhausted) as spent:
        read(org.zoho)
    assert spent.value.resets_at == pytest.approx(org.context.clock.now() + 300, abs=5)
    before = org.calls()
    with pytest.raises(QuotaExhausted):
        read(org.zoho)
    assert org.calls() == before
