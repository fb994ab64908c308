"""Keeps the suite honest: every patch beside this file breaks one safeguard, and the test it names must notice.

A patch begins with `Breaks:` (what is taken away) and `Turns red:` (the one test, as pytest names it);
the diff follows.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATCHES = sorted(Path(__file__).parent.glob("*.patch"))
PARTS = ("hub", "connectors", "mappings", "config", "tests")
SKIPPED = shutil.ignore_patterns("__pycache__", "*.pyc", ".hypothesis", ".pytest_cache")
TARGET = re.compile(r"^Turns red: (tests/\S+::\S+)$", re.MULTILINE)
TOUCHED = re.compile(r"^(?:---|\+\+\+) [ab]/(\S+)", re.MULTILINE)

pytestmark = pytest.mark.slow


def named_test(patch: Path) -> str:
    header = patch.read_text(encoding="utf-8").split("\ndiff ", 1)[0]
    found = TARGET.search(header)
    assert found is not None, f"{patch.name} names no test: its header needs a line `Turns red: tests/...::test_...`"
    return found.group(1)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Is a copy of the whole project; who breaks it mends it."""
    folder = tmp_path_factory.mktemp("copy")
    for part in PARTS:
        shutil.copytree(ROOT / part, folder / part, ignore=SKIPPED)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@contextmanager
def broken(copy: Path, patch: Path) -> Iterator[None]:
    """Applies a patch to the copy, and afterwards puts back every file as it was, its time included."""
    applied = subprocess.run(
        ["git", "apply", "-p1", str(patch)],
        cwd=copy,
        env={**os.environ, "GIT_CEILING_DIRECTORIES": str(copy.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert applied.returncode == 0, f"{patch.name} no longer applies, renew it: {applied.stderr}"
    touched = set(TOUCHED.findall(patch.read_text(encoding="utf-8")))
    try:
        assert any((copy / name).read_bytes() != (ROOT / name).read_bytes() for name in touched)
        yield
    finally:
        for name in touched:
            shutil.copy2(ROOT / name, copy / name)


def run_tests(folder: Path, *names: str, keep: bool = False) -> subprocess.CompletedProcess[str]:
    """Runs tests of a copy, against the copy's own code, with fixed random choices.

    `keep` leaves compiled files for the runs after it: they are valid for every file that is still as it was.
    """
    options = ["-q", "-x", "--tb=line", "-p", "no:cacheprovider", "--hypothesis-seed=1"]
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "" if keep else "1"}
    environment.pop("PYTEST_ADDOPTS", None)
    # What Hypothesis found on one mutation must not help it to find the next.
    shutil.rmtree(folder / ".hypothesis", ignore_errors=True)
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, *names],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )


def test_the_named_tests_pass_on_an_unpatched_copy(copy: Path) -> None:
    done = run_tests(copy, *sorted({named_test(patch) for patch in PATCHES}), keep=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.stem)
def test_a_mutation_turns_its_test_red(patch: Path, copy: Path) -> None:
    with broken(copy, patch):
        done = run_tests(copy, named_test(patch))
    # 1: tests ran and some failed; anything else (an import error, no such test) proves nothing.
    assert done.returncode == 1, f"{patch.name} was not noticed:\n{done.stdout[-3000:]}{done.stderr[-1000:]}"
    assert "1 failed" in done.stdout
