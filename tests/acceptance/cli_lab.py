"""A lab for the command line: two simulators over real HTTP, a hub folder, and `crmhub` as a process of its own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from connectors.simulation.server import RunningSimulator, start_simulator
from hub.cli.main import run

SECRETS = {
    "LAB_CLIENT_ID": "1000.SIMULATED",
    "LAB_CLIENT_SECRET": "simulated-secret",
    "LAB_REFRESH_TOKEN": "1000.simulated.refresh",
    "LAB_APP_SECRET": "simulated-secret",
    "LAB_PERMANENT_CODE": "simulated-permanent",
}
HUB_YAML = """
profile: lab
language: en
installation: {{id: lab, name: Lab}}
store: {{url: "sqlite:///var/hub.db"}}
keys: {{provider: file, path: keys/hub.key}}
systems:
  zoho:
    kind: zoho_crm
    mapping_set: full
    settings: {{accounts_url: "{zoho}", api_url: "{zoho}", visibility_lag: 0, overlap: 2}}
    credentials: {{client_id: env:LAB_CLIENT_ID, client_secret: env:LAB_CLIENT_SECRET, refresh_token: env:LAB_REFRESH_TOKEN}}
    deletions_every_seconds: 0
  fxiaoke:
    kind: fxiaoke
    mapping_set: full
    settings: {{base_url: "{fxiaoke}", app_id: FSAID_simulated, operator_id: "1000", rate_per_second: 2000, rate_burst: 2000, index_lag: 0.3, overlap: 2}}
    credentials: {{app_secret: env:LAB_APP_SECRET, permanent_code: env:LAB_PERMANENT_CODE}}
entities:
  customer:
    systems: [zoho, fxiaoke]
    prefer: [zoho, fxiaoke]
"""  # noqa: E501


@dataclass(frozen=True)
class Ran:
    """Is a command that ended."""

    code: int
    out: str = field(repr=False)
    err: str = field(repr=False)

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found

    def __repr__(self) -> str:
        return f"exit {self.code}\n--- out\n{self.out}\n--- err\n{self.err}"


@dataclass
class Lab:
    """Is a hub folder with its two simulators."""

    home: Path
    zoho: RunningSimulator
    fxiaoke: RunningSimulator
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        return self.home / "config" / "hub.yaml"

    def write(self, text: str | None = None) -> None:
        plain = HUB_YAML.format(zoho=self.zoho.base_url, fxiaoke=self.fxiaoke.base_url)
        self.file.write_text(text if text is not None else plain, encoding="utf-8")

    def change(self, before: str, after: str) -> None:
        text = self.file.read_text(encoding="utf-8")
        assert before in text
        self.write(text.replace(before, after))

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "hub", *words]

    def environ(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("CRMHUB_", "LC_", "LANG"))}
        home = {"CRMHUB_HOME": str(self.home), "CRMHUB_LANG": "en"}
        return {**kept, **home, **SECRETS, **self.environment, **(more or {})}

    def run(self, *words: str, environ: Mapping[str, str] | None = None, stdin: str | None = None, **more: Any) -> Ran:
        done = subprocess.run(
            self.command(*words),
            env=self.environ(environ),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            **more,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def here(self, *words: str, stdin: str = "") -> Ran:
        """Runs a command in this process: the same entry, without the start of an interpreter."""
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
        typed = io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8")
        with pytest.MonkeyPatch.context() as patch:
            for name in os.environ.keys() - self.environ().keys():
                patch.delenv(name)
            for name, value in self.environ().items():
                patch.setenv(name, value)
            for name, stream in (("stdout", out), ("stderr", err), ("stdin", typed)):
                patch.setattr(sys, name, stream)
            code = run(words)
            out.flush()
            err.flush()
        return Ran(code, *(stream.buffer.getvalue().decode() for stream in (out, err)))  # type: ignore[attr-defined]

    def ask(self, *words: str) -> dict[str, Any]:
        """Runs a command with --json that must succeed, and returns its answer."""
        ran = self.here(*words, "--json")
        assert ran.json["ok"], ran
        return ran.json

    def first_sync(self) -> Ran:
        """Brings a fresh lab as far as it goes without a person's decisions about records."""
        assert self.here("plan").code == 0
        assert self.here("guard", "release", "first_sync", "--reason", "seen in the lab").code == 0
        return self.here("sync", "--until-converged")


def make_lab(home: Path, records: int = 0, **options: Any) -> Lab:
    """Starts both simulators and makes a prepared hub folder; the caller stops the simulators."""
    zoho = start_simulator("zoho_crm", records=records, seed=7, limits="fast", **options)
    fxiaoke = start_simulator("fxiaoke", records=records, seed=7, limits="fast", **options)
    lab = Lab(home, zoho, fxiaoke)
    made = lab.here("init", str(home))
    assert made.code == 0, made
    lab.write()
    # The shipped installation id is unique; the lab takes another one, so the store is made anew.
    for leftover in (home / "var").glob("hub.db*"):
        leftover.unlink()
    again = lab.here("init", str(home))
    assert again.code == 0, again
    return lab


def one_message(ran: Ran, code: str, exit_code: int, *words: str) -> None:
    """Asserts that a command failed with one message of this code, without a traceback."""
    assert ran.code == exit_code, ran
    lines: Sequence[str] = [line for line in ran.err.splitlines() if not line.startswith("  ")]
    assert len(lines) == 1, ran
    assert lines[0].startswith(code), ran
    assert "Traceback" not in ran.err + ran.out, ran
    for word in words:
        assert word in ran.err, ran
