"""The other layouts of Fxiaoke end to end: complaints as cases of one record type, contact logs by channel."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from connectors.simulation.server import RunningSimulator, start_simulator
from hub.app import initialise, open_installation, prepare
from hub.canonical.shipped import shipped_folder
from hub.cli.main import run as main
from hub.operations.connections import check_described_mappings
from hub.operations.installation import Installation
from hub.sync.cycle import Outcome, Report, run_cycle
from hub.sync.reconcile import Difference, reconcile
from tests.laboratory import SECRETS

SETTINGS = """\
profile: lab
language: en
installation: {{id: lab, name: Lab}}
store: {{url: "sqlite:///var/hub.db"}}
keys: {{provider: file, path: keys/hub.key}}
systems:
  zoho:
    kind: zoho_crm
    mapping_set: full
    settings: {{accounts_url: "{zoho}", api_url: "{zoho}", visibility_lag: 0, overlap: 2}}
    credentials: {{client_id: env:LAB_ZOHO_ID, client_secret: env:LAB_ZOHO_SECRET, refresh_token: env:LAB_ZOHO_REFRESH}}
    deletions_every_seconds: 0
  fxiaoke:
    kind: fxiaoke
    mapping_set: full
    mapping_sets: {sets}
    settings: {{base_url: "{fxiaoke}", app_id: FSAID_simulated, operator_id: "1000", rate_per_second: 5000,
      rate_burst: 5000, index_lag: 0, overlap: 2, external_key_unique: true{more}}}
    credentials: {{app_secret: env:LAB_FXIAOKE_SECRET, permanent_code: env:LAB_FXIAOKE_CODE}}
entities:
"""
ENTITY = """\
  {name}:
    systems: [zoho, fxiaoke]
    prefer: [zoho, fxiaoke]
    on_delete: {on_delete}
    guards: {{first_sync_needs_release: false, max_creates: {{count: 1000, percent: 100.0}},
      max_changes: {{count: 1000, percent: 100.0}}}}
"""
CASE, COMPLAINT, REPAIR = "CasesObj", "record_complaint__c", "record_repair__c"
LOG, CALL, VISIT = "ActiveRecordObj", "ServiceRecordObj", "CheckinsObj"


@dataclass
class Lab:
    """Is a hub in this process with its two simulated vendors."""

    home: Path
    zoho: RunningSimulator
    fxiaoke: RunningSimulator

    def write(self, sets: str = "{}", more: str = "", on_delete: str = "detach") -> None:
        urls = {"zoho": self.zoho.base_url, "fxiaoke": self.fxiaoke.base_url}
        names = ("customer", "complaint", "contact_log")
        text = SETTINGS.format(sets=sets, more=more, **urls)
        text += "".join(ENTITY.format(name=name, on_delete=on_delete) for name in names)
        (self.home / "config" / "hub.yaml").write_text(text, encoding="utf-8")

    @contextmanager
    def hub(self) -> Iterator[Installation]:
        hub = open_installation(self.home)
        try:
            yield hub
        finally:
            hub.close()


@pytest.fixture(scope="module")
def vendors() -> Iterator[tuple[RunningSimulator, RunningSimulator]]:
    os.environ.update(SECRETS)
    with (
        start_simulator("zoho_crm", limits="fast") as zoho,
        start_simulator("fxiaoke", limits="fast", settings={"index_lag_seconds": 0}) as fxiaoke,
    ):
        yield zoho, fxiaoke


@pytest.fixture
def lab(tmp_path: Path, vendors: tuple[RunningSimulator, RunningSimulator]) -> Lab:
    for simulator in vendors:
        simulator.admin.reset()
    made = Lab(tmp_path / "hub", *vendors)
    initialise(made.home)
    made.write()
    prepare(made.home)
    return made


def make(simulator: RunningSimulator, object_: str, **fields: Any) -> str:
    return str(simulator.admin.post("create", {"object": object_, "fields": fields})["id"])


def edit(simulator: RunningSimulator, object_: str, native_id: str, **fields: Any) -> None:
    simulator.admin.post("edit", {"object": object_, "id": native_id, "fields": fields})


def rows(simulator: RunningSimulator, object_: str) -> list[dict[str, Any]]:
    every = simulator.admin.records(object_)
    return [row for row in every if row.get("_state", "live") == "live" and not row.get("is_deleted")]


def settle(hub: Installation, entity: str) -> Report:
    """Runs cycles until one converges or is blocked."""
    for _ in range(6):
        with hub.run(entity) as run:
            report = run_cycle(run)
        if report.outcome is not Outcome.PROGRESSED:
            return report
    raise AssertionError(report)


def converge(hub: Installation, entity: str) -> Report:
    report = settle(hub, entity)
    assert report.outcome is Outcome.CONVERGED, report
    return report


def compared(hub: Installation, entity: str, object_: str) -> Difference:
    with hub.run(entity) as run:
        return next(item for item in reconcile(run) if item.object == object_)


def command(lab: Lab, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    code = main([*words, "--home", str(lab.home), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_complaint_goes_its_way_as_a_case_and_other_cases_are_left_alone(lab: Lab) -> None:
    lab.write("{complaint: cases, contact_log: cases}")
    with lab.hub() as hub:
        _walk_a_case(lab, hub)


def _walk_a_case(lab: Lab, hub: Installation) -> None:
    person = make(lab.zoho, "Contacts", Last_Name="王小明", Mobile="13812340001")
    converge(hub, "customer")
    [customer] = [row["_id"] for row in rows(lab.fxiaoke, "AccountObj")]
    repair = make(lab.fxiaoke, CASE, record_type=REPAIR, account_id=customer, title__c="点钞机", status__c="option4")
    edit(lab.fxiaoke, CASE, repair, complainant_phone__c="不详")  # a value that no complaint may have
    before = next(row for row in rows(lab.fxiaoke, CASE))
    case = {"Subject": "手续费争议", "Status": "已登记", "Case_Origin": "Phone", "Priority": "High"}
    filed = make(lab.zoho, "Cases", **case, Related_To={"id": person})
    assert [found for found in check_described_mappings(hub) if found.severity == "error"] == []
    assert converge(hub, "complaint").counts.get("filtered", 0) == 0, "what is of another sort is not even listed"
    [made] = [row for row in rows(lab.fxiaoke, CASE) if row["_id"] != repair]
    number = next(row["Case_Number"] for row in rows(lab.zoho, "Cases"))
    shown = ("record_type", "account_id", "title__c", "status__c", "priority__c", "intake_channel__c")
    assert made["complaint_no__c"] == str(number)
    assert [made[name] for name in shown] == [
        COMPLAINT, customer, "手续费争议", "option1", "option3", "option1"
    ]  # fmt: skip

    # Investigated in Fxiaoke, answered in Zoho, closed in Fxiaoke.
    for status, said, in_zoho in (("option2", None, "已受理"), ("option4", "系统重复扣费", "调查处理")):
        edit(lab.fxiaoke, CASE, made["_id"], status__c=status, **({"investigation__c": said} if said else {}))
        converge(hub, "complaint")
        assert rows(lab.zoho, "Cases")[0]["Status"] == in_zoho
    assert rows(lab.zoho, "Cases")[0]["Internal_Comments"] == "系统重复扣费"
    for status in ("已处理", "已反馈"):
        edit(lab.zoho, "Cases", filed, Status=status, Solution="退还手续费")
        converge(hub, "complaint")
    made = next(row for row in rows(lab.fxiaoke, CASE) if row["_id"] == made["_id"])
    assert (made["status__c"], made["resolution__c"]) == ("option7", "退还手续费")

    # One that begins in Fxiaoke arrives too; the case of another record type was never written to.
    born = make(lab.fxiaoke, CASE, record_type=COMPLAINT, account_id=customer, title__c="排队过久", status__c="option1")
    edit(lab.fxiaoke, CASE, repair, title__c="点钞机卡纸")
    converge(hub, "complaint")
    assert {row["Subject"] for row in rows(lab.zoho, "Cases")} == {"手续费争议", "排队过久"}
    after = next(row for row in rows(lab.fxiaoke, CASE) if row["_id"] == repair)
    assert (after["version"], after.get("hub_id__c")) == (str(int(before["version"]) + 1), None)

    # A log names its complaint by a lookup; the list of related records, where a repair may stand, stays people's own.
    task = {"Subject": "已寄出答复", "Status": "Completed", "Channel": "信函", "Purpose": "投诉处理"}
    make(lab.zoho, "Tasks", **task, Who_Id={"id": person}, What_Id={"id": filed}, **{"$se_module": "Cases"})
    about = [{"describe_api_name": "AccountObj", "id": customer}, {"describe_api_name": CASE, "id": repair}]
    fields = {"interactive_types": "1", "interactive_scenario": "2", "subject__c": "报修回访"}
    noted = make(lab.fxiaoke, LOG, related_object_data=about, **fields)
    converge(hub, "contact_log")
    logs = {row["subject__c"]: row for row in rows(lab.fxiaoke, LOG)}
    assert logs["已寄出答复"]["complaint_id__c"] == made["_id"]
    [call] = rows(lab.zoho, "Calls")
    edit(lab.zoho, "Calls", call["id"], Subject="报修回访完成", Complaint_Id={"id": filed})
    converge(hub, "contact_log")
    log = next(row for row in rows(lab.fxiaoke, LOG) if row["_id"] == noted)
    assert (log["subject__c"], log["complaint_id__c"], log["related_object_data"]) == (
        "报修回访完成", made["_id"], about
    )  # fmt: skip

    # A complaint that turns into something else asks to be unbound: nobody writes to it any more.
    edit(lab.fxiaoke, CASE, born, record_type=REPAIR)
    [second] = [row for row in rows(lab.zoho, "Cases") if row["Subject"] == "排队过久"]
    edit(lab.zoho, "Cases", second["id"], Subject="排队一小时")
    report = settle(hub, "complaint")
    assert report.reasons == ("quarantine:HUB-FILTER-001:fxiaoke=1",)
    assert next(row for row in rows(lab.fxiaoke, CASE) if row["_id"] == born)["title__c"] == "排队过久"
    found = compared(hub, "complaint", CASE)
    assert (found.listed, found.extra, found.missing, found.gone) == (1, 0, 1, 0)


def test_logs_go_by_channel_and_what_the_switchboard_makes_is_only_read(lab: Lab) -> None:
    lab.write("{contact_log: routes}", ", append_only: [CheckinsObj], read_only: [ServiceRecordObj]", "propagate")
    person = make(lab.zoho, "Contacts", Last_Name="王小明", Mobile="13812340001")
    dialled = {"Call_Type": "Outbound", "Call_Duration": "03:25", "Call_Purpose": "回访", "Who_Id": {"id": person}}
    make(lab.zoho, "Calls", Subject="Zoho 电话", Call_Start_Time="2025-03-01T09:00:00+08:00", **dialled)
    visit = {"Event_Title": "上门", "Channel": "上门拜访", "Purpose": "服务", "Who_Id": {"id": person}}
    times = {"Start_DateTime": "2025-03-02T09:00:00+08:00", "End_DateTime": "2025-03-02T10:00:00+08:00"}
    met = make(lab.zoho, "Events", **visit, **times)
    with lab.hub() as hub:
        assert [found for found in check_described_mappings(hub) if found.severity == "error"] == []
        converge(hub, "customer")
        [customer] = [row["_id"] for row in rows(lab.fxiaoke, "AccountObj")]
        said = {"account_id": customer, "contact_time__c": 1_740_877_200_000}
        make(lab.fxiaoke, CALL, **said, subject__c="总机来电", purpose__c="3", direction__c="option1")
        noted = make(lab.fxiaoke, LOG, **said, subject__c="手记电话", interactive_types="1", interactive_scenario="2")
        converge(hub, "complaint")
        converge(hub, "contact_log")
        assert {row["Subject"] for row in rows(lab.zoho, "Calls")} == {"Zoho 电话", "总机来电", "手记电话"}
        assert [row["subject__c"] for row in rows(lab.fxiaoke, CALL)] == ["总机来电"], (
            "calls are made by the switchboard"
        )
        [seen] = rows(lab.fxiaoke, VISIT)
        shown = ("account_id", "visit_channel__c", "contact_time__c", "duration_seconds__c")
        assert [seen[name] for name in shown] == [customer, "option2", 1_740_877_200_000, "3600"]

        # A visit is never changed or 作废 there, which stops nothing; a call noted by hand is an ordinary log.
        edit(lab.zoho, "Events", met, Event_Title="上门（更正）")
        calls = {row["Subject"]: row["id"] for row in rows(lab.zoho, "Calls")}
        edit(lab.zoho, "Calls", calls["手记电话"], Subject="手记电话（更正）")
        assert converge(hub, "contact_log").counts["not_taken"] == 1
        [log] = rows(lab.fxiaoke, LOG)
        assert (log["_id"], log["subject__c"]) == (noted, "手记电话（更正）")
        assert [row["subject__c"] for row in rows(lab.fxiaoke, VISIT)] == ["上门"]
        lab.zoho.admin.post("delete", {"object": "Events", "id": met})
        converge(hub, "contact_log")
        assert len(rows(lab.fxiaoke, VISIT)) == 1


def test_the_tables_follow_the_people_departments_and_regions_of_the_tenant(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, shipped = lab.home / "mappings" / "tables", shipped_folder("mappings") / "tables"
    for name, before, after in (
        ("staff", "5843104000000301002,1002,yes", "5843104000000301002,,yes"),
        ("staff", "S1006,赵敏,Zhao Min,5843104000000301006,1006,yes\n", ""),
        ("branches", "Beijing Chaoyang branch,2011", "Beijing Chaoyang branch,9999"),
        ("regions", "朝阳区,21015,201,2101,21015", "朝阳区,,201,2101,"),
    ):
        text = (folder / f"{name}.csv").read_text(encoding="utf-8")
        assert before in text
        (folder / f"{name}.csv").write_text(text.replace(before, after), encoding="utf-8")
    lab.fxiaoke.admin.post("leave", {"user": "1003"})
    code, told = command(lab, capsys, "mapping", "tables", "fxiaoke")
    assert code == 10
    differs = {item["table"]: ([cell["key"] for cell in item["cells"]], item["rows"]) for item in told["tables"]}
    assert differs == {
        "staff": (["S1002", "S1003"], ["S1000", "S1006"]),
        "branches": (["B0101"], []),
        "regions": (["110105", "110105"], []),
    }
    assert command(lab, capsys, "mapping", "tables", "fxiaoke", "--apply")[0] == 0
    assert command(lab, capsys, "mapping", "tables", "fxiaoke")[1]["tables"][0]["cells"] == []
    assert (folder / "branches.csv").read_bytes() == (shipped / "branches.csv").read_bytes()
    assert (folder / "regions.csv").read_bytes() == (shipped / "regions.csv").read_bytes()
    staff = (folder / "staff.csv").read_text(encoding="utf-8")
    assert "S1003,张伟,Zhang Wei,5843104000000301003,1003,no" in staff
    assert "S1006,赵敏,,,1006,yes" in staff
    assert command(lab, capsys, "mapping", "tables", "zoho")[0] == 11, "S1006 has no account there"
    with lab.hub() as hub:
        # Whoever left owns nothing new: the fallback owner stands in.
        make(lab.zoho, "Contacts", Last_Name="王小明", Mobile="13812340001", Owner={"id": "5843104000000301003"})
        converge(hub, "customer")
        [customer] = rows(lab.fxiaoke, "AccountObj")
        assert (customer["owner"], customer["staff_no__c"]) == (["1099"], "S1003")


def test_an_older_tenant_names_the_kind_of_a_log_and_its_customer_in_other_fields(lab: Lab) -> None:
    lab.fxiaoke.admin.settings(log_interactive_types=False, log_account_lookup=False)
    lab.write("{contact_log: classic}")
    person = make(lab.zoho, "Contacts", Last_Name="王小明", Mobile="13812340001")
    dialled = {"Call_Type": "Outbound", "Call_Duration": "03:25", "Call_Purpose": "投诉处理", "Who_Id": {"id": person}}
    make(
        lab.zoho, "Calls", Subject="来电", Call_Start_Time="2025-03-01T09:00:00+08:00", Description="已答复", **dialled
    )
    with lab.hub() as hub:
        assert [found for found in check_described_mappings(hub) if found.severity == "error"] == []
        converge(hub, "customer")
        [customer] = [row["_id"] for row in rows(lab.fxiaoke, "AccountObj")]
        converge(hub, "contact_log")
        [log] = rows(lab.fxiaoke, LOG)
        about = [{"describe_api_name": "AccountObj", "id": customer}]
        assert (log["active_record_type"], log["active_record_content"], log["related_object_data"]) == (
            "1", "已答复", about
        )  # fmt: skip
        assert log["create_time"] == 1_740_790_800_000, "when it happened, not when it was written"
        make(lab.fxiaoke, LOG, related_object_data=about, active_record_type="2", active_record_content="上门送资料")
        edit(lab.fxiaoke, LOG, log["_id"], active_record_content="已答复客户")
        converge(hub, "contact_log")
    [call], [event] = rows(lab.zoho, "Calls"), rows(lab.zoho, "Events")
    assert (call["Description"], call["Call_Purpose"]) == ("已答复客户", "投诉处理"), "what the log cannot say stays"
    assert (event["Description"], event["Channel"], event["Purpose"]) == ("上门送资料", "上门拜访", "其他")
