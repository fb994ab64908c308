"""Metadata as the mapping check needs it, and proof of the credentials scope by scope."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from zoho_lab import LabContext

import connectors.zoho_crm
from connectors.errors import SchemaDrift


def test_fields_are_described_with_kind_length_and_options(org: Any) -> None:
    described = org.zoho.describe("Contacts")
    fields = described.fields
    assert described.label
    assert (fields["Last_Name"].required, fields["Last_Name"].length) == (True, 80)
    assert fields["Hub_Id"].unique
    assert not fields["Email"].unique
    assert not fields["Modified_Time"].writable
    assert not fields["Full_Name"].writable
    assert fields["Mobile"].writable
    assert fields["Customer_Kind"].options is not None
    assert "-None-" not in fields["Customer_Kind"].options
    assert set(fields["Customer_Kind"].options) == {"个人", "个体工商户"}
    assert fields["Mobile"].options is None
    assert fields["Tag"].kind == "tags"


def test_a_missing_module_is_drift(org: Any) -> None:
    with pytest.raises(SchemaDrift):
        org.connect(objects=["Nowhere"]).describe("Nowhere")


def test_check_proves_every_scope_in_both_languages_and_writes_nothing(org: Any) -> None:
    lines = org.zoho.check()
    assert all(line.ok for line in lines), [line for line in lines if not line.ok]
    names = " ".join(line.name for line in lines)
    for needed in (
        "sign-in",
        "org.READ",
        "users.READ",
        "settings.modules.READ",
        "settings.fields.READ",
        "contacts.READ",
        "accounts.CREATE",
        "coql",
        "deleted",
        "Hub_Id",
    ):
        assert needed in names
    assert all(line.en and line.zh for line in lines)
    assert org.admin.records("Contacts") == []


def test_a_missing_scope_is_named_where_it_is_missing(org: Any) -> None:
    scopes = "ZohoCRM.modules.contacts.READ,ZohoCRM.settings.ALL,ZohoCRM.org.READ"
    zoho = org.connect(LabContext(), grant="client_credentials", org_id="60001234567", scopes=scopes.split(","))
    failed = {line.name for line in zoho.check() if not line.ok}
    assert "ZohoCRM.coql.READ Contacts" in failed
    assert "ZohoCRM.modules.contacts.CREATE" in failed
    assert "ZohoCRM.modules.accounts.READ" in failed
    assert (
        not {"sign-in", "ZohoCRM.org.READ", "ZohoCRM.modules.contacts.READ", "ZohoCRM.settings.fields.READ Contacts"}
        & failed
    )


def test_a_hub_id_field_that_repeats_is_reported_and_declared(org: Any) -> None:
    zoho = org.connect(external_key="Mobile", objects=["Contacts", "Accounts"])
    assert zoho.capabilities("Contacts").external_key_unique
    failed = [line for line in zoho.check() if not line.ok]
    assert [line.name for line in failed] == ["Contacts.Mobile", "Accounts.Mobile"]
    assert not zoho.capabilities("Contacts").external_key_unique


def test_every_quality_rule_is_done_or_exempt_with_a_reason() -> None:
    declared = YAML(typ="safe").load(Path(connectors.zoho_crm.__file__).with_name("quality.yaml"))
    for name, rule in declared["rules"].items():
        status = rule if isinstance(rule, str) else rule["status"]
        assert status in ("done", "exempt"), name
        assert status == "done" or rule["comment"], name
