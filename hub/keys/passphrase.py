"""The key provider for a passphrase that people know: for installations that only the command line runs."""

from __future__ import annotations

import json
import os
import unicodedata
from base64 import b64decode, b64encode
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hub.crypto.digests import Digester, compare
from hub.crypto.provider import ProviderStatus
from hub.crypto.stretching import SALT, Stretch, new_salt, stretch
from hub.crypto.suites import Suite
from hub.kernel.errors import KeyUnusable, Text
from hub.kernel.settings import KeySource
from hub.keys.held import HeldKey
from hub.keys.plugin import PASSPHRASE, Around, needs, take_secret

SHORTEST = 16
"""Characters that a new passphrase has at least."""
FILE = "keys/passphrase.json"
_LEAST, _MOST = Stretch(), Stretch(1024 * 1024, 16, 16)
_CHECK = b"csh1/passphrase-check"
_LONGEST = 4096


@dataclass(frozen=True, slots=True)
class Recipe:
    """Is how a passphrase becomes the key, and by what a mistyped one is known: the file beside the key. No secret."""

    cost: Stretch
    salt: bytes
    check: bytes = field(repr=False)

    def text(self) -> str:
        """Returns the content of the file."""
        body = {"kdf": "argon2id", **asdict(self.cost), "salt": _plain(self.salt), "check": _plain(self.check)}
        return json.dumps(body, indent=1) + "\n"


class PassphraseKeyProvider(HeldKey):
    """Wraps keys under a key that Argon2id makes of a passphrase; it is asked for once and then kept in memory."""

    def __init__(self, path: Path, passphrase: str, suite: Suite = Suite.XAES_256_GCM) -> None:
        """Reads the file with salt and cost. Raises KeyUnusable for a damaged or weaker one, or a wrong phrase."""
        self._path = path
        self._recipe = _load(path)
        key = stretch(_bytes(passphrase), self._recipe.salt, self._recipe.cost)
        if not compare(_check(key), self._recipe.check):
            raise _refused(
                path,
                "does not belong to this passphrase; type it again, mind the keyboard layout",
                "与口令不符；请重新输入，并注意键盘布局",
            )
        super().__init__("passphrase", key, suite)

    @classmethod
    def create(cls, path: Path, passphrase: str, suite: Suite = Suite.XAES_256_GCM) -> PassphraseKeyProvider:
        """Writes a new file, mode 0600, never over an existing one. Raises KeyUnusable."""
        if len(unicodedata.normalize("NFC", passphrase)) < SHORTEST:
            raise _refused(
                path,
                f"needs a passphrase of at least {SHORTEST} characters; take five or more random words",
                f"要求口令至少 {SHORTEST} 个字符；建议使用五个以上随机词",
            )
        salt = new_salt()
        recipe = Recipe(_LEAST, salt, _check(stretch(_bytes(passphrase), salt, _LEAST)))
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "w") as file:
                file.write(recipe.text())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise _unreadable(path, error) from None
        return cls(path, passphrase, suite)

    def health(self) -> ProviderStatus:
        """Says whether the file with the salt is still there and the same: without it the next start would fail."""
        try:
            same = _load(self._path) == self._recipe
        except KeyUnusable as error:
            return ProviderStatus(False, Text(error.en, error.zh))
        if not same:
            changed = _refused(self._path, "was changed; restore it from its copy", "已被改动；请从副本恢复")
            return ProviderStatus(False, Text(changed.en, changed.zh))
        return ProviderStatus(True, Text("the passphrase is held", "口令已载入"))


def open_passphrase(source: KeySource, around: Around, create: bool) -> PassphraseKeyProvider:
    """Opens the key of a passphrase, taken from `keys.secret` or asked of the person at the terminal."""
    path = around.home / (source.path or FILE)
    if source.secret is not None:
        passphrase = take_secret(source.secret, around.home)
    elif around.ask is not None:
        passphrase = around.ask()
    else:
        raise needs(
            "secret",
            "nobody is at a terminal to be asked; env:NAME or file:PATH",
            "没有终端可供输入；请用 env:变量名 或 file:路径",
        )
    if create and not path.exists():
        if source.secret is None and around.ask is not None and around.ask() != passphrase:
            raise _refused(path, "was not made: the two entries differ; repeat", "未建立：两次输入不一致，请重试")
        return PassphraseKeyProvider.create(path, passphrase, around.suite)
    return PassphraseKeyProvider(path, passphrase, around.suite)


def _load(path: Path) -> Recipe:
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(_LONGEST))
        recipe = _recipe(found)
    except OSError as error:
        raise _unreadable(path, error) from None
    except (ValueError, TypeError, KeyError):
        raise _refused(path, "is damaged; restore it from its copy", "已损坏；请从副本恢复") from None
    cost = recipe.cost
    fits = all(
        low <= value <= high for low, value, high in zip(_bounds(_LEAST), _bounds(cost), _bounds(_MOST), strict=True)
    )
    if not fits:
        raise _refused(
            path,
            "asks for a cost that was never written here; restore it from its copy",
            "中的计算成本不合规；请从副本恢复",
        )
    return recipe


def _recipe(found: Any) -> Recipe:
    cost = Stretch(*(found[name] for name in Stretch.__slots__))
    recipe = Recipe(cost, b64decode(found["salt"], validate=True), b64decode(found["check"], validate=True))
    whole = all(type(value) is int for value in _bounds(cost))
    if not whole or found["kdf"] != "argon2id" or (len(recipe.salt), len(recipe.check)) != (SALT, 32):
        raise ValueError("not what was written")
    return recipe


def _bounds(cost: Stretch) -> tuple[int, int, int]:
    return cost.memory, cost.passes, cost.lanes


def _check(key: bytes) -> bytes:
    return Digester(key).digest(_CHECK)


def _bytes(passphrase: str) -> bytes:
    # One passphrase, however the keyboard composed its letters.
    return unicodedata.normalize("NFC", passphrase).encode()


def _plain(octets: bytes) -> str:
    return b64encode(octets).decode()


def _unreadable(path: Path, error: OSError) -> KeyUnusable:
    reason = error.strerror or type(error).__name__
    return _refused(
        path,
        f"cannot be used: {reason}; restore it from its copy, or for a new installation run `crmhub init`",
        f"无法使用：{reason}；请从副本恢复，新安装请执行 `crmhub init`",
    )


def _refused(path: Path, en: str, zh: str) -> KeyUnusable:
    return KeyUnusable(f"passphrase file {path} {en}", f"口令文件 {path} {zh}", code=PASSPHRASE)
