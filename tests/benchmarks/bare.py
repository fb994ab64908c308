"""Walks the pages of both systems with requests and orjson and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import uuid4

import orjson
import requests

Row = dict[str, Any]
Pages = Iterator[tuple[list[Row], str | None]]
"""Yields (rows, what continues the walk after them)."""


def zoho_session(base_url: str) -> requests.Session:
    """Returns a session that is signed in to Zoho."""
    session = _session()
    form = {
        "grant_type": "refresh_token",
        "client_id": "1000.SIMULATED",
        "client_secret": "simulated-secret",
        "refresh_token": "1000.simulated.refresh",
    }
    token = session.post(f"{base_url}/oauth/v2/token", data=form).json()["access_token"]
    session.headers["Authorization"] = f"Zoho-oauthtoken {token}"
    return session


def zoho_pages(session: requests.Session, base_url: str, object_: str, fields: Sequence[str]) -> Pages:
    """Lists a module by id, 200 records a page."""
    columns = ",".join(dict.fromkeys(["Modified_Time", "Modified_By", *fields]))
    params = {"fields": columns, "sort_by": "id", "sort_order": "asc", "per_page": "200"}
    url = f"{base_url}/crm/v8/{object_}"
    while True:
        answer = session.get(url, params=params)
        if answer.status_code == 204:
            return
        answer.raise_for_status()
        page = orjson.loads(answer.content)
        token = page["info"]["next_page_token"]
        yield page["data"], token
        if not page["info"]["more_records"]:
            return
        params["page_token"] = token


def fxiaoke_session(base_url: str) -> requests.Session:
    """Returns a session that is signed in to Fxiaoke."""
    session = _session()
    body = {
        "appId": "FSAID_simulated",
        "appSecret": "simulated-secret",
        "permanentCode": "simulated-permanent",
        "grantType": "app_secret",
    }
    url = f"{base_url}/oauth2.0/token"
    answer = session.post(url, json=body, params={"thirdTraceId": uuid4().hex}).json()
    session.headers["authorization"] = f"Bearer {answer['accessToken']}"
    session.headers["x-fs-ea"] = answer["ea"]
    session.headers["x-fs-userid"] = "1000"
    session.headers["Content-Type"] = "application/json"
    return session


def fxiaoke_pages(session: requests.Session, base_url: str, object_: str, fields: Sequence[str]) -> Pages:
    """Lists an object by id, 100 records a page."""
    system = ("_id", "version", "last_modified_time", "last_modified_by", "life_status", "is_deleted")
    search: dict[str, Any] = {
        "limit": 100,
        "offset": 0,
        "filters": [],
        "orders": [{"fieldName": "_id", "isAsc": True}],
        "fieldProjection": list(dict.fromkeys([*system, *fields])),
    }
    request = {"dataObjectApiName": object_, "find_explicit_total_num": False, "search_query_info": search}
    body = {"includeNull": True, "convertUserId": False, "data": request}
    url = f"{base_url}/cgi/crm/v2/data/query"
    while True:
        answer = session.post(url, data=orjson.dumps(body), params={"thirdTraceId": uuid4().hex})
        answer.raise_for_status()
        page = orjson.loads(answer.content)
        if page["errorCode"] != 0:
            raise RuntimeError(f"query answered {page['errorCode']}")
        rows = page["data"]["dataList"]
        last = rows[-1]["_id"] if rows else None
        yield rows, last
        if len(rows) < 100:
            return
        search["filters"] = [{"field_name": "_id", "operator": "GT", "field_values": [last]}]


def _session() -> requests.Session:
    session = requests.Session()
    # As fast as bare code gets: by default requests looks into the environment and .netrc on every call.
    session.trust_env = False
    return session
