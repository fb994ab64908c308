"""The signer of the audit log's checkpoints: a key of its own, and outside the database what it signed last.

It signs only what continues that: never fewer rows, never other rows. Beside the key lie `.pub` (the public keys, one a
line, for the auditors), `.signed` (the head that was signed last) and `.verified` (how the last verification ended).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from hub.audit.anchored import Walk
from hub.audit.merkle import Frontier
from hub.audit.note import Checkpoint, NoteInvalid, VerifierKey, sign
from hub.audit.tree import Head
from hub.crypto.hashes import HASHES
from hub.crypto.signatures import SigningKey, new_seed
from hub.kernel.errors import HubError, KeyUnusable
from hub.kernel.settings import Settings
from hub.keys.file import create_key, read_key
from hub.store.anchor import flush, scratch
from hub.store.database import store_errors


class HeadRefused(HubError):
    """Is raised when the log is not a continuation of what was signed last."""

    code = "HUB-AUDIT-003"
    exit_code = 5


@dataclass(frozen=True, slots=True)
class Signed:
    """Is the newest head that was signed: enough to go on from, and to notice a log that does not."""

    note: str
    epoch: int
    size: int
    hash: str
    peaks: tuple[str, ...]
    chain: str
    at: float | None
    signed_at: float

    def walk(self) -> Walk:
        """Returns the verification at that place."""
        tree = Frontier(self.size, [bytes.fromhex(peak) for peak in self.peaks], HASHES[self.hash])
        return Walk(Head(self.epoch, self.size - 1, bytes.fromhex(self.chain), self.at), tree, self.size)


@dataclass(frozen=True, slots=True)
class Verified:
    """Is how the last verification ended: instants in epoch seconds, the place it reached, and whether all held."""

    ok: bool
    at: float
    full_at: float | None
    rows: int
    place: Signed | None
    findings: int = 0


class Signer:
    """Signs under the key of an installation, and remembers outside the database what it signed."""

    def __init__(self, settings: Settings) -> None:
        """Reads the key. Raises KeyUnusable with the remedy."""
        path = settings.path(settings.audit.signing_key)
        self._key = SigningKey(read_key(path, (settings.var,)))
        self._path, self.name = path, name_of(settings)

    @property
    def public(self) -> VerifierKey:
        """Returns the public key under its name."""
        return VerifierKey(self.name, self._key.public)

    def sign(self, at: Walk, hash_: str, now: float, before: Signed | None) -> Signed:
        """Signs the head of a walk and remembers it before anyone sees the note.

        Raises HeadRefused for a log that is smaller, or not the continuation of what was signed.
        """
        point = Checkpoint(f"{self.name}/{at.head.epoch}", at.tree.size, at.tree.root())
        if before is not None and (at.head.epoch, at.tree.size) < (before.epoch, before.size):
            raise smaller(before.epoch, before.size, at.head.epoch, at.tree.size)
        if before is not None and at.head.epoch == before.epoch and at.anchored < before.size:
            raise other_rows(before.epoch, before.size)
        made = Signed(
            sign(point, self._key, self.name).text(),
            at.head.epoch,
            at.tree.size,
            hash_,
            tuple(peak.hex() for peak in at.tree.peaks),
            at.head.chain.hex(),
            at.head.at,
            now,
        )
        _keep(beside(self._path, "signed"), asdict(made))
        return made


def name_of(settings: Settings) -> str:
    """Returns the name under which an installation signs, which also begins its origins."""
    return f"{settings.audit.org}/crmhub/{settings.installation.id}"


def smaller(epoch: int, size: int, now_epoch: int, now_size: int) -> HeadRefused:
    """Returns the refusal of a log that is behind what was signed."""
    return HeadRefused(
        f"{size} rows of audit epoch {epoch} were signed, and the log has {now_size} of epoch {now_epoch}: its end was "
        "cut off or an older store was put back. Keep everything and tell the auditors; after a restore that was "
        "meant, run `crmhub audit epoch --reason TEXT`",
        f"审计纪元 {epoch} 已签名 {size} 行，而日志现为纪元 {now_epoch} 的 {now_size} 行：末尾被截断或放回了旧存储。"
        "请保留原状并通知审计人员；若确为恢复备份，请运行 `crmhub audit epoch --reason 原因`",
    )


def other_rows(epoch: int, size: int) -> HeadRefused:
    """Returns the refusal of a log whose signed rows are others now."""
    return HeadRefused(
        f"the first {size} rows of audit epoch {epoch} are not those that were signed; nothing more is signed. Keep "
        "everything as it is, run `crmhub audit verify` and tell the auditors",
        f"审计纪元 {epoch} 的前 {size} 行与签名时不同，不再签名。请保留原状，运行 `crmhub audit verify` 并通知审计人员",
    )


def create_signer(settings: Settings) -> None:
    """Makes the signing key where there is none, and adds its public half to what auditors are given."""
    path = settings.path(settings.audit.signing_key)
    if not path.exists() and not path.is_symlink():
        create_key(path, new_seed(), (settings.var,))
    publish(settings)


def publish(settings: Settings) -> None:
    """Adds the public key in use to the file of public keys, which keeps every earlier one."""
    signer = Signer(settings)
    known = trusted(settings)
    if signer.public not in known:
        text = "".join(f"{key}\n" for key in (*known, signer.public))
        _write(beside(settings.path(settings.audit.signing_key), "pub"), text.encode())


def trusted(settings: Settings) -> tuple[VerifierKey, ...]:
    """Returns the public keys that this installation has signed with. Raises KeyUnusable for a file that holds none."""
    path = beside(settings.path(settings.audit.signing_key), "pub")
    return read_public(path) if path.exists() else ()


def read_public(path: Path) -> tuple[VerifierKey, ...]:
    """Returns the public keys of a file, one a line. Raises KeyUnusable."""
    try:
        return tuple(VerifierKey.parse(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    except (OSError, UnicodeDecodeError, NoteInvalid):
        raise KeyUnusable(
            f"{path} does not hold public keys of the audit log; restore it from its copy",
            f"{path} 不是审计日志公钥文件；请从副本恢复",
            code="HUB-KEY-004",
        ) from None


def signed(settings: Settings) -> Signed | None:
    """Returns what was signed last, None where nothing was. Raises HeadRefused where that cannot be read."""
    found = _read(beside(settings.path(settings.audit.signing_key), "signed"))
    if found is None:
        return None
    try:
        return _signed(found)
    except (TypeError, KeyError):
        raise _unreadable(settings) from None


def verified(settings: Settings) -> Verified | None:
    """Returns how the last verification ended; one that cannot be read counts as none: all is verified again."""
    try:
        found = _read(beside(settings.path(settings.audit.signing_key), "verified"))
        if found is None:
            return None
        place = found.pop("place")
        return Verified(**found, place=None if place is None else _signed(place))
    except (HeadRefused, TypeError, KeyError):
        return None


def keep_verified(settings: Settings, made: Verified) -> None:
    """Notes how a verification ended, outside the database."""
    _keep(beside(settings.path(settings.audit.signing_key), "verified"), asdict(made))


def place_of(at: Walk, hash_: str, now: float) -> Signed:
    """Returns a place of the log to go on from, unsigned."""
    peaks = tuple(peak.hex() for peak in at.tree.peaks)
    return Signed("", at.head.epoch, at.tree.size, hash_, peaks, at.head.chain.hex(), at.head.at, now)


def beside(key: Path, suffix: str) -> Path:
    """Returns the file of a suffix beside the signing key."""
    return key.with_name(f"{key.name}.{suffix}")


def lines_of(note: str) -> tuple[str, ...]:
    """Returns a note as the first entry of an epoch carries it."""
    return tuple(note.removesuffix("\n").split("\n"))


def _signed(found: Mapping[str, Any]) -> Signed:
    return Signed(**{**found, "peaks": tuple(found["peaks"])})


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = orjson.loads(path.read_bytes())
        if not isinstance(found, dict):
            raise ValueError
    except FileNotFoundError:
        return None
    except ValueError:
        raise HeadRefused(
            f"{path} cannot be read, so nobody knows what was signed last; restore it from its copy, or move it away "
            "and run `crmhub audit checkpoint --adopt`",
            f"无法读取 {path}，无从得知最近一次签名；请从副本恢复，或移走后运行 `crmhub audit checkpoint --adopt`",
        ) from None
    return found


def _unreadable(settings: Settings) -> HeadRefused:
    path = beside(settings.path(settings.audit.signing_key), "signed")
    return HeadRefused(f"{path} does not hold a signed head; restore it", f"{path} 内容不是已签名表头；请恢复")


def _keep(path: Path, content: object) -> None:
    _write(path, orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def _write(path: Path, body: bytes) -> None:
    with store_errors(), scratch(path.parent, path.name) as fresh:
        fresh.write_bytes(body)
        flush(fresh)
        os.replace(fresh, path)
        flush(path.parent)
