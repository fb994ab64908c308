"""Every error becomes one message with code and exit code, and never shows what went wrong with which value."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from connectors.errors import AuthRejected, RetryLater, SettingsInvalid
from hub.cli.desk import Desk
from hub.cli.failures import failure_of, report
from hub.kernel.errors import (
    Busy,
    ConfigInvalid,
    Declined,
    HubError,
    InvariantBroken,
    KeyUnusable,
    StoreTooNew,
    StoreUnavailable,
    problem,
)
from hub.operations.auditing import AuditBroken

DOCUMENT = Path(__file__).parents[3] / "docs" / "operations.md"


@pytest.mark.parametrize(
    ("error", "code", "exit_code"),
    [
        (ConfigInvalid([problem("hub.yaml", 3, "HUB-CONF-001", "en", "zh")]), "HUB-CONF-001", 2),
        (SettingsInvalid("en", "zh"), "HUB-CONF-002", 2),
        (Declined("en", "zh"), "HUB-REQ-409", 3),
        (KeyUnusable("en", "zh"), "HUB-KEY-001", 4),
        (StoreUnavailable("en", "zh"), "HUB-STORE-001", 5),
        (StoreTooNew("en", "zh"), "HUB-STORE-002", 5),
        (AuditBroken("en", "zh"), "HUB-AUDIT-002", 5),
        (Busy("en", "zh"), "HUB-LEASE-001", 6),
        (RetryLater("en", "zh"), "HUB-NET-001", 7),
        (AuthRejected("en", "zh", missing="scope"), "HUB-AUTH-001", 7),
        (InvariantBroken("en", "zh"), "HUB-BUG-001", 70),
        (KeyboardInterrupt(), "HUB-STOP-001", 130),
        (PermissionError(13, "Permission denied", "var"), "HUB-FILE-001", 5),
        (ValueError("13812341234"), "HUB-000", 1),
    ],
)
def test_each_error_has_its_exit_code(error: BaseException, code: str, exit_code: int) -> None:
    failure = failure_of(error)
    assert (failure.code, failure.exit_code) == (code, exit_code)


def test_an_unexpected_error_shows_its_place_and_run_and_no_value(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        int("王小明 13812341234 token=abc")
    except ValueError as error:
        error.add_note("run 0190-abc")
        code = report(failure_of(error), "en", as_json=False)
    told = capsys.readouterr().err
    assert code == 1
    assert "ValueError at cli/test_failures.py:" in told or "ValueError at unit/cli/test_failures.py:" in told
    assert "0190-abc" in told
    assert "13812341234" not in told
    assert "王小明" not in told
    assert told.count("\n") == 1


def test_a_message_with_a_personal_value_is_redacted_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    report(failure_of(HubError("call 13812341234\x1b[2J", "致电 13812341234")), "en", as_json=False)
    told = capsys.readouterr().err
    assert "13812341234" not in told
    assert "\x1b" not in told


def test_problems_are_listed_with_file_and_line_in_either_language(capsys: pytest.CaptureFixture[str]) -> None:
    found = ConfigInvalid(
        [
            problem("a.yaml", 3, "HUB-MAP-011", "no field", "没有字段"),
            problem("b.yaml", None, "HUB-MAP-001", "gone", "不存在"),
        ]
    )
    report(failure_of(found), "zh", as_json=False)
    told = capsys.readouterr().err
    assert "a.yaml:3: HUB-MAP-011 没有字段" in told
    assert "b.yaml: HUB-MAP-001 不存在" in told


def test_every_code_in_the_source_is_documented() -> None:
    root = Path(__file__).parents[3]
    codes: set[str] = set()
    for folder in ("hub", "connectors"):
        for file in (root / folder).rglob("*.py"):
            if "simulator" not in file.parts and not file.name.startswith("demo"):
                codes.update(re.findall(r"HUB-[A-Z]+-\d{3}|HUB-000", file.read_text(encoding="utf-8")))
    documented = set(re.findall(r"HUB-[A-Z]+-\d{3}|HUB-000", DOCUMENT.read_text(encoding="utf-8")))
    assert sorted(codes - documented) == []


def test_names_that_are_given_once_stand_in_both_languages() -> None:
    assert [Desk(Path(), False, lang).word("zoho (zoho_crm)", "") for lang in ("en", "zh")] == ["zoho (zoho_crm)"] * 2
