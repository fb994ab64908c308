"""Every command stands in both languages, takes the common options, and is documented."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hub.cli.commands import COMMANDS, GROUPS
from hub.cli.main import run
from hub.cli.terms import HEADINGS

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CRMHUB_HOME", str(tmp_path))
    monkeypatch.setenv("CRMHUB_LANG", "en")


@pytest.fixture(scope="module")
def paths() -> list[str]:
    assert run(["version"]) == 0
    return list(COMMANDS)


def test_help_of_every_command_is_there_in_both_languages(paths: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    for path in paths:
        if COMMANDS[path].passes_on:
            continue
        for lang, text in (("zh", COMMANDS[path].help.zh), ("en", COMMANDS[path].help.en)):
            os.environ["CRMHUB_LANG"] = lang
            assert run([*path.split(), "--help"]) == 0
            shown = " ".join(capsys.readouterr().out.split())
            assert text.split(";")[0][:20] in shown, path
            assert "--home" in shown
            assert "--json" in shown
            assert "--lang" in shown


def test_every_group_and_heading_has_a_term_in_both_languages(paths: list[str]) -> None:
    assert {path.split()[0] for path in paths if " " in path} == set(GROUPS)
    assert all(re.search("[\u4e00-\u9fff]", zh) for en, zh in HEADINGS.items() if en)
    assert HEADINGS["ticket"] == "变更单号", "one term each: no module gives a heading of all another meaning"


def test_every_command_is_documented_with_an_example(paths: list[str]) -> None:
    document = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert [path for path in paths if f"crmhub {path}" not in document] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing"], "no such command"),
        (["plan", "--bogus"], "--bogus"),
        (["conflict", "resolve"], "ID is missing"),
        (["plan", "--limit", "13812341234x"], "--limit has a value that cannot be used"),
    ],
)
def test_wrong_words_end_in_one_message_without_the_value(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == 3
    told = capsys.readouterr()
    assert said in told.err
    assert told.err.startswith("HUB-REQ-400")
    assert told.err.count("\n") == 1
    assert "13812341234x" not in told.err + told.out


def test_a_folder_that_is_no_hub_is_a_configuration_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["status"]) == 2
    assert "crmhub init" in capsys.readouterr().err


def test_json_answers_errors_too(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(["status", "--json"]) == 2
    body = capsysbinary.readouterr().out
    assert b'"ok": false' in body
    assert b'"exit_code": 2' in body


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -m hub version | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"
    assert "Traceback" not in done.stderr
