"""What a list of scopes allows, what is lost without one, and that check tries each on its own."""

from __future__ import annotations

from typing import Any

import pytest
from zoho_lab import LabContext

from connectors.zoho_crm.scopes import allows, lost, split
from connectors.zoho_crm.settings import SCOPES

FULL = [
    *(f"ZohoCRM.modules.contacts.{right}" for right in ("READ", "CREATE", "UPDATE", "DELETE")),
    "ZohoCRM.settings.modules.READ",
    "ZohoCRM.settings.fields.READ",
    "ZohoCRM.users.READ",
    "ZohoCRM.org.READ",
    "ZohoCRM.coql.READ",
]
FURTHER = [
    "ZohoCRM.settings.fields.CREATE",
    "ZohoCRM.settings.layouts.READ",
    "ZohoCRM.bulk.READ",
    "ZohoCRM.notifications.ALL",
    "ZohoFiles.files.ALL",
    "ZohoSearch.securesearch.READ",
]


@pytest.mark.parametrize(
    ("granted", "scope", "allowed"),
    [
        (["ZohoCRM.modules.contacts.READ"], "ZohoCRM.modules.contacts.READ", True),
        (["zohocrm.modules.CONTACTS.read"], "ZohoCRM.modules.contacts.READ", True),
        (["ZohoCRM.modules.ALL"], "ZohoCRM.modules.contacts.DELETE", True),
        (["ZohoCRM.modules.READ"], "ZohoCRM.modules.contacts.READ", True),
        (["ZohoCRM.modules.contacts.ALL"], "ZohoCRM.modules.contacts.CREATE", True),
        (["ZohoCRM.modules.contacts.WRITE"], "ZohoCRM.modules.contacts.UPDATE", True),
        (["ZohoCRM.modules.contacts.WRITE"], "ZohoCRM.modules.contacts.DELETE", False),
        (["ZohoCRM.modules.contacts.WRITE"], "ZohoCRM.modules.contacts.READ", False),
        (["ZohoCRM.modules.contacts.READ"], "ZohoCRM.modules.contacts.ALL", False),
        (["ZohoCRM.modules.contacts.ALL"], "ZohoCRM.modules.accounts.READ", False),
        (["ZohoCRM.settings.ALL"], "ZohoCRM.settings.fields.READ", True),
        (["ZohoCRM.settings.fields.READ"], "ZohoCRM.settings.modules.READ", False),
        (["ZohoCRM.org.READ"], "ZohoCRM.users.READ", False),
        (FULL, "ZohoCRM.modules.contacts.ALL", True),
        (FULL[:3], "ZohoCRM.modules.contacts.ALL", False),
        ([], "ZohoCRM.org.READ", False),
    ],
)
def test_a_scope_is_covered_by_itself_or_a_wider_one(granted: list[str], scope: str, allowed: bool) -> None:
    assert allows(granted, scope) is allowed


def test_scopes_come_separated_in_either_way() -> None:
    assert split("a.READ b.READ") == split("a.READ,b.READ") == split(" a.READ,  b.READ ") == ("a.READ", "b.READ")
    assert split(None) == split("") == split(7) == ()


@pytest.mark.parametrize("scope", [*SCOPES, *FULL, *FURTHER])
def test_every_scope_that_is_asked_for_says_what_is_lost_without_it(scope: str) -> None:
    en, zh = lost(scope)
    assert en != lost("ZohoCRM.unheard.READ")[0]
    assert zh != en
    assert len({lost(each) for each in FURTHER}) == len(FURTHER)


@pytest.mark.parametrize("left_out", FULL)
def test_each_scope_alone_is_named_when_it_is_missing_with_what_it_takes_away(org: Any, left_out: str) -> None:
    granted = [scope for scope in FULL if scope != left_out]
    code = org.admin.post("tokens", {"grant": {"scopes": ",".join(granted)}})["grant"]
    context = LabContext()
    zoho = org.connect(context, scopes=FULL, objects=["Contacts"])
    context._secrets |= zoho.admit(code, by_link=False).credentials
    failed = [line for line in zoho.check() if not line.ok]
    expected = {f"{left_out} Contacts" if left_out.split(".")[1] in ("coql",) or "fields" in left_out else left_out}
    if left_out == "ZohoCRM.modules.contacts.READ":
        expected.add("ZohoCRM.modules.contacts deleted")
    if left_out == "ZohoCRM.settings.fields.READ":
        expected.add("Contacts.Hub_Id")
    assert {line.name for line in failed} == expected
    named = next(line for line in failed if line.name != "Contacts.Hub_Id")
    assert left_out in named.en
    assert lost(left_out)[0] in named.en
    assert lost(left_out)[1] in named.zh
    assert "crmhub connect zoho" in named.en


def test_a_profile_that_forbids_is_told_apart_from_a_missing_scope(org: Any) -> None:
    body = {"modules": [{"api_name": "Contacts", "creatable": False, "editable": True, "deletable": True}]}
    org.fault("GET", "/settings/modules", "vendor_error", status=200, body=body)
    failed = [line for line in org.connect(objects=["Contacts"]).check() if not line.ok]
    assert [line.name for line in failed] == ["ZohoCRM.modules.contacts.CREATE"]
    assert "profile" in failed[0].en
    assert "was not granted" not in failed[0].en


def test_a_fresh_token_that_the_api_refuses_names_environment_and_data_center_in_order(org: Any) -> None:
    org.fault("GET", "/crm/", "auth_expired", times=0)
    line = next(line for line in org.connect(objects=["Contacts"]).check() if not line.ok)
    assert line.name == "ZohoCRM.org.READ"
    places = [line.en.find(word) for word in ("environment", "data_center", "user", "crmhub connect zoho")]
    assert -1 not in places
    assert places == sorted(places)


def test_a_check_of_all_modules_takes_four_calls_a_module_and_three_for_the_organisation(org: Any) -> None:
    org.zoho.check()
    calls = org.admin.calls()["calls"]
    assert calls.pop("token") == 1
    assert sum(calls.values()) == 3 + 4 * len(org.zoho._settings.objects)
