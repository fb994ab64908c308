"""Sign-in of both generations: one shared token, single flight, one renewal, never more than the vendor allows."""

from __future__ import annotations

import threading

import pytest
from fxiaoke_tenant import FIELDS, Context, Make, create

from connectors.base import NotVisible
from connectors.errors import AuthRejected, RateLimited
from connectors.simulation.server import RunningSimulator


def token_calls(vendor: RunningSimulator) -> int:
    return int(vendor.admin.calls()["calls"].get("token", 0))


@pytest.mark.parametrize("style", ["bearer", "legacy"])
def test_both_styles_read_and_show_plain_employee_ids(vendor: RunningSimulator, make: Make, style: str) -> None:
    operator = "FSUID_simulated" if style == "legacy" else "1000"
    connector = make(auth_style=style, operator_id=operator)
    native_id = create(vendor, tel="13800000001")
    found = connector.fetch("AccountObj", [native_id], FIELDS)[native_id]
    assert not isinstance(found, NotVisible)
    assert found.fields["owner"] == ["1001"]  # type: ignore[union-attr]


def test_one_token_serves_two_connectors_and_eight_threads(vendor: RunningSimulator, make: Make) -> None:
    connectors = [make(), make()]
    threads = [threading.Thread(target=connectors[n % 2].list_ids, args=("AccountObj", None, 10)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert token_calls(vendor) == 1


def test_a_token_near_its_end_is_replaced_before_it_fails(
    vendor: RunningSimulator, make: Make, context: Context
) -> None:
    connector = make()
    connector.list_ids("AccountObj", None, 10)
    vendor.admin.advance(6700)
    context.clock.offset += 6700
    connector.list_ids("AccountObj", None, 10)
    assert token_calls(vendor) == 2
    assert "errorCode 20016" not in vendor.admin.calls()["remarks"]


def test_a_revoked_token_is_renewed_once_for_all_threads(vendor: RunningSimulator, make: Make) -> None:
    connector = make(workers=4)
    ids = [create(vendor) for _ in range(4)]
    connector.fetch("AccountObj", ids, FIELDS)
    vendor.admin.post("revoke")
    found = connector.fetch("AccountObj", ids, FIELDS)
    assert not any(isinstance(record, NotVisible) for record in found.values())
    assert token_calls(vendor) == 2


def test_a_token_refused_again_is_a_matter_of_configuration(vendor: RunningSimulator, make: Make) -> None:
    connector = make()
    connector.list_ids("AccountObj", None, 10)
    vendor.admin.reset_calls()
    vendor.admin.faults([{"match": {"path_regex": "data/query"}, "action": "auth_expired", "every": 1}])
    with pytest.raises(AuthRejected) as caught:
        connector.list_ids("AccountObj", None, 10)
    assert "operator_id" in caught.value.missing
    assert token_calls(vendor) == 1


@pytest.mark.parametrize(
    ("secret", "value", "missing"),
    [
        ("app_secret", "wrong", "app_secret"),
        ("permanent_code", "wrong", "permanent_code"),
        ("app_secret", "", "appSecret"),
    ],
)
def test_wrong_secrets_are_named_and_never_shown(
    make: Make, context: Context, secret: str, value: str, missing: str
) -> None:
    context.secrets[secret] = value
    with pytest.raises(AuthRejected) as caught:
        make().list_ids("AccountObj", None, 10)
    assert missing in caught.value.missing
    assert "wrong" not in caught.value.en + caught.value.zh


def test_an_unknown_operator_is_named(make: Make) -> None:
    with pytest.raises(AuthRejected) as caught:
        make(operator_id="4711").list_ids("AccountObj", None, 10)
    assert caught.value.missing == "operator_id"


def test_another_enterprise_is_refused(make: Make) -> None:
    with pytest.raises(AuthRejected) as caught:
        make(enterprise_account="another").list_ids("AccountObj", None, 10)
    assert "enterprise_account" in caught.value.missing


def test_sign_ins_stop_before_the_vendors_ten_a_minute(vendor: RunningSimulator, make: Make, context: Context) -> None:
    context.secrets["permanent_code"] = "wrong"
    for _ in range(9):
        with pytest.raises(AuthRejected):
            make().list_ids("AccountObj", None, 10)
    with pytest.raises(RateLimited) as caught:
        make().list_ids("AccountObj", None, 10)
    assert 0 < caught.value.after <= 60
    assert token_calls(vendor) == 9
    context.clock.offset += caught.value.after + 1
    with pytest.raises(AuthRejected):
        make().list_ids("AccountObj", None, 10)


def test_changed_credentials_do_not_reuse_the_old_token(vendor: RunningSimulator, make: Make) -> None:
    make().list_ids("AccountObj", None, 10)
    with pytest.raises(AuthRejected):
        make(app_id="FSAID_other").list_ids("AccountObj", None, 10)


def test_every_call_has_a_trace_id_of_its_own(vendor: RunningSimulator, make: Make) -> None:
    before = vendor.admin.post("trace")
    connector = make()
    for _ in range(3):
        connector.list_ids("AccountObj", None, 10)
    after = vendor.admin.post("trace")
    assert after["missing"] == before["missing"]
