"""Sign-in of both generations: one shared token, single flight, one renewal, never more than the vendor allows."""

from __future__ import annotations

import logging
import threading

import pytest
from fxiaoke_tenant import FIELDS, Context, Make, create, request, stored

from connectors.base import NativeRecord, NotVisible, Op, Written
from connectors.errors import AuthRejected, ProtocolViolation, RateLimited, RetryLater
from connectors.fxiaoke.simulator.staff import open_id_of
from connectors.simulation.server import RunningSimulator


def token_calls(vendor: RunningSimulator) -> int:
    return int(vendor.admin.calls()["calls"].get("token", 0))


OPERATORS = {"bearer": "1000", "legacy": "FSUID_simulated"}


@pytest.mark.parametrize("style", ["bearer", "legacy"])
@pytest.mark.parametrize("form", ["plain", "open"])
def test_both_styles_read_and_write_both_forms_of_employee_ids(
    vendor: RunningSimulator, make: Make, style: str, form: str
) -> None:
    connector = make(auth_style=style, operator_id=OPERATORS[style], employee_ids=form)
    ids = {each: each if form == "plain" else open_id_of(each) for each in ("1001", "1002", "1003")}
    vendor.admin.settings(third_trace_id_strict=True)
    native_id = create(vendor, tel="13800000001")
    found = connector.fetch("AccountObj", [native_id], FIELDS)[native_id]
    assert isinstance(found, NativeRecord)
    assert found.fields["owner"] == [ids["1001"]]
    [made] = connector.write([request(Op.CREATE, name="两种编号", owner=[ids["1002"]])])
    assert isinstance(made, Written)
    [moved] = connector.write([request(Op.UPDATE, made.native_id, made.version, owner=[ids["1003"]])])
    assert isinstance(moved, Written)
    assert stored(vendor, made.native_id)["owner"] == ["1003"]
    assert "errorCode 20016" not in vendor.admin.calls()["remarks"], "no call carries both generations"


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


def test_a_token_that_is_about_to_end_helps_out_while_the_sign_in_is_down(
    vendor: RunningSimulator, make: Make, context: Context
) -> None:
    connector = make()
    connector.list_ids("AccountObj", None, 10)
    vendor.admin.advance(6700)
    context.clock.offset += 6700
    vendor.admin.faults([{"match": {"path_regex": "oauth2.0/token"}, "action": "http_503", "every": 1}])
    for _ in range(3):
        connector.list_ids("AccountObj", None, 10)
    assert vendor.admin.calls()["paths"]["POST /oauth2.0/token"] == 2, "it tries again a minute later, not on each call"
    vendor.admin.advance(500)
    context.clock.offset += 500
    with pytest.raises(RetryLater):
        make().list_ids("AccountObj", None, 10)
    vendor.admin.faults([])
    context.clock.offset += 600
    connector.list_ids("AccountObj", None, 10)


def test_threads_that_wait_for_a_failed_sign_in_share_its_answer(
    vendor: RunningSimulator, make: Make, context: Context
) -> None:
    context.secrets["permanent_code"] = "wrong"
    vendor.admin.settings(token_latency_ms=300)
    connector, seen = make(), list[type[Exception]]()

    def work() -> None:
        try:
            connector.list_ids("AccountObj", None, 10)
        except AuthRejected as error:
            seen.append(type(error))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [AuthRejected] * 6
    assert vendor.admin.calls()["paths"]["POST /oauth2.0/token"] == 1


def test_a_revoked_token_is_renewed_once_for_all_threads(vendor: RunningSimulator, make: Make) -> None:
    connector = make(workers=4)
    ids = [create(vendor) for _ in range(4)]
    connector.fetch("AccountObj", ids, FIELDS)
    vendor.admin.post("revoke")
    found = connector.fetch("AccountObj", ids, FIELDS)
    assert not any(isinstance(record, NotVisible) for record in found.values())
    assert token_calls(vendor) == 2


def test_a_token_refused_again_is_a_matter_of_configuration(
    vendor: RunningSimulator, make: Make, context: Context
) -> None:
    connector = make()
    connector.list_ids("AccountObj", None, 10)
    vendor.admin.reset_calls()
    vendor.admin.faults([{"match": {"path_regex": "data/query"}, "action": "auth_expired", "every": 1}])
    with pytest.raises(AuthRejected) as caught:
        connector.list_ids("AccountObj", None, 10)
    for named in ("operator_id", "enterprise_account", "IP", "auth_style"):
        assert named in caught.value.missing
    assert "app_secret" not in caught.value.missing, "the sign-in has just proved it"
    assert token_calls(vendor) == 1
    # Nobody asks again for a while, in whatever process; then one does.
    for other in (connector, make()):
        with pytest.raises(AuthRejected):
            other.list_ids("AccountObj", None, 10)
    assert token_calls(vendor) == 1
    context.clock.offset += 61
    with pytest.raises(AuthRejected):
        make().list_ids("AccountObj", None, 10)
    assert token_calls(vendor) == 2
    vendor.admin.faults([])
    assert all(line.ok for line in connector.check())
    connector.list_ids("AccountObj", None, 10)


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


def test_a_changed_secret_drops_the_token_of_the_old_one_within_seconds(
    vendor: RunningSimulator, make: Make, context: Context
) -> None:
    connector = make()
    connector.list_ids("AccountObj", None, 10)
    context.secrets["permanent_code"] = "of another enterprise"
    vendor.admin.reset_calls()
    context.clock.offset += 16
    for each in (connector, make()):
        with pytest.raises(AuthRejected):
            each.list_ids("AccountObj", None, 10)
    assert not any("/cgi/crm/" in path for path in vendor.admin.calls()["paths"]), "nothing was read with the old token"


def test_calls_are_logged_with_both_ids(vendor: RunningSimulator, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    connector = make(workers=1)
    caplog.set_level(logging.DEBUG, "connectors.fxiaoke")
    connector.list_ids("AccountObj", None, 10)
    vendor.admin.faults(
        [
            {"match": {"path_regex": "data/query"}, "action": "vendor_error", "code": 320001400, "nth": 1},
            {"match": {"path_regex": "data/create"}, "action": "reset_after_commit", "nth": 1},
        ]
    )
    with pytest.raises(ProtocolViolation):
        connector.list_ids("AccountObj", None, 10)
    connector.write([request(Op.CREATE, name="回应丢失", owner=["1001"])])
    lines = [vars(record) for record in caplog.records if record.name.startswith("connectors.fxiaoke")]
    assert [line["levelname"] for line in lines if "data/" in line["path"]] == ["DEBUG", "INFO", "WARNING"]
    assert {line["path"] for line in lines} >= {"/oauth2.0/token", "/cgi/crm/v2/data/create"}
    ours = [line["third_trace_id"] for line in lines]
    assert len(set(ours)) == len(ours)
    answered = [line for line in lines if line["msg"] != "call_unanswered"]
    assert all(line["vendor_trace_id"].startswith("E-O.simulated.") for line in answered)
    assert "simulated-secret" not in repr(lines)


def test_every_call_has_a_trace_id_of_its_own(vendor: RunningSimulator, make: Make) -> None:
    before = vendor.admin.post("trace")
    connector = make()
    for _ in range(3):
        connector.list_ids("AccountObj", None, 10)
    after = vendor.admin.post("trace")
    assert after["missing"] == before["missing"]
