"""What the mappings need of a system: the hub id first, every field with form, label and options."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from connectors.preparing import FieldNeed, Form
from hub.canonical.schema import load_schema
from hub.canonical.shipped import shipped_folder
from hub.mapping.loader import load_mapping, mapping_path
from hub.mapping.needs import needs_of
from hub.mapping.tables import load_tables

ROOT = shipped_folder("mappings")
SCHEMA = load_schema(ROOT / "canonical")
ENTITIES = ("customer", "complaint", "contact_log")


def needs(chosen: str, entities: Sequence[str] = ENTITIES, kind: str = "zoho_crm") -> dict[str, dict[str, FieldNeed]]:
    files = [load_mapping(mapping_path(ROOT, kind, entity, chosen)) for entity in entities]
    found = needs_of(files, SCHEMA, load_tables(ROOT / "tables"))
    return {name: {need.api_name: need for need in wanted} for name, wanted in found.items()}


@pytest.mark.parametrize("chosen", ["core", "full"])
@pytest.mark.parametrize(("kind", "key"), [("zoho_crm", "Hub_Id"), ("fxiaoke", "hub_id__c")])
def test_the_hub_id_comes_first_in_every_object(chosen: str, kind: str, key: str) -> None:
    for name, wanted in needs(chosen, kind=kind).items():
        first = next(iter(wanted.values()))
        assert (first.api_name, first.form, first.length, first.key) == (key, Form.TEXT, 36, True), name
        assert (first.en, first.zh) == ("Hub id", "统一编号")
        assert sum(need.key for need in wanted.values()) == 1


@pytest.mark.parametrize(
    ("object_", "field", "form", "length", "target"),
    [
        ("Contacts", "Customer_No", Form.TEXT, 40, None),
        ("Contacts", "Need_Summary", Form.LONG_TEXT, None, None),
        ("Contacts", "Mailing_District", Form.TEXT, 100, None),
        ("Contacts", "Loyalty_Points", Form.INTEGER, None, None),
        ("Contacts", "Email_Opt_Out", Form.FLAG, None, None),
        ("Contacts", "Owner", Form.OTHER, None, None),
        ("Contacts", "Staff_No", Form.TEXT, 40, None),
        ("Contacts", "Tag", Form.OTHER, None, None),
        ("Accounts", "Mobile_Phone", Form.PHONE, None, None),
        ("Accounts", "Customer_Email", Form.EMAIL, None, None),
        ("Calls", "Complaint_Id", Form.LINK, None, "Cases"),
        ("Calls", "Call_Duration", Form.TEXT, 100, None),
        ("Cases", "Corrective_Due_On", Form.DATE, None, None),
        ("Cases", "Received_At", Form.INSTANT, None, None),
        ("Cases", "Root_Cause", Form.LONG_TEXT, 500, None),
        ("Cases", "Repeat_Of", Form.LINK, None, "Cases"),
    ],
)
def test_a_field_has_the_form_that_its_lens_and_type_ask_for(
    object_: str, field: str, form: Form, length: int | None, target: str | None
) -> None:
    need = needs("full")[object_][field]
    assert (need.form, need.length, need.target) == (form, length, target)


def test_options_stand_in_the_order_of_the_mapping_and_say_whether_they_are_written() -> None:
    found = needs("full")
    assert found["Contacts"]["Customer_Tier"].options == ("私人银行", "贵宾", "金卡", "普通")
    assert found["Calls"]["Call_Type"].options == ("Outbound", "Inbound", "Missed")
    assert found["Calls"]["Call_Result"].options == ("已接通", "未接", "拒绝", "改期", "号码有误")
    assert found["Tasks"]["Status"].options == ("Completed",)
    # Loyalty has its authority in this system: its options are read, never written.
    assert found["Contacts"]["Loyalty_Tier"].options[0] == "无"
    assert not found["Contacts"]["Loyalty_Tier"].written
    assert found["Contacts"]["Customer_Tier"].written
    # What a contact is given when it is made covers what the system requires, though it may be read-only afterwards.
    name = needs("parts", ["customer"], "fxiaoke")["ContactObj"]["name"]
    assert (name.written, name.once) == (False, True)


def test_labels_are_those_of_the_canonical_schema() -> None:
    found = needs("full")
    assert (found["Cases"]["Severity"].en, found["Cases"]["Severity"].zh) == ("Severity", "严重程度")
    assert (found["Calls"]["Call_Result"].en, found["Calls"]["Call_Result"].zh) == ("Outcome", "联系结果")
    district = found["Contacts"]["Mailing_District"]
    assert (district.en, district.zh) == ("Administrative region (Mailing District)", "行政区划（Mailing District）")
    assert all(need.en and need.zh for wanted in found.values() for need in wanted.values())


def test_what_is_part_of_the_payload_is_no_field() -> None:
    assert not [name for wanted in needs("full").values() for name in wanted if name.startswith("$")]


def test_every_text_field_of_a_mapping_is_a_form_that_can_be_made() -> None:
    """Only people and tags have no form: both are standard in every system."""
    others = {name for wanted in needs("full").values() for name, need in wanted.items() if need.form is Form.OTHER}
    assert others == {"Owner", "Tag"}
