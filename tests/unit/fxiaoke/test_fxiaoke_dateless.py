"""A proxy in between takes the Date header away: windows stay open, nothing is lost, offsets say what they need."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from fxiaoke_tenant import FIELDS, Context, Make, create, edit, settle

from connectors.errors import ProtocolViolation
from connectors.simulation.server import RunningSimulator


@pytest.fixture
def dateless(vendor: RunningSimulator) -> Iterator[str]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["Content-Length"]))
            kept = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection", "accept-encoding")}
            with opener.open(urllib.request.Request(vendor.base_url + self.path, sent, kept)) as answer:
                body, kind = answer.read(), answer.headers["Content-Type"]
            self.send_response_only(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing: the tests read standard error."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_without_a_date_the_youngest_row_makes_the_watermark_and_the_window_stays_open(
    vendor: RunningSimulator, make: Make, context: Context, dateless: str
) -> None:
    connector = make(base_url=dateless)
    known = [create(vendor) for _ in range(3)]
    settle(vendor, context, 30)
    page = connector.changes("AccountObj", FIELDS, None, 100)
    assert page.complete
    settle(vendor, context, 30)
    ids = [create(vendor) for _ in range(5)]
    settle(vendor, context, 5)
    edit(vendor, known[0], remark="最晚")
    settle(vendor, context, 5)
    seen: set[str] = set()
    for _ in range(20):
        page = connector.changes("AccountObj", FIELDS, page.next_cursor, 2)
        assert page.next_cursor["closes"] is None
        seen |= {record.native_id for record in page.records}
        if page.complete:
            break
    assert seen >= {*ids, known[0]}
    with pytest.raises(ProtocolViolation, match="Date"):
        make(base_url=dateless, paging="offset").changes("AccountObj", FIELDS, None, 2)
