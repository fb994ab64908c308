"""`crmhub backup` and `crmhub restore` as a person at the terminal meets them."""

from __future__ import annotations

import io
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

import hub.cli.backups  # noqa: F401 - adds its commands
from hub.app import initialise, open_installation, prepare
from hub.cli.main import run
from hub.kernel.settings import load_settings
from hub.operations.audit_search import list_log
from hub.operations.auditing import verify_log
from hub.store.anchor import FILE, load_rebuild
from hub.sync.rebuild import notice


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = initialise(tmp_path / "hub")
    prepare(made)
    return made


def say(home: Path, *words: str, lang: str = "en") -> tuple[int, str]:
    """Runs a command and returns its exit code and everything it said."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        code = run([*words, "--home", str(home), "--lang", lang])
        out.flush()
        err.flush()
    return code, "".join(stream.buffer.getvalue().decode() for stream in (out, err))  # type: ignore[attr-defined]


def ask(home: Path, *words: str) -> dict[str, Any]:
    _, said = say(home, *words, "--json")
    found: dict[str, Any] = json.loads(said[: said.rindex("}") + 1])
    return found


def test_backup_says_where_the_key_is_and_is_audited(home: Path, tmp_path: Path) -> None:
    code, said = say(home, "backup", str(tmp_path / "one.backup"))
    assert code == 0
    assert "NOT inside" in said
    assert str(home / "keys" / "hub.key") in said
    code, said = say(home, "backup", str(tmp_path / "two.backup"), lang="zh")
    assert code == 0
    assert "不含密钥" in said
    opened = open_installation(home)
    entry = list_log(opened, act="backup")[-1]
    assert verify_log(opened).ok
    opened.close()
    assert entry["obj"]["id"] == load_settings(home).installation.id
    assert len(entry["digest"]) == 64
    assert (home / "var" / FILE).exists()


def test_backup_answers_in_json(home: Path, tmp_path: Path) -> None:
    said = ask(home, "backup", str(tmp_path / "one.backup"))
    assert said["ok"]
    assert said["bytes"] == (tmp_path / "one.backup").stat().st_size
    assert said["key"] == {"inside": False, "path": str(home / "keys" / "hub.key")}
    assert said["tables"]["meta"] >= 2


def test_backup_beside_the_key_or_over_a_file_is_refused(home: Path, tmp_path: Path) -> None:
    code, said = say(home, "backup", str(home / "keys" / "one.backup"))
    assert (code, "HUB-REQ-409" in said) == (3, True)
    (tmp_path / "there").write_text("kept")
    code, said = say(home, "backup", str(tmp_path / "there"))
    assert (code, "HUB-REQ-409" in said) == (3, True)
    assert (tmp_path / "there").read_text() == "kept"
    code, said = say(home, "backup", str(tmp_path / "nowhere" / "one.backup"), lang="zh")
    assert (code, "HUB-BACKUP-001" in said) == (5, True)


def test_restore_asks_before_it_gives_a_store_up_and_then_says_what_comes_next(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "one.backup"
    assert say(home, "backup", str(file))[0] == 0
    code, said = say(home, "restore", str(file))
    assert (code, "--replace" in said) == (3, True)
    code, said = say(home, "restore", str(file), "--replace")
    assert code == 0
    assert "crmhub sync" in said
    opened = open_installation(home)
    with opened.store.read() as conn:
        assert load_rebuild(conn, "customer") is not None
    assert [entry["act"] for entry in list_log(opened, act="restore")] == ["restore"]
    assert verify_log(opened).ok
    assert not notice(opened.store, home / "var" / FILE, ["customer"]), "known already"
    opened.close()


def test_trial_leaves_the_store_alone(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "one.backup"
    assert say(home, "backup", str(file))[0] == 0
    before = (home / "var" / "hub.db").read_bytes()
    code, said = say(home, "restore", str(file), "--into", str(tmp_path / "trial"))
    assert (code, (tmp_path / "trial" / "hub.db").exists()) == (0, True), said
    assert (home / "var" / "hub.db").read_bytes() == before
    assert say(home, "restore", str(file), "--into", str(tmp_path / "trial"))[0] == 3


def test_new_machine_with_the_same_settings_and_key_takes_the_backup_over(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "one.backup"
    assert say(home, "backup", str(file))[0] == 0
    other = tmp_path / "other"
    shutil.copytree(home, other, ignore=shutil.ignore_patterns("var"))
    prepare(other)
    assert say(other, "restore", str(file))[0] == 0


@pytest.mark.parametrize("what", ["key", "installation", "file"])
def test_what_does_not_belong_is_refused_with_one_message(home: Path, tmp_path: Path, what: str) -> None:
    file = tmp_path / "one.backup"
    assert say(home, "backup", str(file))[0] == 0
    other = initialise(tmp_path / "other")
    config, ours = (folder / "config" / "hub.yaml" for folder in (other, home))
    if what == "key":
        shutil.copy(ours, config)
    if what == "file":
        shutil.copytree(home / "keys", other / "keys")
        shutil.copy(ours, config)
        file.write_bytes(b"PK not a backup")
    prepare(other)
    code, said = say(other, "restore", str(file), lang="zh")
    expected = {"key": (4, "HUB-BACKUP-005"), "installation": (3, "HUB-BACKUP-003"), "file": (5, "HUB-BACKUP-002")}
    assert code == expected[what][0]
    assert said.count("HUB-") == 1
    assert expected[what][1] in said
