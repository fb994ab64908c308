"""`crmhub demo`, run as a newcomer runs it, keeps its promises in both languages."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).resolve().parents[2]
RECORDS = 200


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hub", *arguments]
    environment = {k: v for k, v in os.environ.items() if k not in ("LANG", "LC_ALL", "CRMHUB_LANG", "CRMHUB_HOME")}
    environment |= {"PYTHONIOENCODING": "utf-8", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, encoding="utf-8", check=False
    )


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "hub"


@pytest.fixture(scope="module")
def report(kept: Path) -> dict[str, Any]:
    """Is what the demo says of itself, with its hub kept."""
    done = run("demo", "--json", "--records", str(RECORDS), "--seed", "11", "--keep", str(kept))
    assert done.returncode == 0, done.stdout + done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def test_it_ends_converged_without_duplicates(report: dict[str, Any]) -> None:
    assert report["failures"] == []
    assert report["outcome"] == "converged"
    for stage, persons in (("first_sync", RECORDS), ("settled", RECORDS + 2)):
        found = report[stage]
        assert (found["persons"], found["duplicates"], found["missing"]) == (persons, 0, 0)
        assert found["unequal"] == {}
        assert found["compared"] > persons * 10
    assert report["first_sync"]["both"] == RECORDS
    assert report["settled"]["both"] == RECORDS + 1  # the deleted customer stays in the other system only


def test_it_grades_the_first_matching_by_the_truth(report: dict[str, Any]) -> None:
    match = report["match"]
    assert {name: item["wrong"] for name, item in match.items()} == {"sure": 0, "unsure": 0, "new": 0}
    assert match["sure"]["right"] > RECORDS / 2
    assert match["unsure"]["right"] > 0
    # A question leaves out its candidates too, so that a person may be counted in no class yet.
    assert RECORDS - 2 * match["unsure"]["count"] <= sum(item["count"] for item in match.values()) <= RECORDS


def test_every_edit_led_to_what_it_must(report: dict[str, Any]) -> None:
    facts = {name: set(item["facts"]) for name, item in report["edits"].items()}
    assert facts["disjoint"] == {"merged postal_code", "merged need_summary"}
    assert facts["conflict"] == {"conflict mobile_phone"}
    assert facts["consent"] == {"hold contact_consent"}
    assert facts["refused"] >= {"quarantine customer_source", "merged short_name"}
    assert facts["delete"] == {"detach zoho"}
    assert facts["new_zoho"] == {"create fxiaoke"}
    assert facts["new_fxiaoke"] == {"create zoho"}


def test_it_spends_no_call_too_many(report: dict[str, Any]) -> None:
    assert report["calls"]["ratio"] <= 1.05
    for system in ("zoho", "fxiaoke"):
        account = report["calls"][system]
        assert account["minimum"] <= account["used"], "the minimum is no minimum"
    assert report["idle"]["writes"] == 0
    assert set(report["idle"]["polls"].values()) == {1}


def test_its_audit_log_verifies(report: dict[str, Any], kept: Path) -> None:
    assert report["audit"]["ok"] is True
    assert report["audit"]["rows"] > RECORDS
    again = run("audit", "verify", "--json", "--home", str(kept))
    assert again.returncode == 0, again.stdout + again.stderr


def test_a_kept_hub_can_be_gone_on_with(report: dict[str, Any], kept: Path) -> None:
    assert "profile: lab" in (kept / "config" / "hub.yaml").read_text(encoding="utf-8")
    secrets = list((kept / "secrets").iterdir())
    assert len(secrets) == 5
    assert {stat.S_IMODE(file.stat().st_mode) for file in secrets} == {0o600}
    status = run("status", "--json", "--home", str(kept))
    assert status.returncode in (0, 10, 11), status.stdout + status.stderr
    refused = run("demo", "--keep", str(kept), "--records", "50")
    assert refused.returncode == 3
    assert "HUB-REQ-409" in refused.stderr


@pytest.mark.parametrize(("lang", "lab"), [("en", "LAB"), ("zh", "演示环境")])
def test_its_screens_are_marked_and_show_no_customer(lang: str, lab: str) -> None:
    done = run("demo", "--records", "60", "--lang", lang)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(lab) >= 7, "every act is marked as a laboratory"
    for shown in ("1991234", "诸葛", "欧阳", "想了解", "simulated-secret"):
        assert shown not in done.stdout + done.stderr
    assert done.stderr == ""
