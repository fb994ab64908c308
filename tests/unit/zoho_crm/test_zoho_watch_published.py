"""What the connector sends and the simulator answers about channels is valid against Zoho's published document.

The document lacks two words in the body of POST that the vendor's own pages name, and it has no 204.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
from openapi_core import OpenAPI
from openapi_core.testing import MockRequest, MockResponse

from connectors.base import Http, Response
from connectors.channels import Subscription

WATCH = "/crm/v8/actions/watch"
FLAGS = ("notify_on_related_action", "return_affected_field_values")
TYPE = "application/json"
SIGNED = {"Authorization": "Zoho-oauthtoken x"}


@dataclass
class Recorder:
    """Passes calls on and keeps what was sent and answered at the path of channels."""

    http: Http
    kept: list[tuple[str, dict[str, str], Any, Response]] = field(default_factory=list)

    def send(self, method: str, url: str, **options: Any) -> Response:
        answer = self.http.send(method, url, **options)
        if url.endswith(WATCH):
            self.kept.append((method, dict(options.get("params") or {}), options.get("json"), answer))
        return answer


def published() -> OpenAPI:
    file = Path(os.environ.get("CRMHUB_REFERENCE", "absent")) / "zoho-oas" / "notifications.json"
    if not file.is_file():
        pytest.skip("CRMHUB_REFERENCE names no folder with zoho-oas, Zoho's OpenAPI documents")
    document = json.loads(file.read_text("utf-8"))
    body = document["paths"]["/actions/watch"]["post"]["requestBody"]["content"][TYPE]["schema"]
    row = body["properties"]["watch"]["items"]["properties"]
    row |= {name: {"type": "boolean"} for name in FLAGS}
    return OpenAPI.from_dict(document)


@pytest.mark.reference
def test_every_call_and_answer_about_channels_is_as_published(org: Any) -> None:
    spec, recorder = published(), Recorder(org.context.http)
    org.context.http = recorder
    zoho = org.connect()
    wanted = Subscription("90000000000001", ("Contacts", "Calls", "Cases"), "t" * 40, "http://127.0.0.1:9/hooks/x")
    assert zoho.renew_channel(wanted) is None
    zoho.open_channel(wanted)
    zoho.look_at_channel(wanted.channel_id)
    zoho.renew_channel(wanted)
    org.admin.settings(watch_shows_token=False)
    zoho.look_at_channel(wanted.channel_id)
    zoho.close_channel(wanted.channel_id)
    zoho.close_channel(wanted.channel_id)
    assert zoho.look_at_channel(wanted.channel_id) is None
    told = [(method, answer.status) for method, _, _, answer in recorder.kept]
    expected = [("PUT", 400), ("POST", 201), ("GET", 200), ("PUT", 200), ("GET", 200), ("DELETE", 200), ("DELETE", 400)]
    assert told == [*expected, ("GET", 204)]
    for method, params, body, answer in recorder.kept:
        data = None if body is None else orjson.dumps(body)
        asked = MockRequest(
            "https://zohoapis.com", method.lower(), WATCH, args=params, headers=SIGNED, data=data, content_type=TYPE
        )
        spec.validate_request(asked)
        if answer.status != 204:
            spec.validate_response(asked, MockResponse(answer.body, answer.status, content_type=TYPE))
    org.context.http = recorder.http
