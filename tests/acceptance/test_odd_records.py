"""Odd records of customers, contact logs and complaints each end by their rule: nothing twins, nothing is held out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from hub.cli.demo_lab import FXIAOKE, ZOHO, running_lab
from hub.cli.main import run
from hub.operations.auditing import verify_log
from hub.operations.holdouts import list_held
from hub.operations.inspection import show_record
from hub.operations.questions import resolve_conflict
from hub.store import runs
from tests.acceptance.odd_records import CUSTOMERS, PHONES, SAME_NAME, Bank, fill

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def bank() -> Iterator[Bank]:
    """Is the bank after its first sync."""
    with running_lab(None, lang="en", options={ZOHO: {}, FXIAOKE: {}}) as lab:
        made = fill(lab)
        made.first_sync()
        yield made


def test_everything_arrives_once_and_the_second_plan_is_empty(bank: Bank) -> None:
    assert len(bank.lab.records(ZOHO, "Contacts")) == len(bank.lab.records(FXIAOKE, "AccountObj")) == CUSTOMERS
    for name in bank.named:
        if name not in bank.lone:
            bank.shown(name, ZOHO), bank.shown(name, FXIAOKE)
    bank.check_quiet()


def test_two_customers_of_one_name_stay_two(bank: Bank) -> None:
    assert bank.hub_id("customer 0") != bank.hub_id("customer 1") == bank.hub_id("same name there")
    rows = [row for row in bank.lab.records(FXIAOKE, "AccountObj") if row["name"] == "".join(SAME_NAME)]
    assert sorted(f"+86{str(row['tel']).removeprefix('+86')}" for row in rows) == sorted(PHONES)


def test_logs_of_staff_who_left_go_to_the_fallback_owner_and_keep_the_staff_number(bank: Bank) -> None:
    left = [name for name in bank.named if name.startswith("left")]
    shown = [bank.shown(name, FXIAOKE)[1] for name in left]
    assert [(row["owner"], row["staff_no__c"]) for row in shown] == [(["1099"], "S1007")] * 30
    assert {bank.shown(name, ZOHO)[1]["Owner"]["id"] for name in left} == {"5843104000000301007"}
    with bank.lab.hub.store.read() as conn:
        written = sum(item.counts.get("fallback_owner", 0) for item in runs.latest(conn, "contact_log", 100))
    assert (bank.planned["contact_log"].counts["fallback_owner"], written) == (30, 30)


def test_unanswered_calls_have_no_length_in_the_hub_and_the_vendors_form_in_zoho(bank: Bank) -> None:
    inbound, outbound = ("Missed", "00:00", "未接"), ("Outbound", "00:01", "未接")
    for names, form in (
        (("missed inbound", "noted inbound"), inbound),
        (("missed outbound", "noted outbound"), outbound),
    ):
        for name in (f"{kind} {number}" for kind in names for number in range(5)):
            object_, row = bank.shown(name, ZOHO)
            assert (object_, row["Call_Type"], row["Call_Duration"], row["Call_Result"]) == ("Calls", *form), name
            _, row = bank.shown(name, FXIAOKE)
            assert (row["duration_seconds__c"], row["outcome__c"]) == ("0", "option2"), name
            assert row["direction__c"] == ("option1" if form is inbound else "option2"), name


def test_wechat_logs_stand_as_tasks_in_zoho_wherever_they_were_written(bank: Bank) -> None:
    for number in range(20):
        object_, row = bank.shown(f"wechat {number}", ZOHO)
        assert (object_, row["Channel"]) == ("Tasks", "微信")
        assert bank.shown(f"wechat {number}", FXIAOKE)[1]["interactive_types"] == "6"
    # What happened already is no open task.
    assert bank.shown("wechat 19", ZOHO)[1]["Status"] == "Completed"


def test_a_call_written_in_fxiaoke_becomes_a_call_of_the_same_customer(bank: Bank) -> None:
    object_, row = bank.shown("noted call", ZOHO)
    assert (object_, row["Call_Type"], row["Call_Duration"], row["Call_Result"]) == (
        "Calls",
        "Outbound",
        "01:35",
        "已接通",
    )
    assert row["Who_Id"]["id"] == bank.customers[1]


@pytest.mark.parametrize("name", ["no purpose call", "no purpose task", "no purpose event", "no purpose noted"])
def test_an_empty_purpose_counts_as_other(bank: Bank, name: str) -> None:
    assert _golden(bank, name)["purpose"] == "other"
    assert bank.shown(name, FXIAOKE)[1].get("interactive_scenario") in ("other", None)
    _, row = bank.shown(name, ZOHO)
    assert row.get("Call_Purpose", row.get("Purpose")) in ("其他", None)


def test_meetings_get_the_end_that_zoho_demands_and_fxiaoke_never_takes_it_for_a_fact(bank: Bank) -> None:
    for name, length, duration in (("no end", timedelta(minutes=30), None), ("no length", timedelta(seconds=1), "0")):
        object_, row = bank.shown(name, ZOHO)
        start, end = (datetime.fromisoformat(row[field]) for field in ("Start_DateTime", "End_DateTime"))
        assert (object_, end - start) == ("Events", length)
        assert bank.shown(name, FXIAOKE)[1].get("duration_seconds__c") == duration
    with pytest.raises(RuntimeError, match="End_DateTime"):
        bank.write(ZOHO, "Events", "", Event_Title="endless", Start_DateTime="2026-03-02T09:00:00+08:00")


def test_a_log_without_a_time_began_when_it_was_written(bank: Bank) -> None:
    _, row = bank.shown("no time", FXIAOKE)
    _, shown = bank.shown("no time", ZOHO)
    assert datetime.fromisoformat(shown["Start_DateTime"]).timestamp() == row["create_time"] // 1000


def test_logs_of_nobody_are_passed_over_and_counted(bank: Bank) -> None:
    subjects = {row["subject__c"] for row in bank.lab.records(FXIAOKE, "ActiveRecordObj")}
    assert "nobody here" not in subjects
    assert "nobody there" not in {row["Subject"] for row in bank.lab.records(ZOHO, "Tasks")}
    with bank.lab.hub.store.read() as conn:
        counted = [item.counts.get("unlinked", 0) for item in runs.latest(conn, "contact_log", limit=100)]
    assert max(counted) == len(bank.lone)


def test_a_complaint_closed_without_feedback_arrives_and_is_listed(
    bank: Bank, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bank.shown("silent", FXIAOKE)[1]["status__c"] == "option8"
    assert bank.shown("silent there", ZOHO)[1]["Status"] == "已结案"
    words = ("complaint", "list", "--closed-without-feedback", "--json", "--home", str(bank.lab.home))
    capsys.readouterr()
    assert run(words) == 0
    listed = json.loads(capsys.readouterr().out)["complaints"]
    assert {item["hub_id"] for item in listed} == {bank.hub_id("silent"), bank.hub_id("silent there")}
    assert all(item["closed_without_feedback"] for item in listed)


def test_a_log_points_at_its_complaint_in_both_systems(bank: Bank) -> None:
    complaint = bank.shown("open", FXIAOKE)[1]
    _, row = bank.shown("about a complaint", FXIAOKE)
    assert {"complaint__c", "AccountObj"} == {item["describe_api_name"] for item in row["related_object_data"]}
    assert complaint["_id"] in {item["id"] for item in row["related_object_data"]}


@pytest.fixture(scope="module")
def changed(bank: Bank) -> Bank:
    """Is the bank after people changed in Fxiaoke what decides where a record stands in Zoho."""
    bank.edit(FXIAOKE, "to be sms", interactive_types="5")
    bank.edit(FXIAOKE, "to be a visit", interactive_types="2")
    bank.edit(FXIAOKE, "to be a letter", interactive_types="9")
    bank.edit(FXIAOKE, "customer 100", account_type="2")
    customer = {"account_id": bank.named["same name there"][2]}
    body = {"object": "ActiveRecordObj", "id": bank.named["nobody yet"][2], "fields": customer}
    bank.lab.simulators[FXIAOKE].admin.post("edit", body)
    bank.lone.discard("nobody yet")
    bank.settle()
    return bank


def test_a_channel_changes_within_its_module(changed: Bank) -> None:
    object_, row = changed.shown("to be sms", ZOHO)
    assert (object_, row["Channel"]) == ("Tasks", "短信")


def test_a_log_of_nobody_arrives_once_it_has_a_customer(changed: Bank) -> None:
    object_, row = changed.shown("nobody yet", ZOHO)
    assert (object_, row["Who_Id"]["id"]) == ("Tasks", changed.customers[1])


MOVING = {"to be a visit": "channel", "to be a letter": "channel", "customer 100": "customer_kind"}


def test_what_would_move_a_record_to_another_module_is_asked(changed: Bank) -> None:
    asked = {(item.kind, item.rule, item.hub_id, item.field) for item in changed.questions()}
    assert asked == {("conflict", "route", changed.hub_id(name), field) for name, field in MOVING.items()}
    _check_not_moved(changed)


def test_an_answer_holds_and_moves_nothing_either(changed: Bank) -> None:
    """What a person keeps goes back to Fxiaoke; what is taken stays there, and Zoho keeps its record where it is."""
    taken = changed.hub_id("to be a letter")
    for item in changed.questions():
        resolve_conflict(
            changed.lab.hub,
            item.id,
            take=FXIAOKE if item.hub_id == taken else None,
            keep=item.hub_id != taken,
        )
    changed.differing["channel"] = 1
    changed.settle()
    assert changed.shown("to be a visit", FXIAOKE)[1]["interactive_types"] == "1"
    assert changed.shown("to be a letter", FXIAOKE)[1]["interactive_types"] == "9"
    assert changed.shown("customer 100", FXIAOKE)[1]["account_type"] == "1"
    _check_not_moved(changed)
    changed.check_quiet()
    assert verify_log(changed.lab.hub).ok


def test_an_answer_that_the_present_module_cannot_hold_is_not_held_out(changed: Bank) -> None:
    changed.edit(FXIAOKE, "to be a call", interactive_types="1")
    changed.settle()
    mine = changed.hub_id("to be a call")
    asked = next(item for item in changed.questions() if item.hub_id == mine)
    resolve_conflict(changed.lab.hub, asked.id, take=FXIAOKE)
    changed.settle()
    assert list_held(changed.lab.hub) == []
    assert changed.shown("to be a call", ZOHO)[0] == "Tasks"


def _check_not_moved(bank: Bank) -> None:
    for name in MOVING:
        _, object_, native_id = bank.named[name]
        found, row = bank.shown(name, ZOHO)
        assert (found, row["id"]) == (object_, native_id)
    assert bank.lab.records(ZOHO, "Accounts") == []


def _golden(bank: Bank, name: str) -> dict[str, Any]:
    found = show_record(bank.lab.hub, bank.hub_id(name), reveal="a test looks at what the hub holds")
    return {item.name: item.value for item in found.fields}
