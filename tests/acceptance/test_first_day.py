"""A newcomer's first day: init, connect --prepare, --apply, sync, on a Zoho organisation that nobody has prepared."""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.simulation.server import start_simulator
from tests.acceptance.cli_lab import HUB_YAML, Lab, Ran, one_message
from tests.acceptance.fxiaoke_console import follow

NEW = {"custom_fields": False, "picklists": "new_cases"}
"""An organisation as its buyer has it: standard modules, the bank's own picklists but for the statuses of cases."""
ENTITIES = """
  complaint: {systems: [zoho, fxiaoke], prefer: [zoho, fxiaoke]}
  contact_log: {systems: [zoho, fxiaoke], prefer: [zoho, fxiaoke]}
"""
STATUSES = ["已登记", "已受理", "不予受理", "调查处理", "待补充", "已处理", "已反馈", "已结案", "已撤回"]
MODULES = ["Contacts", "Accounts", "Cases", "Calls", "Events", "Tasks"]
ORDER = ("customer", "complaint", "contact_log")
READY, MORE, PERSON = 0, 10, 11


def make_day(home: Path, chosen: str = "core", records: int = 0, bare: bool = False, **switches: Any) -> Lab:
    """Starts a new Zoho organisation and a Fxiaoke tenant that has everything, or as bought; writes the settings."""
    shared: dict[str, Any] = {"records": records, "seed": 11, "limits": "fast"}
    made = {"logs": records, "complaints": records // 3}
    zoho = start_simulator("zoho_crm", settings={**NEW, **switches}, **shared, **(made if bare else {}))
    fxiaoke = start_simulator("fxiaoke", settings={"custom_fields": not bare}, **shared, **made)
    lab = Lab(home, zoho, fxiaoke)
    begun = lab.here("init", str(home))
    assert begun.code == 0, begun
    text = HUB_YAML.replace("mapping_set: full", f"mapping_set: {chosen}")
    text = text.format(zoho=zoho.base_url, fxiaoke=fxiaoke.base_url)
    drawn = next(line.strip() for line in lab.file.read_text("utf-8").splitlines() if "id: hub-" in line)
    lab.write(text.replace("{id: lab, name: Lab}", f"{{{drawn}, name: Lab}}") + ENTITIES)
    return lab


def stop(lab: Lab) -> None:
    lab.zoho.stop()
    lab.fxiaoke.stop()


@pytest.fixture
def day(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """Is a hub that was just set up; the test may name the mapping set and switches of the organisation."""
    lab = make_day(tmp_path / "hub", **getattr(request, "param", {}))
    yield lab
    stop(lab)


def listed(lab: Lab, *words: str) -> tuple[int, dict[str, list[dict[str, Any]]]]:
    """Returns exit code and, per module, what is not ready."""
    ran = lab.here("connect", "zoho", "--prepare", *words, "--json")
    objects = json.loads(ran.out)["objects"]
    left = {item["object"]: [row for row in item["fields"] if row["state"] != "ready"] for item in objects}
    return ran.code, {name: rows for name, rows in left.items() if rows}


def test_the_core_set_needs_the_hub_id_and_the_statuses_of_complaints_and_nothing_else(day: Lab) -> None:
    code, left = listed(day)
    assert code == MORE
    assert {name: [(row["field"], row["state"]) for row in rows] for name, rows in left.items()} == {
        **{name: [("Hub_Id", "missing")] for name in MODULES},
        "Cases": [("Hub_Id", "missing"), ("Status", "lacks_options")],
    }
    assert next(row["options"] for row in left["Cases"] if row["field"] == "Status") == STATUSES
    assert all((row["unique"], row["length"]) == (True, 36) for rows in left.values() for row in rows[:1])


@pytest.mark.parametrize("day", [{"picklists": "shipped"}], indirect=True)
def test_where_all_picklists_are_as_shipped_the_core_set_needs_options_but_no_other_field(day: Lab) -> None:
    _, left = listed(day)
    assert {row["field"] for rows in left.values() for row in rows if row["state"] == "missing"} == {"Hub_Id"}
    lacking = {f"{name}.{row['field']}" for name, rows in left.items() for row in rows if row["options"]}
    assert lacking == {
        "Contacts.Lead_Source", "Accounts.Rating", "Accounts.Account_Type", "Accounts.Industry", "Calls.Call_Purpose",
        "Calls.Call_Result", "Cases.Status", "Cases.Case_Origin", "Cases.Priority",
    }  # fmt: skip
    assert listed(day, "--apply")[0] == READY
    assert listed(day) == (READY, {})


@pytest.mark.parametrize("day", [{"records": 30}], indirect=True)
def test_a_newcomer_is_ready_to_sync_after_one_command(day: Lab) -> None:
    # Without the preparation nobody could find again what was created; `check` says so.
    assert "Hub_Id" in day.here("check", "zoho").out
    dry = day.here("connect", "zoho", "--prepare")
    assert dry.code == MORE, dry
    assert "crmhub connect zoho --prepare --apply" in dry.out
    assert "已登记 · 已受理" in dry.out

    applied = day.run("connect", "zoho", "--prepare", "--apply")
    assert applied.code == READY, applied
    assert "nothing is left to do" in applied.out
    again = day.here("connect", "zoho", "--prepare", "--apply", "--json")
    assert (again.code, {row["state"] for item in again.json["objects"] for row in item["fields"]}) == (0, {"ready"})
    assert day.here("check", "zoho").code == 0
    problems = day.here("mapping", "check", "--describe", "--json").json["problems"]
    assert [item for item in problems if item["severity"] == "error"] == []

    audited = day.ask("audit", "list", "--act", "system.prepare")["entries"]
    assert Counter((entry["stage"], entry["outcome"]) for entry in audited) == {
        ("attempt", "success"): len(MODULES),
        ("result", "success"): len(MODULES),
    }
    assert {entry["obj"]["id"] for entry in audited} == set(MODULES)
    assert "Hub_Id, Status" in {entry["reason"] for entry in audited}

    for entity in ORDER:
        assert day.here("plan", entity).code in (0, MORE, PERSON)
        released = day.here("guard", "release", "first_sync", "--entity", entity, "--reason", "plan read")
        assert released.code == 0, released
        synced = day.here("sync", entity, "--until-converged", "--json")
        for question in day.ask("match", "list", "--entity", entity)["questions"]:
            assert day.here("match", "decide", question["question_id"], "--new").code == 0
            synced = day.here("sync", entity, "--until-converged", "--json")
        assert synced.code == 0, synced
    cases = day.zoho.admin.records("Cases")
    assert len(cases) == len(day.fxiaoke.admin.records("complaint__c")) > 0
    assert {case["Status"] for case in cases} <= set(STATUSES)
    assert len({case["Hub_Id"] for case in cases if case["Hub_Id"]}) == len(cases)
    hub_ids = [row["Hub_Id"] for row in day.zoho.admin.records("Contacts") if row["Hub_Id"]]
    assert len(hub_ids) == len(set(hub_ids)) > 0
    assert day.here("audit", "verify").code == 0


@pytest.mark.parametrize("day", [{"chosen": "full"}], indirect=True)
def test_the_full_set_is_made_whole(day: Lab) -> None:
    code, left = listed(day)
    assert code == MORE
    missing = Counter(row["form"] for rows in left.values() for row in rows if row["state"] == "missing")
    assert missing["link"] == 4  # Complaint_Id in three modules, Repeat_Of in Cases
    assert missing["choice"] >= 20
    assert listed(day, "--apply")[0] == READY
    assert listed(day) == (READY, {})
    problems = day.here("mapping", "check", "--describe", "--json").json["problems"]
    assert [item for item in problems if item["severity"] == "error"] == []


@pytest.mark.parametrize("day", [{"chosen": "full", "custom_fields_per_module": 10}], indirect=True)
def test_a_small_edition_gets_what_has_room_and_says_the_rest(day: Lab) -> None:
    code, left = listed(day, "--apply")
    assert code == PERSON
    assert "Hub_Id" not in {row["field"] for rows in left.values() for row in rows if row["state"] == "manual"}
    refused = [row for rows in left.values() for row in rows if row["state"] == "manual"]
    assert all("Enterprise 300" in row["reason"]["en"] and row["code"] == "HUB-PREP-002" for row in refused)
    # A run after the edition was raised goes on with what is left.
    day.zoho.admin.settings(custom_fields_per_module=300)
    code, left = listed(day, "--apply")
    assert (code, {row["state"] for rows in left.values() for row in rows}) == (READY, {"created"})


@pytest.mark.parametrize("day", [{"field_creation": "no_permission"}], indirect=True)
@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("en", ["by hand", "NO_PERMISSION", "1. Setup (gear) > Customization > Modules and Fields > Contacts",
                "Do not allow duplicate values", "API name must read Hub_Id", "next: an administrator"]),
        ("zh", ["须手工", "NO_PERMISSION", "1. 设置（齿轮）> 自定义 > 模块和字段 > Contacts", "不允许重复值",
                "API 名称须为 Hub_Id", "下一步：管理员"]),
    ],
)  # fmt: skip
def test_where_the_api_may_not_the_administrators_clicks_are_printed(day: Lab, lang: str, words: list[str]) -> None:
    ran = day.here("connect", "zoho", "--prepare", "--apply", "--lang", lang)
    assert ran.code == PERSON, ran
    for word in words:
        assert word in ran.out, word
    assert day.here("audit", "verify").code == 0


@pytest.mark.parametrize("day", [{"custom_fields": True, "hub_id_unique": False}], indirect=True)
def test_a_hub_id_that_may_repeat_is_an_error_and_stays_as_it_is(day: Lab) -> None:
    for words in ((), ("--apply",)):
        code, left = listed(day, *words)
        assert code == PERSON
        assert {(name, row["field"], row["code"]) for name, rows in left.items() for row in rows[:1]} == {
            (name, "Hub_Id", "HUB-PREP-001") for name in MODULES
        }
    told = day.here("connect", "zoho", "--prepare", "--lang", "zh").out
    assert "不符：Hub_Id（统一编号），单行文本(36)，唯一；未设唯一，可能产生重复记录 [HUB-PREP-001]" in told
    assert "若已有重复值会被拒绝" in told
    assert not [path for path in day.zoho.admin.calls()["paths"] if path.startswith("POST /crm/v8/settings")]
    # What can be made without touching it is made: the statuses of complaints.
    assert [row["field"] for row in left["Cases"]] == ["Hub_Id", "Status"]
    assert left["Cases"][1]["state"] == "extended"


@pytest.mark.parametrize("day", [{"records": 12, "bare": True}], indirect=True)
def test_a_tenant_as_bought_is_set_up_by_the_printed_steps_and_syncs_both_ways(day: Lab) -> None:
    lacking = day.here("check", "fxiaoke", "--lang", "zh")
    assert (lacking.code, "下一步：crmhub connect fxiaoke --prepare" in lacking.out) == (7, True)
    assert listed(day, "--apply")[0] == READY
    prepared = day.here("connect", "fxiaoke", "--prepare", "--json")
    assert prepared.code == PERSON
    # complaint__c, thirteen fields of it, the hub ids of the others; the console calls one field as it likes.
    assert follow(day.fxiaoke.admin, prepared.json, {"received_at__c": "field_r1__c"}) == 16
    found = day.ask("mapping", "resolve", "fxiaoke", "--write")["files"]
    assert [row["after"] for file in found for row in file["changes"]] == ["field_r1__c"]
    satisfied = day.here("connect", "fxiaoke", "--prepare", "--lang", "zh")
    assert (satisfied.code, "无需再做任何操作" in satisfied.out) == (READY, True)
    assert day.here("check", "fxiaoke").code == 0

    for entity in ORDER:
        planned = day.ask("plan", entity)["plan"]
        owed = planned["owed"]["fxiaoke"]
        assert planned["calls"]["fxiaoke"] == owed["creates"] + owed["updates"]
        for command in advised(day, entity):
            assert run_as_printed(day, command).code == 0, command
        assert day.here("sync", entity, "--until-converged").code == 0
    _a_complaint_goes_both_ways(day)
    _logs_that_nobody_may_change(day)


def advised(lab: Lab, entity: str) -> list[str]:
    """Returns the commands that `status` prints for an entity, each once."""
    shown = next(item for item in lab.ask("status")["entities"] if item["entity"] == entity)
    return list(dict.fromkeys(item["command"] for item in shown["advice"]))


def run_as_printed(lab: Lab, command: str) -> Ran:
    """Runs a command as it stands on the screen."""
    program, *words = shlex.split(command)
    assert program == "crmhub"
    return lab.here(*words)


def _a_complaint_goes_both_ways(day: Lab) -> None:
    [customer, *_] = day.fxiaoke.admin.records("AccountObj")
    fields = {"name": "TS-1", "account_id": customer["_id"], "title__c": "窗口排队过长", "status__c": "option1"}
    made = day.fxiaoke.admin.post("create", {"object": "complaint__c", "fields": fields})["id"]
    assert day.here("sync", "complaint", "--until-converged").code == 0
    [case] = [row for row in day.zoho.admin.records("Cases") if row["Subject"] == "窗口排队过长"]
    day.zoho.admin.post("edit", {"object": "Cases", "id": case["id"], "fields": {"Priority": "High"}})
    assert day.here("sync", "complaint", "--until-converged").code == 0
    [there] = [row for row in day.fxiaoke.admin.records("complaint__c") if row["_id"] == made]
    assert (there["priority__c"], there["hub_id__c"]) == ("option3", case["Hub_Id"])


def _logs_that_nobody_may_change(day: Lab) -> None:
    """Where a tenant lets nobody change a log, `settle` names the setting, and what was held out before is let go."""
    day.fxiaoke.admin.settings(log_edit="refused", log_invalid_allowed=False)
    [call, *_] = day.zoho.admin.records("Tasks")
    edit = {"object": "Tasks", "id": call["id"], "fields": {"Description": "改过"}}
    day.zoho.admin.post("edit", edit)
    assert day.here("sync", "contact_log").code == PERSON
    assert [row["code"] for row in day.ask("quarantine", "list")["quarantine"]] == ["fxiaoke.permission"]
    assert day.here("pause", "fxiaoke", "--reason", "trying it out").code == 0
    settled = day.here("settle", "fxiaoke", "ActiveRecordObj", "--question", "invalid", "--write", "--json")
    said = {row["question"]: (row["agrees"], row["setting"]) for row in settled.json["answers"]}
    assert (settled.code, said["same_value"]) == (PERSON, (False, "append_only: [ActiveRecordObj]"))
    assert said["invalid"] == (False, "never_invalidated: [ActiveRecordObj]")
    left = re.search(r"the test record (\w+) is still there; delete it by hand", str(settled.json))
    assert left is not None
    day.fxiaoke.admin.post("delete", {"object": "ActiveRecordObj", "id": left[1], "physical": True})
    day.change("operator_id:", "append_only: [ActiveRecordObj], operator_id:")
    assert day.here("resume", "fxiaoke").code == 0
    assert day.here("sync", "contact_log").code == 0
    assert day.ask("quarantine", "list")["quarantine"] == []
    day.zoho.admin.post("edit", edit | {"fields": {"Description": "又改过"}})
    after = day.here("sync", "contact_log", "--json")
    assert (after.code, after.json["runs"][0]["counts"]["not_taken"]) == (0, 1)
    texts = {row.get("active_record_content") for row in day.fxiaoke.admin.records("ActiveRecordObj")}
    assert not texts & {"改过", "又改过"}


def test_a_system_that_makes_no_fields_tells_an_administrator_what_to_make(day: Lab) -> None:
    assert day.here("connect", "fxiaoke", "--prepare").code == READY
    one_message(day.here("connect", "fxiaoke", "--prepare", "--apply"), "HUB-REQ-409", 3, "no public interface")
    day.fxiaoke.admin.post("schema", {"object": "AccountObj", "field": "hub_id__c", "changes": {"remove": True}})
    ran = day.here("connect", "fxiaoke", "--prepare", "--lang", "zh")
    assert ran.code == PERSON
    assert "须手工：hub_id__c（统一编号），单行文本(36)，唯一；不存在，须由管理员新建 [HUB-PREP-002]" in ran.out
    assert "下一步：管理员完成以上步骤后运行 crmhub connect fxiaoke --prepare" in ran.out
    # The console gave the field another name: the connection names it, the mapping file stays.
    made = {"label": "统一编号", "type": "text", "define_type": "custom", "unique": True, "max_length": 36}
    day.fxiaoke.admin.post("schema", {"object": "AccountObj", "field": "field_a1B2c__c", "changes": made})
    day.change("operator_id:", "external_keys: {AccountObj: field_a1B2c__c}, operator_id:")
    assert day.here("connect", "fxiaoke", "--prepare").code == READY
    found = day.here("mapping", "check", "--describe")
    assert "hub_id__c" not in found.out
    assert "key AccountObj.field_a1B2c__c: the key is unique" in day.here("check", "fxiaoke").out
    _the_console_names_what_it_makes(day)
    told = day.here("settle", "fxiaoke", "AccountObj", "--lang", "zh")
    assert (told.code, "limit 101：被拒绝，返回码 10006" in told.out) == (0, True)
    one_message(day.here("settle", "fxiaoke", "AccountObj", "--question", "clear"), "HUB-REQ-409", 3, "crmhub pause")
    one_message(day.here("settle", "fxiaoke", "AccountObj", "--question", "weather"), "HUB-REQ-404", 3, "two_orders")
    one_message(day.here("settle", "zoho", "Contacts"), "HUB-REQ-409", 3, "known-unknowns")
    one_message(day.here("connect", "zoho", "--apply"), "HUB-REQ-409", 3, "--prepare")
    one_message(day.here("connect", "nobody", "--prepare"), "HUB-REQ-404", 3, "zoho, fxiaoke")


def _the_console_names_what_it_makes(day: Lab) -> None:
    """Fields and options that the console named by itself are found by their labels, and written into the file."""
    admin, file = day.fxiaoke.admin, day.home / "mappings" / "fxiaoke" / "complaint.core.yaml"
    before = file.read_text(encoding="utf-8")
    options = [{"value": f"H{n}", "label": text} for n, text in enumerate(("低", "中", "高", "紧急"))]
    for field, changes in (
        ("priority__c", {"remove": True}),
        ("field_p1__c", {"label": "优先级", "type": "select_one", "define_type": "custom", "choices": options}),
        ("complainant_name__c", {"label": "投诉者"}),
    ):
        admin.post("schema", {"object": "complaint__c", "field": field, "changes": changes})
    seen = day.here("mapping", "resolve", "fxiaoke", "--json").json
    rows = {row["place"]: row["after"] for item in seen["files"] for row in item["changes"]}
    assert rows["complaint__c.priority__c"] == "field_p1__c"
    assert rows["complaint__c.field_p1__c urgent = option4"] == "H3"
    assert (len(rows), file.read_text(encoding="utf-8")) == (5, before)
    assert day.here("mapping", "resolve", "fxiaoke", "--write").code == 0
    line = next(text for text in before.splitlines() if "priority__c" in text)
    values = "{low: H0, normal: H1, high: H2, urgent: H3}"
    wanted = line.replace("priority__c", "field_p1__c").replace(line[line.index("{low") : line.index("}") + 1], values)
    assert file.read_text(encoding="utf-8") == before.replace(line, wanted)
    told = day.here("mapping", "check", "--describe").out.splitlines()
    assert not [line for line in told if line.startswith("error") and "mappings/fxiaoke" in line]
    # A draft may name things as people do; what nobody can tell is told by file and line, and nothing is guessed.
    draft = day.home / "draft.yaml"
    draft.write_text(
        before.replace("native: title__c", "native: 标题").replace("native: description__c", "native: 诉求"), "utf-8"
    )
    ran = day.here("mapping", "resolve", "fxiaoke", "--file", str(draft), "--write", "--lang", "zh")
    assert ran.code == 2
    line_of = next(n for n, text in enumerate(draft.read_text("utf-8").splitlines(), 1) if "诉求" in text)
    assert f"{draft}:{line_of}" in ran.out
    assert "HUB-MAP-038 complaint__c.诉求" in ran.out
    assert "native: title__c" in draft.read_text("utf-8")
    # The organisation of Zoho was not prepared: what is not there is not found, whatever the kind of system.
    zoho = day.here("mapping", "resolve", "zoho", "--json").json["problems"]
    assert {problem["en"].partition(":")[0] for problem in zoho if "option" not in problem["en"]} == {
        f"{name}.Hub_Id" for name in MODULES
    }


def test_a_preparation_that_was_cut_goes_on(day: Lab) -> None:
    fault = {"match": {"method": "POST", "path_regex": "settings/fields"}, "action": "http_429", "nth": 3}
    day.zoho.admin.faults([fault])
    day.change("visibility_lag: 0", "visibility_lag: 0, throttle_patience: 0")
    cut = day.here("connect", "zoho", "--prepare", "--apply")
    assert cut.code == 7, cut
    assert "HUB-NET-002" in cut.err
    audited = day.ask("audit", "list", "--act", "system.prepare")["entries"]
    assert [(entry["stage"], entry["outcome"], entry.get("code")) for entry in audited[-2:]] == [
        ("attempt", "success", None),
        ("result", "error", "HUB-NET-002"),
    ]
    assert listed(day, "--apply")[0] == READY
    assert listed(day) == (READY, {})
