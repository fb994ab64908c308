#!/usr/bin/env python3
"""Verifies an exported audit package without the hub · 脱离系统校验审计导出包.

    python3 -I verify.py PACKAGE.zip [--key audit.key.pub] [--anchor checkpoints.txt]

PACKAGE is the ZIP file or the folder it was unpacked into. `--key` is your own copy of the public keys, one a line;
without it only the package vouches for itself. `--anchor` is your own copy of signed checkpoints.
Exit 0 all holds, 2 tampered with, 3 it cannot be told. Needs Python 3.9 and `cryptography` or the program `openssl`.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import re
import shutil
import subprocess  # nosec B404 # 2026-11-28: runs openssl, by its path
import sys
import tempfile
import zipfile
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from itertools import chain as chained
from pathlib import Path
from typing import Any, BinaryIO, cast
from xml.etree import ElementTree  # nosec B405 # 2026-11-28: see where it parses

OK, TAMPERED, UNCLEAR = 0, 2, 3
PROOFS = "crmhub-audit-proofs-1"
FORMAT, NAMES = "crmhub-audit-1", ("entries.jsonl", "checkpoints.txt", "proofs.json", "keys.json")
GENESIS, TOLERANCE, MANY = bytes(32), timedelta(seconds=2), 500
PEM = "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n"
Hash = Callable[[bytes], bytes]
Key = tuple[str, bytes, bytes]  # name, the four bytes that a signature line names it by, 32 bytes of Ed25519
Note = tuple[str, int, bytes, list[tuple[str, bytes, bytes]]]  # origin, size, root, signatures


class Tampered(Exception):
    """Is raised for what does not hold."""


class Unclear(Exception):
    """Is raised for what cannot be told."""


class Package:
    """Reads the files of a package, from a ZIP or a folder."""

    def __init__(self, path: Path) -> None:
        self.folder = path if path.is_dir() else None
        try:
            self.zip = None if self.folder else zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as error:
            raise Unclear(f"{path}: not a package that can be read · 无法读取导出包 ({error})") from None
        found = [item.name for item in path.iterdir()] if self.zip is None else self.zip.namelist()
        if len(found) != len(set(found)):
            raise Tampered("a file stands in the package twice · 包内有重名文件")
        self.names = set(found)

    def open(self, name: str) -> BinaryIO:
        try:
            return cast(BinaryIO, self.zip.open(name) if self.zip else (cast(Path, self.folder) / name).open("rb"))
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise Tampered(f"{name} is missing or damaged · 缺失或损坏 ({error})") from None

    def json(self, name: str) -> Any:
        with self.open(name) as file:
            try:
                return json.loads(file.read())
            except ValueError:
                raise Tampered(f"{name} is no JSON · 不是有效的 JSON") from None


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def hash_of(name: str) -> Hash:
    """Returns the hash of an epoch."""
    if name == "sha256":
        return sha256
    try:
        hashlib.new(name)
    except ValueError:
        raise Unclear(f"this Python has no {name} · 当前 Python 不支持 {name}") from None
    return lambda data: hashlib.new(name, data).digest()


# Keys and signed checkpoints (C2SP signed-note, Ed25519).


def key_of(text: str) -> Key:
    name, shown, encoded = text.strip().split("+", 2)
    raw = b64decode(encoded, validate=True)
    number = sha256(name.encode() + b"\n" + raw)[:4]
    if len(raw) != 33 or raw[:1] != b"\x01" or number.hex() != shown:
        raise ValueError(text)
    return name, number, raw[1:]


def note_of(text: str) -> Note:
    body, mark, tail = text.partition("\n\n")
    origin, size, root = body.split("\n")
    if not mark or not origin or not re.fullmatch(r"0|[1-9][0-9]{0,18}", size) or not tail.endswith("\n"):
        raise ValueError(text)
    signatures = []
    for line in tail[:-1].split("\n"):
        dash, name, encoded = line.split(" ")
        raw = b64decode(encoded, validate=True)
        if dash != "—" or len(raw) != 68:
            raise ValueError(text)
        signatures.append((name, raw[:4], raw[4:]))
    decoded = b64decode(root, validate=True)
    if len(decoded) != 32:
        raise ValueError(text)
    return origin, int(size), decoded, signatures


def notes_of(text: str) -> list[Note]:
    """Reads notes that were written one after the other, an empty line after each."""
    parts = text.split("\n\n")
    if parts and not parts[-1].strip():
        parts.pop()
    elif len(parts) % 2 == 0 and parts[-1].endswith("\n"):
        parts[-1] = parts[-1][:-1]
    if len(parts) % 2:
        raise ValueError("cut off")
    return [note_of(f"{head}\n\n{tail}\n") for head, tail in zip(parts[::2], parts[1::2])]  # noqa: B905 - Python 3.9


def by_cryptography() -> Callable[[bytes, bytes, bytes], bool] | None:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        return None

    def verify(public: bytes, message: bytes, signature: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True

    return verify


def by_openssl(public: bytes, message: bytes, signature: bytes) -> bool:
    program = shutil.which("openssl")
    if program is None:
        raise Unclear("neither cryptography nor openssl is here · 缺少 cryptography 库或 openssl 程序")
    with tempfile.TemporaryDirectory() as folder:
        spki = bytes.fromhex("302a300506032b6570032100") + public
        key, text, signed = (Path(folder) / name for name in ("key", "text", "signed"))
        key.write_text(PEM.format(b64encode(spki).decode()))
        text.write_bytes(message)
        signed.write_bytes(signature)
        way = ["-verify", "-pubin", "-inkey", str(key), "-rawin", "-in", str(text), "-sigfile", str(signed)]
        command = [program, "pkeyutl", *way]
        done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 # nosec B603 # 2026-11-28: no shell
        return done.returncode == 0


VECTOR = (  # RFC 8032 §7.1, test 2
    "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    "72",
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
)


class Signatures:
    """Tells whether notes are signed by a known key; `all` that every one is looked at, however many."""

    def __init__(self, keys: list[Key], *, openssl: bool = False) -> None:
        found = None if openssl else by_cryptography()
        self.keys, self.all, self.verify = keys, found is not None, found or by_openssl
        public, message, signature = (bytes.fromhex(part) for part in VECTOR)
        if not self.verify(public, message, signature):
            raise Unclear("this openssl does not verify Ed25519 · openssl 不支持 Ed25519")

    def hold(self, note: Note) -> bool:
        origin, size, root, signatures = note
        message = f"{origin}\n{size}\n{b64encode(root).decode()}\n".encode()
        return any(
            (name, number) == (key[0], key[1]) and self.verify(key[2], message, signature)
            for name, number, signature in signatures
            for key in self.keys
        )


# The tree (RFC 6962): entries and the roots over what the package leaves out, in order.


class Tree:
    """Is the right edge of a tree: (height, hash) of its full subtrees."""

    def __init__(self, hash_: Hash) -> None:
        self.hash, self.size, self.peaks = hash_, 0, cast("list[tuple[int, bytes]]", [])

    def append(self, node: bytes, height: int = 0) -> None:
        self.size += 1 << height
        while self.peaks and self.peaks[-1][0] == height:
            node, height = self.hash(b"\x01" + self.peaks.pop()[1] + node), height + 1
        self.peaks.append((height, node))

    def skip(self, high: int, nodes: list[str]) -> None:
        """Takes in the roots over the leaves up to `high`: the largest aligned subtrees, from left to right."""
        for node in nodes:
            room = (high - self.size).bit_length() - 1
            aligned = (self.size & -self.size).bit_length() - 1 if self.size else room
            if room < 0:
                raise Tampered("proofs.json: too many nodes · 证明节点过多")
            self.append(b64decode(node, validate=True), min(room, aligned))
        if self.size != high:
            raise Tampered("proofs.json: nodes are missing · 证明节点缺失")

    def root(self) -> bytes:
        if not self.peaks:
            return self.hash(b"")
        root = self.peaks[-1][1]
        for _, peak in reversed(self.peaks[:-1]):
            root = self.hash(b"\x01" + peak + root)
        return root


class Walk:
    """Goes through one epoch: its entries and gaps in order, and every checkpoint where the tree has its size."""

    def __init__(self, said: dict[str, Any], gaps: list[list[Any]], notes: list[Note], complete: bool) -> None:
        self.epoch, self.size, self.hash = said["epoch"], said["size"], hash_of(said["hash"])
        self.said, self.gaps, self.notes, self.complete = said, gaps, sorted(notes, key=lambda note: note[1]), complete
        self.tree, self.chain, self.number = Tree(self.hash), GENESIS, 0
        self.latest: datetime | None = None
        self.own: dict[int, bytes] = {}
        self.held = 0

    def run(self, entries: Iterator[tuple[bytes, dict[str, Any]]]) -> Iterator[tuple[dict[str, Any], bytes]]:
        gaps, notes = iter(self.gaps), iter(self.notes)
        gap, note = next(gaps, None), next(notes, None)
        while True:
            while note is not None and note[1] == self.tree.size:
                self._check_root(note)
                note = next(notes, None)
            if self.tree.size in self.own:
                self._check_own()
            if self.tree.size >= self.size:
                break
            if gap is not None and gap[0] == self.tree.size:
                if gap[1] <= gap[0] or gap[1] > self.size or self.complete:
                    raise Tampered(f"proofs.json: a gap at {self.epoch}:{gap[0]} that cannot be · 空缺范围无效")
                self.tree.skip(gap[1], gap[2])
                gap = next(gaps, None)
            else:
                yield self._take(entries)
        if note is not None or gap is not None or self.tree.size != self.size or self.number != self.said["entries"]:
            raise Tampered(f"epoch {self.epoch}: checkpoints, gaps or counts do not fit · 检查点、空缺或条数不符")
        if self.complete and self.chain.hex() != self.said["chain"]:
            raise Tampered(f"epoch {self.epoch}: the chain ends otherwise · 哈希链末值不符")

    def _check_own(self) -> None:
        self.held += 1
        if self.tree.root() != self.own[self.tree.size]:
            raise Tampered(
                f"your checkpoint over {self.tree.size} rows has another root · 与您留存的检查点不一致 ({self.epoch})"
            )

    def _check_root(self, note: Note) -> None:
        if self.tree.root() != note[2]:
            raise Tampered(
                f"epoch {self.epoch}: the first {note[1]} rows are not those that were signed · "
                f"前 {note[1]} 行与签名不符"
            )

    def _take(self, entries: Iterator[tuple[bytes, dict[str, Any]]]) -> tuple[dict[str, Any], bytes]:
        place = self.tree.size
        body, record = next(entries, (b"", {}))
        if (record.get("epoch"), record.get("seq")) != (self.epoch, place):
            found = f"{record.get('epoch')}:{record.get('seq')}" if record else "-"
            raise Tampered(
                f"entries.jsonl: row {self.epoch}:{place} is due and {found} stands there · 此处应为该行，实为 {found}"
            )
        leaf = self.hash(b"\x00" + body)
        self.chain = self.hash(b"csh1/chain" + place.to_bytes(8, "big") + self.chain + leaf)
        self.tree.append(leaf)
        self.number += 1
        at = datetime.fromisoformat(record["ts"].replace("Z", "+00:00"))
        if self.complete and self.latest and at < self.latest - TOLERANCE and record["act"] != "clock.jump":
            raise Tampered(f"row {self.epoch}:{place}: its time goes back · 时间倒退")
        self.latest = at if self.latest is None or record["act"] == "clock.jump" else max(at, self.latest)
        return record, leaf


def entries_of(file: BinaryIO) -> Iterator[tuple[bytes, dict[str, Any]]]:
    for line in file:
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if not line.endswith(b"\n") or not isinstance(record, dict):
            raise Tampered("entries.jsonl: a line is no record · 有一行不是记录")
        yield line[:-1], record


# The tables that people read: each must say what entries.jsonl says.


def cells_of(record: dict[str, Any], leaf: bytes) -> list[str]:
    """Returns the cells of a row, in the order of the tables."""
    about, said = record["obj"], record.get
    beijing = datetime.fromisoformat(record["ts"].replace("Z", "+00:00")).astimezone(timezone(timedelta(hours=8)))
    counts = " ".join(f"{name}={number}" for name, number in said("counts", {}).items())
    found = [
        record["epoch"], record["seq"], beijing.strftime("%Y-%m-%d %H:%M:%S.%f"), record["ts"], record["actor"]["id"],
        record["act"], record["stage"], record["outcome"], about["type"], about.get("id"), about.get("connection"),
        about.get("branch"), " ".join(note["name"] for note in said("fields", ())), said("code"), said("reason"),
        counts, said("corr"), said("ticket"), said("approver"), record["src"]["channel"], record["id"], leaf.hex(),
    ]  # fmt: skip
    return ["" if cell is None else str(cell)[:32000] for cell in found]


NUMERIC = re.compile(r"0[0-9]+|[0-9]{12,}|[0-9][0-9.,]*[eE][+-]?[0-9]+")


def safe(cell: str) -> str:
    """Returns a cell that no spreadsheet computes, nor rounds."""
    return f"'{cell}" if cell[:1] in tuple("=+-@\t\r＝＋－＠") or NUMERIC.fullmatch(cell) else cell


def csv_line(cells: list[str]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow([safe(cell) for cell in cells])
    return line.getvalue().encode()


PARTS = re.compile(
    r"\[Content_Types\]\.xml|_rels/\.rels|docProps/(app|core)\.xml|xl/_rels/workbook\.xml\.rels"
    r"|xl/(workbook|styles|sharedStrings|theme/theme1|worksheets/sheet[0-9]{1,4})\.xml$"
)


def xlsx_rows(file: BinaryIO) -> Iterator[list[str]]:
    """Yields the rows of all sheets without their headings. Raises Tampered for whatever is no plain text."""
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(file, copy)
        with zipfile.ZipFile(copy) as book:
            if other := [name for name in book.namelist() if not PARTS.match(name)]:
                raise Tampered(f"entries.xlsx: more than text · 含有文本以外的内容: {other[0]}")
            names = [name for name in book.namelist() if name.startswith("xl/worksheets/")]
            for name in sorted(names, key=lambda name: int("0" + re.sub(r"\D", "", name))):
                with book.open(name) as sheet:
                    yield from _sheet_rows(cast(BinaryIO, sheet))


def _sheet_rows(sheet: BinaryIO) -> Iterator[list[str]]:
    space, first = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}", True
    holder = None
    # expat itself bounds what entities may grow to.
    for event, element in ElementTree.iterparse(sheet, ("start", "end")):  # noqa: S314 # nosec B314 # 2026-11-28: above
        if event == "start":
            holder = element if element.tag == space + "sheetData" else holder
            continue
        if element.tag == space + "f":
            raise Tampered("entries.xlsx: a formula · 含有公式")
        if element.tag == space + "row":
            cells = list(element.iter(space + "c"))
            if any(cell.get("t") != "inlineStr" for cell in cells):
                raise Tampered("entries.xlsx: a cell that is no text · 有单元格不是文本")
            if not first:
                yield ["".join(text.text or "" for text in cell.iter(space + "t")) for cell in cells]
            first = False
            element.clear()
            if holder is not None:
                holder.clear()


# The verdict.


class Examination:
    """Verifies one package; `findings` is what does not hold, `unclear` what cannot be told, `told` what was seen."""

    def __init__(self, path: Path, keys: Path | None = None, anchor: Path | None = None, openssl: bool = False) -> None:
        self.path, self.own, self.anchor, self.openssl = path, keys, anchor, openssl
        self.findings: list[str] = []
        self.unclear: list[str] = []
        self.told: list[str] = []

    def run(self) -> int:
        """Verifies; returns the exit code."""
        try:
            self._run()
        except Tampered as error:
            self.findings.append(str(error))
        except Unclear as error:
            self.unclear.append(str(error))
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
            self.findings.append(f"a file is damaged · 文件损坏 ({error})")
        except (KeyError, ValueError, TypeError, AttributeError, IndexError, ElementTree.ParseError) as error:
            self.findings.append(f"the package is not in its form · 格式不符 ({type(error).__name__}: {error})")
        return TAMPERED if self.findings else UNCLEAR if self.unclear else OK

    def _run(self) -> None:
        self.package = Package(self.path)
        if "manifest.json" not in self.package.names:
            raise Unclear("manifest.json is missing: not a package · 缺少 manifest.json，不是导出包")
        with self.package.open("manifest.json") as file:
            self.digest = hashlib.sha256(file.read()).hexdigest()
        self.manifest = self.package.json("manifest.json")
        if self.manifest.get("format") != FORMAT:
            raise Unclear(f"this verifier knows {FORMAT} only · 本程序仅支持 {FORMAT}")
        self._check_files()
        self._read_keys()
        self._check_log()
        self._compare_anchor()

    def _check_files(self) -> None:
        listed = self.manifest["files"]
        stray = self.package.names - set(listed) - {"manifest.json"}
        if stray and self.package.zip is not None:
            self.findings.append(f"not in the manifest · 清单之外的文件: {', '.join(sorted(stray))}")
        if lacking := sorted({*listed, *NAMES} - self.package.names):
            raise Tampered(f"missing · 缺失: {', '.join(lacking)}")
        for name, said in listed.items():
            digest, length = hashlib.sha256(), 0
            with self.package.open(name) as file:
                while block := file.read(1 << 20):
                    digest.update(block)
                    length += len(block)
                    if length > said["bytes"]:
                        break
            if (digest.hexdigest(), length) != (said["sha256"], said["bytes"]):
                self.findings.append(f"{name} is not the file of the manifest · 与清单摘要不符")

    def _read_keys(self) -> None:
        given = [key_of(text) for text in self.package.json("keys.json")["keys"]]
        if self.own is None:
            self.told.append(
                "NO KEY OF YOUR OWN: the package vouches for itself; compare the key below, or give --key · "
                "未提供自有公钥：请核对下列公钥，或使用 --key"
            )
            self.keys = given
        else:
            try:
                lines = self.own.read_text(encoding="utf-8").splitlines()
                self.keys = [key_of(line) for line in lines if line.strip()]
            except (OSError, ValueError):
                raise Unclear(f"{self.own}: no public keys · 不是公钥文件") from None
        if not self.keys:
            raise Unclear("no public key · 没有公钥")
        for name, number, public in self.keys:
            self.told.append(f"key · 公钥: {name}+{number.hex()}+{b64encode(bytes([1]) + public).decode()}")

    def _check_log(self) -> None:
        signatures = Signatures(self.keys, openssl=self.openssl)
        with self.package.open("checkpoints.txt") as file:
            notes = notes_of(file.read().decode())
        told = self.package.json("proofs.json")
        if told["format"] != PROOFS:
            raise Tampered("proofs.json is not in its form · 格式不符")
        proofs = {item["epoch"]: item for item in told["epochs"]}
        self.walks: list[Walk] = []
        complete = self.manifest["complete"]
        for said in self.manifest["epochs"]:
            mine = self._of_epoch(notes, said["epoch"])
            self._check_signed(signatures, said, mine)
            self.walks.append(Walk(said, proofs[said["epoch"]]["gaps"], mine, complete))
        if sum(len(walk.notes) for walk in self.walks) != len(notes) or len(proofs) != len(self.walks):
            raise Tampered("checkpoints or proofs of no epoch of this package · 检查点或证明不属于本包")
        self._read_anchor()
        self._read_entries(complete)

    def _of_epoch(self, notes: list[Note], epoch: int) -> list[Note]:
        """Returns the notes of an epoch; what stands before the log in an origin is the name of the bank then."""
        tail = f"/{self.manifest['log']}/{epoch}"
        return [note for note in notes if note[0].endswith(tail)]

    def _check_signed(self, signatures: Signatures, said: dict[str, Any], mine: list[Note]) -> None:
        if not mine or max(note[1] for note in mine) != said["size"]:
            raise Tampered(f"epoch {said['epoch']}: no checkpoint over its {said['size']} rows · 缺少覆盖末行的检查点")
        due = mine if signatures.all or len(mine) <= MANY else [max(mine, key=lambda note: note[1])]
        for note in due:
            if not signatures.hold(note):
                raise Tampered(f"the checkpoint over {note[1]} rows is not signed by a known key · 检查点签名无效")
        self.told.append(
            f"epoch {said['epoch']} · 纪元: {len(due)} of {len(mine)} signatures · 签名已验, {said['size']} rows · 行"
        )

    def _read_entries(self, complete: bool) -> None:
        with self.package.open("entries.jsonl") as file, closing(self._tables()) as tables:
            next(tables)
            entries = entries_of(file)
            for number, walk in enumerate(self.walks):
                rows = walk.run(entries)
                first = next(rows, None)
                if complete and first is not None:
                    self._check_start(first[0], self.walks[number - 1] if number else None)
                for record, leaf in rows if first is None else chained([first], rows):
                    tables.send((record, leaf))
            if next(entries, None) is not None:
                raise Tampered("entries.jsonl: more rows than proofs · 行数多于证明")
            tables.send(None)
        number = sum(walk.number for walk in self.walks)
        if number != self.manifest["entries"]:
            raise Tampered("another number of entries than the manifest says · 条数与清单不符")
        kind = "complete · 完整日志" if complete else "filtered · 按条件筛选（完整性以清单摘要为准）"
        self.told.append(f"{number} entries · 条记录, {kind}")

    def _check_start(self, first: dict[str, Any], before: Walk | None) -> None:
        """Checks that an epoch begins with the signed end of the one before it."""
        carried = first.get("checkpoint")
        if before is None and carried is None:
            return
        if before is None or carried is None:
            raise Tampered(f"epoch {first['epoch']} does not follow the one before it · 纪元之间不衔接")
        note = note_of("\n".join(carried) + "\n")
        if first.get("code") != "rows_lost" and (note[1], note[2]) != (before.size, before.tree.root()):
            raise Tampered(f"epoch {first['epoch']} begins with another end of the one before · 与上一纪元末尾不符")

    def _tables(self) -> Any:
        with self.package.open("entries.csv") as table, self.package.open("entries.xlsx") as book:
            table.readline()
            sheet = xlsx_rows(book)
            while (row := (yield)) is not None:
                cells = cells_of(*row)
                place, expected = f"{cells[0]}:{cells[1]}", csv_line(cells)
                if table.read(len(expected)) != expected:
                    raise Tampered(f"entries.csv: row {place} is not that of entries.jsonl · 与 entries.jsonl 不符")
                if next(sheet, None) != cells:
                    raise Tampered(f"entries.xlsx: row {place} is not that of entries.jsonl · 与 entries.jsonl 不符")
            if table.read(1) or next(sheet, None) is not None:
                raise Tampered("a table has more rows than entries.jsonl · 表格多出行")
            yield

    def _read_anchor(self) -> None:
        """Gives every epoch the checkpoints that the auditor kept."""
        if self.anchor is None:
            return
        try:
            notes = notes_of(self.anchor.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise Unclear(f"{self.anchor}: no checkpoints, or cut off · 不是检查点文件或不完整") from None
        for walk in self.walks:
            walk.own = {note[1]: note[2] for note in self._of_epoch(notes, walk.epoch)}

    def _compare_anchor(self) -> None:
        if self.anchor is None:
            return
        held, given = sum(walk.held for walk in self.walks), sum(len(walk.own) for walk in self.walks)
        self.told.append(f"{held} of your {given} checkpoints of this log hold · 与您留存的检查点一致")
        if not held:
            self.unclear.append("none of your checkpoints could be compared · 没有可比对的检查点")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path)
    parser.add_argument("--key", type=Path)
    parser.add_argument("--anchor", type=Path)
    parser.add_argument("--openssl", action="store_true", help="do not use cryptography")
    given = parser.parse_args()
    seen = Examination(given.package, given.key, given.anchor, given.openssl)
    code = seen.run()
    for text in seen.told:
        print("-", text)
    for text in (*seen.findings, *seen.unclear):
        print("!", text)
    if getattr(seen, "digest", None):
        print(f"manifest.json SHA-256: {seen.digest}")
    print(["OK · 校验通过", "", "TAMPERED · 被篡改", "CANNOT VERIFY · 无法判定"][code])
    return code


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    sys.exit(main())
