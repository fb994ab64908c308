"""A bare client of the Fxiaoke protocol, for tests of the simulator."""

from __future__ import annotations

from typing import Any

import requests

from connectors.simulation.server import RunningSimulator

APPLICATION = {"appId": "FSAID_simulated", "appSecret": "simulated-secret", "permanentCode": "simulated-permanent"}
DATA = "/cgi/crm/v2/data/"
CUSTOM = "/cgi/crm/custom/v2/data/"
QUIET = {"triggerApprovalFlow": False, "triggerWorkFlow": False}


class Client:
    """Speaks the raw protocol to a running simulator."""

    def __init__(self, simulator: RunningSimulator) -> None:
        self.simulator = simulator
        self.admin = simulator.admin
        self.http = requests.Session()
        self.http.trust_env = False
        self.headers: dict[str, str] = {}

    def raw(self, path: str, body: Any, headers: dict[str, str] | None = None) -> requests.Response:
        return self.http.post(self.simulator.base_url + path, json=body, headers=headers or {}, timeout=20)

    def sign_in(self) -> dict[str, Any]:
        answer = self.raw("/oauth2.0/token", {**APPLICATION, "grantType": "app_secret"}).json()
        if answer["errorCode"] == 0:
            self.headers = {
                "authorization": f"Bearer {answer['accessToken']}",
                "x-fs-ea": answer["ea"],
                "x-fs-userid": "1000",
            }
        return answer

    def legacy(self) -> dict[str, Any]:
        answer = self.raw("/cgi/corpAccessToken/get/V2", APPLICATION).json()
        return {
            "corpAccessToken": answer["corpAccessToken"],
            "corpId": answer["corpId"],
            "currentOpenUserId": "FSUID_simulated",
        }

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        response = self.raw(path, body, self.headers)
        assert response.status_code == 200
        answer: dict[str, Any] = response.json()
        assert answer["traceId"].startswith("E-O.simulated.")
        return answer

    def operate(self, operation: str, inner: dict[str, Any], path: str = DATA, **top: Any) -> dict[str, Any]:
        return self.post(path + operation, {"data": {"dataObjectApiName": "AccountObj", **inner}, **top})

    def create(self, flags: dict[str, Any] | None = None, options: Any = None, **fields: Any) -> dict[str, Any]:
        sent = {"dataObjectApiName": "AccountObj", "name": "示例客户", "owner": ["1001"], **fields}
        inner = {"object_data": sent, "details": {}, **({"optionInfo": options} if options else {})}
        return self.post(DATA + "create", {**(QUIET if flags is None else flags), "data": inner})

    def made(self, **fields: Any) -> str:
        answer = self.create(**fields)
        assert answer["errorCode"] == 0, answer
        return str(answer["dataId"])

    def update(self, record_id: str, flags: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
        sent = {"dataObjectApiName": "AccountObj", "_id": record_id, **fields}
        return self.post(DATA + "update", {**(QUIET if flags is None else flags), "data": {"object_data": sent}})

    def get(self, record_id: str, **top: Any) -> dict[str, Any]:
        answer = self.operate("get", {"objectDataId": record_id}, **top)
        assert answer["errorCode"] == 0, answer
        found: dict[str, Any] = answer["data"]
        return found

    def query(self, *filters: tuple[str, str, list[Any]], top: Any = None, **info: Any) -> dict[str, Any]:
        listed = [{"field_name": f, "operator": o, "field_values": v} for f, o, v in filters]
        search = {"limit": 100, "offset": 0, "filters": listed, **info}
        return self.operate("query", {"search_query_info": search, **(top or {})})

    def names(self, *filters: tuple[str, str, list[Any]]) -> set[str]:
        answer = self.query(*filters)
        assert answer["errorCode"] == 0, answer
        return {row["name"] for row in answer["data"]["dataList"]}


def describe(api: Client, name: str = "AccountObj", inside: bool = False) -> dict[str, Any]:
    body = {"includeDetail": True, "apiName": name}
    answer = api.post("/cgi/crm/v2/object/describe", {"data": body} if inside else body)
    fields: dict[str, Any] = answer["data"]["describe"]["fields"]
    return fields
