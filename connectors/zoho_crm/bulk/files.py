"""The ZIP of a job: checked before anything is unpacked, then read row by row from memory.

It never lies on a disk: it holds personal data in the clear. Only its packed form is kept, and what is unpacked at a
time is one row and the window of the decompressor.
"""

from __future__ import annotations

import csv
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO, TextIOWrapper
from itertools import islice
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from connectors.zoho_crm.bulk.reasons import Damaged, Hostile

_END, _END_SIZE = b"PK\x05\x06", 22
_WIDE_END, _WIDE_END_SIZE = b"PK\x06\x07", 20
_ENCRYPTED = 0x1
_CHUNK = 1 << 20
# An offset that leads out of the file makes zipfile raise ValueError, of which UnicodeError is one.
_UNREADABLE = (BadZipFile, zlib.error, ValueError, EOFError, csv.Error, NotImplementedError, OSError, struct.error)


@dataclass(frozen=True, slots=True)
class FileBounds:
    """Bounds what a file may unpack to: bytes, times its packed size, and characters a row.

    A CSV of bank records packs to a fifth or a tenth; one of mostly empty columns to a fiftieth.
    """

    unpacked: int = 4 * 1024**3 - 1
    ratio: int = 200
    name: int = 100
    directory: int = 4096
    row: int = 8 * 1024**2


class ResultFile:
    """Is the CSV of one job, opened at its first row. Raises Damaged, or Hostile for one beyond the bounds."""

    def __init__(self, body: bytes, bounds: FileBounds) -> None:
        self._bounds = bounds
        _check_directory(body, bounds)
        try:
            self._zip = ZipFile(BytesIO(body))
            self._member = self._zip.infolist()[0]
        except (*_UNREADABLE, IndexError):
            raise _damaged("it is no ZIP file") from None
        _check_member(self._member, bounds)
        self._verify()
        self.header: tuple[str, ...] = ()
        self.row = 0
        self._rewind()

    def __repr__(self) -> str:
        return f"ResultFile({self._member.compress_size} bytes, row {self.row})"

    @property
    def mark(self) -> str:
        """Returns what tells this file from another of the same job."""
        return f"{self._member.CRC:08x}-{self._member.file_size}"

    def take(self, number: int) -> list[list[str]]:
        """Returns the next rows, as many cells each as the header has; fewer rows at the end. Raises Damaged."""
        try:
            rows = list(islice(self._rows, number))
        except _UNREADABLE:
            raise _damaged(f"it cannot be read after row {self.row}") from None
        for row in rows:
            self.row += 1
            if len(row) != len(self.header):
                raise _damaged(f"row {self.row} has {len(row)} cells, the header {len(self.header)}")
        return rows

    def go_to(self, row: int) -> None:
        """Goes to a row; one before the present is reached from the start."""
        if row < self.row:
            self._rewind()
        while self.row < row:
            if not self.take(min(row - self.row, 1000)):
                raise _damaged(f"it ends before row {row}")

    def _verify(self) -> None:
        """Unpacks everything once and keeps nothing, so that no row of a damaged file is delivered."""
        try:
            with self._zip.open(self._member) as packed:
                while packed.read(_CHUNK):
                    pass
        except _UNREADABLE:
            raise _damaged("its checksum does not hold") from None

    def _rewind(self) -> None:
        try:
            self._text = TextIOWrapper(self._zip.open(self._member), encoding="utf-8-sig", newline="")
            self._rows = self._read_rows()
            self.header = tuple(next(self._rows, []))
        except _UNREADABLE:
            raise _damaged("it has no readable header") from None
        self.row = 0

    def _read_rows(self) -> Iterator[list[str]]:
        for row in csv.reader(self._lines(), strict=True):
            self._unread = 0
            if row:
                yield row

    def _lines(self) -> Iterator[str]:
        """Yields lines; what a quoted cell or one endless line may add up to before a row ends is bounded."""
        self._unread, most = 0, self._bounds.row
        while line := self._text.readline(most + 1):
            self._unread += len(line)
            if self._unread > most:
                raise _hostile(f"a row is longer than {most} characters")
            yield line


def _check_directory(body: bytes, bounds: FileBounds) -> None:
    """Reads the end of the ZIP before a library does, which would hold every entry of a directory of millions."""
    end = len(body) - _END_SIZE
    if end < 0 or body[end : end + 4] != _END or body[-2:] != b"\0\0":
        raise _damaged("it is no ZIP file, or cut off")
    members, size = struct.unpack_from("<HI", body, end + 10)
    if members != 1 or size > bounds.directory:
        raise _hostile(f"it holds {members} files, one was due")
    if body[max(0, end - _WIDE_END_SIZE) : end][:4] == _WIDE_END:
        raise _hostile("it is a ZIP64 file, larger than any export")


def _check_member(member: ZipInfo, bounds: FileBounds) -> None:
    name = member.filename
    if len(name) > bounds.name or not name.lower().endswith(".csv") or "/" in name or "\\" in name:
        raise _damaged("its file is no CSV")
    if member.flag_bits & _ENCRYPTED or member.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise _damaged("it is packed in an unknown way")
    if member.file_size > min(bounds.unpacked, bounds.ratio * member.compress_size + _CHUNK):
        raise _hostile(f"it would unpack to {member.file_size} bytes")


def _damaged(en: str) -> Damaged:
    return Damaged(en, "文件不完整或无法解析")


def _hostile(en: str) -> Hostile:
    return Hostile(en, "文件解压后超出上限")
