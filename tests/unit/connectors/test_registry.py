"""Kinds are found by name, loaded lazily, and unknown ones name the known."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from connectors import registry
from connectors.errors import SettingsInvalid
from connectors.memory import MemoryConnector


def test_a_shipped_kind_is_found() -> None:
    assert registry.find("memory") is MemoryConnector
    assert {"memory", "zoho_crm", "fxiaoke"} <= set(registry.kinds())
    assert registry.allowed_hosts("memory") == ()


def test_an_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(SettingsInvalid, match=r"salesforce.*fxiaoke, memory, zoho_crm"):
        registry.find("salesforce")


def test_an_entry_point_adds_a_kind_but_replaces_none(monkeypatch: pytest.MonkeyPatch) -> None:
    outside = [
        EntryPoint("acme", "connectors.memory:MemoryConnector", registry.GROUP),
        EntryPoint("memory", "os:getcwd", registry.GROUP),
        EntryPoint("gone", "no_such_package:Connector", registry.GROUP),
    ]

    def entry_points(group: str, name: str | None = None) -> list[EntryPoint]:
        return [each for each in outside if each.group == group and name in (None, each.name)]

    monkeypatch.setattr(registry, "entry_points", entry_points)
    assert registry.find("acme") is MemoryConnector
    assert registry.find("memory") is MemoryConnector
    assert "acme" in registry.kinds()
    with pytest.raises(SettingsInvalid, match="reinstall"):
        registry.find("gone")


def test_finding_one_kind_loads_no_other() -> None:
    code = (
        "import sys; from connectors.registry import find, kinds; kinds(); find('memory');"
        "print([m for m in sys.modules if m.startswith(('connectors.zoho', 'connectors.fx', 'requests'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
