"""Finds the factory of a kind of system: the shipped kinds by name, others by the entry-point group."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, cast

from connectors.base import ConnectorFactory
from connectors.errors import SettingsInvalid
from connectors.regions import UNKNOWN

GROUP = "crmhub.connectors"
SHIPPED: Mapping[str, str] = {
    "memory": "connectors.memory:MemoryConnector",
    "zoho_crm": "connectors.zoho_crm.backends:open_connector",
    "fxiaoke": "connectors.fxiaoke.connector:FxiaokeConnector",
}


def kinds() -> tuple[str, ...]:
    """Returns every known kind, sorted, without loading any."""
    return tuple(sorted({*SHIPPED, *(each.name for each in entry_points(group=GROUP))}))


def find(kind: str) -> ConnectorFactory:
    """Loads the factory of a kind. Raises SettingsInvalid for an unknown kind or one that cannot be loaded.

    A shipped kind cannot be replaced from outside, so that an installed package never takes over a connection.
    """
    if kind in SHIPPED:
        return _load(SHIPPED[kind])
    for each in entry_points(group=GROUP, name=kind):
        try:
            return cast(ConnectorFactory, each.load())
        except (ImportError, AttributeError) as error:
            raise SettingsInvalid(
                f"connector kind {kind} ({each.value}) cannot be loaded: {type(error).__name__}; reinstall its package",
                f"无法加载连接器类型 {kind}({each.value}):{type(error).__name__},请重新安装其软件包",
            ) from error
    known = ", ".join(kinds())
    raise SettingsInvalid(
        f"unknown connector kind {kind!r}; known: {known}", f"未知的连接器类型 {kind!r};已知类型:{known}"
    )


def allowed_hosts(kind: str) -> tuple[str, ...]:
    """Returns the hosts that a kind declares as `allowed_hosts` on its factory, in the form `Egress` takes them."""
    declared: Any = getattr(find(kind), "allowed_hosts", ())
    return tuple(declared)


def region(kind: str, settings: Mapping[str, Any]) -> str:
    """Returns where a connection of a kind keeps its records; UNKNOWN where the kind does not say."""
    told: Any = getattr(find(kind), "region", None)
    return UNKNOWN if told is None else str(told(settings))


def _load(path: str) -> ConnectorFactory:
    module, _, name = path.partition(":")
    return cast(ConnectorFactory, getattr(import_module(module), name))
