"""The default key provider: 32 random bytes in a file that only the service user can read."""

from __future__ import annotations

import os
import stat
from base64 import b64decode, b64encode
from collections.abc import Sequence
from pathlib import Path

from hub.crypto.provider import ProviderStatus
from hub.crypto.suites import Suite
from hub.crypto.wrapping import KEY, new_key
from hub.kernel.errors import KeyUnusable, Text
from hub.kernel.settings import KeySource
from hub.keys.held import HeldKey
from hub.keys.plugin import Around

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LONGEST = 256


class FileKeyProvider(HeldKey):
    """Wraps keys under the key in a file; reads the file once and keeps the key in memory."""

    def __init__(
        self, path: Path | str, forbidden: Sequence[Path | str] = (), suite: Suite = Suite.XAES_256_GCM
    ) -> None:
        """Reads the key; `forbidden` are the data and backup directories. Raises KeyUnusable with the remedy.

        `suite` is what new keys are wrapped by; keys wrapped by another suite are unwrapped as well.
        """
        self._path = Path(path)
        self._forbidden = tuple(Path(place) for place in forbidden)
        super().__init__("file", _read(self._path, self._forbidden), suite)

    @classmethod
    def create(
        cls, path: Path | str, forbidden: Sequence[Path | str] = (), suite: Suite = Suite.XAES_256_GCM
    ) -> FileKeyProvider:
        """Makes a new key file, mode 0600, never over an existing one; raises KeyUnusable with the remedy."""
        path = Path(path)
        _refuse_forbidden(path, [Path(place) for place in forbidden])
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise _unreadable(path, error) from None
        try:
            _write(path, b64encode(new_key()) + b"\n")
        except FileExistsError:
            raise _unusable(
                "005", path, "exists already", "已存在", "keep it, or name another path", "请保留它，或改用其他路径"
            ) from None
        except OSError as error:
            raise _unreadable(path, error) from None
        return cls(path, forbidden, suite)

    def health(self) -> ProviderStatus:
        """Says whether the file is still there, still ours alone and still holds the key in use."""
        try:
            again = FileKeyProvider(self._path, self._forbidden)
        except KeyUnusable as error:
            return ProviderStatus(False, Text(error.en, error.zh))
        if again.kek_id() != self._kek_id:
            changed = _unusable(
                "006",
                self._path,
                "holds another key now",
                "内容已换成其他密钥",
                "restart with the right file",
                "请换回原文件",
            )
            return ProviderStatus(False, Text(changed.en, changed.zh))
        return ProviderStatus(True, Text("the key file is readable", "密钥文件可读"))


def open_file(source: KeySource, around: Around, create: bool) -> FileKeyProvider:
    """Opens the key file of a key source; `create` makes a missing one. Raises KeyUnusable."""
    path = around.home / (source.path or "keys/hub.key")
    if create and not path.exists():
        return FileKeyProvider.create(path, around.forbidden, around.suite)
    return FileKeyProvider(path, around.forbidden, around.suite)


def _read(path: Path, forbidden: Sequence[Path]) -> bytes:
    _refuse_forbidden(path, forbidden)
    try:
        descriptor = os.open(path, _OPEN)
    except OSError as error:
        if path.is_symlink():
            raise _unusable(
                "002", path, "is a symbolic link", "是符号链接", "name the file itself", "请直接指向文件本身"
            ) from None
        raise _unreadable(path, error) from None
    try:
        # The checks look at the opened file, not at its name, so it cannot be exchanged between check and read.
        _refuse_shared(path, os.fstat(descriptor))
        text = os.read(descriptor, _LONGEST)
    except OSError as error:
        raise _unreadable(path, error) from None
    finally:
        os.close(descriptor)
    try:
        key = b64decode(text.strip(), validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY:
        raise _unusable(
            "004",
            path,
            "is not a key file (32 bytes in base64)",
            "不是密钥文件（32 字节的 base64）",
            "restore it from its backup; a new key cannot open an existing store",
            "请从密钥备份恢复；新密钥无法打开已有存储",
        )
    return key


def _refuse_shared(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _unusable("002", path, "is not a regular file", "不是普通文件", "name the key file", "请指向密钥文件")
    if status.st_uid != os.geteuid():
        raise _unusable(
            "002",
            path,
            f"belongs to user {status.st_uid}, not to the user running crmhub ({os.geteuid()})",
            f"属于用户 {status.st_uid}，而非运行 crmhub 的用户（{os.geteuid()}）",
            f"chown {os.geteuid()} {path}",
            f"chown {os.geteuid()} {path}",
        )
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        raise _unusable(
            "002",
            path,
            f"can be reached by other users (mode {mode:04o})",
            f"其他用户可访问（权限 {mode:04o}）",
            f"chmod 600 {path}, and treat the key as exposed if others could read it",
            f"chmod 600 {path}；若曾被他人读取，应视为已泄露",
        )


def _refuse_forbidden(path: Path, forbidden: Sequence[Path]) -> None:
    # Only the directory is resolved: a link in the last place is refused on its own, by name.
    place = Path(os.path.realpath(path.parent)) / path.name
    for directory in forbidden:
        if place.is_relative_to(os.path.realpath(directory)):
            raise _unusable(
                "003",
                path,
                f"lies inside {directory}, so a copy of the store would carry its key",
                f"位于 {directory} 之内，存储的副本会连同密钥一起带走",
                "move it out of the data and backup directories",
                "请移出数据目录和备份目录",
            )


def _write(path: Path, text: bytes) -> None:
    descriptor = os.open(path, _CREATE, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
        os.write(descriptor, text)
        os.fsync(descriptor)
    except OSError:
        path.unlink()
        raise
    finally:
        os.close(descriptor)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _unreadable(path: Path, error: OSError) -> KeyUnusable:
    reason = error.strerror or type(error).__name__
    return _unusable(
        "001",
        path,
        f"cannot be used: {reason}",
        f"无法使用：{reason}",
        "check the path and the directory's permissions, or make one with `crmhub init`",
        "请检查路径和目录权限，或用 `crmhub init` 新建",
    )


def _unusable(number: str, path: Path, en: str, zh: str, remedy_en: str, remedy_zh: str) -> KeyUnusable:
    return KeyUnusable(
        f"key file {path} {en}; {remedy_en}", f"密钥文件 {path} {zh}；{remedy_zh}", code=f"HUB-KEY-{number}"
    )


def read_key(path: Path, forbidden: Sequence[Path] = ()) -> bytes:
    """Returns the 32 bytes of a key file, checked like that of the data keys. Raises KeyUnusable with the remedy."""
    return _read(path, forbidden)


def create_key(path: Path, key: bytes, forbidden: Sequence[Path] = ()) -> None:
    """Writes a new key file, mode 0600, never over an existing one. Raises KeyUnusable with the remedy."""
    _refuse_forbidden(path, forbidden)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(path, b64encode(key) + b"\n")
    except OSError as error:
        raise _unreadable(path, error) from None
