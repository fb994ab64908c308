"""The schedule in the settings: what ships holds, and every mistake is named with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.kernel.errors import ConfigInvalid
from hub.kernel.settings import Settings, load_settings

SHIPPED = (Path(__file__).parents[3] / "config" / "hub.yaml").read_text(encoding="utf-8")


def load(folder: Path, text: str) -> Settings:
    (folder / "config").mkdir()
    (folder / "config" / "hub.yaml").write_text(text, encoding="utf-8")
    return load_settings(folder)


def test_the_shipped_schedule(tmp_path: Path) -> None:
    settings = load(tmp_path, SHIPPED)
    assert (settings.schedule.sync, settings.schedule.reconcile) == ("every 5m", "daily 02:00")
    assert settings.schedule.time_zone == "Asia/Shanghai"
    assert settings.daemon.management == "127.0.0.1:9464"


def test_without_the_sections_the_same_holds(tmp_path: Path) -> None:
    settings = load(tmp_path, SHIPPED[: SHIPPED.index("\nschedule:")])
    assert (settings.schedule.sync, settings.daemon.parallel) == ("every 5m", 1)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("sync: every 5m", "sync: sometimes", "schedule.sync"),
        ("reconcile: daily 02:00", "reconcile: daily 26:00", "schedule.reconcile"),
        ("time_zone: Asia/Shanghai", "time_zone: Asia/Nowhere", "schedule.time_zone"),
        ('# freeze: ["2026-12-31", "2027-02-05..2027-02-12"]', 'freeze: ["31.12."]', "schedule.freeze"),
        ('# blackout: ["workdays 17:00-17:30", "daily 23:45-00:30"]', 'blackout: ["17:00"]', "schedule.blackout"),
        ("misfire_grace_seconds: 60", "by_entity: {nobody: {sync: every 2m}}", "schedule.by_entity"),
        ("misfire_grace_seconds: 60", "by_entity: {customer: {systems: {sap: every 2m}}}", "customer.systems"),
        ("management: 127.0.0.1:9464", "management: 9464", "daemon.management"),
        ("management: 127.0.0.1:9464", "management: here", "daemon.management"),
        ("parallel: 1", "parallel: 0", "daemon.parallel"),
    ],
)
def test_every_mistake_is_named_with_its_line(old: str, new: str, said: str, tmp_path: Path) -> None:
    assert SHIPPED.count(old) == 1
    with pytest.raises(ConfigInvalid) as refused:
        load(tmp_path, SHIPPED.replace(old, new))
    [found] = [problem for problem in refused.value.problems if said in problem.en]
    line = SHIPPED[: SHIPPED.index(old)].count("\n") + 1
    assert found.line == line
    assert found.zh
