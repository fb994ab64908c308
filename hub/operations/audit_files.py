"""The files of an exported package while they are written: entries, tables and proofs side by side, in one pass."""

from __future__ import annotations

import zipfile
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import IO, Any

import orjson
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell

from hub.audit.note import VerifierKey
from hub.audit.package import HEADINGS, Gap, cells_of, csv_line

ENTRIES, CSV, XLSX = "entries.jsonl", "entries.csv", "entries.xlsx"
CHECKPOINTS, PROOFS, KEYS, MANIFEST = "checkpoints.txt", "proofs.json", "keys.json", "manifest.json"
SHIPPED = ("verify.py", "verify.html", "README.md")
SHEET = 1_000_000
"""Rows of a sheet; Excel holds 1,048,576."""
_BLOCK = 1 << 20


class Sheets:
    """Writes a workbook row by row; every cell is text, so that nothing is computed, rounded or taken for a date."""

    def __init__(self, limit: int = SHEET) -> None:
        self._book = Workbook(write_only=True)
        self._limit, self._rows = limit, limit

    def append(self, cells: list[str]) -> None:
        if self._rows >= self._limit:
            self._sheet = self._book.create_sheet(f"audit {len(self._book.sheetnames) + 1}")
            self._sheet.freeze_panes = "A2"
            self._cells = [WriteOnlyCell(self._sheet, value="") for _ in HEADINGS]
            for cell in self._cells:
                cell.number_format = "@"
            self._write(list(HEADINGS))
            self._rows = 0
        self._write(cells)
        self._rows += 1

    def _write(self, texts: list[str]) -> None:
        # The library takes a text with an equals sign for a formula unless it is told again.
        for cell, text in zip(self._cells, texts, strict=True):
            cell.value = text
            cell.data_type = "s"
        self._sheet.append(self._cells)

    def save(self, path: Path) -> None:
        if not self._book.sheetnames:
            self._book.create_sheet("audit 1").append(list(HEADINGS))
        self._book.save(path)


@dataclass(slots=True)
class Files:
    """Is the open files of one package."""

    folder: Path
    entries: IO[bytes]
    table: IO[bytes]
    checkpoints: IO[bytes]
    proofs: IO[bytes]
    sheets: Sheets = field(default_factory=Sheets)
    between: bytes = b""

    def add(self, body: bytes, leaf: bytes) -> None:
        """Adds one entry to all three forms of the log."""
        cells = cells_of(orjson.loads(body), leaf)
        self.entries.write(body + b"\n")
        self.table.write(csv_line(cells))
        self.sheets.append(cells)

    def begin_proofs(self, epoch: int, first: bool) -> None:
        """Begins the gaps of an epoch."""
        head = b'{"format":"crmhub-audit-proofs-1","epochs":[' if first else b"\n]},"
        self.proofs.write(head + b'\n{"epoch":%d,"gaps":[' % epoch)
        self.between = b"\n"

    def add_gap(self, gap: Gap) -> None:
        """Adds the roots over what is left out."""
        nodes = [b64encode(node).decode() for _, node in gap.nodes]
        self.proofs.write(self.between + orjson.dumps([gap.low, gap.high, nodes]))
        self.between = b",\n"

    def finish(self, keys: tuple[VerifierKey, ...]) -> Mapping[str, dict[str, Any]]:
        """Closes all files and adds those that are the same for every package; returns size and digest of each."""
        self.proofs.write(b"\n]}]}\n")
        for file in (self.entries, self.table, self.checkpoints, self.proofs):
            file.close()
        self.sheets.save(self.folder / XLSX)
        (self.folder / KEYS).write_bytes(orjson.dumps({"keys": [str(key) for key in keys]}) + b"\n")
        for name in SHIPPED:
            (self.folder / name).write_bytes(shipped(name))
        names = (ENTRIES, CSV, XLSX, CHECKPOINTS, PROOFS, KEYS, *SHIPPED)
        return {name: measured(self.folder / name) for name in names}


def shipped(name: str) -> bytes:
    """Returns a file that goes into every package as it is."""
    return files("hub").joinpath("audit", "standalone", name).read_bytes()


@contextmanager
def open_files(folder: Path) -> Iterator[Files]:
    """Yields the files of a package in an empty folder."""
    with ExitStack() as stack:
        entries, table, checkpoints, proofs = (
            stack.enter_context((folder / name).open("wb")) for name in (ENTRIES, CSV, CHECKPOINTS, PROOFS)
        )
        made = Files(folder, entries, table, checkpoints, proofs)
        made.table.write(b"\xef\xbb\xbf" + csv_line(HEADINGS))
        yield made


def measured(path: Path) -> dict[str, Any]:
    """Returns the length and the SHA-256 of a file."""
    digest, length = sha256(), 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            length += len(block)
    return {"bytes": length, "sha256": digest.hexdigest()}


def pack(folder: Path, names: tuple[str, ...], target: Path) -> None:
    """Puts files into one archive."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name in names:
            archive.write(folder / name, name)
