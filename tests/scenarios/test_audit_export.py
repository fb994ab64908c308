"""An export is one pass, refuses what it must, leaves nothing half-written, and stands in the log."""

from __future__ import annotations

import csv
import io
import json
import os
import random
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from runpy import run_path
from typing import Any

import audit_lab
import orjson
import pytest
from audit_lab import HandClock, act, opened
from audit_package import VERIFIER, judge, unpack
from openpyxl import load_workbook

from hub.audit.merkle import root_of
from hub.audit.package import HEADINGS, Gap, cells_of, csv_line, safe
from hub.cli.main import run
from hub.crypto.hashes import sha256 as digest
from hub.kernel.errors import Declined
from hub.operations import audit_files, audit_search
from hub.operations.audit_export import ExportFailed, export
from hub.operations.checkpointing import make_checkpoint
from hub.operations.installation import Installation
from hub.store import audit_index
from hub.store.audit_index import Wanted

DATABASES = (pytest.param("sqlite"), pytest.param("postgresql", marks=pytest.mark.postgres))
LONG = "4150868000000312345"


@pytest.fixture(params=DATABASES)
def hub(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    store = audit_lab.SQLITE if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    home = audit_lab.make_home(tmp_path / "hub", store=store)
    with opened(home, HandClock()) as made:
        yield made


def exports(hub: Installation) -> list[Any]:
    audit_index.catch_up(hub.store)
    return [entry for entry in audit_search.list_log(hub, limit=500) if entry["act"] == "audit.export"]


def test_a_filtered_package_holds_what_was_asked_for_and_is_noted_before_and_after(
    hub: Installation, tmp_path: Path
) -> None:
    for number in range(4):
        act(hub, 3)
        act(hub, 1, name="record.reveal", about="=HYPERLINK", reason="=1+1，客户来电", branch=LONG)
        make_checkpoint(hub)
        hub.clock.sleep(90_000 * (number % 2))
    made = export(hub, tmp_path / "p.zip", Wanted(act="record.reveal"))
    files = unpack(made.file)
    manifest = json.loads(files["manifest.json"])
    assert (made.entries, manifest["entries"], manifest["complete"]) == (4, 4, False)
    assert {orjson.loads(line)["act"] for line in files["entries.jsonl"].splitlines()} == {"record.reveal"}
    assert len(files["checkpoints.txt"].split(b"\n\n")) // 2 == 3  # the last of each day
    attempt, result = exports(hub)
    assert (attempt["stage"], result["stage"], attempt["corr"]) == ("attempt", "result", result["corr"])
    assert result["digest"] == made.digest == sha256(files["manifest.json"]).hexdigest()
    assert result["counts"] == {"entries": 4, "rows": made.rows}
    assert judge(made.file)[0] == 0


def test_tables_show_chinese_and_long_numbers_and_compute_nothing(tmp_path: Path) -> None:
    with opened(audit_lab.make_home(tmp_path / "hub"), HandClock()) as hub:
        act(hub, 2, about="=HYPERLINK", reason="＝1+1，客户来电", branch=LONG)
        made = export(hub, tmp_path / "p.zip", Wanted())
    assert made.size == made.file.stat().st_size
    files = unpack(made.file)
    assert next(iter(files)) == "manifest.json"
    assert files["entries.csv"].startswith(b"\xef\xbb\xbf")
    table = list(csv.reader(io.StringIO(files["entries.csv"].decode("utf-8-sig"), newline="")))
    row = dict(zip(table[0], table[1], strict=True))
    assert table[0] == list(HEADINGS)
    assert row["object id 对象编号"] == "'=HYPERLINK0"
    assert (row["branch 机构"], row["reason 原因"]) == (f"'{LONG}", "'＝1+1，客户来电")
    sheet = load_workbook(io.BytesIO(files["entries.xlsx"])).active
    cells = list(sheet.iter_rows())  # type: ignore[union-attr]
    assert {cell.data_type for line in cells for cell in line if cell.value is not None} <= {"s", "inlineStr"}
    shown = dict(zip(HEADINGS, (cell.value for cell in cells[1]), strict=True))
    assert (shown["branch 机构"], shown["object id 对象编号"]) == (LONG, "=HYPERLINK0")


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        *((text, f"'{text}") for text in ("=1", "+1", "-1", "@a", "\t=1", "\r=1", "＝1", "＋1", "－1", "＠a")),
        *((text, f"'{text}") for text in ("007", LONG, "1E5", "12e-3", "110101199003070000")),
        *((text, text) for text in ("", "12", "12345678901", "01a0c458-0d20", "a=b", "客户")),
    ],
)
def test_cells_are_neither_formulas_nor_rounded(cell: str, expected: str) -> None:
    assert safe(cell) == expected
    assert next(csv.reader(io.StringIO(csv_line([cell, "x"]).decode(), newline=""))) == [expected, "x"]


def test_a_workbook_goes_on_in_another_sheet(tmp_path: Path) -> None:
    book = audit_files.Sheets(limit=2)
    for number in range(5):
        book.append([f"={number}"] * len(HEADINGS))
    book.save(tmp_path / "b.xlsx")
    found = load_workbook(tmp_path / "b.xlsx")
    assert [sheet.max_row for sheet in found] == [3, 3, 2]
    rows = run_path(str(VERIFIER))["xlsx_rows"]((tmp_path / "b.xlsx").open("rb"))
    assert [row[0] for row in rows] == ["=0", "=1", "=2", "=3", "=4"]


def test_roots_over_gaps_give_the_root_of_the_whole_tree() -> None:
    tree_of, rng = run_path(str(VERIFIER))["Tree"], random.Random(3)
    for size in (*range(1, 40), 1000):
        leaves = [digest(bytes([number % 251, size % 251])) for number in range(size)]
        chosen = {number for number in range(size) if rng.random() < rng.choice((0.02, 0.3))}
        tree, gap = tree_of(digest), Gap.at(0, digest)
        for number, leaf in enumerate(leaves):
            if number not in chosen:
                gap.append(leaf)
                continue
            tree.skip(gap.high, [b64encode(node).decode() for _, node in gap.nodes])
            tree.append(leaf)
            gap = Gap.at(number + 1, digest)
        tree.skip(gap.high, [b64encode(node).decode() for _, node in gap.nodes])
        assert (tree.size, tree.root()) == (size, root_of(leaves))


def test_the_hub_and_the_verifier_write_the_same_tables() -> None:
    alone = run_path(str(VERIFIER))
    record = {
        "epoch": 1,
        "seq": 2,
        "ts": "2026-01-31T16:00:00.000001Z",
        "act": "a",
        "stage": "single",
        "id": "i",
        "outcome": "error",
        "actor": {"id": "local:x"},
        "src": {"channel": "cli"},
        "obj": {"type": "t", "id": "=1"},
        "fields": [{"name": "a"}, {"name": "b"}],
        "counts": {"n": 1, "m": 2},
        "reason": 'x" , 客户',
        "code": "007",
    }
    cells = cells_of(record, b"\1\2")
    assert alone["cells_of"](record, b"\1\2") == cells
    assert alone["csv_line"](cells) == csv_line(cells)
    assert cells[2] == "2026-02-01 00:00:00.000001"


def test_nothing_is_overwritten_and_nothing_is_left_of_what_does_not_verify(tmp_path: Path) -> None:
    home = audit_lab.make_home(tmp_path / "hub")
    out = tmp_path / "out"
    out.mkdir()
    with opened(home, HandClock()) as hub:
        act(hub, 5)
        (out / "kept.zip").write_text("mine")
        with pytest.raises(Declined):
            export(hub, out / "kept.zip", Wanted())
        assert exports(hub) == []
        make_checkpoint(hub)
        change = "UPDATE audit_entry SET body = replace(body, 'customer', 'complain') WHERE seq = 2"
        audit_lab.tamper(home, lambda conn: conn.execute(change))
        with pytest.raises(ExportFailed) as failed:
            export(hub, out / "p.zip", Wanted())
        assert "row 1:2" in failed.value.en
        assert [file.name for file in out.iterdir()] == ["kept.zip"]
        assert (out / "kept.zip").read_text() == "mine"
        with pytest.raises(ExportFailed):
            export(hub, tmp_path / "absent" / "p.zip", Wanted())
        assert [(entry["stage"], entry["outcome"], entry.get("code")) for entry in exports(hub)] == [
            ("attempt", "success", None),
            ("result", "error", "HUB-AUDIT-005"),
        ] * 2


def test_the_command_writes_a_package_also_where_there_are_no_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "no hard links")

    home = audit_lab.make_home(tmp_path / "hub")
    monkeypatch.setattr(os, "link", refuse)
    words = ["audit", "export", str(tmp_path / "p.zip"), "--home", str(home)]
    assert run([*words, "--json"]) == 0
    package = json.loads(capsys.readouterr().out)["package"]
    assert package["digest"] == sha256(unpack(tmp_path / "p.zip")["manifest.json"]).hexdigest()
    assert (tmp_path / "p.zip").stat().st_mode & 0o777 == 0o600
    assert run(words) != 0
    assert [file.name for file in tmp_path.iterdir() if file.name != "hub"] == ["p.zip"]
