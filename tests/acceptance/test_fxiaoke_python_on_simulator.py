"""The independent PyPI client `fxiaoke-python` works on the simulator, unchanged except for its base URL."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from connectors.simulation.server import RunningSimulator, start_simulator

VENDOR = "https://open.fxiaoke.com"
PRESET, CUSTOM = "AccountObj", "complaint__c"
ROWS = 250


class Redirect(HTTPAdapter):
    """Sends what the client addresses to the vendor's host, which is written into its code, to the simulator."""

    def __init__(self, base_url: str) -> None:
        super().__init__()
        self._base_url = base_url

    def send(self, request: requests.PreparedRequest, *args: object, **kwargs: object) -> requests.Response:
        assert request.url is not None
        assert request.url.startswith(f"{VENDOR}/cgi/"), "it addresses the vendor, and nobody told it otherwise"
        request.url = self._base_url + request.url.removeprefix(VENDOR)
        return super().send(request, *args, **kwargs)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def simulator() -> Iterator[RunningSimulator]:
    """A tenant whose tables hold more than two of the vendor's largest pages of a preset and of a custom object."""
    own = {"index_lag_seconds": 0}
    with start_simulator("fxiaoke", limits="fast", records=400, complaints=600, seed=7, settings=own) as running:
        for name in (PRESET, CUSTOM):
            assert len(running.admin.records(name)) >= ROWS
        yield running


@pytest.fixture
def api(simulator: RunningSimulator) -> Iterator[Any]:
    from fxiaoke.api import FxiaokeApi

    logging.disable(logging.INFO)
    api = FxiaokeApi.init(
        app_id="FSAID_simulated",
        app_secret="simulated-secret",
        permanent_code="simulated-permanent",
        open_user_id="FSUID_simulated",
    )
    api._session.requests.trust_env = False
    api._session.requests.mount(VENDOR, Redirect(simulator.base_url))
    yield api
    logging.disable(logging.NOTSET)


@pytest.fixture
def account(api: Any) -> Any:
    return object_of(api, PRESET)


def object_of(api: Any, name: str) -> Any:
    from fxiaoke.baseObj import baseObj

    return baseObj(api, name)


@pytest.mark.parametrize("name", [PRESET, CUSTOM])
def test_it_reads_every_record_page_by_page_and_each_by_itself(
    simulator: RunningSimulator, api: Any, name: str
) -> None:
    simulator.admin.reset_calls()
    cursor = object_of(api, name).query(orders=[{"fieldName": "_id", "isAsc": True}])
    rows = list(cursor)
    stored = {record["_id"]: record for record in simulator.admin.records(name)}
    assert [row["_id"] for row in rows] == sorted(stored)
    assert cursor.total() == len(stored) >= ROWS
    assert [row["name"] for row in rows] == [stored[row["_id"]]["name"] for row in rows]
    assert all(row["owner"][0].startswith("FSUID_") for row in rows)
    assert simulator.admin.calls()["calls"][f"query {name}"] == -(-len(stored) // 100)
    for row in rows[::90]:
        found = object_of(api, name).get(row["_id"])
        assert (found["_id"], found["name"]) == (row["_id"], row["name"])


def test_it_reads_some_fields_of_some_customers(simulator: RunningSimulator, account: Any) -> None:
    wanted = [{"field_name": "account_level", "field_values": ["3"], "operator": "EQ"}]
    rows = list(account.query(filters=wanted, fieldProjection=["name", "account_level"]))
    stored = [record for record in simulator.admin.records("AccountObj") if record.get("account_level") == "3"]
    assert len(rows) == len(stored) > 0
    assert all(row["account_level__r"] == "金卡" and "tel" not in row for row in rows)


def test_it_creates_a_customer_and_gets_it_back(simulator: RunningSimulator, account: Any) -> None:
    fields = {"name": "欧阳示例", "owner": ["FSUID_simulated"], "tel": "13800000000", "account_level": "1"}
    record_id = account.create(object_data=dict(fields))["dataId"]
    # The client sends no approval flag, and the tenant has a flow: the record waits for its approval, locked.
    waiting = account.get(record_id)
    assert (waiting["name"], waiting["life_status"], waiting["lock_status"]) == ("欧阳示例", "under_review", "1")
    simulator.admin.post("approve", {"id": record_id})
    found = account.query(filters=[{"field_name": "name", "field_values": ["欧阳示例"], "operator": "EQ"}]).get_one()
    assert (found["_id"], found["life_status"], found["owner"]) == (record_id, "normal", ["FSUID_simulated"])


def test_it_creates_a_complaint_of_a_customer_and_gets_it_back(simulator: RunningSimulator, api: Any) -> None:
    customer = next(row["_id"] for row in simulator.admin.records(PRESET) if not row.get("is_deleted"))
    fields = {"name": "WT-pypi-1", "owner": ["FSUID_simulated"], "account_id": customer}
    record_id = object_of(api, CUSTOM).create(object_data=dict(fields))["dataId"]
    found = object_of(api, CUSTOM).get(record_id)
    assert {name: found[name] for name in fields} == fields


@pytest.mark.parametrize("name", [PRESET, CUSTOM])
def test_it_describes_an_object(api: Any, name: str) -> None:
    described = object_of(api, name).describe()["describe"]
    assert described["api_name"] == name
    assert described["fields"]["hub_id__c"]["is_unique"] is True


def test_it_raises_on_the_vendors_refusals(account: Any) -> None:
    with pytest.raises(RuntimeError, match="必填"):
        account.create(object_data={"owner": ["FSUID_simulated"]})
    with pytest.raises(RuntimeError, match="数据已作废或已删除"):
        account.get("0" * 24)
    with pytest.raises(RuntimeError, match="10006"):
        account.query(limit=1000)


def test_it_signs_in_again_by_itself_only_when_its_token_has_aged(simulator: RunningSimulator, account: Any) -> None:
    account.query(limit=1)
    simulator.admin.post("revoke")
    with pytest.raises(RuntimeError, match="20016"):
        account.query(limit=1)
    account._api._session.token_expired = 0
    assert len(account.query(limit=1)) == 1
