"""The key provider for a key that the platform hands in: a mounted file (systemd-creds, k8s secret) or a variable."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hub.crypto.provider import ProviderStatus
from hub.crypto.suites import Suite
from hub.kernel.errors import KeyUnusable, Text
from hub.kernel.settings import KeySource
from hub.keys.held import HeldKey
from hub.keys.plugin import SECRET, Around, key_of, take_secret


class SecretKeyProvider(HeldKey):
    """Wraps keys under a key that is handed in as 32 bytes in base64, and keeps it in memory."""

    def __init__(self, reference: str, read: Callable[[], str], suite: Suite = Suite.XAES_256_GCM) -> None:
        """Reads the key once; `read` gives it again for the look at its health. Raises KeyUnusable."""
        self._reference, self._read = reference, read
        super().__init__("env", key_of(read(), reference), suite)

    def health(self) -> ProviderStatus:
        """Says whether a mounted file still holds the key in use; a variable was taken and is held until the end."""
        try:
            again = SecretKeyProvider(self._reference, self._read)
        except KeyUnusable as error:
            return ProviderStatus(False, Text(error.en, error.zh))
        if again.kek_id() != self._kek_id:
            return ProviderStatus(
                False,
                Text(
                    f"{self._reference} holds another key now; bring the old one back, or restart with the old one "
                    "under keys.also",
                    f"{self._reference} 已换成其他密钥；请换回，或将旧密钥加入 keys.also 后重启",
                ),
            )
        return ProviderStatus(True, Text("the secret is held", "密钥已载入"))


def open_secret(source: KeySource, around: Around, create: bool) -> SecretKeyProvider:
    """Opens the key behind `keys.secret`; makes none. Raises KeyUnusable."""
    reference = source.secret or ""
    if reference.startswith("file:"):
        _refuse_inside(around.home / reference[5:], around)
    return SecretKeyProvider(reference, lambda: take_secret(source.secret, around.home), around.suite)


def _refuse_inside(path: Path, around: Around) -> None:
    for folder in around.forbidden:
        if path.resolve().is_relative_to(folder.resolve()):
            raise KeyUnusable(
                f"secret file {path} lies inside {folder}, so a copy of the store would carry its key; mount it "
                "elsewhere",
                f"密钥文件 {path} 位于 {folder} 之内，存储的副本会连同密钥一起带走；请挂载到别处",
                code=SECRET,
            )
