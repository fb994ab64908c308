"""A bare HTTP client of the simulated Zoho, for tests."""

from __future__ import annotations

from typing import Any

import requests

from connectors.simulation.server import RunningSimulator

REFRESH = {
    "grant_type": "refresh_token",
    "client_id": "1000.SIMULATED",
    "client_secret": "simulated-secret",
    "refresh_token": "1000.simulated.refresh",
}
FIELDS = "Last_Name,First_Name,Email,Mobile,Modified_Time,Hub_Id,Tag,Owner"


class ZohoClient:
    """Signs in once and calls the API by path."""

    def __init__(self, simulator: RunningSimulator, **form: str) -> None:
        self.base = simulator.base_url
        self.admin = simulator.admin
        self.http = requests.Session()
        self.http.trust_env = False
        self.sign_in(**form)

    def token(self, **form: str) -> requests.Response:
        """Asks the token endpoint."""
        return self.http.post(f"{self.base}/oauth/v2/token", data=REFRESH | form, timeout=10)

    def sign_in(self, **form: str) -> str:
        """Takes a new access token into use."""
        access = str(self.token(**form).json()["access_token"])
        self.http.headers["Authorization"] = f"Zoho-oauthtoken {access}"
        return access

    def call(self, method: str, path: str, version: str = "v8", **options: Any) -> requests.Response:
        """Calls /crm/{version}/{path}."""
        options.setdefault("timeout", 10)
        return self.http.request(method, f"{self.base}/crm/{version}/{path}", **options)

    def get(self, path: str, *, version: str = "v8", headers: dict[str, str] | None = None, **params: Any) -> Any:
        """Reads with query parameters."""
        return self.call("GET", path, version, params=params, headers=headers)

    def list(self, module: str = "Contacts", headers: dict[str, str] | None = None, **params: Any) -> Any:
        """Lists a module with the usual fields."""
        return self.get(module, headers=headers, **({"fields": FIELDS} | params))

    def write(self, method: str, path: str, *rows: dict[str, Any], **more: Any) -> requests.Response:
        """Writes rows with automations off, unless `trigger` says otherwise (None leaves it out)."""
        headers = more.pop("headers", None)
        body = {"data": list(rows), "trigger": [], **more}
        body = {name: value for name, value in body.items() if value is not None}
        return self.call(method, path, json=body, headers=headers)

    def insert(self, **fields: Any) -> str:
        """Inserts one contact and returns its id."""
        answer = self.write("POST", "Contacts", {"Last_Name": "测试", **fields})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["data"][0]["details"]["id"])

    def coql(self, query: str) -> requests.Response:
        """Asks a COQL query."""
        return self.call("POST", "coql", json={"select_query": query})

    def walk(self, module: str = "Contacts", **params: Any) -> list[dict[str, Any]]:
        """Follows page tokens to the end."""
        rows: list[dict[str, Any]] = []
        token: str | None = None
        while True:
            answer = self.list(module, **params, **({"page_token": token} if token else {}))
            if answer.status_code != 200:
                return rows
            page = answer.json()
            rows += page["data"]
            token = page["info"]["next_page_token"]
            if token is None:
                return rows
