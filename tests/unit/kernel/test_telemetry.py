"""Log lines are one JSON object each, carry the run id and hold no personal value, secret or terminal sequence."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from hub import telemetry

PHONE, TOKEN = "13800138000", "1000.0123456789abcdef.fedcba98"


class FixedClock:
    def now(self) -> float:
        return 1_760_000_000.0

    def sleep(self, seconds: float) -> None:
        raise AssertionError("logging never sleeps")


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = root.handlers[:], root.level, sys.excepthook
    stream = io.StringIO()
    telemetry.configure(FixedClock(), stream=stream)
    telemetry.mark("production")
    yield stream
    root.handlers[:], root.level, sys.excepthook = before
    logging.captureWarnings(False)
    structlog.reset_defaults()


def read(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_line_is_json_with_run_id_and_time(lines: io.StringIO) -> None:
    with telemetry.bound(run_id="r1", entity="customer"):
        telemetry.logger("sync").info("page_read", system="zoho", rows=200)
    assert read(lines) == [
        {
            "event": "page_read",
            "level": "info",
            "ts": "2025-10-09T08:53:20.000Z",
            "run_id": "r1",
            "entity": "customer",
            "system": "zoho",
            "rows": 200,
        }
    ]


def test_values_of_every_shape_are_redacted(lines: io.StringIO) -> None:
    telemetry.logger("sync").warning(
        f"called {PHONE}", access_token="abc", deep={"cookie": "c", "rows": [f"tel {PHONE}"]}, body=PHONE.encode(), n=3
    )
    (line,) = read(lines)
    assert PHONE not in lines.getvalue()
    assert line["event"] == "called [phone]"
    assert line["access_token"] == "[secret]"
    assert line["deep"] == {"cookie": "[secret]", "rows": ["tel [phone]"]}
    assert (line["body"], line["n"]) == ("[11 bytes]", 3)


def test_line_cannot_be_forged_or_disguised(lines: io.StringIO) -> None:
    telemetry.logger("sync").info('a\r\n{"event":"forged"}\x1b[2J\u202e\x9b', **{"k\n": "v\n"})
    (line,) = read(lines)
    assert line["event"] == 'a\\u000d\\u000a{"event":"forged"}\\u001b[2J\\u202e\\u009b'
    assert line["k\\u000a"] == "v\\u000a"


def test_lines_of_libraries_take_the_same_way(lines: io.StringIO) -> None:
    logging.getLogger("some.library").warning("refresh_token=%s for %s", TOKEN, PHONE)
    (line,) = read(lines)
    assert TOKEN not in lines.getvalue()
    assert PHONE not in lines.getvalue()
    assert line["logger"] == "some.library"
    assert line["event"] == "refresh_token=[token] for [phone]"


def test_exception_shows_places_and_neither_locals_nor_source(lines: io.StringIO) -> None:
    marked = "marked-local-value"
    try:
        raise ValueError(f"bad row for {PHONE}")
    except ValueError:
        telemetry.logger("sync").exception("failed")
    (line,) = read(lines)
    assert (line["error"], line["message"]) == ("ValueError", "bad row for [phone]")
    assert line["at"][-1].endswith("test_exception_shows_places_and_neither_locals_nor_source")
    assert marked not in lines.getvalue()


def test_level_is_honoured(lines: io.StringIO) -> None:
    telemetry.logger("sync").debug("quiet")
    assert lines.getvalue() == ""


def test_crash_of_a_process_is_one_redacted_line() -> None:
    program = (
        "from hub import telemetry; from hub.kernel.clock import SystemClock\n"
        f"telemetry.configure(SystemClock()); raise RuntimeError('for {PHONE}')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    line = json.loads(done.stderr)
    assert (line["event"], line["level"], line["message"]) == ("crashed", "critical", "for [phone]")


def test_what_a_connector_says_beside_the_text_is_shown_and_redacted(lines: io.StringIO) -> None:
    extra = {"third_trace_id": "0" * 31 + "1", "vendor_trace_id": "E-O.bank.1000-65f0a1", "note": PHONE}
    logging.getLogger("connectors.some.client").warning("call_unanswered", extra=extra)
    logging.getLogger("some_library").warning("job", extra={"job": "args"})
    [ours, theirs] = read(lines)
    assert (ours["event"], ours["third_trace_id"]) == ("call_unanswered", extra["third_trace_id"])
    assert (ours["vendor_trace_id"], ours["note"]) == (extra["vendor_trace_id"], "[phone]")
    assert "job" not in theirs
