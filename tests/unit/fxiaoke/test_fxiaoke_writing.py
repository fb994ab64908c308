"""Writing: one call each, conditional on the version just read, quiet, and honest about what is not known."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
from fxiaoke_tenant import FIELDS, SERIAL, Context, Make, create, edit, request, settle, stored, writes

import connectors.fxiaoke
from connectors.base import Gone, NativeRecord, NotVisible, Op, Refused, Stale, Unknown, WriteRequest, Written
from connectors.errors import QuotaExhausted, RateLimited, Unsupported
from connectors.fxiaoke import bodies
from connectors.fxiaoke.checks import find_misplaced
from connectors.fxiaoke.client import WriteOperation
from connectors.fxiaoke.connector import FxiaokeConnector
from connectors.fxiaoke.settings import read_settings
from connectors.simulation.server import RunningSimulator


def new(**fields: Any) -> WriteRequest:
    fields = {"name": "写入客户", "owner": ["1001"], **fields}
    return request(Op.CREATE, hub_id__c=fields.pop("hub_id__c", f"new-{next(SERIAL)}"), **fields)


def test_a_batch_is_written_in_order_without_automations(vendor: RunningSimulator, connector: FxiaokeConnector) -> None:
    results = connector.write([new(remark=f"第{n}条") for n in range(12)])
    for n, result in enumerate(results):
        assert isinstance(result, Written)
        record = stored(vendor, result.native_id)
        assert record["remark"] == f"第{n}条"
        assert (record["life_status"], record["lock_status"]) == ("normal", "0")  # the tenant has an approval flow


def test_an_update_reads_once_and_writes_once(vendor: RunningSimulator, connector: FxiaokeConnector) -> None:
    native_id = create(vendor, remark="旧", tel="13800000004")
    connector.describe("AccountObj")
    vendor.admin.reset_calls()
    [result] = connector.write([request(Op.UPDATE, native_id, "1", remark="新")])
    assert result == Written(native_id, "2")
    record = stored(vendor, native_id)
    assert (record["remark"], record["tel"], record["version"]) == ("新", "13800000004", "2")
    assert writes(vendor) == {"get": 1, "update": 1}


def test_a_moved_version_is_stale_and_shows_the_record(vendor: RunningSimulator, connector: FxiaokeConnector) -> None:
    native_id = create(vendor, remark="一")
    edit(vendor, native_id, remark="别人改的")
    [result] = connector.write([request(Op.UPDATE, native_id, "1", remark="我们改的")])
    assert isinstance(result, Stale)
    assert isinstance(result.current, NativeRecord)
    assert (result.current.version, result.current.fields) == ("2", {"remark": "别人改的"})
    assert stored(vendor, native_id)["remark"] == "别人改的"


def test_an_update_that_changes_nothing_is_not_sent(vendor: RunningSimulator, connector: FxiaokeConnector) -> None:
    native_id = create(vendor, remark="同")
    [result] = connector.write([request(Op.UPDATE, native_id, "1", remark="同", tel=None)])
    assert result == Written(native_id, "1", seen={"remark": "同", "tel": None})
    assert "update" not in writes(vendor)


def test_none_clears_by_null_or_by_empty(vendor: RunningSimulator, make: Make) -> None:
    for style, other in (("null", "clear_with_empty"), ("empty", "clear_with_null")):
        vendor.admin.settings(**{other: "reject"})
        native_id = create(vendor, remark="有", behavior_tags__c=["tag01"])
        [result] = make(clear_as=style).write([request(Op.UPDATE, native_id, "1", remark=None, behavior_tags__c=None)])
        assert isinstance(result, Written)
        assert {"remark", "behavior_tags__c"}.isdisjoint(
            {k for k, v in stored(vendor, native_id).items() if v is not None}
        )
        vendor.admin.settings(**{other: "clear"})


def test_an_owner_goes_by_a_call_of_its_own(vendor: RunningSimulator, connector: FxiaokeConnector) -> None:
    native_id = create(vendor)
    [mixed] = connector.write([request(Op.UPDATE, native_id, "1", remark="随负责人", owner=["1002"])])
    assert isinstance(mixed, Refused)
    assert (mixed.code, mixed.field) == ("fxiaoke.own-call", "owner")
    assert writes(vendor) == {}
    [fields] = connector.write([request(Op.UPDATE, native_id, "1", remark="随负责人")])
    assert fields == Written(native_id, "2")
    [owned] = connector.write([request(Op.UPDATE, native_id, "2", owner=["1002"])])
    record = stored(vendor, native_id)
    assert (record["owner"], record["remark"]) == (["1002"], "随负责人")
    assert owned == Written(native_id, record["version"])
    calls = writes(vendor)
    assert (calls["update"], calls["changeOwner"]) == (1, 1)
    [again] = connector.write([request(Op.UPDATE, native_id, record["version"], owner=["1002"])])
    assert again == Written(native_id, record["version"], seen={"owner": ["1002"]})
    assert writes(vendor)["changeOwner"] == 1


def test_a_change_of_owner_without_an_answer_is_unknown(vendor: RunningSimulator, connector: FxiaokeConnector) -> None:
    native_id = create(vendor)
    fault = {"match": {"path_regex": "changeOwner"}, "action": "timeout_after_commit", "seconds": 0, "every": 1}
    vendor.admin.faults([fault])
    [result] = connector.write([request(Op.UPDATE, native_id, "1", owner=["1002"])])
    assert isinstance(result, Unknown)
    assert stored(vendor, native_id)["owner"] == ["1002"]


def test_a_record_of_a_pool_is_claimed_before_it_gets_its_owner(vendor: RunningSimulator, make: Make) -> None:
    native_id = create(vendor)
    vendor.admin.post("pool", {"id": native_id})
    [left] = make(claim_from_pool=False).write([request(Op.UPDATE, native_id, owner=["1002"])])
    [edit_] = make().write([request(Op.UPDATE, native_id, remark="公海")])
    for waits in (left, edit_):
        assert isinstance(waits, Refused)
        assert (waits.code, waits.retry_later) == ("fxiaoke.in-pool", True)
    assert "choose" not in writes(vendor)
    [result] = make().write([request(Op.UPDATE, native_id, owner=["1002"])])
    record = stored(vendor, native_id)
    assert (record["owner"], result) == (["1002"], Written(native_id, record["version"]))
    assert (writes(vendor)["choose"], writes(vendor)["changeOwner"]) == (1, 1)
    vendor.admin.settings(pool_editable=True)
    vendor.admin.post("pool", {"id": native_id})
    [allowed] = make().write([request(Op.UPDATE, native_id, remark="公海")])
    assert isinstance(allowed, Written)


@pytest.mark.parametrize("action", ["row_error", "http_429", "timeout_before_commit"])
def test_a_claim_that_is_not_followed_by_an_owner_is_unknown(
    vendor: RunningSimulator, connector: FxiaokeConnector, action: str
) -> None:
    native_id = create(vendor)
    vendor.admin.post("pool", {"id": native_id})
    vendor.admin.faults([{"match": {"path_regex": "changeOwner"}, "action": action, "seconds": 0, "every": 1}])
    [result] = connector.write([request(Op.UPDATE, native_id, owner=["1002"])])
    assert isinstance(result, Unknown)
    assert stored(vendor, native_id)["owner"] == ["1000"]  # who claimed it


def test_a_refused_owner_alone_is_refused(vendor: RunningSimulator, connector: FxiaokeConnector) -> None:
    native_id = create(vendor)
    [result] = connector.write([request(Op.UPDATE, native_id, "1", owner=["1007"])])  # has left
    assert isinstance(result, Refused)
    assert result.field == "owner"


def test_a_locked_record_waits_and_a_lock_in_between_too(vendor: RunningSimulator, make: Make) -> None:
    native_id = create(vendor)
    vendor.admin.post("lock", {"id": native_id})
    for connector in (make(), make(write_status_locked=True)):
        [result] = connector.write([request(Op.UPDATE, native_id, remark="锁")])
        assert isinstance(result, Refused)
        assert (result.code, result.retry_later) == ("fxiaoke.locked", True)
    assert writes(vendor)["update"] == 1  # only the one that was told to try
    vendor.admin.post("lock", {"id": native_id, "locked": False})
    assert isinstance(make().write([request(Op.UPDATE, native_id, remark="锁")])[0], Written)


def test_what_an_approval_holds_back_waits_for_its_end(vendor: RunningSimulator, make: Make) -> None:
    asking, quiet = make(trigger_approvals=True), make()
    [made] = asking.write([new(remark="待批")])
    assert isinstance(made, Written)
    [waits] = quiet.write([request(Op.UPDATE, made.native_id, remark="改")])
    assert isinstance(waits, Refused)
    assert (waits.code, waits.retry_later) == ("fxiaoke.in-approval", True)
    assert "update" not in writes(vendor)
    vendor.admin.post("approve", {"id": made.native_id})
    [asked] = asking.write([request(Op.UPDATE, made.native_id, remark="改")])
    assert isinstance(asked, Refused)  # nothing has changed yet
    assert (asked.code, asked.retry_later) == ("fxiaoke.in-approval", True)
    assert stored(vendor, made.native_id)["remark"] == "待批"
    vendor.admin.post("approve", {"id": made.native_id})
    [done] = asking.write([request(Op.UPDATE, made.native_id, remark="改")])
    assert isinstance(done, Written)
    assert writes(vendor)["update"] == 1


def test_every_write_says_whether_approvals_and_workflows_start(vendor: RunningSimulator, make: Make) -> None:
    assign = {"object": "AccountObj", "field": "remark", "values": ["流"], "set": {"account_source": "2"}}
    vendor.admin.post("rules", {"rules": [assign]})
    [quiet] = make().write([new(remark="流")])
    [loud] = make(trigger_workflows=True).write([new(remark="流")])
    assert isinstance(quiet, Written)
    assert isinstance(loud, Written)
    assert [stored(vendor, made.native_id).get("account_source") for made in (quiet, loud)] == [None, "2"]
    settings = read_settings({"app_id": "a", "operator_id": "1000"}, "fxiaoke")
    made_bodies = [
        bodies.create("AccountObj", {}, settings),
        bodies.update("complaint__c", {}, settings),
        bodies.change_owner("AccountObj", "1", ["1000"], settings),
        bodies.choose("AccountObj", "1", settings),
        bodies.invalid("AccountObj", "1", settings),
        bodies.recover("AccountObj", "1", settings),
    ]
    for body in made_bodies:
        assert (body["triggerApprovalFlow"], body["triggerWorkFlow"]) == (False, False)


def test_a_write_is_read_back_where_the_connection_says_so(vendor: RunningSimulator, make: Make) -> None:
    connector = make(read_back=True)
    [made] = connector.write([new(remark="一", satisfaction_score__c="3")])
    assert isinstance(made, Written)
    assert (made.version, (made.seen or {})["satisfaction_score__c"]) == ("1", "3")
    [changed] = connector.write([request(Op.UPDATE, made.native_id, "1", remark="二")])
    assert changed == Written(made.native_id, "2", seen={"remark": "二"})
    [owned] = connector.write([request(Op.UPDATE, made.native_id, "2", owner=["1002"])])
    assert owned == Written(made.native_id, "3", seen={"owner": ["1002"]})
    # An automation that writes beside us raises the version: what it shows is not what was written.
    rule = {"object": "AccountObj", "field": "remark", "values": ["三"], "set": {"tel": "1"}, "workflow_only": False}
    vendor.admin.post("rules", {"rules": [rule]})
    [crowded] = connector.write([request(Op.UPDATE, made.native_id, "3", remark="三")])
    assert crowded == Written(made.native_id, "4")


def test_a_creator_is_named_only_where_the_connection_says_so(vendor: RunningSimulator, make: Make) -> None:
    [refused] = make().write([new(created_by=["1002"])])
    assert isinstance(refused, Refused)
    assert (refused.code, refused.field) == ("fxiaoke.field-readonly", "created_by")
    connector = make(specify_created_by=True)
    [made] = connector.write([new(created_by=["1002"], create_time=1_500_000_000_000)])
    assert isinstance(made, Written)
    record = stored(vendor, made.native_id)
    assert (record["created_by"], record["create_time"]) == (["1002"], 1_500_000_000_000)
    [late] = connector.write([request(Op.UPDATE, made.native_id, created_by=["1003"])])
    assert isinstance(late, Refused)
    assert late.code == "fxiaoke.creation-only"


def test_nothing_is_ever_deleted_for_good(vendor: RunningSimulator, connector: FxiaokeConnector) -> None:
    assert "delete" not in get_args(WriteOperation)
    delete: Any = "delete"
    with pytest.raises(ValueError, match="delete"):
        connector._client.write("AccountObj", delete, {})
    package = Path(connectors.fxiaoke.__file__).parent
    for file in package.glob("*.py"):
        assert "data/delete" not in file.read_text(encoding="utf-8"), file.name
    assert "delete" not in writes(vendor)


def test_a_second_record_with_one_hub_id_is_refused(
    vendor: RunningSimulator, connector: FxiaokeConnector, context: Context
) -> None:
    connector.write([new(hub_id__c="twin")])
    settle(vendor, context)
    [result] = connector.write([new(hub_id__c="twin")])
    assert isinstance(result, Refused)
    assert (result.code, result.field, result.retry_later) == ("fxiaoke.duplicate", "hub_id__c", False)
    [first] = (row["_id"] for row in vendor.admin.records("AccountObj") if row.get("hub_id__c") == "twin")
    assert result.existing_id == first
    assert sum(row.get("hub_id__c") == "twin" for row in vendor.admin.records("AccountObj")) == 1


def test_the_tenants_duplicate_rules_judge_only_when_asked(vendor: RunningSimulator, make: Make) -> None:
    there = create(vendor, name="同名客户")
    [quiet] = make().write([new(name="同名客户")])
    assert isinstance(quiet, Written)
    # No `existing_id`: who is like a record is not who holds its hub id, so a person must look.
    for listed in (True, False):
        vendor.admin.settings(duplicate_listed=listed)
        [strict] = make(duplicate_search=True).write([new(name="同名客户")])
        assert isinstance(strict, Refused)
        assert (strict.code, strict.field, strict.existing_id) == ("fxiaoke.duplicate-rule", None, None)
        assert "查重规则" in strict.zh
        assert all((f"{one}" in strict.en and f"{one}" in strict.zh) is listed for one in (there, quiet.native_id))
        assert "同名客户" not in strict.en + strict.zh
    assert sum(row["name"] == "同名客户" for row in vendor.admin.records("AccountObj")) == 2


def test_a_refused_row_names_its_field_and_spares_its_neighbours(
    vendor: RunningSimulator, connector: FxiaokeConnector
) -> None:
    rule = {"object": "AccountObj", "field": "remark", "values": ["禁"], "refuse": "备注不符合规定"}
    vendor.admin.post("rules", {"rules": [rule]})
    good, bad, also = connector.write([new(remark="可"), new(remark="禁"), new(remark="可")])
    assert isinstance(good, Written)
    assert isinstance(also, Written)
    assert isinstance(bad, Refused)
    assert bad.field == "remark"
    assert "禁" not in bad.en + bad.zh


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("nowhere__c", "某值", "fxiaoke.field-unknown"),
        ("account_no", "某值", "fxiaoke.field-readonly"),
        ("account_level", "9", "fxiaoke.option-unknown"),
        ("behavior_tags__c", ["tag01", "tag99"], "fxiaoke.option-unknown"),
        ("behavior_tags__c", "tag01", "fxiaoke.wrong-form"),
        ("short_name__c", "长" * 101, "fxiaoke.too-long"),
        ("tel", "138****0000", "fxiaoke.masked-value"),
        ("loyalty_points__c", "many", "fxiaoke.wrong-form"),
        ("loyalty_points__c", True, "fxiaoke.wrong-form"),
        ("birth_date__c", "1990-01-01", "fxiaoke.wrong-form"),
        ("account_level", 2, "fxiaoke.wrong-form"),
        ("owner", "1001", "fxiaoke.wrong-form"),
        ("data_own_department", ["2001", "2002"], "fxiaoke.wrong-form"),
        ("province", 203, "fxiaoke.wrong-form"),
        ("parent_account_id", ["x"], "fxiaoke.wrong-form"),
        ("vip__c", "yes", "fxiaoke.wrong-form"),
        ("spot__c", "116.3,39.9", "fxiaoke.wrong-form"),
    ],
)
def test_what_the_vendor_would_not_store_is_refused_before_it_is_sent(
    vendor: RunningSimulator, connector: FxiaokeConnector, field: str, value: Any, code: str
) -> None:
    vendor.admin.settings(masked_fields=["tel"])
    add_fields(vendor)
    [result] = connector.write([new(hub_id__c="refused", **{field: value})])
    assert isinstance(result, Refused)
    assert (result.code, result.field) == (code, field)
    assert str(value) not in result.en + result.zh
    assert "create" not in writes(vendor)


def test_an_option_must_belong_to_the_one_above_it(vendor: RunningSimulator, connector: FxiaokeConnector) -> None:
    above, below = "industry_level1", "industry_level2"
    child = connector.describe("AccountObj").fields[below]
    assert child.parent == above
    assert child.by_parent is not None
    (one, (of_one, *_)), (two, (of_two, *_)) = list(child.by_parent.items())[:2]

    def refused(*requests: WriteRequest) -> None:
        for result in [connector.write([each])[0] for each in requests]:
            assert isinstance(result, Refused)
            assert (result.code, result.field) == ("fxiaoke.option-misplaced", below)
            assert above in result.en
            assert above in result.zh

    refused(new(**{above: one, below: of_two}), new(**{below: of_one}))
    [made] = connector.write([new(**{above: one, below: of_one})])
    assert isinstance(made, Written)
    key = made.native_id
    # What an update leaves beside the option counts, and so does what it changes with it.
    refused(
        request(Op.UPDATE, key, "1", **{below: of_two}), request(Op.UPDATE, key, "1", **{above: two, below: of_one})
    )
    refused(request(Op.UPDATE, key, "1", **{above: None, below: of_two}))
    assert "update" not in writes(vendor)
    fitting = [{above: two, below: of_two}, {below: None}, {above: None}]
    for version, fields in enumerate(fitting, 1):
        [result] = connector.write([request(Op.UPDATE, key, str(version), **fields)])
        assert isinstance(result, Written)
    # What people left astray keeps nothing else from being written.
    astray, known = {above: one, below: of_two}, connector.describe("AccountObj")
    assert find_misplaced(known, {below: of_two, "remark": "其他"}, {"remark"}, astray, ("fx", "1")) is None
    assert find_misplaced(known, astray, {above}, astray, ("fx", "1")) is not None


def add_fields(vendor: RunningSimulator) -> None:
    """Gives customers a field of each type that they lack."""
    for name, kind in (("vip__c", "true_or_false"), ("spot__c", "location"), ("rate__c", "percentile")):
        vendor.admin.post("schema", {"object": "AccountObj", "field": name, "changes": {"label": name, "type": kind}})
    limit = {"label": "额度", "type": "currency", "decimal_places": 2}
    vendor.admin.post("schema", {"object": "AccountObj", "field": "limit__c", "changes": limit})


def test_values_are_sent_and_compared_by_their_types(vendor: RunningSimulator, connector: FxiaokeConnector) -> None:
    add_fields(vendor)
    noon = 631_152_000_000 + 4 * 3_600_000  # 1990-01-01 12:00 in China
    sent = {
        "limit__c": 100.5,
        "loyalty_points__c": 1_000_000,
        "birth_date__c": noon,
        "next_follow_up_at__c": noon,
        "vip__c": False,
        "spot__c": "116.3#%$39.9#%$北京市东城区",
        "behavior_tags__c": ["tag02", "tag01"],
        "province": "201",
        "city": "2101",
    }
    [made] = connector.write([new(**sent)])
    assert isinstance(made, Written)
    record = stored(vendor, made.native_id)
    assert (record["limit__c"], record["loyalty_points__c"]) == ("100.50", "1000000")
    assert (record["birth_date__c"], record["next_follow_up_at__c"]) == (noon - 12 * 3_600_000, noon)
    assert (record["vip__c"], record["spot__c"]) == (False, sent["spot__c"])
    assert (record["province"], record["city"]) == ("201", "2101")
    same = {"limit__c": "100.5", "birth_date__c": noon + 1, "behavior_tags__c": ["tag01", "tag02"], "remark": ""}
    [unchanged] = connector.write([request(Op.UPDATE, made.native_id, "1", **same)])
    assert isinstance(unchanged, Written)
    assert "update" not in writes(vendor)
    [changed] = connector.write([request(Op.UPDATE, made.native_id, "1", limit__c=99, rate__c="12.5", vip__c=True)])
    assert isinstance(changed, Written)
    assert [stored(vendor, made.native_id)[name] for name in ("limit__c", "vip__c")] == ["99.00", True]


def test_a_new_option_is_seen_before_a_value_is_refused(
    vendor: RunningSimulator, connector: FxiaokeConnector, context: Context
) -> None:
    connector.describe("AccountObj")
    options = [{"value": str(n), "label": f"级{n}"} for n in range(1, 10)]
    vendor.admin.post("schema", {"object": "AccountObj", "field": "account_level", "changes": {"choices": options}})
    context.clock.offset += 120
    [result] = connector.write([new(account_level="9")])
    assert isinstance(result, Written)


@pytest.mark.parametrize("action", ["timeout_before_commit", "reset_before_commit", "http_500", "http_502_html"])
def test_an_unclear_create_is_unknown_and_sent_once(
    vendor: RunningSimulator, connector: FxiaokeConnector, action: str
) -> None:
    vendor.admin.faults([{"match": {"path_regex": "data/create"}, "action": action, "seconds": 0, "every": 1}])
    [result] = connector.write([new()])
    assert isinstance(result, Unknown)
    assert vendor.admin.calls()["faults"][0]["struck"] == 1


@pytest.mark.parametrize("code", [-1, -2, 50009])
def test_a_fault_of_the_service_is_unknown(vendor: RunningSimulator, connector: FxiaokeConnector, code: int) -> None:
    rule = {
        "match": {"path_regex": "data/create"},
        "action": "vendor_error",
        "code": code,
        "message": "超时",
        "every": 1,
    }
    vendor.admin.faults([rule])
    [result] = connector.write([new()])
    assert isinstance(result, Unknown)


def test_a_token_that_ends_between_two_writes_costs_nothing(
    vendor: RunningSimulator, connector: FxiaokeConnector
) -> None:
    connector.describe("AccountObj")
    vendor.admin.post("revoke")
    results = connector.write([new() for _ in range(6)])
    assert all(isinstance(result, Written) for result in results)


def test_a_rate_limit_before_any_effect_is_raised(vendor: RunningSimulator, make: Make, context: Context) -> None:
    connector = make(rate_limit_patience=0)
    vendor.admin.faults([{"match": {"path_regex": "data/create"}, "action": "http_429", "every": 1}])
    with pytest.raises(RateLimited) as caught:
        connector.write([new() for _ in range(3)])
    assert caught.value.after >= 20
    vendor.admin.faults([])
    vendor.admin.reset_calls()
    with pytest.raises(RateLimited):
        connector.write([new()])
    assert "create" not in writes(vendor)  # no call before the wait is over
    context.clock.offset += 21
    assert isinstance(connector.write([new()])[0], Written)


def test_a_stop_in_the_middle_loses_no_outcome(vendor: RunningSimulator, make: Make) -> None:
    connector = make(workers=1, rate_limit_patience=0)
    vendor.admin.faults([{"match": {"path_regex": "data/create"}, "action": "http_429", "nth": 3}])
    results = connector.write([new() for _ in range(5)])
    assert [type(result) for result in results] == [Written, Written, Refused, Refused, Refused]
    assert all(result.retry_later for result in results[2:])  # type: ignore[union-attr]


def test_a_used_up_day_is_raised_with_its_end(vendor: RunningSimulator, connector: FxiaokeConnector) -> None:
    connector.describe("AccountObj")
    vendor.admin.post("quota", {"left": 0})
    with pytest.raises(QuotaExhausted) as caught:
        connector.write([new()])
    vendor.admin.post("quota", {"left": 1_000_000})
    assert caught.value.resets_at is not None
    assert caught.value.resets_at % 86400 == 16 * 3600  # midnight in China


def test_delete_is_invalidation_and_restore_undoes_it(vendor: RunningSimulator, connector: FxiaokeConnector) -> None:
    native_id = create(vendor)
    [gone] = connector.write([request(Op.DELETE, native_id, "1")])
    record = stored(vendor, native_id)
    assert record["life_status"] == "invalid"
    assert gone == Written(native_id, record["version"])
    [again] = connector.write([request(Op.DELETE, native_id)])
    assert again == Written(native_id, record["version"])
    [update] = connector.write([request(Op.UPDATE, native_id, remark="已作废")])
    assert update == Stale(Gone(native_id))
    [back] = connector.write([request(Op.RESTORE, native_id, "1", remark="恢复")])
    record = stored(vendor, native_id)
    assert (record["life_status"], record["remark"]) == ("normal", "恢复")
    assert back == Written(native_id, record["version"])
    [late] = connector.write([request(Op.RESTORE, native_id, "1")])
    assert isinstance(late, Stale)  # somebody has brought it back and gone on
    assert "delete" not in writes(vendor)


def test_a_record_that_is_not_there_is_stale(vendor: RunningSimulator, connector: FxiaokeConnector) -> None:
    absent = "0" * 24
    for op in (Op.UPDATE, Op.DELETE, Op.RESTORE):
        assert connector.write([request(op, absent)]) == [Stale(NotVisible(absent))]


def test_a_batch_of_two_kinds_or_too_many_is_unsupported(vendor: RunningSimulator, make: Make) -> None:
    connector = make(batch_size=2)
    native_id = create(vendor)
    for batch in ([new(), request(Op.UPDATE, native_id, remark="x")], [new(), new(), new()]):
        with pytest.raises(Unsupported):
            connector.write(batch)
    assert "create" not in writes(vendor)


def test_fields_of_the_fixture_exist(connector: FxiaokeConnector) -> None:
    assert set(FIELDS) <= connector.describe("AccountObj").fields.keys()
