"""Secrets by reference: `env:NAME`, `file:PATH`, or `stored` for what the store keeps; settings never hold one."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from hub.kernel.errors import HubError, Text

_ENV = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*")
_KEY = re.compile(r"(?i)(secret|password|passwd|token|permanent_?code|private_?key|refresh)")
# Long runs of mixed letters and digits: tokens and keys. Addresses, UUIDs and ids that say so (FSUID_…) stay below.
_VALUE = re.compile(
    r"1000\.[0-9a-f]{16,}(\.[0-9a-f]+)?|eyJ[\w-]+\.[\w-]+\.[\w-]+|-----BEGIN.*"
    r"|(?![A-Z]+ID_)(?![0-9a-fA-F]{8}-[0-9a-fA-F-]{27}$)(?=\S*[0-9])(?=\S*[A-Za-z])[A-Za-z0-9+_=-]{32,}",
    re.S,
)
_SIZE_LIMIT = 64 * 1024
STORED = "stored"
"""Refers to a credential that the store keeps sealed, as `crmhub connect` put it there."""
_STORED_TOO = (", or stored (kept sealed by `crmhub connect`)", "，或 stored（由 `crmhub connect` 加密保存）")


class SecretMissing(HubError):
    """Is raised when a reference names a variable or file that is not there, is empty or is open to everyone."""

    code = "HUB-CONF-003"
    exit_code = 2


def check_reference(text: str, *, stored: bool = False) -> Text | None:
    """Returns what is wrong with a reference, without showing it; `stored` admits what the store itself keeps."""
    if _ENV.fullmatch(text) or (text.startswith("file:") and len(text) > 5 and "\0" not in text):
        return None
    if text == STORED and stored:
        return None
    also, too = _STORED_TOO if stored else ("", "")
    return Text(
        f"must be a reference, env:NAME or file:PATH{also}; a secret itself never stands in the settings "
        "(if one stood here, replace it at its vendor)",
        f"应为引用：env:变量名 或 file:路径{too}；密钥本身不得写入配置（若已写入，请到厂商处更换）",
    )


def stored_as(name: str) -> str:
    """Returns the name under which the store keeps a credential of a system."""
    return f"credential/{name}"


def not_stored(system: str) -> SecretMissing:
    """Returns the error for a credential that the store is to keep and does not have."""
    return SecretMissing(
        f"is not stored yet; authorise the hub with `crmhub connect {system}`",
        f"尚未保存；请用 `crmhub connect {system}` 授权",
    )


def names_secret(key: str) -> bool:
    """Tells whether a key says that its value is a secret."""
    return _KEY.search(key) is not None


def looks_secret(value: object) -> bool:
    """Tells whether a value has the form of a token, key or password hash."""
    return isinstance(value, str) and _VALUE.fullmatch(value) is not None


def resolve_secret(reference: str, home: Path) -> str:
    """Returns the secret behind a reference, without its line end. Raises SecretMissing with the remedy.

    A relative file lies in the hub's folder. A file that everyone on the machine can read is refused.
    """
    kind, _, name = reference.partition(":")
    if check_reference(reference) is not None:
        raise SecretMissing(
            "a credential is not a reference: use env:NAME or file:PATH", "凭据不是引用：请用 env: 或 file:"
        )
    value = os.environ.get(name, "") if kind == "env" else _read(home / name)
    if not value:
        raise SecretMissing(
            f"{reference} is not set or empty; set it before crmhub starts",
            f"{reference} 未设置或为空；请在启动 crmhub 前设置",
        )
    return value


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode) or mode & 0o007:
                raise SecretMissing(
                    f"secret file {path} is open to every user or not a file; chmod 600 it (440 for a mounted one)",
                    f"密钥文件 {path} 对所有用户开放或不是普通文件；请 chmod 600（挂载的可为 440）",
                )
            return file.read(_SIZE_LIMIT).decode("utf-8").strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text in UTF-8"
        raise SecretMissing(
            f"secret file {path} cannot be read: {reason}", f"无法读取密钥文件 {path}：{reason}"
        ) from None
