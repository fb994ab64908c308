"""The simulated API v2 is that of its time: shapes, walls and what it has not, beside v8 on the same organisation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from zoho_client import ZohoClient

from connectors.simulation.server import RunningSimulator, start_simulator


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSimulator]:
    with start_simulator("zoho_crm") as simulator:
        yield simulator


@pytest.fixture
def zoho(running: RunningSimulator) -> ZohoClient:
    """An empty org, started over for each test."""
    running.admin.reset()
    return ZohoClient(running)


def described(zoho: ZohoClient, version: str, module: str) -> dict[str, dict[str, Any]]:
    fields = zoho.get("settings/fields", version=version, module=module).json()["fields"]
    return {field["api_name"]: field for field in fields}


def test_fields_are_optional_and_there_are_no_page_tokens(zoho: ZohoClient) -> None:
    ids = sorted(zoho.insert(Hub_Id=f"h{n}") for n in range(3))
    listed = zoho.get("Contacts", version="v2", per_page=2, sort_by="id", sort_order="asc").json()
    assert listed["info"] == {"per_page": 2, "count": 2, "page": 1, "more_records": True}
    assert {"Last_Name", "Hub_Id", "$approval", "$editable"} <= listed["data"][0].keys()
    again = zoho.get("Contacts", version="v2", per_page=2, sort_by="id", sort_order="asc", page=2).json()
    assert [row["id"] for row in listed["data"] + again["data"]] == ids
    assert zoho.get("Contacts", per_page=2).status_code == 400
    named = zoho.get("Contacts", version="v2", fields="Hub_Id").json()["data"][0]
    assert named.keys() == {"Hub_Id", "id"}


def test_more_than_fifty_fields_may_be_named(zoho: ZohoClient) -> None:
    zoho.insert()
    names = ",".join(described(zoho, "v2", "Contacts"))
    assert names.count(",") > 50
    assert zoho.get("Contacts", version="v2", fields=names).status_code == 200
    assert zoho.get("Contacts", fields=names).json()["code"] == "LIMIT_EXCEEDED"


@pytest.mark.parametrize("wall", [0, 2])
def test_how_far_plain_pages_go_is_a_switch(zoho: ZohoClient, wall: int) -> None:
    for n in range(3):
        zoho.insert(Hub_Id=f"h{n}")
    zoho.admin.settings(v2_discrete_rows=wall)
    answer = zoho.get("Contacts", version="v2", per_page=2, page=2)
    assert answer.status_code == (400 if wall else 200)


def test_metadata_name_lookups_and_uniqueness_in_their_old_words(zoho: ZohoClient) -> None:
    old, new = described(zoho, "v2", "Calls"), described(zoho, "v8", "Calls")
    assert (old["Who_Id"]["lookup"]["module"], old["What_Id"]["lookup"]["module"]) == ("Contacts", "se_module")
    assert new["Who_Id"]["lookup"]["module"]["api_name"] == "Contacts"
    assert (old["Hub_Id"]["unique"], new["Hub_Id"]["unique"]) == ({"casesensitive": "false"}, {"case_sensitive": False})
    assert old["Subject"]["unique"] == new["Subject"]["unique"] == {}
    assert ("id" in old, "id" in new) == (False, True)


@pytest.mark.parametrize(
    ("version", "limit", "status"), [("v2", 200, 200), ("v2", 201, 400), ("v3", 201, 400), ("v8", 201, 200)]
)
def test_a_query_returns_two_hundred_rows_at_most(zoho: ZohoClient, version: str, limit: int, status: int) -> None:
    zoho.insert()
    query = {"select_query": f"select id from Contacts where id is not null limit {limit}"}
    answer = zoho.call("POST", "coql", version, json=query)
    assert answer.status_code == status
    if status == 400:
        assert answer.json()["code"] == "LIMIT_EXCEEDED"


def test_rows_are_written_as_in_v8_and_a_condition_is_ignored_unless_switched_on(zoho: ZohoClient) -> None:
    native_id = zoho.insert(Hub_Id="h1")
    rows = [{"id": native_id, "Department": "零售部"}, {"id": native_id, "Customer_Tier": "外星人"}]
    answer = zoho.call("PUT", "Contacts", "v2", json={"data": rows, "trigger": []})
    assert answer.status_code == 207
    assert [row["code"] for row in answer.json()["data"]] == ["SUCCESS", "INVALID_DATA"]
    body, long_ago = {"data": rows[:1], "trigger": []}, {"If-Unmodified-Since": "2001-01-01T00:00:00+00:00"}
    assert zoho.call("PUT", "Contacts", "v2", json=body, headers=long_ago).status_code == 200
    zoho.admin.settings(conditional_v2=True)
    assert zoho.call("PUT", "Contacts", "v2", json=body, headers=long_ago).status_code == 412


@pytest.mark.parametrize("style", ["top", "data"])
def test_errors_have_the_form_that_is_switched_on(zoho: ZohoClient, style: str) -> None:
    zoho.admin.settings(error_style=style)
    content = zoho.get("NoModule", version="v2").json()
    error = content["data"][0] if style == "data" else content
    assert (error["code"], error["status"]) == ("INVALID_MODULE", "error")


# --- lists and tags, in which v2 and v8 differ ------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "replaces"), [("v8", False), ("v2", True), ("v2", False)])
def test_rows_that_are_not_sent_stay_unless_v2_replaces_them(zoho: ZohoClient, version: str, replaces: bool) -> None:
    zoho.admin.post("fields", {"object": "Contacts", "add": [f"Lines{version}{replaces} subform"]})
    zoho.admin.settings(v2_replaces_lists=replaces)
    name = f"Lines{version}{replaces}"
    native_id = zoho.insert(**{name: [{"a": 1, "b": 2}, {"a": 3}, {"a": 5}]})
    first, second, third = (line["id"] for line in zoho.get(f"Contacts/{native_id}").json()["data"][0][name])
    sent = [{"id": first, "a": 9}, {"id": second, "_delete": None}, {"a": 7}]
    answer = zoho.call("PUT", f"Contacts/{native_id}", version, json={"data": [{name: sent}]})
    assert answer.status_code == 200, answer.text
    lines = zoho.get(f"Contacts/{native_id}").json()["data"][0][name]
    changed = {"id": first, "a": 9} if replaces else {"id": first, "a": 9, "b": 2}
    assert lines[0] == changed
    assert [line["a"] for line in lines] == ([9, 7] if replaces else [9, 5, 7])
    assert third in [line["id"] for line in lines] or replaces


def test_options_replace_each_other_unless_they_are_appended(zoho: ZohoClient) -> None:
    zoho.admin.post("fields", {"object": "Contacts", "add": ["Channels multiselectpicklist:channel"]})
    native_id = zoho.insert(Channels=["Phone", "Visit"])

    def update(**row: Any) -> Any:
        zoho.write("PUT", f"Contacts/{native_id}", row)
        return zoho.get(f"Contacts/{native_id}").json()["data"][0]["Channels"]

    assert update(Channels=["App"]) == ["App"]
    assert update(Channels=["Visit", "App"], **{"$append_values": {"Channels": True}}) == ["App", "Visit"]
    refused = zoho.write("PUT", f"Contacts/{native_id}", {"Channels": ["Pigeon"]})
    assert refused.json()["data"][0]["code"] == "INVALID_DATA"
    refused = zoho.write("PUT", f"Contacts/{native_id}", {"Channels": [], "$append_values": "Channels"})
    assert refused.json()["data"][0]["details"]["api_name"] == "$append_values"


@pytest.mark.parametrize("version", ["v2", "v8"])
def test_tags_are_put_on_and_taken_off(zoho: ZohoClient, version: str) -> None:
    one, other = zoho.insert(Tag=[{"name": "旧"}]), zoho.insert()

    def act(action: str, names: list[str], *ids: str, **more: Any) -> Any:
        if version == "v2":
            params = {"tag_names": ",".join(names), "ids": ",".join(ids), **more}
            return zoho.call("POST", f"Contacts/actions/{action}", "v2", params=params)
        body = {"tags": [{"name": name} for name in names], "ids": list(ids), **more}
        return zoho.call("POST", f"Contacts/actions/{action}", json=body)

    def names(native_id: str) -> list[str]:
        return [tag["name"] for tag in zoho.get(f"Contacts/{native_id}").json()["data"][0]["Tag"]]

    zoho.admin.advance(2)
    before = zoho.get(f"Contacts/{other}").json()["data"][0]["Modified_Time"]
    added = act("add_tags", ["高净值", "旧"], one, other)
    assert (added.status_code, added.json()["data"][0]["details"]) == (200, {"id": one, "tags": ["旧", "高净值"]})
    assert zoho.get(f"Contacts/{other}").json()["data"][0]["Modified_Time"] > before
    assert (names(one), names(other)) == (["旧", "高净值"], ["高净值", "旧"])
    partly = act("remove_tags", ["旧"], one, "42")
    assert (partly.status_code, [row["status"] for row in partly.json()["data"]]) == (207, ["success", "error"])
    assert act("add_tags", ["新"], other, over_write="true" if version == "v2" else True).status_code == 200
    assert (names(one), names(other)) == (["高净值"], ["新"])
    assert act("add_tags", ["x" * 26], one).json()["code"] == "INVALID_DATA"
    assert act("add_tags", [], one).json()["code"] == "REQUIRED_PARAM_MISSING"
    assert act("add_tags", ["多"], *[str(n) for n in range(501)]).json()["code"] == "LIMIT_EXCEEDED"
    single = {"params": {"tag_names": "单"}} if version == "v2" else {"json": {"tags": [{"name": "单"}]}}
    assert zoho.call("POST", f"Contacts/{one}/actions/add_tags", version, **single).status_code == 200
    assert names(one) == ["高净值", "单"]


def test_the_tags_of_a_module_are_its_own(zoho: ZohoClient) -> None:
    def make(*names: str, module: str = "Leads") -> Any:
        body = {"tags": [{"name": name, "color_code": "#879BFC"} for name in names]}
        return zoho.call("POST", "settings/tags", params={"module": module}, json=body)

    assert zoho.get("settings/tags", module="Leads").status_code == 204
    made = make("甲", "乙")
    assert made.status_code == 201
    first, second = (tag["details"]["id"] for tag in made.json()["tags"])
    assert [one["code"] for one in make("甲", "丙").json()["tags"]] == ["DUPLICATE_DATA", "SUCCESS"]
    assert make("甲", module="Accounts").status_code == 201
    row = {"Last_Name": "王", "Company": "甲公司", "Tag": [{"name": "甲"}]}
    lead = zoho.write("POST", "Leads", row).json()["data"][0]["details"]["id"]
    assert zoho.get(f"settings/tags/{first}/actions/records_count", module="Leads").json() == {"count": 1}
    renamed = zoho.call("PUT", f"settings/tags/{first}", json={"tags": [{"name": "丁"}]})
    assert (renamed.status_code, zoho.get(f"Leads/{lead}").json()["data"][0]["Tag"][0]["name"]) == (200, "丁")
    assert zoho.call("PUT", f"settings/tags/{second}", json={"tags": [{"name": "丁"}]}).status_code == 400
    assert zoho.call("DELETE", f"settings/tags/{first}").status_code == 200
    assert zoho.get(f"Leads/{lead}").json()["data"][0]["Tag"] == []
    assert zoho.call("DELETE", f"settings/tags/{first}").json()["message"] == "tags not found"
    listed = zoho.get("settings/tags", module="Leads").json()
    assert ([one["name"] for one in listed["tags"]], listed["info"]["count"]) == (["乙", "丙"], 2)
    zoho.admin.settings(tags_per_module=2)
    assert make("戊").json()["tags"][0]["code"] == "LICENSE_LIMIT_EXCEEDED"
    assert zoho.get("settings/tags").json()["code"] == "REQUIRED_PARAM_MISSING"
