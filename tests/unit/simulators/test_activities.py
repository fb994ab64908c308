"""The invented contact logs and complaints that both simulators share."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

import pytest

from connectors.simulation.activities import (
    Activities,
    ComplaintEntry,
    LogEntry,
    activity_id,
    invent_activities,
    invent_complaints,
    invent_logs,
)
from connectors.simulation.people import SYSTEM_KINDS, World, generate


@pytest.fixture(scope="module")
def world() -> World:
    return generate(1500, 11)


@pytest.fixture(scope="module")
def made(world: World) -> Activities:
    return invent_activities(world, 6000, 1600)


def test_the_same_seed_makes_the_same_ones_and_fewer_are_the_beginning_of_more(world: World, made: Activities) -> None:
    assert invent_activities(generate(1500, 11), 6000, 1600) == made
    assert invent_complaints(world, 100) == made.complaints[:100]
    assert invent_logs(world, 50, made.complaints) == made.logs[:50]
    assert invent_logs(generate(1500, 12), 50) != invent_logs(world, 50)


def test_everything_lives_where_its_customer_lives(world: World, made: Activities) -> None:
    complaints = {entry.complaint_id: entry for entry in made.complaints}
    everything: list[ComplaintEntry | LogEntry] = [*made.complaints, *made.logs]
    for entry in everything:
        assert set(entry.homes) <= set(world.homes[entry.person_id])
    for log in made.logs:
        assert len(log.homes) == 1
        if log.complaint:
            about = complaints[log.complaint]
            assert about.person_id == log.person_id
            assert log.homes[0] in about.homes
            assert log.started_at >= about.received_at
    assert sum(len(made.logs_in(kind)) for kind in SYSTEM_KINDS) == 6000
    both = sum(len(entry.homes) == 2 for entry in made.complaints)
    assert 0.03 < both / 1600 < 0.08


def test_the_odd_cases_are_there(made: Activities) -> None:
    missed = [log for log in made.logs if log.channel == "phone" and log.outcome == "no_answer"]
    assert missed
    assert all(log.duration_seconds == 0 and log.canonical()["duration_seconds"] == 0 for log in missed)
    assert all(log.duration_seconds for log in made.logs if log.channel == "phone" and log.outcome != "no_answer")
    assert sum(log.purpose is None for log in made.logs) > 30
    assert sum(log.staff_no == "S1007" for log in made.logs) > 30
    assert any(log.channel == "visit" and log.duration_seconds is None for log in made.logs)
    assert len(Counter(log.channel for log in made.logs)) == 10
    assert sum(entry.repeat_of is not None for entry in made.complaints) > 20


def test_complaints_have_been_through_what_their_status_says(made: Activities) -> None:
    assert len({entry.status for entry in made.complaints}) == 9
    silent = 0
    for entry in made.complaints:
        times = [entry.received_at, entry.accepted_at, entry.feedback_at, entry.closed_at]
        known = [datetime.fromisoformat(text) for text in times if text]
        assert known == sorted(known), entry.complaint_id
        assert (entry.accepted_at is None) or entry.status not in ("registered", "declined")
        assert (entry.closed_at is not None) == (entry.status == "closed")
        assert entry.status != "responded" or entry.feedback_at
        silent += entry.status == "closed" and entry.feedback_at is None
    assert silent > 20


def test_repeats_follow_their_first_one_under_another_number(made: Activities) -> None:
    known = {entry.complaint_id: entry for entry in made.complaints}
    for entry in made.complaints:
        if entry.repeat_of:
            first = known[entry.repeat_of]
            assert (first.person_id, first.complaint_no != entry.complaint_no) == (entry.person_id, True)
            assert first.received_at < entry.received_at
            assert set(entry.homes) <= set(first.homes)
    assert len({entry.complaint_no for entry in made.complaints}) == 1600


def test_no_two_contacts_of_a_customer_could_be_taken_for_one(made: Activities) -> None:
    keys = Counter((log.person_id, log.started_at) for log in made.logs)
    assert max(keys.values()) == 1
    keys = Counter((entry.person_id, entry.received_at) for entry in made.complaints)
    assert max(keys.values()) == 1


def test_native_ids_differ_and_sort_before_later_ones(made: Activities) -> None:
    for kind in SYSTEM_KINDS:
        ids = {activity_id(kind, one.log_id, 11) for one in made.logs}
        ids |= {activity_id(kind, one.complaint_id, 11) for one in made.complaints}
        assert len(ids) == 7600
        assert {len(each) for each in ids} == {19 if kind == "zoho_crm" else 24}
        assert kind != "zoho_crm" or max(ids) < "5843104000900000000"
    with pytest.raises(ValueError, match="unknown system kind"):
        activity_id("paper", "L0000001", 11)


def test_texts_are_not_shown_by_repr(made: Activities) -> None:
    log = next(log for log in made.logs if log.content)
    assert str(log.content) not in repr(log)
    assert str(made.complaints[0].description) not in repr(made.complaints[0])


def test_a_world_of_nobody_has_no_activities() -> None:
    assert invent_activities(generate(0, 1), 10, 10).logs == ()
