"""Finds and opens the key provider that a configuration names: the shipped ones by name, others by entry point."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import cast

from hub.crypto.provider import KeyProvider
from hub.crypto.suites import SUITES
from hub.kernel.errors import KeyUnusable
from hub.kernel.settings import Keys, KeySource
from hub.keys.chain import ProviderChain
from hub.keys.plugin import OPENING, Around, Opener

GROUP = "crmhub.key_providers"
SHIPPED: Mapping[str, str] = {
    "file": "hub.keys.file:open_file",
    "env": "hub.keys.secret:open_secret",
    "passphrase": "hub.keys.passphrase:open_passphrase",
    "vault": "hub.keys.vault:open_vault",
    "pkcs11": "hub.keys.device:open_device",
}


def open_providers(keys: Keys, around: Around, *, create: bool = False) -> ProviderChain:
    """Opens the configured providers as one; `create` makes what the first lacks. Raises KeyUnusable."""
    return ProviderChain([open_provider(item, around, create and item is keys) for item in (keys, *keys.also)])


def open_provider(source: KeySource, around: Around, create: bool = False) -> KeyProvider:
    """Opens one provider. Raises KeyUnusable for an unknown one, and for one that cannot wrap the suite in use."""
    provider = find(source.provider)(source, around, create)
    if around.suite not in provider.capabilities().suites:
        suite = next(name for name, item in SUITES.items() if item is around.suite)
        raise KeyUnusable(
            f"key provider {source.provider} wraps by AES only, which keys.suite {suite} excludes; choose a provider "
            "in software, or one for your device",
            f"密钥来源 {source.provider} 仅支持 AES，与 keys.suite {suite} 不符；请改用软件来源或设备厂商的来源",
            code=OPENING,
        )
    return provider


def find(name: str) -> Opener:
    """Loads the opener of a kind of provider. A shipped one cannot be replaced from outside. Raises KeyUnusable."""
    if name in SHIPPED:
        module, _, function = SHIPPED[name].partition(":")
        return cast(Opener, getattr(import_module(module), function))
    for each in entry_points(group=GROUP, name=name):
        try:
            return cast(Opener, each.load())
        except (ImportError, AttributeError) as error:
            raise KeyUnusable(
                f"key provider {name} ({each.value}) cannot be loaded: {type(error).__name__}; reinstall its package",
                f"无法加载密钥来源 {name}（{each.value}）：{type(error).__name__}；请重新安装其软件包",
                code=OPENING,
            ) from error
    known = ", ".join(sorted({*SHIPPED, *(each.name for each in entry_points(group=GROUP))}))
    raise KeyUnusable(
        f"key provider {name} is not known; use one of: {known}",
        f"未知的密钥来源 {name}；可选：{known}",
        code=OPENING,
    )
