"""What a compiled mapping observes, refuses, masks, redacts and writes."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pytest

from hub.mapping.lenses.base import NOT_IN_TABLE
from hub.mapping.patching import NOT_AN_OPTION
from hub.mapping.translate import compile_mapping
from tests.unit.mapping.mapping_worlds import SCHEMA, TABLES, compiled, mapping_of

ZOHO = compiled("zoho_crm", "full")
FX = compiled("fxiaoke", "full")
STAFF = TABLES["staff"].rows


def test_routes_by_kind_of_customer() -> None:
    assert ZOHO.objects == ("Contacts", "Accounts")
    assert ZOHO.route({"customer_kind": "sole_trader"}) == "Contacts"
    assert ZOHO.route({"customer_kind": "organization"}) == "Accounts"
    assert ZOHO.route({}) is None
    assert FX.route({}) == "AccountObj"
    assert FX.admits({})


def test_reads_are_projected_on_the_mapped_fields() -> None:
    fields = ZOHO.native_fields("Contacts")
    assert fields[0] == ZOHO.hub_id_field("Contacts") == "Hub_Id"
    assert {"Last_Name", "First_Name", "Mobile", "Owner", "Tag"} <= set(fields)
    assert len(fields) == len(set(fields)) <= 50
    assert "Lifecycle_Changed_At" not in fields


def test_absent_is_not_observed_and_null_is_empty() -> None:
    seen = ZOHO.to_canonical("Contacts", {"Mobile": None, "Last_Name": "张"})
    assert seen.fields == {"mobile_phone": None}
    assert ZOHO.to_canonical("Accounts", {}).fields == {"customer_kind": "organization"}


def test_a_blank_kind_in_contacts_means_a_person() -> None:
    assert ZOHO.to_canonical("Contacts", {"Customer_Kind": None}).fields == {"customer_kind": "individual"}


def test_masked_values_are_not_observed() -> None:
    shown = {"tel": "138****8000", "name": "张*", "email": "a***@example.com", "remark": "5 * 3"}
    seen = FX.to_canonical("AccountObj", shown)
    assert sorted(seen.masked) == ["email", "full_name", "mobile_phone"]
    assert seen.fields == {"remark": "5 * 3"}
    assert ZOHO.to_canonical("Contacts", {"Last_Name": "张*", "First_Name": "三"}).masked == [
        "full_name",
        "family_name",
        "given_name",
    ]


def test_unknown_values_are_refused_by_field_without_the_value() -> None:
    native = {
        "account_level": "zz9",
        "tel": 5,
        "birth_date__c": "soon",
        "owner": ["4711"],
        "province": "9",
        "city": None,
    }
    seen = FX.to_canonical("AccountObj", native | {"district": None, "staff_no__c": None})
    assert {refusal.field: refusal.native_field for refusal in seen.refusals} == {
        "customer_tier": "account_level",
        "mobile_phone": "tel",
        "birth_date": "birth_date__c",
        "staff_no": "owner",
        "address_region": "province",
    }
    assert seen.fields == {}
    assert "zz9" not in repr(seen)
    assert "4711" not in repr(seen)


def test_empty_text_of_a_choice_is_empty() -> None:
    assert FX.to_canonical("AccountObj", {"account_level": "", "behavior_tags__c": []}).fields == {
        "customer_tier": None,
        "behavior_tags": None,
    }


def test_authentication_data_is_redacted_and_reported() -> None:
    seen = ZOHO.to_canonical("Contacts", {"Description": "密码：abcd1234"})
    assert seen.fields == {"remark": "密码：[已隐去]"}
    assert [(r.field, r.kinds) for r in seen.redactions] == [("remark", ("password",))]


def test_fxiaoke_forms() -> None:
    seen = FX.to_canonical(
        "AccountObj",
        {
            "birth_date__c": 318355200000,
            "next_follow_up_at__c": 1772326800999,
            "satisfaction_score__c": "4.00",
            "data_own_department": ["2031"],
            "owner": ["1002"],
            "staff_no__c": None,
            "life_status": "in_change",
            "industry_level1": "9",
            "industry_level2": "965",
        },
    )
    assert seen.fields == {
        "birth_date": "1980-02-03",
        "next_follow_up_at": "2026-03-01T01:00:00.000Z",
        "satisfaction_score": 4,
        "branch_code": "B0301",
        "staff_no": "S1002",
        "record_state": "active",
        "industry": "I65",
    }


def test_only_the_named_fields_are_written() -> None:
    assert FX.to_native("AccountObj", {"customer_tier": "vip"}).fields == {"account_level": "2"}
    assert ZOHO.to_native("Contacts", {"next_follow_up_at": "2026-03-01T01:00:00.000Z"}).fields == {
        "Next_Follow_Up_At": "2026-03-01T09:00:00+08:00"
    }
    assert ZOHO.to_native("Contacts", {"loyalty_points": 5, "industry": "J"}).fields == {}


def test_fxiaoke_forms_on_the_way_out() -> None:
    fields = {"birth_date": "1980-02-03", "next_follow_up_at": "2026-03-01T01:00:00.000Z", "satisfaction_score": 4}
    more = {"branch_code": "B0301", "industry": "J", "mobile_phone": "+8613800138000", "customer_source": "other"}
    assert FX.to_native("AccountObj", {**fields, **more}).fields == {
        "birth_date__c": 318355200000,
        "next_follow_up_at__c": 1772326800000,
        "satisfaction_score__c": "4",
        "data_own_department": ["2031"],
        "industry_level1": "10",
        "industry_level2": None,
        "tel": "+8613800138000",
        "account_source": "other",
    }


def test_values_that_the_system_holds_are_left_out() -> None:
    current = {"customer_tier": "vip", "address_region": "440305"}
    patch = FX.to_native("AccountObj", {"customer_tier": "vip", "address_region": "440305", "remark": "x"}, current)
    assert patch.fields == {"remark": "x"}


def test_creation_adds_constants_and_leaves_empty_fields_out() -> None:
    patch = FX.to_native("AccountObj", {"full_name": "张三", "remark": None, "address_region": None}, create=True)
    owner = {"owner": [STAFF["S1099"]["fxiaoke"]], "staff_no__c": "S1099"}
    assert patch.fields == {"record_type": "default__c", "name": "张三"} | owner
    assert patch.kept == ()
    assert patch.defaulted == ("staff_no",)


def test_an_empty_owner_takes_the_default_at_creation_only() -> None:
    assert FX.to_native("AccountObj", {"staff_no": None}, create=True).defaulted == ("staff_no",)
    patch = FX.to_native("AccountObj", {"staff_no": None})
    assert (patch.fields, patch.kept, patch.defaulted) == ({}, ("staff_no",), ())


def test_only_fields_that_may_be_cleared_are_cleared() -> None:
    patch = ZOHO.to_native(
        "Contacts", {"remark": None, "full_name": None, "behavior_tags": None, "address_region": None}
    )
    assert patch.fields == {
        "Description": None,
        "Tag": [],
        "Mailing_State": None,
        "Mailing_City": None,
        "Mailing_District": None,
    }
    assert patch.kept == ("full_name",)
    held = FX.to_native("AccountObj", {"contact_consent": None, "customer_kind": None})
    assert (held.fields, held.kept) == ({}, ("contact_consent", "customer_kind"))
    assert "remark" in ZOHO.clearable("Contacts")
    assert {"full_name", "family_name", "contact_consent"}.isdisjoint(ZOHO.clearable("Contacts"))


def test_a_name_is_split_only_when_it_changed() -> None:
    held = {"full_name": "欧阳娜", "family_name": "欧", "given_name": "阳娜"}
    assert ZOHO.to_native("Contacts", held, held).fields == {}
    assert ZOHO.to_native("Contacts", {"full_name": "欧阳娜"}, {**held, "full_name": "旧"}).fields == {
        "Last_Name": "欧",
        "First_Name": "阳娜",
    }
    assert ZOHO.to_native("Contacts", {"full_name": "李四"}, held).fields == {"Last_Name": "李", "First_Name": "四"}
    assert ZOHO.to_native("Contacts", {"given_name": "明"}, held).fields == {"First_Name": "明"}


def test_a_withdrawn_consent_sets_the_opt_out_and_only_a_lifted_one_clears_it() -> None:
    assert ZOHO.to_native("Contacts", {"contact_consent": "withdrawn"}).fields == {
        "Contact_Consent": "撤回",
        "Email_Opt_Out": True,
    }
    assert ZOHO.to_native("Contacts", {"contact_consent": "granted"}).fields == {"Contact_Consent": "同意"}
    lifted = ZOHO.to_native("Contacts", {"contact_consent": "granted"}, {"contact_consent": "withdrawn"})
    assert lifted.fields == {"Contact_Consent": "同意", "Email_Opt_Out": False}
    seen = ZOHO.to_canonical("Contacts", {"Contact_Consent": "同意", "Email_Opt_Out": True})
    assert seen.fields == {"contact_consent": "withdrawn"}


def test_who_left_is_replaced_by_the_fallback_and_remembered() -> None:
    patch = ZOHO.to_native("Contacts", {"staff_no": "S1007"}).fields
    assert patch == {"Owner": {"id": STAFF["S1099"]["zoho_crm"]}, "Staff_No": "S1007"}
    assert ZOHO.to_native("Contacts", {"staff_no": "S1007"}).stood_in == ("staff_no",)
    assert ZOHO.to_native("Contacts", {"staff_no": "S1099"}).stood_in == ()
    assert ZOHO.to_canonical("Contacts", patch).fields == {"staff_no": "S1007"}
    taken_over = patch | {"Owner": {"id": STAFF["S1002"]["zoho_crm"]}}
    assert ZOHO.to_canonical("Contacts", taken_over).fields == {"staff_no": "S1002"}
    assert compiled("zoho_crm", "core").round_trip("Contacts", {"staff_no": "S1007"}) == {"staff_no": "S1099"}


def test_an_absent_note_matters_only_for_the_fallback_owner() -> None:
    assert FX.to_canonical("AccountObj", {"owner": ["1002"]}).fields == {"staff_no": "S1002"}
    unclear = FX.to_canonical("AccountObj", {"owner": [STAFF["S1099"]["fxiaoke"]]})
    assert (unclear.fields, list(unclear.refusals)) == ({}, [])


def test_a_region_with_a_hidden_part_is_not_observed() -> None:
    assert FX.to_canonical("AccountObj", {"province": "207", "city": "2703"}).fields == {}
    assert FX.to_canonical("AccountObj", {"province": "207", "city": "2703", "district": None}).fields == {
        "address_region": "440300"
    }


def test_an_owner_list_with_several_people_is_refused() -> None:
    seen = FX.to_canonical("AccountObj", {"owner": ["1001", "1002"], "staff_no__c": None})
    assert [refusal.field for refusal in seen.refusals] == ["staff_no"]


def test_codes_outside_the_table_are_refused_on_the_way_out() -> None:
    patch = FX.to_native("AccountObj", {"address_region": "999999", "behavior_tags": ("活跃", "自定义")})
    assert patch.fields == {}
    assert {(r.field, r.reason) for r in patch.refusals} == {
        ("address_region", NOT_IN_TABLE),
        ("behavior_tags", NOT_IN_TABLE),
    }


@dataclass(frozen=True)
class FieldSeen:
    api_name: str
    kind: str = "text"
    length: int | None = None
    required: bool = False
    writable: bool = True
    unique: bool = False
    options: Any = None


@dataclass(frozen=True)
class ObjectSeen:
    fields: Any


def test_lengths_and_options_of_the_system_are_kept_and_nothing_is_cut() -> None:
    plain = {name: FieldSeen(name) for name in FX.native_fields("AccountObj")}
    described = plain | {
        "name": FieldSeen("name", length=5),
        "account_level": FieldSeen("account_level", "select_one", options={"1": "私人银行"}),
    }
    del described["phone__c"]
    mapping = compile_mapping(
        mapping_of("fxiaoke", "full"), SCHEMA, TABLES, {"AccountObj": ObjectSeen(MappingProxyType(described))}
    )
    patch = mapping.to_native(
        "AccountObj", {"full_name": "六个字的名称", "customer_tier": "vip", "phone": "010-1234567"}
    )
    assert patch.fields == {}
    assert [(r.field, r.native_field) for r in patch.refusals] == [
        ("full_name", "name"),
        ("customer_tier", "account_level"),
    ]
    assert patch.refusals[1].reason == NOT_AN_OPTION
    assert "六个字" not in repr(patch)
    assert "phone__c" not in mapping.native_fields("AccountObj")


@pytest.mark.parametrize("value", ["0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.000Z"])
def test_instants_at_the_edge_of_time_are_written_or_refused(value: str) -> None:
    patch = ZOHO.to_native("Contacts", {"next_follow_up_at": value})
    assert bool(patch.fields) != bool(patch.refusals)


def test_the_version_follows_mapping_and_tables() -> None:
    versions = {compiled(kind, chosen).version for kind in ("zoho_crm", "fxiaoke") for chosen in ("core", "full")}
    assert len(versions) == 4
    assert compile_mapping(mapping_of("fxiaoke", "full"), SCHEMA, TABLES).version == FX.version
