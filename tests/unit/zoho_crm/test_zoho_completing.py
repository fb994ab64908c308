"""What lists leave out is read record by record, only where it is mapped, and never half."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.base import NativeRecord

LINES = [{"Product": f"产品{n}", "Amount": n} for n in range(3)]
MAPPED = ("Hub_Id", "Account_Name", "Lines", "Groups", "Team")
PLAIN = ("Hub_Id", "Account_Name")


@pytest.fixture
def firms(org: Any) -> list[str]:
    """Three accounts, of which the first two have a subform, links to several accounts and to several users."""
    org.admin.post(
        "fields",
        {"object": "Accounts", "add": ["Lines subform", "Groups multiselectlookup:Accounts", "Team multiuserlookup"]},
    )
    ids = [make(org, Hub_Id=f"h{n}", Account_Name=f"单位{n}") for n in range(3)]
    for native_id in ids[:2]:
        several = {"Groups": [{"id": ids[2]}], "Team": [{"id": "5843104000000301001"}]}
        org.admin.post("edit", {"object": "Accounts", "id": native_id, "fields": {"Lines": LINES, **several}})
    org.admin.reset_calls()
    return ids


def make(org: Any, **fields: Any) -> str:
    return str(org.admin.post("create", {"object": "Accounts", "fields": fields})["id"])


def listed(zoho: Any, fields: tuple[str, ...]) -> dict[str, NativeRecord]:
    return {one.native_id: one for one in zoho.changes("Accounts", fields, None, 200).records}


def asked(org: Any) -> dict[str, int]:
    calls: dict[str, int] = org.admin.calls()["calls"]
    return {name: number for name, number in calls.items() if name != "token"}


@pytest.mark.parametrize("listing", ["list", "coql", "ranges"])
def test_subforms_and_lookups_of_many_come_by_single_reads_where_they_are_mapped(
    org: Any, firms: list[str], listing: str
) -> None:
    zoho = org.connect(listing=listing)
    for records in (listed(zoho, MAPPED), zoho.fetch("Accounts", firms, MAPPED)):
        for native_id in firms[:2]:
            fields = records[native_id].fields
            assert [line["Amount"] for line in fields["Lines"]] == [0, 1, 2]
            assert [link["Groups"]["id"] for link in fields["Groups"]] == [firms[2]]
            assert [link["Team"]["id"] for link in fields["Team"]] == ["5843104000000301001"]
        assert records[firms[2]].fields["Lines"] is None
    zoho.close()


def test_what_is_not_mapped_costs_no_read(org: Any, firms: list[str]) -> None:
    assert len(listed(org.zoho, PLAIN)) == 3
    assert asked(org) == {"list Accounts": 1}


def test_a_page_costs_one_read_a_record_and_metadata_once(org: Any, firms: list[str]) -> None:
    zoho = org.connect()
    listed(zoho, MAPPED)
    assert asked(org) == {"list Accounts": 1, "settings/fields Accounts": 1, "get Accounts": 3}
    listed(zoho, MAPPED)
    assert asked(org) == {"list Accounts": 2, "settings/fields Accounts": 1, "get Accounts": 6}


def test_a_description_that_was_asked_for_anyway_is_enough(org: Any, firms: list[str]) -> None:
    org.zoho.describe("Accounts")
    org.admin.reset_calls()
    listed(org.zoho, MAPPED)
    assert asked(org) == {"list Accounts": 1, "get Accounts": 3}


def test_a_list_that_shows_such_fields_empty_is_told_of_them(org: Any, firms: list[str]) -> None:
    org.admin.settings(single_in_lists="null")
    # The row has the key, so that nothing is missed; the settings name the field, or a description has been read.
    assert listed(org.connect(), MAPPED)[firms[0]].fields["Lines"] is None
    named = org.connect(single_read_fields=["Lines", "Groups", "Team"])
    assert len(listed(named, MAPPED)[firms[0]].fields["Lines"]) == 3
    described = org.connect()
    described.describe("Accounts")
    assert len(listed(described, MAPPED)[firms[0]].fields["Lines"]) == 3


def test_a_subform_of_which_more_is_there_is_not_observed(org: Any, firms: list[str]) -> None:
    org.admin.settings(subform_rows_shown=2)
    records = listed(org.zoho, MAPPED)
    assert "Lines" not in records[firms[0]].fields
    assert len(records[firms[0]].fields["Groups"]) == 1
    assert records[firms[2]].fields["Lines"] is None


def test_a_walk_over_changes_completes_its_rows_too(org: Any, firms: list[str]) -> None:
    org.advance(600)
    cursor = org.zoho.changes("Accounts", MAPPED, None, 200).next_cursor
    org.admin.post("edit", {"object": "Accounts", "id": firms[2], "fields": {"Lines": LINES[:1]}})
    org.advance(5)
    (changed,) = org.zoho.changes("Accounts", MAPPED, cursor, 200).records
    assert [line["Amount"] for line in changed.fields["Lines"]] == [0]


# --- rich texts -------------------------------------------------------------------------------------------------------

CASE = {"Subject": "排队过长", "Status": "已登记", "Case_Origin": "Phone"}
TEXTS = ("Subject", "Solution", "Description")


def case(org: Any, **fields: Any) -> str:
    return str(org.admin.post("create", {"object": "Cases", "fields": {**CASE, **fields}})["id"])


@pytest.mark.parametrize("described", [True, False])
def test_a_cut_text_is_read_whole_though_nobody_named_it(org: Any, described: bool) -> None:
    org.admin.settings(rich_text_fields="Solution", textarea_described=described)
    long, brief = case(org, Solution="处理" * 300), case(org, Solution="短", Description="说明")
    records = {one.native_id: one for one in org.zoho.changes("Cases", TEXTS, None, 200).records}
    assert records[long].fields["Solution"] == "处理" * 300
    assert records[brief].fields["Solution"] == "短"
    assert asked(org)["full Cases"] == 1


def test_a_text_of_500_characters_that_no_list_cuts_costs_no_read(org: Any) -> None:
    native_id = case(org, Description="说" * 500)
    (record,) = org.zoho.changes("Cases", TEXTS, None, 200).records
    assert record.native_id == native_id
    assert record.fields["Description"] == "说" * 500
    # Metadata say once that the field is no rich text.
    assert asked(org) == {"list Cases": 1, "settings/fields Cases": 1}


def test_a_vendor_that_refuses_to_read_plain_texts_whole_is_asked_for_the_record(org: Any) -> None:
    org.admin.settings(textarea_described=False, full_data_for_plain=False)
    case(org, Description="说" * 500)
    (record,) = org.zoho.changes("Cases", TEXTS, None, 200).records
    assert record.fields["Description"] == "说" * 500


def test_characters_of_four_bytes_are_cut_texts_too(org: Any) -> None:
    org.admin.settings(rich_text_fields="Solution")
    text = "𠮷" * 600
    case(org, Solution=text)
    (record,) = org.zoho.changes("Cases", TEXTS, None, 200).records
    assert record.fields["Solution"] == text
