"""What is installed is what was locked; the bill of materials names all of it; every waiver has its day and reason."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import pytest

from tests.sbom import LOCK, bill, read_lock

ROOT = Path(__file__).resolve().parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DATE = re.compile(r"\b20\d\d-\d\d-\d\d: \S+")


def name_of(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[^A-Za-z0-9._-]", requirement)[0]).lower()


def test_every_line_of_the_lock_is_pinned_and_hashed_and_names_no_index() -> None:
    locked = list(read_lock(LOCK.read_text(encoding="utf-8")))
    assert len({name_of(item.name) for item in locked}) == len(locked) > 50
    declared = {name_of(line) for line in PROJECT["project"]["dependencies"]}
    assert declared <= {name_of(item.name) for item in locked}


@pytest.mark.parametrize(
    "line",
    [
        "requests>=2", "requests==2.32.0", "--index-url https://pypi.example/simple", "--extra-index-url https://x/simple",
        "-e .", "git+https://example.org/x.git", "requests @ https://example.org/x.whl --hash=sha256:" + "0" * 64,
        "requests==2.32.0 --hash=md5:00", "--trusted-host x", "-r other.lock", "--find-links /opt",
        "requests==2.32.0 --hash=sha256:" + "0" * 64 + " --global-option=x",
    ],
)  # fmt: skip
def test_a_line_that_would_loosen_the_lock_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="not a pinned library"):
        list(read_lock(line))


def test_the_bill_of_materials_names_every_library() -> None:
    lock = LOCK.read_text(encoding="utf-8")
    made = bill(lock, PROJECT["project"])
    assert made == bill(lock, PROJECT["project"])
    assert (made["bomFormat"], made["specVersion"]) == ("CycloneDX", "1.6")
    references = [item["bom-ref"] for item in made["components"]]
    assert made["dependencies"][0]["dependsOn"] == references
    assert {item.partition("@")[0].removeprefix("pkg:pypi/") for item in references} >= {
        name_of(line) for line in requires("crmhub") or () if "extra ==" not in line
    }
    assert all(item["properties"] for item in made["components"])


def test_every_waiver_of_the_scanner_has_its_day_and_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    section = text[text.index("[tool.bandit]") :].split("\n[", 1)[0]
    waived = [line for line in section.splitlines() if line.startswith('    "')]
    assert len(waived) == len(PROJECT["tool"]["bandit"]["skips"]) + len(PROJECT["tool"]["bandit"]["exclude_dirs"])
    assert [line for line in waived if not DATE.search(line)] == []
    sources = [path for room in ("hub", "connectors") for path in sorted((ROOT / room).rglob("*.py"))]
    waivers = [
        (path.name, line)
        for path in sources
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"#\s*nosec", line)
    ]
    assert all(re.search(r"# nosec B\d{3} # 20\d\d-\d\d-\d\d: \S", line) for _, line in waivers), waivers
