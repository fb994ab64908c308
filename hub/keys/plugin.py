"""What a key provider is opened with, whatever kind it is; a plug-in's entry point names an `Opener`."""

from __future__ import annotations

import os
from base64 import b64decode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from hub.crypto.provider import KeyProvider
from hub.crypto.suites import Suite
from hub.crypto.wrapping import KEY
from hub.kernel.errors import KeyUnusable
from hub.kernel.secrets import SecretMissing, resolve_secret
from hub.kernel.settings import KeySource

OPENING = "HUB-KEY-010"
"""Is the code of a provider that cannot be opened; below: of its secret, the passphrase, the service, the device."""
SECRET, PASSPHRASE, SERVICE, DEVICE = "HUB-KEY-011", "HUB-KEY-012", "HUB-KEY-013", "HUB-KEY-014"


class Send(Protocol):
    """Sends one request to the service of a key source, under the guard, caps and deadline of every outgoing call."""

    def __call__(self, method: str, url: str, headers: dict[str, str], body: Any = None) -> tuple[int, Any]:
        """Returns the status below 500 and the decoded JSON; raises KeyUnusable when there was no usable answer."""


@dataclass(frozen=True, slots=True)
class Around:
    """Is what surrounds the providers of an installation; the composition root makes it."""

    home: Path
    forbidden: Sequence[Path]
    suite: Suite
    connect: Callable[[KeySource], Send] = field(repr=False)
    ask: Callable[[], str] | None = field(default=None, repr=False)
    """Asks the person at the terminal for the passphrase; None where nobody is there."""


class Opener(Protocol):
    """Opens a provider; `create` makes what a new installation still lacks. Raises KeyUnusable with the remedy."""

    def __call__(self, source: KeySource, around: Around, create: bool) -> KeyProvider: ...


# Variables that were read, and so taken out of the environment: child processes and crash reports never see them.
_taken: dict[str, str] = {}


def take_secret(reference: str | None, home: Path) -> str:
    """Returns the secret behind a reference; a variable is removed from the environment, a file is read each time.

    Raises KeyUnusable with the remedy.
    """
    if reference is None:
        raise needs("secret", "env:NAME or, better, file:PATH of a mounted secret", "env:变量名，或挂载的 file:路径")
    kind, _, name = reference.partition(":")
    try:
        value = resolve_secret(reference, home)
    except SecretMissing as missing:
        if kind != "env" or name not in _taken:
            raise KeyUnusable(f"keys.secret: {missing.en}", f"keys.secret：{missing.zh}", code=SECRET) from None
        return _taken[name]
    if kind == "env":
        _taken[name] = value
        os.environ.pop(name, None)
    return value


def key_of(text: str, reference: str) -> bytes:
    """Returns the 32 bytes that stand in base64; raises KeyUnusable."""
    try:
        key = b64decode(text.strip(), validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY:
        raise KeyUnusable(
            f"{reference} holds no key (32 bytes in base64); restore it from its copy, or for a new installation make "
            "one with `openssl rand -base64 32`",
            f"{reference} 不是密钥（32 字节的 base64）；请从副本恢复，新安装可用 `openssl rand -base64 32` 生成",
            code=SECRET,
        )
    return key


def needs(name: str, en: str, zh: str) -> KeyUnusable:
    """Returns the error for a setting that a provider needs."""
    return KeyUnusable(
        f"this key provider needs keys.{name}: {en}; set it in config/hub.yaml",
        f"该密钥来源需要 keys.{name}：{zh}；请在 config/hub.yaml 中填写",
        code=OPENING,
    )
