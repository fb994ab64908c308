"""The directory endpoints of the simulator: flat parameters, codes of their own, both forms of ids."""

from __future__ import annotations

from typing import Any

import pytest
from fxiaoke_client import Client

from connectors.fxiaoke.simulator.staff import open_id_of

WHOLE = {"departmentId": 999999, "fetchChild": True}
HOUR = 3_600_000


def test_departments_and_their_members(api: Client) -> None:
    found = api.post("/cgi/department/list", WHOLE)["departments"]
    assert {item["id"]: item["parentId"] for item in found}[2011] == 999999
    assert next(item for item in found if item["id"] == 999999)["parentId"] == 0
    everybody = api.post("/cgi/user/list", WHOLE)["userList"]
    assert len(everybody) == 9
    assert [one["employeeNumber"] for one in everybody if one["isStop"]] == ["S1007"]
    [alone] = api.post("/cgi/user/simpleList", {"departmentId": 2011})["userList"]
    assert (alone["openUserId"], alone["mainDepartmentId"]) == ("1002", 2011)
    assert api.post("/cgi/user/list", {**WHOLE, "convertUserId": True})["userList"][1]["openUserId"] == open_id_of(
        "1001"
    )
    api.admin.settings(directory_lists_leavers=False)
    assert len(api.post("/cgi/user/list", WHOLE)["userList"]) == 8


def test_one_person_by_number_or_id_and_those_who_moved(api: Client) -> None:
    [met] = api.post("/cgi/user/getByMobile", {"mobile": "13900001003"})["empList"]
    assert met["employeeNumber"] == "S1003"
    assert api.post("/cgi/user/get", {"openUserId": open_id_of("1003")})["name"] == met["name"]
    span = {"startTime": met["createTime"] - HOUR, "endTime": met["createTime"] + HOUR, "pageSize": 5}
    pages = [api.post("/cgi/user/get/batchByUpdTime", {**span, "pageNumber": n})["employees"] for n in (1, 2, 3)]
    assert [len(page) for page in pages] == [5, 4, 0]
    late = {**span, "startTime": span["endTime"], "pageNumber": 1}
    assert api.post("/cgi/user/get/batchByUpdTime", late)["employees"] == []


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("user/list", {"departmentId": 1}, 30007),
        ("user/list", {"data": WHOLE}, 10006),
        ("user/getByMobile", {"mobile": "13000000000"}, 30027),
        ("user/get", {"openUserId": "9"}, 30027),
        ("user/get", {}, 10006),
        ("user/get/batchByUpdTime", {"startTime": 0, "endTime": 1, "pageSize": 1001, "pageNumber": 1}, 10006),
    ],
)
def test_what_is_not_there_or_not_flat_is_refused(api: Client, path: str, body: dict[str, Any], code: int) -> None:
    assert api.post(f"/cgi/{path}", body)["errorCode"] == code


def test_the_newer_sign_in_may_be_refused(api: Client) -> None:
    api.admin.settings(directory_takes_bearer=False)
    assert api.post("/cgi/user/list", WHOLE)["errorCode"] == 20017
    answer = api.raw("/cgi/user/list", {**WHOLE, **api.legacy()}).json()
    assert answer["userList"][0]["openUserId"].startswith("FSUID_"), "the older sign-in converts unless told otherwise"


def test_whoever_leaves_is_stopped_everywhere(api: Client) -> None:
    def shown() -> tuple[bool, str]:
        body = {"data": {"dataObjectApiName": "PersonnelObj", "search_query_info": {"limit": 100, "offset": 0}}}
        people = api.post("/cgi/crm/v2/data/query", body)["data"]["dataList"]
        status = next(one["status"] for one in people if one["user_id"] == "1006")
        return api.post("/cgi/user/get", {"openUserId": "1006"})["isStop"], status

    assert shown() == (False, "0")
    api.admin.post("leave", {"user": "1006"})
    assert shown() == (True, "1")
    api.admin.post("leave", {"user": "1006", "left": False})
    assert shown() == (False, "0")
