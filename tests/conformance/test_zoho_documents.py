"""Everything that the kit has the connector send, and the simulator answer, is valid against Zoho's own documents."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from test_zoho_crm import BULK, RANGED, SUBJECTS, WAYS, Way, ZohoWorld

from connectors.base import Connector
from connectors.conformance.clauses import CLAUSES
from connectors.conformance.run import run_clause
from connectors.conformance.world import NotOffered
from connectors.simulation.server import start_simulator
from connectors.zoho_crm.connector import ZohoCrmConnector
from tests.vendor_documents import Documents, Endpoint, Patch, put
from tests.zoho_documents import documents

pytestmark = [pytest.mark.reference, pytest.mark.slow]
EXPECTED = {
    "GET /crm/v8/{module}",
    "GET /crm/v8/{module}/{recordID}",
    "GET /crm/v8/{module}/deleted",
    "POST /crm/v8/{module}",
    "PUT /crm/v8/{module}",
    "DELETE /crm/v8/{module}",
    "POST /crm/v8/coql",
    "GET /crm/v8/settings/fields",
    "GET /crm/v8/settings/modules",
    "GET /crm/v8/org",
    "GET /crm/v8/{moduleApiName}/actions/count",
}
"""Operations without which the check would have checked nothing worth the name."""
BY_CONDITION = {"PUT /crm/v8/{module}/{recordID}"}
"""Updates of one record, which only a connector that writes on condition sends."""
IN_BULK = {"POST /crm/bulk/v8/read", "GET /crm/bulk/v8/read/{jobId}"}


@pytest.fixture(scope="module")
def vendor() -> Documents:
    folder = Path(os.environ.get("CRMHUB_REFERENCE", "absent")) / "zoho-oas"
    if not (folder / "record.json").is_file():
        pytest.skip("CRMHUB_REFERENCE names no folder with zoho-oas, Zoho's OpenAPI documents")
    return documents(folder)


def traffic(way: Way, object_name: str) -> Iterator[dict[str, Any]]:
    """Runs every clause of the kit and yields what went over the wire, clause by clause."""
    switches, choices = way
    with start_simulator("zoho_crm", limits="fast", settings=switches) as running:
        running.admin.record()
        world = ZohoWorld(running, object_name, overlap=10.0, objects=[object_name], **choices)
        connect = partial(_connect, world)
        for clause_id in CLAUSES:
            try:
                run_clause(clause_id, world, connect)
            except NotOffered:
                continue
            finally:
                taken = running.admin.exchanges()
            yield from taken
        connector = connect()
        connector.check()
        connector.count(object_name, None)
        yield from running.admin.exchanges()
        world.client.close()


def _connect(world: ZohoWorld) -> Any:
    urls = {"accounts_url": world.running.base_url, "api_url": world.running.base_url}
    connector: Connector = ZohoCrmConnector({**urls, **world.choices}, world.context)
    return connector


@pytest.mark.parametrize("object_name", SUBJECTS)
def test_the_whole_kit_is_valid_against_the_published_documents(
    vendor: Documents, object_name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    # The switches say how a vendor answers; two objects answer in every way, the others as documented.
    wide = object_name in ("Contacts", "Calls")
    ways, expected = (WAYS, EXPECTED | BY_CONDITION) if wide else (WAYS[:1], EXPECTED)
    assert _operations(vendor, object_name, ways, capsys) >= expected


@pytest.mark.parametrize(
    ("ways", "expected"), [(RANGED, {"POST /crm/v8/coql"}), ((BULK,), IN_BULK)], ids=["ranges", "bulk"]
)
def test_other_ways_to_list_are_valid_too(
    vendor: Documents, ways: tuple[Way, ...], expected: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert _operations(vendor, "Contacts", ways, capsys) >= expected


def _operations(
    vendor: Documents, object_name: str, ways: tuple[Way, ...], capsys: pytest.CaptureFixture[str]
) -> set[str]:
    """Checks all traffic of the kit for an object and returns which operations were among it."""
    vendor.checked.clear()
    vendor.passed_over.clear()
    broken = Counter(
        str(violation) for way in ways for each in traffic(way, object_name) for violation in vendor.check(each)
    )
    said = [f"{number:6} {operation}" for operation, number in sorted(vendor.checked.items())]
    said += [f"{number:6} no document: {path}" for path, number in sorted(vendor.passed_over.items())]
    with capsys.disabled():
        print(f"\n{object_name}: {vendor.checked.total()} exchanges checked against Zoho's documents:", *said, sep="\n")
    assert vendor.idle == [], "patches that patch nothing"
    assert not broken, "\n".join(f"{number:6} {text}" for text, number in sorted(broken.items()))
    return {operation.rpartition(" ")[0].removesuffix(" cut") for operation in vendor.checked}


# --- the check itself -------------------------------------------------------------------------------------------------

LISTED = {
    "data": [
        {"id": "5843104000000000001", "Modified_Time": "2026-03-01T09:00:00+08:00", "Owner": {"name": "王", "id": "1"}}
    ],
    "info": {"per_page": 200, "count": 1, "page": 1, "more_records": False, "next_page_token": None},
}
REFUSED = {"code": "INVALID_DATA", "details": {"param_name": "ids"}, "message": "invalid data", "status": "error"}
WRITTEN = {
    "code": "SUCCESS",
    "details": {
        "id": "5843104000000000001",
        "Modified_Time": "2026-03-01T09:00:00+08:00",
        "Created_Time": "2026-03-01T09:00:00+08:00",
        "Modified_By": {"name": "王", "id": "5843104000000000002"},
        "Created_By": {"name": "王", "id": "5843104000000000002"},
    },
    "message": "record added",
    "status": "success",
}


def exchange(method: str, path: str, query: str, status: int, answer: object, sent: object = None) -> dict[str, Any]:
    return {
        "method": method,
        "path": f"/crm/v8/{path}",
        "query": query,
        "headers": {"content-type": "application/json"},
        "sent": None if sent is None else json.dumps(sent),
        "status": status,
        "answer_headers": {"content-type": "application/json;charset=UTF-8"},
        "answer": json.dumps(answer) if answer is not None else "",
        "fault": None,
    }


def listed(query: str = "fields=Last_Name", status: int = 200, answer: object = LISTED) -> dict[str, Any]:
    return exchange("GET", "Contacts", query, status, answer)


def written(sent: object, status: int = 201, answer: object = None) -> dict[str, Any]:
    return exchange("POST", "Contacts", "", status, answer or {"data": [WRITTEN]}, sent)


def changed(node: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {name: value for name, value in {**node, **keys}.items() if value is not ...}


RIGHT = {
    "a list": listed(),
    "an error at the top": listed(status=400, answer=REFUSED),
    "an error in data": listed(status=400, answer={"data": [REFUSED]}),
    "no content": listed(status=204, answer=None),
    "a write": written({"data": [{"Last_Name": "王"}], "trigger": []}),
    "a write of which a part failed": written({"data": [{}, {}]}, 207, {"data": [WRITTEN, REFUSED]}),
    "a query": exchange(
        "POST", "coql", "", 204, None, {"select_query": "select id from Contacts where id is not null"}
    ),
}
WRONG = {
    "an unknown parameter": listed("fields=Last_Name&fieldz=Email"),
    "an order that does not exist": listed("fields=Last_Name&sort_by=Email"),
    "a page that is no number": listed("fields=Last_Name&per_page=many"),
    "an undocumented status": listed(status=299),
    "a body with no content": listed(status=204),
    "an unknown key beside the rows": listed(answer={**LISTED, "more": True}),
    "a row without its id": listed(answer={**LISTED, "data": [{"Last_Name": "王"}]}),
    "a number where a text belongs": listed(answer={**LISTED, "data": [changed(LISTED["data"][0], id=5)]}),
    "a time that is none": listed(answer={**LISTED, "data": [changed(LISTED["data"][0], Modified_Time="yesterday")]}),
    "more rows than a page holds": listed(answer={**LISTED, "data": LISTED["data"] * 201}),
    "an unknown error code": listed(status=400, answer=changed(REFUSED, code="NO_SUCH_CODE")),
    "an error without a message": listed(status=400, answer=changed(REFUSED, message=...)),
    "an unknown key of a write": written({"data": [{"Last_Name": "王"}], "triggers": []}),
    "an automation that does not exist": written({"data": [{"Last_Name": "王"}], "trigger": ["workflows"]}),
    "a hundred and one rows": written({"data": [{}] * 101}),
    "a success without its time": written({"data": [{}]}, 201, {"data": [changed(WRITTEN, details={"id": "1"})]}),
    "a query without its text": exchange("POST", "coql", "", 204, None, {"query": "select id from Contacts"}),
    "a path of no table row": exchange("GET", "settings/unheard_of", "", 200, {}),
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_passes(vendor: Documents, name: str) -> None:
    assert [str(one) for one in vendor.check(RIGHT[name])] == []


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_seen(vendor: Documents, name: str) -> None:
    assert vendor.check(WRONG[name]) != []


def test_a_patch_that_finds_nothing_is_told(tmp_path: Path) -> None:
    (tmp_path / "thing.json").write_text(
        json.dumps({"openapi": "3.1.0", "paths": {"/x": {"get": {}}}}), encoding="utf-8"
    )
    stale, holds = (Patch("thing", ("paths", path, "get", "tags"), put([]), "") for path in ("/gone", "/x"))
    made = Documents(tmp_path, (Endpoint("/v1", "/x", "thing"),), (stale, holds), (), {"": ".*"})
    made.document("thing")
    assert made.idle == [stale]


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/crm/v8/Contacts", "/{module}"),
        ("/crm/v8/Contacts/deleted", "/{module}/deleted"),
        ("/crm/v8/Contacts/5843104000000000001", "/{module}/{recordID}"),
        ("/crm/v8/Contacts/actions/count", "/{moduleApiName}/actions/count"),
        ("/crm/v8/Contacts/search", "/{module}/search"),
        ("/crm/v8/Contacts/5843104000000000001/Notes", "/{parentRecordModule}/{parentRecord}/{relatedList}"),
        ("/crm/v8/Contacts/5843104000000000001/actions/merge", "/{module}/{masterRecordId}/actions/merge"),
        ("/crm/v8/Notes", "/Notes"),
        ("/crm/v8/settings/fields", "/settings/fields"),
        ("/crm/v8/actions/watch", "/actions/watch"),
        ("/crm/v8/users", "/users"),
        ("/crm/bulk/v8/read/5843104000000000001/result", "/read/{jobId}/result"),
        ("/crm/v8/Contacts/5843104000000000001/actions/fetch_full_data", None),
        ("/oauth/v2/token", None),
        ("/crm/v2/Contacts", None),
    ],
)
def test_a_path_finds_the_document_that_describes_it(path: str, template: str | None) -> None:
    made = documents(Path("nowhere"))
    found = made.endpoint_of(path)
    assert (found and found.template) == template


def test_every_document_that_is_named_is_there_and_holds_with_its_patches(vendor: Documents) -> None:
    for name in sorted({one.document for one in vendor.endpoints}):
        templates = {one.template for one in vendor.endpoints if one.document == name}
        assert templates <= set(vendor.document(name)["paths"]), name
    assert vendor.idle == []
