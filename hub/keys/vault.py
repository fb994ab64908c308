"""The key provider for the Transit engine of HashiCorp Vault, or of what speaks its language: the key never leaves it.

Source: Vault's HTTP API of the Transit engine: read key, encrypt and decrypt with `associated_data`.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from hub.crypto.errors import WrongKey
from hub.crypto.provider import ProviderCapabilities, ProviderStatus
from hub.crypto.suites import Suite
from hub.kernel.errors import KeyUnusable, Text
from hub.kernel.settings import KeySource
from hub.keys.plugin import SERVICE, Around, Send, needs, take_secret

TYPES = ("aes256-gcm96", "chacha20-poly1305")
"""Key types that authenticate `associated_data`."""
_FORM = re.compile(rb"vault:v([1-9][0-9]{0,8}):[A-Za-z0-9+/]+={0,2}")
# What Vault says of a ciphertext that is not its own; every other refusal is about the token, the key or the service.
_ALTERED = re.compile(r"message authentication failed|invalid ciphertext", re.I)


class VaultKeyProvider:
    """Has Vault wrap keys under one version of a Transit key; the version in use belongs to the key's name.

    A key rotated in Vault becomes another `kek_id` at the next look at its health, and `crmhub key rotate kek` then
    wraps the data keys under it. Vault's own `rewrap` cannot do that: it takes no associated data, and the name of the
    wrapping key is part of ours.
    """

    def __init__(self, source: KeySource, send: Send, token: Callable[[], str]) -> None:
        """Asks Vault for the key's newest version. Raises KeyUnusable."""
        if source.url is None:
            raise needs("url", "https://vault.bank.example:8200", "https://vault.bank.example:8200")
        if source.key is None:
            raise needs("key", "the name of the Transit key", "Transit 密钥的名称")
        self._base = f"{source.url.rstrip('/')}/v1/{quote(source.mount)}"
        self._key, self._mount, self._namespace = source.key, source.mount, source.namespace
        self._send, self._token = send, token
        self._oldest, self._version = self._versions()

    def kek_id(self) -> str:
        """Returns `vault:MOUNT/KEY:vN`."""
        return f"{self._prefix}{self._version}"

    def opens(self, kek_id: str) -> bool:
        """Tells whether a key wrapped under an earlier version can be unwrapped: Vault keeps those from its minimum."""
        number = kek_id.removeprefix(self._prefix)
        return kek_id.startswith(self._prefix) and number.isdecimal() and self._oldest <= int(number) <= self._version

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """Returns the ciphertext as Vault writes it, `vault:vN:…`; raises KeyUnusable."""
        version = self._version
        body = {"plaintext": _text(key), "associated_data": _text(context), "key_version": version}
        wrapped = str(self._data("POST", "encrypt", body).get("ciphertext", "")).encode()
        found = _FORM.fullmatch(wrapped)
        if found is None or int(found[1]) != version:
            raise self._refused("wrapped under another version than asked for", "返回的密钥版本与请求不符")
        return wrapped

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Returns the key; raises WrongKey, and KeyUnusable when Vault is away or refuses the token."""
        if _FORM.fullmatch(wrapped) is None:
            raise WrongKey
        body = {"ciphertext": wrapped.decode(), "associated_data": _text(context)}
        try:
            return b64decode(str(self._data("POST", "decrypt", body).get("plaintext", "")), validate=True)
        except ValueError:
            raise self._refused("answered with no key", "返回内容不是密钥") from None

    def health(self) -> ProviderStatus:
        """Says whether Vault answers and the token may use the key; notices a version that is new in Vault."""
        try:
            self._oldest, self._version = self._versions()
        except KeyUnusable as error:
            return ProviderStatus(False, Text(error.en, error.zh))
        return ProviderStatus(True, Text("Vault answers", "Vault 可用"))

    def capabilities(self) -> ProviderCapabilities:
        return ProviderCapabilities(suites=frozenset({Suite.XAES_256_GCM}), hsm=False, exportable=False, sign=False)

    def __repr__(self) -> str:
        return f"VaultKeyProvider({self.kek_id()})"

    @property
    def _prefix(self) -> str:
        return f"vault:{self._mount}/{self._key}:v"

    def _versions(self) -> tuple[int, int]:
        found = self._data("GET", "keys")
        oldest, newest = found.get("min_decryption_version"), found.get("latest_version")
        if found.get("type") not in TYPES or found.get("derived") or found.get("exportable"):
            raise self._refused(
                f"holds a key of the wrong kind; make one of type {TYPES[0]}, not derived, not exportable",
                f"中的密钥类型不符；请使用 {TYPES[0]}，且不可派生、不可导出",
            )
        if not isinstance(oldest, int) or not isinstance(newest, int):
            raise self._refused("answered without the versions of the key", "未返回密钥版本")
        return oldest, newest

    def _data(self, method: str, act: str, body: Any = None) -> dict[str, Any]:
        headers = {"X-Vault-Token": self._token(), "X-Vault-Request": "true"}
        if self._namespace:
            headers["X-Vault-Namespace"] = self._namespace
        status, answer = self._send(method, f"{self._base}/{act}/{quote(self._key, safe='')}", headers, body)
        data = answer.get("data") if isinstance(answer, dict) else None
        if status == 200 and isinstance(data, dict):
            return data
        if status == 400 and act == "decrypt" and _ALTERED.search(" ".join(_errors(answer))):
            raise WrongKey
        raise self._status(status)

    def _status(self, status: int) -> KeyUnusable:
        if status == 403:
            return self._refused(
                "refuses the token: renew it, or give its policy read on keys/ and update on encrypt/ and decrypt/",
                "拒绝了令牌；请续期，或为其策略授予 keys/ 的 read、encrypt/ 与 decrypt/ 的 update",
            )
        if status == 404:
            return self._refused(
                f"has no such key; a new installation makes it with `vault write -f {self._mount}/keys/{self._key}`, "
                "an old one restores it",
                f"中没有该密钥；新安装可执行 `vault write -f {self._mount}/keys/{self._key}`，已有安装请恢复",
            )
        return self._refused(
            f"answered with status {status}; see its log and whether it is sealed",
            f"返回状态 {status}；请查看其日志及是否处于封存状态",
        )

    def _refused(self, en: str, zh: str) -> KeyUnusable:
        place = f"Vault ({self._mount}/{self._key})"
        return KeyUnusable(f"{place} {en}", f"{place} {zh}", code=SERVICE)


def open_vault(source: KeySource, around: Around, create: bool) -> VaultKeyProvider:
    """Opens the Transit key; makes none, since who may make one must not be who uses it. Raises KeyUnusable."""
    if source.secret is None:
        raise needs(
            "secret", "the token: file:PATH as Vault's agent keeps it, or env:NAME", "令牌：file:路径 或 env:变量名"
        )
    return VaultKeyProvider(source, around.connect(source), lambda: take_secret(source.secret, around.home))


def _errors(answer: Any) -> list[str]:
    found = answer.get("errors") if isinstance(answer, dict) else None
    return [item for item in found if isinstance(item, str)] if isinstance(found, list) else []


def _text(octets: bytes) -> str:
    return b64encode(octets).decode()
