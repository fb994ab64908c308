"""What ships: the wheel holds config and mappings as data of `hub`, and finds them without a repository."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import hub
from hub.canonical.schema import load_schema
from hub.canonical.shipped import shipped_folder
from pathlib import Path
import sys
from hub.app import initialise
schema = load_schema(shipped_folder("mappings") / "canonical")
print(Path(hub.__file__).parent, shipped_folder("mappings"), sorted(schema.entities))
home = initialise(Path(sys.argv[1]))
print(sorted(path.name for path in home.iterdir()))
"""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    subprocess.run([*build, str(ROOT)], check=True, timeout=300)
    with zipfile.ZipFile(next(folder.glob("crmhub-*.whl"))) as wheel:
        wheel.extractall(folder / "site")
    return folder / "site"


def test_wheel_brings_mappings_and_config_inside_hub(unpacked: Path) -> None:
    assert sorted(path.name for path in unpacked.iterdir() if path.suffix != ".dist-info") == ["connectors", "hub"]
    assert (unpacked / "hub/_shipped/config/hub.yaml").is_file()
    assert (unpacked / "hub/_shipped/mappings/canonical/customer.yaml").is_file()


def test_wheel_makes_a_hub_folder_without_the_repository(unpacked: Path, tmp_path: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": str(unpacked)}
    home = tmp_path / "made"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(home)],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    package, mappings, rest = done.stdout.splitlines()[0].split(" ", 2)
    assert Path(package).is_relative_to(unpacked)
    assert Path(mappings).is_relative_to(unpacked)
    assert rest == "['complaint', 'contact_log', 'customer']"
    assert done.stdout.splitlines()[1] == "['config', 'mappings']"


def test_editable_install_reads_the_repository(tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "made")],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert Path(done.stdout.split()[1]) == ROOT / "mappings"
