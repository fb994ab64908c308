"""What check says of the edition that was bought, and of the channels that callbacks need."""

from __future__ import annotations

from typing import Any

import pytest
from zoho_lab import LabContext

from connectors.zoho_crm.licence import compare
from connectors.zoho_crm.scopes import lost
from connectors.zoho_crm.settings import read_settings


@pytest.fixture
def served(served_org: Any) -> Any:
    return served_org.emptied()


@pytest.mark.parametrize(
    ("bought", "declared", "ok", "said"),
    [
        ({"edition": "enterprise", "users": 50}, {"edition": "enterprise", "users": 50}, True, "as the settings do"),
        ({"edition": "enterprise", "users": 50}, {}, True, "users: 50 to use them"),
        ({"edition": "enterprise", "users": 5}, {"users": 50}, False, "edition: enterprise, users: 5"),
        ({"edition": "enterprise", "users": 5}, {"users": 50, "daily_credits": 9_000}, True, "as the settings do"),
        ({"edition": "professional", "users": 5}, {"users": 5}, False, "edition: professional, users: 5"),
        ({"edition": "ultimate", "users": 5}, {"users": 5}, False, "edition: ultimate, users: 5"),
    ],
)
def test_check_compares_what_was_bought_with_what_is_declared(
    served: Any, bought: dict[str, Any], declared: dict[str, Any], ok: bool, said: str
) -> None:
    served.admin.settings(**bought)
    line = next(line for line in served.connect(objects=[], **declared).check() if line.name == "edition")
    assert line.ok is ok
    assert said in line.en
    assert line.zh != line.en


@pytest.mark.parametrize(
    ("organisation", "told"),
    [
        ({}, None),
        ({"license_details": None}, None),
        ({"license_details": {"paid_type": "zohoonestandard", "users_license_purchased": 5}}, "cannot be compared"),
        ({"license_details": {"paid_type": "crmplus", "users_license_purchased": None}}, "cannot be compared"),
        ({"license_details": {"paid_type": "crmplus", "users_license_purchased": 5}}, "edition: ultimate, users: 5"),
    ],
)
def test_a_licence_that_is_not_told_or_not_known_judges_nothing(organisation: dict[str, Any], told: str | None) -> None:
    line = compare(read_settings({}, "zoho"), organisation)
    assert told is None if line is None else told is not None and told in line.en


def test_an_organisation_that_hides_its_licence_gets_no_line(served: Any) -> None:
    served.admin.settings(org_shows_licence=False)
    assert "edition" not in [line.name for line in served.connect(objects=[]).check()]


@pytest.mark.parametrize("granted", ["ZohoCRM.org.READ,ZohoCRM.notifications.ALL", "ZohoCRM.org.READ"])
def test_channels_are_proven_by_their_scope(served: Any, granted: str) -> None:
    code = served.admin.post("tokens", {"grant": {"scopes": granted}})["grant"]
    context = LabContext()
    zoho = served.connect(context, objects=[])
    context._secrets |= zoho.admit(code, by_link=False).credentials
    (line,) = zoho.check_channels()
    assert line.name == "ZohoCRM.notifications.ALL"
    assert line.ok is ("notifications" in granted)
    if not line.ok:
        assert "ZohoCRM.notifications.ALL was not granted" in line.en
        assert lost("ZohoCRM.notifications.ALL")[1] in line.zh
    assert served.admin.post("watch", {})["channels"] == []


def test_channels_that_a_look_refuses_are_not_proven(served: Any) -> None:
    mismatch = {"code": "OAUTH_SCOPE_MISMATCH", "details": {}, "message": "invalid oauth scope", "status": "error"}
    served.fault("GET", "/actions/watch$", "vendor_error", status=401, body=mismatch)
    (line,) = served.connect(objects=[]).check_channels()
    assert not line.ok
    assert "ZohoCRM.notifications.ALL" in line.en
