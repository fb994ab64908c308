"""What set-up sends and what the simulator answers is valid against the vendor's published document of the fields API.

Reads `zoho-oas/fields.json` below the folder that CRMHUB_REFERENCE names; without it the test is skipped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator
from zoho_lab import LabContext, connect, simulator

from connectors.preparing import State
from connectors.simulation.server import Admin
from hub.canonical.schema import load_schema
from hub.canonical.shipped import shipped_folder
from hub.mapping.loader import load_mapping, mapping_path
from hub.mapping.needs import needs_of
from hub.mapping.tables import load_tables

pytestmark = pytest.mark.reference
ENTITIES = ("customer", "complaint", "contact_log")
TOO_LONG = "is too long"
"""The document allows ten options in a call; every organisation has longer picklists, and GET shows up to 2,000."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    folder = os.environ.get("CRMHUB_REFERENCE")
    if not folder:
        pytest.skip("CRMHUB_REFERENCE names no folder with zoho-oas")
    file = Path(folder) / "zoho-oas" / "fields.json"
    if not file.is_file():
        pytest.skip(f"{file} is not there")
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


class Watch:
    """Notes what the connector says about fields and what it is told, and judges both by the document."""

    def __init__(self, document: dict[str, Any], context: LabContext) -> None:
        self.violations: list[str] = []
        self.calls: dict[str, int] = {}
        self._document, self._send = document, context.http.send
        context.http.send = self  # type: ignore[method-assign, assignment]

    def __call__(self, method: str, url: str, **options: Any) -> Any:
        answer = self._send(method, url, **options)
        if "/settings/fields" in url and answer.body:
            self.calls[method] = self.calls.get(method, 0) + 1
            self._judge(method, options.get("json"), answer)
        return answer

    def _judge(self, method: str, body: Any, answer: Any) -> None:
        sent = {"POST": "FieldRequestBodySchema", "PATCH": "FieldUpdateRequestBodySchema"}
        if method == "GET":
            for field in answer.json()["fields"]:
                # The standard fields of the simulator are judged by the whole document's own test.
                if field["custom_field"]:
                    self._hold("FieldSchema", field)
            return
        self._hold(sent[method], body)
        content = answer.json()
        for row in content.get("fields", [content]):
            self._hold("FieldCreationResult" if row["status"] == "success" else "ErrorResponse", row)

    def _hold(self, name: str, value: Any) -> None:
        schema = {"$ref": f"#/components/schemas/{name}", "components": self._document["components"]}
        for error in OAS31Validator(schema).iter_errors(value):
            options = "pick_list_values" in error.absolute_path and error.message.endswith(TOO_LONG)
            if not options:
                self.violations.append(f"{name} {list(error.absolute_path)}: {error.message[:200]}")


def needs(chosen: str) -> Any:
    root = shipped_folder("mappings")
    files = [load_mapping(mapping_path(root, "zoho_crm", entity, chosen)) for entity in ENTITIES]
    return needs_of(files, load_schema(root / "canonical"), load_tables(root / "tables"))


@pytest.fixture
def watched(document: dict[str, Any]) -> Iterator[tuple[str, LabContext, Watch]]:
    with simulator(custom_fields=False, picklists="shipped") as url:
        context = LabContext()
        yield url, context, Watch(document, context)
        context.http.close()


def test_making_everything_that_the_full_set_needs_is_by_the_document(
    watched: tuple[str, LabContext, Watch],
) -> None:
    url, context, watch = watched
    zoho = connect(url, context, field_wait=0.0)
    for object_, wanted in needs("full").items():
        states = {finding.state for finding in zoho.prepare(object_, wanted)}
        assert states <= {State.READY, State.CREATED, State.EXTENDED}
    assert watch.calls["POST"] >= 25
    assert watch.calls["PATCH"] >= 9
    assert watch.violations == []


def test_refusals_are_by_the_document(watched: tuple[str, LabContext, Watch]) -> None:
    url, context, watch = watched
    zoho = connect(url, context, field_wait=0.0)
    contacts = needs("full")["Contacts"]

    admin = Admin(url)
    admin.settings(custom_fields_per_module=3)
    zoho.prepare("Contacts", contacts)
    admin.settings(custom_fields_per_module=300, standard_options=False, field_label_length=5)
    zoho.prepare("Contacts", contacts)
    admin.settings(field_label_length=25, field_calls="whole", unique_fields_per_module=0)
    zoho.prepare("Accounts", needs("full")["Accounts"])
    assert watch.violations == []
    assert watch.calls["POST"] > 10
