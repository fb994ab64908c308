"""Signing in at a terminal: one-time code, password, second factor, session, API token."""

from __future__ import annotations

import base64
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hub.access.threshold import HASHER
from hub.cli.main import run
from hub.crypto.passwords import Cost
from hub.crypto.totp import code_at
from tests.security.web_lab import free_port, make_web_home

PASSWORD = "Rivet-lampe-09-沙"
Line = str | Callable[[], str]


class Lines:
    """Is a standard input whose lines may depend on what was said before."""

    def __init__(self, lines: tuple[Line, ...]) -> None:
        self._lines = list(lines)

    def isatty(self) -> bool:
        return False

    def readline(self, limit: int = -1) -> str:
        if not self._lines:
            return ""
        line = self._lines.pop(0)
        return f"{line if isinstance(line, str) else line()}\n"


class Terminal:
    """Is a shell in a hub folder; what was ever said in it is kept."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._patch, self._capsys, self.said = monkeypatch, capsys, ""
        self.secret = ""
        monkeypatch.setenv("CRMHUB_HOME", str(home))
        monkeypatch.setattr(HASHER, "cost", Cost(memory=64, passes=1))
        self.act_by()

    def act_by(self, *, token: str | None = None, file: Path | None = None) -> None:
        """Sets what the shell's commands act by."""
        for name, value in (("CRMHUB_TOKEN", token), ("CRMHUB_TOKEN_FILE", file)):
            if value is None:
                self._patch.delenv(name, raising=False)
            else:
                self._patch.setenv(name, str(value))

    def run(self, *words: str, lines: tuple[Line, ...] = (), code: int = 0) -> dict[str, Any]:
        self._patch.setattr(sys, "stdin", Lines(lines))
        ended = run([*words, "--json", "--lang", "en"])
        out, err = self._capsys.readouterr()
        self.said += out + err
        assert ended == code, out + err
        return dict(json.loads(out))

    def first_code(self) -> str:
        """Reads a new second factor off the screen, as a person does, and returns its code."""
        said = self._capsys.readouterr().err
        self.secret = said.split("otpauth://")[0].splitlines()[-2].strip()
        return code_at(base64.b32decode(self.secret.replace(" ", "")), int(time.time()) // 30)


def test_from_the_one_time_code_to_a_token_and_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_web_home(tmp_path / "hub", free_port())
    terminal = Terminal(tmp_path / "hub", monkeypatch, capsys)
    names = ("--system-admin", "sys", "--security-admin", "sec", "--audit-admin", "aud")
    made = terminal.run("user", "bootstrap", *names)
    codes = {each["login"]: each["code"] for each in made["users"]}

    # From here on the account of the machine may do nothing by itself.
    terminal.run("user", "list", code=8)
    refused = terminal.run("user", "password", "sec", lines=("wrong",), code=8)
    assert refused["error"]["code"] == "HUB-SIGNIN-001"
    weak, stopped = "Password2026!", (codes["sec"], "Password2026!", "Password2026!", PASSWORD, "another")
    assert weak not in terminal.said
    # The code is spent with the first sign-in: what is refused behind it is asked again, and who stops needs a new one.
    terminal.run("user", "password", "sec", lines=stopped, code=3)
    terminal.run("user", "password", "sec", lines=(codes["sec"],), code=8)

    lines = (codes["sys"], weak, weak, PASSWORD, PASSWORD, terminal.first_code)
    done = terminal.run("user", "password", "sys", lines=lines)
    secret = terminal.secret
    assert len(done["recovery_codes"]) == 10

    session = tmp_path / "session"
    lines = (PASSWORD, done["recovery_codes"][0])
    terminal.run("user", "sign-in", "sys", "--file", str(session), lines=lines)
    assert session.stat().st_mode & 0o777 == 0o600
    terminal.act_by(file=session)
    assert [user["login"] for user in terminal.run("user", "list")["users"]] == ["aud", "sec", "sys"]

    key = tmp_path / "token"
    wanted = ("--days", "1", "--only", "user.read,status.read", "--file", str(key))
    token = terminal.run("token", "create", "nightly", *wanted)
    assert token["token"] is None

    terminal.act_by(token=key.read_text().strip())
    terminal.run("user", "list")
    terminal.run("token", "list", code=8)
    terminal.act_by(file=session)
    terminal.run("token", "revoke", token["token_id"])
    terminal.act_by(token=key.read_text().strip())
    assert terminal.run("user", "list", code=8)["error"]["code"] == "HUB-SIGNIN-003"

    key.chmod(0o644)
    terminal.act_by(file=key)
    assert terminal.run("user", "list", code=8)["error"]["code"] == "HUB-ACCESS-003"
    terminal.act_by(file=session)
    terminal.run("user", "sign-out")
    assert terminal.run("user", "list", code=8)["error"]["code"] == "HUB-SIGNIN-003"
    for hidden in (PASSWORD, weak, secret, session.read_text().strip(), key.read_text().strip()):
        assert hidden not in terminal.said
