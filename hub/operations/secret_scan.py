"""Looks for secrets in configuration, mappings and exports; names file and line of each, never a value."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from hub.kernel.errors import Problem, Text, problem
from hub.kernel.secret_forms import LINE_LIMIT, find_secrets

CODE = "HUB-CONF-005"
WRITTEN = ("config", "mappings")
HANDED_OVER = ("exports",)
"""Folders below the hub's own: what people write, and what leaves the hub and may hold hashes and signatures."""
SIZE_LIMIT = 256 * 1024**2
_OVERLAP = 512
_PACKED = frozenset({".zip", ".xlsx"})
# Beside a file that cannot be read: an archive that is damaged, locked or packed in a way that is not known here.
_UNREADABLE = (OSError, EOFError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, NotImplementedError, RuntimeError)
_DATABASES = frozenset({".db", ".db-wal", ".db-shm"})


def scan(home: Path, more: Sequence[Path] = ()) -> Iterator[Problem]:
    """Yields every place that looks like a secret, in the hub's folders and in further files or folders."""
    for name in (*WRITTEN, *HANDED_OVER):
        yield from _folder(home / name, home, digests=name in HANDED_OVER)
    for place in more:
        if not place.exists():
            yield problem(place.name, None, CODE, "does not exist; name another place", "不存在；请另行指定")
        yield from _folder(place, place.parent, digests=True)


def _folder(place: Path, root: Path, *, digests: bool) -> Iterator[Problem]:
    files = [place] if place.is_file() else sorted(place.rglob("*"))
    for file in files:
        name = str(file.relative_to(root))
        if file.is_symlink():
            yield _unread(name, "is a link and is not followed", "为符号链接，未跟随")
        elif file.is_file() and file.suffix not in _DATABASES:
            yield from _file(file, name, digests)


def _file(file: Path, name: str, digests: bool) -> Iterator[Problem]:
    try:
        if file.suffix.lower() in _PACKED:
            yield from _archive(file, name, digests)
        else:
            with file.open("rb") as opened:
                yield from _stream(opened, name, digests)
    except _UNREADABLE as error:
        yield _unread(name, f"cannot be read ({type(error).__name__})", f"无法读取（{type(error).__name__}）")


def _archive(file: Path, name: str, digests: bool) -> Iterator[Problem]:
    with zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            if not entry.is_dir():
                with archive.open(entry) as opened:
                    yield from _stream(opened, f"{name}!{entry.filename}", digests)


def _stream(opened: IO[bytes], name: str, digests: bool) -> Iterator[Problem]:
    for leak in find_secrets(_lines(opened), digests=digests):
        yield problem(name, leak.line, CODE, *_told(leak.text))
    if opened.read(1):
        en, zh = f"is larger than {SIZE_LIMIT} bytes; the rest was not read", f"超过 {SIZE_LIMIT} 字节，其余未检查"
        yield _unread(name, en, zh)


def _lines(opened: IO[bytes]) -> Iterator[tuple[int, str]]:
    """Yields numbered lines; one beyond the limit comes in pieces that overlap, so that memory stays bounded."""
    number, read, before = 1, 0, b""
    while read <= SIZE_LIMIT and (octets := opened.readline(LINE_LIMIT)):
        read += len(octets)
        # Without its zero bytes a text in UTF-16 can be looked through as well.
        yield number, (before + octets).replace(b"\0", b"").decode("utf-8", "replace")
        ended = octets.endswith(b"\n")
        number, before = number + ended, b"" if ended else octets[-_OVERLAP:]


def _told(kind: Text) -> tuple[str, str]:
    return (
        f"looks like {kind.en}; take it out, refer to it by env: or file:, and replace it at its vendor",
        f"疑似{kind.zh}；请移除并改用 env: 或 file: 引用，同时到厂商处更换",
    )


def _unread(name: str, en: str, zh: str) -> Problem:
    return problem(name, None, CODE, f"{en}; look at it yourself or move it away", f"{zh}；请自行检查或移走")
