"""Zoho's own Python SDK (zcrmsdk 3.1.0, /crm/v2), used as it is, reads and creates records on the simulator."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from connectors.simulation.server import start_simulator

# The SDK keeps process-wide state and replaces the root of its own settings, so it runs in its own process.
SCRIPT = """
import sys, types
mysql, connector = types.ModuleType("mysql"), types.ModuleType("mysql.connector")
connector.Error = Exception
mysql.connector = connector
sys.modules["mysql"], sys.modules["mysql.connector"] = mysql, connector

from datetime import datetime, timezone
from zcrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken, TokenType
from zcrmsdk.src.com.zoho.api.authenticator.store.token_store import TokenStore
from zcrmsdk.src.com.zoho.api.logger import Logger
from zcrmsdk.src.com.zoho.crm.api.dc.data_center import DataCenter
from zcrmsdk.src.com.zoho.crm.api.header_map import HeaderMap
from zcrmsdk.src.com.zoho.crm.api.initializer import Initializer
from zcrmsdk.src.com.zoho.crm.api.parameter_map import ParameterMap
from zcrmsdk.src.com.zoho.crm.api.record import (
    APIException, ActionWrapper, BodyWrapper, Field, GetDeletedRecordsHeader, GetRecordsHeader, GetRecordsParam,
    Record, RecordOperations, SuccessResponse,
)
from zcrmsdk.src.com.zoho.crm.api.sdk_config import SDKConfig
from zcrmsdk.src.com.zoho.crm.api.user_signature import UserSignature
from zcrmsdk.src.com.zoho.crm.api.util.choice import Choice
from zcrmsdk.src.com.zoho.crm.api.tags import Tag


class Memory(TokenStore):
    kept = None

    def get_token(self, user, token):
        return self.kept

    def save_token(self, user, token):
        self.kept = token

    def delete_token(self, token):
        self.kept = None

    def get_tokens(self):
        return [self.kept] if self.kept else []

    def delete_tokens(self):
        self.kept = None


base, folder = sys.argv[1], sys.argv[2]
Initializer.initialize(
    user=UserSignature("crm-api@bank.example"),
    environment=DataCenter.Environment(base, base + "/oauth/v2/token", base),
    token=OAuthToken("1000.SIMULATED", "simulated-secret", "1000.simulated.refresh", TokenType.REFRESH),
    store=Memory(),
    sdk_config=SDKConfig(auto_refresh_fields=False, pick_list_validation=True),
    resource_path=folder,
    logger=Logger.get_instance(Logger.Levels.ERROR, folder + "/sdk.log"),
)
operations = RecordOperations()


def read(module, **wanted):
    parameters = ParameterMap()
    for name, value in wanted.items():
        parameters.add(getattr(GetRecordsParam, name), value)
    return operations.get_records(module, parameters, HeaderMap())


answer = read("Contacts", page=1, per_page=50)
rows = answer.get_object().get_data()
print("read", answer.get_status_code(), len(rows), answer.get_object().get_info().get_more_records())
first = rows[0]
assert isinstance(first.get_id(), int) and first.get_key_value("Last_Name")
assert first.get_key_value("Owner").get_id() > 5843104000000301000
assert first.get_key_value("Modified_Time").tzinfo is not None
accounts = read("Accounts").get_object().get_data()
print("accounts", len(accounts), type(accounts[0].get_key_value("Rating")).__name__)

single = operations.get_record(first.get_id(), "Contacts", ParameterMap(), HeaderMap()).get_object().get_data()[0]
assert single.get_id() == first.get_id()

made = Record()
made.add_field_value(Field.Contacts.last_name(), "欧阳")
made.add_field_value(Field.Contacts.first_name(), "𠮷祥")
made.add_field_value(Field.Contacts.email(), "ouyang@bank.example")
made.add_field_value(Field.Contacts.lead_source(), Choice("Referral"))
made.add_key_value("Hub_Id", "0190-hub-1")
made.add_key_value("Customer_Tier", Choice("贵宾"))
made.add_key_value("Satisfaction_Score", 4)
tag = Tag()
tag.set_name("高净值")
made.add_key_value("Tag", [tag])
twin = Record()
twin.add_field_value(Field.Contacts.last_name(), "欧阳")
twin.add_key_value("Hub_Id", "0190-HUB-1")
body = BodyWrapper()
body.set_data([made, twin])
body.set_trigger([])
answer = operations.create_records("Contacts", body)
good, bad = answer.get_object().get_data()
assert isinstance(good, SuccessResponse) and isinstance(bad, APIException), (good, bad)
print("create", answer.get_status_code(), good.get_code().get_value(), bad.get_code().get_value())
new_id = good.get_details()["id"]

change = Record()
change.set_id(int(new_id))
change.add_field_value(Field.Contacts.department(), "零售部")
body = BodyWrapper()
body.set_data([change])
body.set_trigger([])
answer = operations.update_records("Contacts", body)
print("update", answer.get_status_code(), answer.get_object().get_data()[0].get_code().get_value())

again = Record()
again.add_field_value(Field.Contacts.last_name(), "欧阳")
again.add_key_value("Hub_Id", "0190-hub-1")
again.add_field_value(Field.Contacts.title(), "经理")
body = BodyWrapper()
body.set_data([again])
body.set_duplicate_check_fields(["Hub_Id"])
body.set_trigger([])
answer = operations.upsert_records("Contacts", body)
done = answer.get_object().get_data()[0]
print("upsert", answer.get_status_code(), done.get_action().get_value(), done.get_details()["id"] == new_id)

back = operations.get_record(int(new_id), "Contacts", ParameterMap(), HeaderMap()).get_object().get_data()[0]
print("back", back.get_key_value("First_Name"), back.get_key_value("Department"), back.get_key_value("Title"),
      back.get_key_value("Customer_Tier").get_value(), back.get_key_value("Tag")[0].get_name())

headers = HeaderMap()
headers.add(GetRecordsHeader.if_modified_since, datetime(2099, 1, 1, tzinfo=timezone.utc))
print("unchanged", operations.get_records("Contacts", ParameterMap(), headers).get_status_code())

answer = operations.delete_record(int(new_id), "Contacts", ParameterMap())
print("delete", answer.get_status_code())
answer = operations.get_deleted_records("Contacts", ParameterMap(), HeaderMap())
gone = answer.get_object().get_data()
print("deleted", answer.get_status_code(), len(gone), str(gone[0].get_id()) == str(new_id))
"""


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], dict[str, int]]:
    """What the SDK's script printed, and the calls that the simulator counted."""
    folder = tmp_path_factory.mktemp("sdk")
    script = folder / "use_sdk.py"
    script.write_text(textwrap.dedent(SCRIPT), encoding="utf-8")
    with start_simulator("zoho_crm", records=120, seed=3) as simulator:
        command = [sys.executable, str(script), simulator.base_url, str(folder)]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=Path(folder))
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout.splitlines(), simulator.admin.calls()["calls"]


def test_sdk_reads_records(spoken: tuple[list[str], dict[str, int]]) -> None:
    lines, _ = spoken
    assert "read 200 50 True" in lines
    assert any(line.startswith("accounts ") and line.endswith(" Choice") for line in lines)
    assert "unchanged 304" in lines


def test_sdk_writes_records_and_sees_results_per_row(spoken: tuple[list[str], dict[str, int]]) -> None:
    lines, _ = spoken
    assert "create 207 SUCCESS DUPLICATE_DATA" in lines
    assert "update 200 SUCCESS" in lines
    assert "upsert 200 update True" in lines
    assert "back 𠮷祥 零售部 经理 贵宾 高净值" in lines


def test_sdk_sees_the_deleted(spoken: tuple[list[str], dict[str, int]]) -> None:
    lines, _ = spoken
    assert "delete 200" in lines
    assert "deleted 200 1 True" in lines


def test_sdk_signs_in_once(spoken: tuple[list[str], dict[str, int]]) -> None:
    _, calls = spoken
    assert calls["token"] == 1
