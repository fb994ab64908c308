"""What waits for a person: conflicts, holds, quarantine and questions of identity."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError
from store_kit import ENTITY, RUN, Kit, bound

from hub.core.state import Conflict, Hold
from hub.store import matches, quarantine, questions
from hub.store.quarantine import INBOUND, OUTBOUND, Fault
from hub.store.questions import Question
from hub.store.review_tables import conflict

TWO = Conflict("full_name", "ask", (("zoho", "甲"), ("fxiaoke", "乙")))
MOVED = Conflict("full_name", "ask", (("zoho", "丙"), ("fxiaoke", "乙")))
HELD = Hold("contact_consent", "fxiaoke", "consent_loosened", (("fxiaoke", "granted"),))
TAGS = Conflict("behavior_tags", "ask", (("zoho", ("a", "b")), ("fxiaoke", None)))


def _asked(kit: Kit, kind: str = "conflict", states: tuple[str, ...] = questions.LIVE) -> list[Question]:
    kit.load("h1")
    with kit.store.read() as conn:
        return questions.load(conn, kit.ring, kind, states=states)


def _reconcile(kit: Kit, *now: Conflict | Hold) -> tuple[int, int]:
    stood = _asked(kit) + _asked(kit, "hold")
    record = kit.load("h1").golden
    with kit.store.begin() as work:
        conflicts = [item for item in now if isinstance(item, Conflict)]
        return questions.reconcile(
            work, RUN, record, stood, conflicts, [item for item in now if isinstance(item, Hold)]
        )


def _answer(kit: Kit, item: Question, value: Any) -> None:
    with kit.store.begin() as work:
        questions.answer(work, item, value, "local:me")


def test_questions_come_back_as_they_were_asked(kit: Kit) -> None:
    kit.create("h1", bound("h1"))
    assert _reconcile(kit, TWO, TAGS, HELD) == (3, 0)
    assert {(item.field, item.candidates) for item in _asked(kit)} == {
        (item.field, item.candidates) for item in (TWO, TAGS)
    }
    (held,) = _asked(kit, "hold")
    assert (held.rule, held.system, held.candidates) == (HELD.guard, HELD.system, HELD.candidates)
    with kit.store.read() as conn:
        frozen = questions.frozen_fields(conn, ["h1"])
        assert [questions.count(conn, kind, ENTITY) for kind in ("conflict", "hold")] == [2, 1]
    assert frozen == {"h1": {"full_name", "behavior_tags", "contact_consent"}}


CLOSING = [
    pytest.param((TWO,), None, (0, 0), {"open": 1}, id="the same question stays"),
    pytest.param((MOVED,), None, (1, 1), {"superseded": 1, "open": 1}, id="moved candidates ask anew"),
    pytest.param((), None, (0, 1), {"dissolved": 1}, id="agreement dissolves it"),
    pytest.param((), "甲", (0, 1), {"resolved": 1}, id="an answer resolves it"),
    pytest.param((MOVED,), "甲", (1, 1), {"superseded": 1, "open": 1}, id="an answer to moved candidates is void"),
    pytest.param((TWO, HELD), None, (1, 0), {"open": 1}, id="another question is another row"),
]


@pytest.mark.parametrize(("now", "answer", "counted", "states"), CLOSING)
def test_reconcile_makes_the_open_rows_what_the_merge_asks(
    kit: Kit, now: tuple[Conflict | Hold, ...], answer: str | None, counted: tuple[int, int], states: dict[str, int]
) -> None:
    kit.create("h1", bound("h1"))
    _reconcile(kit, TWO)
    if answer is not None:
        _answer(kit, _asked(kit)[0], answer)
    assert _reconcile(kit, *now) == counted
    found = [item.state for item in _asked(kit, states=())]
    assert {state: found.count(state) for state in found} == states


def test_an_answer_reaches_the_merge_with_the_candidates_its_author_saw(kit: Kit) -> None:
    kit.create("h1", bound("h1"))
    _reconcile(kit, TAGS)
    _answer(kit, _asked(kit)[0], ("b",))
    found = questions.resolutions(kit.ring, _asked(kit))
    assert {name: (item.value, item.candidates) for name, item in found.items()} == {
        "behavior_tags": (("b",), TAGS.candidates)
    }


def test_a_field_has_one_open_question(kit: Kit) -> None:
    kit.create("h1", bound("h1"))
    _reconcile(kit, TWO)
    with kit.store.read() as conn:
        row = dict(conn.execute(conflict.select()).one()._mapping)
    again = conflict.insert().values({**row, "conflict_id": "another"})
    with kit.store.begin() as work, pytest.raises(IntegrityError):
        work.conn.execute(again)


FAULT = Fault(
    "zoho", "Contacts", "n1", INBOUND, "", "HUB-VALUE-001", "en", "zh", b"d1", payload={"fields": {"a": "值"}}
)
REFUSED = Fault("zoho", "Contacts", "n1", OUTBOUND, "email", "HUB-X", "en", "zh", b"d1", "h1", "subject-h1")


def _put(kit: Kit, *faults: Fault) -> int:
    with kit.store.begin() as work:
        return quarantine.put(work, kit.ring, ENTITY, RUN, faults)


def test_one_cause_is_one_open_row_until_the_input_changes(kit: Kit) -> None:
    assert [_put(kit, FAULT), _put(kit, FAULT), _put(kit, replace(FAULT, input_digest=b"d2"))] == [1, 0, 1]
    with kit.store.read() as conn:
        assert [row.input_digest for row in quarantine.listing(conn, ENTITY)] == [b"d2"]
        assert quarantine.inbound_digests(conn, "zoho", "Contacts", ["n1", "n2"]) == {"n1": b"d2"}
        assert quarantine.causes(conn, ENTITY) == [("zoho", "HUB-VALUE-001", "", 1)]


def test_a_refused_field_is_cleared_when_the_system_accepts_it(kit: Kit) -> None:
    kit.create("h1", bound("h1"))
    _put(kit, FAULT, REFUSED, replace(REFUSED, field="phone"))
    with kit.store.read() as conn:
        assert quarantine.of_records(conn, "zoho", ["h1"]) == {("h1", ""): {"email": b"d1", "phone": b"d1"}}
    with kit.store.begin() as work:
        assert quarantine.clear_fields(work, "zoho", {"h1": ["email"]}) == 1
        assert quarantine.clear(work, "zoho", "Contacts", ["n1"], INBOUND) == 1
    with kit.store.read() as conn:
        assert [row.field for row in quarantine.listing(conn, ENTITY)] == ["phone"]


def test_a_released_row_is_tried_once_more_and_may_come_back(kit: Kit) -> None:
    _put(kit, FAULT)
    with kit.store.read() as conn:
        (row,) = quarantine.listing(conn, ENTITY)
    with kit.store.begin() as work:
        assert [quarantine.retry(work, row.quarantine_id) for _ in range(2)] == [1, 0]
    assert _put(kit, FAULT) == 1


def test_match_keys_tell_golden_records_from_rivals_and_can_be_taken_over(kit: Kit) -> None:
    with kit.store.begin() as work:
        matches.put_keys(work, ENTITY, matches.GOLDEN, {"h1": {"mobile": b"m", "email": b"e"}})
        matches.put_keys(work, ENTITY, "zoho", {"o1": {"mobile": b"m"}, "o2": {"mobile": b"m"}})

    def shared() -> dict[bytes, tuple[tuple[str, ...], dict[str, int]]]:
        with kit.store.read() as conn:
            found = matches.share(conn, ENTITY, [b"m", b"e", b"unknown"])
        return {digest: (tuple(sorted(item.golden)), dict(item.rivals)) for digest, item in found.items()}

    assert shared() == {b"m": (("h1",), {"zoho": 2}), b"e": (("h1",), {})}
    with kit.store.begin() as work:
        matches.take_over(work, ["o1"])
        matches.put_keys(work, ENTITY, matches.GOLDEN, {"h1": {"email": b"e"}})
        matches.drop_keys(work, ["o2"])
    assert shared() == {b"m": (("o1",), {}), b"e": (("h1",), {})}
    with kit.store.read() as conn:
        assert matches.keys_of(conn, ["h1", "o2"]) == {"h1": {"email": b"e"}, "o2": {}}


def test_an_answer_to_a_question_that_a_cycle_replaced_meanwhile_is_not_taken(kit: Kit) -> None:
    kit.create("h1", bound("h1"))
    _reconcile(kit, TWO)
    (read,) = _asked(kit)
    _reconcile(kit, MOVED)
    with kit.store.begin() as work:
        assert not questions.answer(work, read, "甲", "local:me")
    assert [(item.id == read.id, item.state) for item in _asked(kit)] == [(False, "open")]
    _ask(kit, h1=("mobile",))
    with kit.store.read() as conn:
        (asked,) = matches.questions(conn, ENTITY)
    with kit.store.begin() as work:
        matches.close(work, "zoho", "Contacts", "n1")
    with kit.store.begin() as work:
        assert not matches.answer(work, asked.question_id, "h1", "local:me")
    with kit.store.read() as conn:
        assert matches.answers(conn, "zoho", "Contacts", ["n1"]) == {}


def _ask(kit: Kit, **candidates: tuple[str, ...]) -> None:
    with kit.store.begin() as work:
        matches.ask(work, ENTITY, RUN, {("zoho", "Contacts", "n1"): candidates})


def test_a_question_of_identity_is_asked_once_and_answered_by_id(kit: Kit) -> None:
    kit.create("h1")
    _ask(kit, h1=("mobile",))
    _ask(kit, h1=("mobile", "email"), h2=("name",))
    with kit.store.read() as conn:
        (asked,) = matches.questions(conn, ENTITY)
        assert matches.asked_about(conn, ["h1", "h2", "h3"], "zoho") == {"h1", "h2"}
        assert matches.tally(conn, ENTITY) == {"unsure": 1}
    assert asked.candidates == {"h1": ("mobile", "email"), "h2": ("name",)}
    with kit.store.begin() as work:
        matches.answer(work, asked.question_id, "h1", "local:me")
    with kit.store.read() as conn:
        assert matches.answers(conn, "zoho", "Contacts", ["n1"]) == {"n1": ("h1", "local:me")}
    with kit.store.begin() as work:
        matches.close(work, "zoho", "Contacts", "n1")
        row = {"entity": ENTITY, "system": "zoho", "object": "Contacts", "native_id": "n1", "hub_id": "h1"}
        matches.decide(work, [{**row, "certainty": "answered", "rule": "mobile", "decided_by": "me", "run_id": RUN}])
    with kit.store.read() as conn:
        assert matches.questions(conn, ENTITY) == []
        assert matches.tally(conn, ENTITY) == {"answered": 1, "unsure": 0}
        assert [row.hub_id for row in matches.decisions(conn, ENTITY, "zoho", "n1")] == ["h1"]


def test_placed_tells_who_has_a_record_in_a_system(kit: Kit) -> None:
    kit.create("h1", bound("h1"))
    kit.create("h2", bound("h2", "fxiaoke", "f2"))
    with kit.store.read() as conn:
        assert matches.placed(conn, ["h1", "h2"], "zoho") == {"h1"}
