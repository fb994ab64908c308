"""The file of a bulk read job: read row by row, and nothing that is damaged or would unpack to a flood is delivered."""

from __future__ import annotations

import io
import struct
from typing import Any
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZipFile, ZipInfo

import pytest

from connectors.base import FieldDescription
from connectors.zoho_crm.bulk.columns import columns_for, lacking, layout_of
from connectors.zoho_crm.bulk.files import FileBounds, ResultFile
from connectors.zoho_crm.bulk.reasons import Damaged, Hostile
from connectors.zoho_crm.bulk.values import reading_of

HEADER = "id,Last_Name,Description"


def packed(*lines: str, name: str = "77.csv", end: str = "\r\n", method: int = ZIP_DEFLATED) -> bytes:
    return packed_bytes(end.join([*lines, ""]).encode(), name=name, method=method)


def packed_bytes(content: bytes, name: str = "77.csv", method: int = ZIP_DEFLATED) -> bytes:
    body = io.BytesIO()
    with ZipFile(body, "w", method) as archive:
        archive.writestr(name, content)
    return body.getvalue()


def opened(body: bytes, **bounds: int) -> ResultFile:
    return ResultFile(body, FileBounds(**bounds))


def test_rows_come_as_they_were_written_whatever_they_hold() -> None:
    file = opened(packed(HEADER, '1,𠮷田,"一,""二""\r\n三"', "2,王,", '3,"",x'))
    assert file.header == ("id", "Last_Name", "Description")
    assert file.take(2) == [["1", "𠮷田", '一,"二"\r\n三'], ["2", "王", ""]]
    assert (file.row, file.take(9), file.take(9)) == (2, [["3", "", "x"]], [])


def test_a_byte_order_mark_is_no_part_of_the_first_name() -> None:
    assert opened(packed("\ufeff" + HEADER)).header[0] == "id"


def test_a_file_goes_on_at_any_row_and_back() -> None:
    file = opened(packed(HEADER, *(f"{n},王{n}," for n in range(5000))))
    file.go_to(4321)
    assert file.take(1) == [["4321", "王4321", ""]]
    file.go_to(7)
    assert file.take(1) == [["7", "王7", ""]]
    with pytest.raises(Damaged):
        file.go_to(5001)


def test_a_file_tells_itself_from_another() -> None:
    one, other = opened(packed(HEADER, "1,a,b")), opened(packed(HEADER, "1,a,c"))
    assert one.mark == opened(packed(HEADER, "1,a,b")).mark != other.mark


@pytest.mark.parametrize("part", range(1, 10))
def test_a_file_that_breaks_off_anywhere_is_damaged(part: int) -> None:
    whole = packed(HEADER, *(f"{n},王{n},{n * 7919}" for n in range(500)))
    with pytest.raises(Damaged):
        opened(whole[: len(whole) * part // 10])


def test_one_changed_byte_is_noticed_before_any_row_is_delivered() -> None:
    whole = bytearray(packed(HEADER, *(f"{n},王{n},{n * 7919}" for n in range(500))))
    whole[len(whole) // 2] ^= 0xFF
    with pytest.raises(Damaged):
        opened(bytes(whole))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>502</html>",
        b'{"code":"INTERNAL_ERROR"}',
        packed(HEADER, name="77.ics"),
        packed(HEADER, name="../77.csv"),
        packed(HEADER, name="a\\77.csv"),
        packed(HEADER, name="7" * 200 + ".csv"),
        packed(HEADER, method=ZIP_BZIP2),
        packed_bytes(b"\xff\xfe\xfa"),
    ],
    ids=["empty", "html", "json", "name", "path", "other path", "long name", "method", "not utf-8"],
)
def test_what_is_no_zip_with_one_csv_is_damaged(body: bytes) -> None:
    with pytest.raises(Damaged):
        opened(body).take(1)


def test_an_encrypted_member_is_damaged() -> None:
    body = bytearray(packed(HEADER, "1,a,b"))
    body[6] |= 1
    body[body.rindex(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(Damaged):
        opened(bytes(body))


def test_a_row_of_another_width_or_a_quote_that_never_ends_is_damaged() -> None:
    for wrong in ("1,a", "1,a,b,c", '1,"a,b'):
        with pytest.raises(Damaged):
            opened(packed(HEADER, wrong)).take(5)


# Bombs.


def test_a_bomb_is_refused_by_its_size_before_it_is_unpacked() -> None:
    bomb = packed_bytes(HEADER.encode() + b"\0" * 30_000_000)
    assert len(bomb) < 40_000
    with pytest.raises(Hostile):
        opened(bomb)
    with pytest.raises(Hostile):
        opened(packed(HEADER, *["1,a,b"] * 1000), unpacked=1000)


def test_a_bomb_that_lies_about_its_size_is_cut_at_what_it_said() -> None:
    bomb = bytearray(packed_bytes(HEADER.encode() + b"\0" * 30_000_000))
    entry = bomb.rindex(b"PK\x01\x02")
    struct.pack_into("<I", bomb, entry + 24, 1000)
    with pytest.raises(Damaged):
        opened(bytes(bomb))


def test_two_files_or_a_directory_of_many_are_refused_without_reading_them() -> None:
    body = io.BytesIO()
    with ZipFile(body, "w") as archive:
        for n in range(20_000):
            archive.writestr(ZipInfo(f"{n}.csv"), b"")
    with pytest.raises(Hostile):
        opened(body.getvalue())
    lying = bytearray(body.getvalue())
    struct.pack_into("<HH", lying, len(lying) - 22 + 8, 1, 1)
    with pytest.raises(Hostile):
        opened(bytes(lying))


def test_a_directory_that_another_record_overrules_is_refused() -> None:
    body = packed(HEADER, "1,a,b")
    locator = b"PK\x06\x07" + struct.pack("<LQL", 0, 0, 1)
    with pytest.raises(Hostile):
        opened(body[:-22] + locator + body[-22:])


def test_a_row_without_end_is_refused_however_it_is_written() -> None:
    for endless in ("1," + "x" * 5000, '1,"' + "\n" * 5000, "1" + ',"\n"' * 2000):
        with pytest.raises(Damaged):
            opened(packed(HEADER, endless), row=1000).take(1)


def test_a_cell_beyond_what_a_field_can_hold_is_damaged() -> None:
    with pytest.raises(Damaged):
        opened(packed(HEADER, "1,a," + "满" * 200_000)).take(1)


# Columns and values.


def described(**kinds: str) -> dict[str, FieldDescription]:
    known = {"Modified_Time": "datetime", "Modified_By": "ownerlookup", **kinds}
    return {name: FieldDescription(name, name, kind) for name, kind in known.items()}


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("text", " 前后 ", " 前后 "),
        ("textarea", "一\n二", "一\n二"),
        ("picklist", "贵宾", "贵宾"),
        ("boolean", "true", True),
        ("boolean", "false", False),
        ("integer", "-7", -7),
        ("integer", "0", 0),
        ("double", "1200", 1200),
        ("currency", "1200.50", 1200.5),
        ("percent", "-0.5", -0.5),
        ("bigint", "5843104000000301000", "5843104000000301000"),
        ("date", "1960-02-29", "1960-02-29"),
        ("datetime", "2026-03-29T02:30:00+08:00", "2026-03-29T02:30:00+08:00"),
        ("lookup", "5843104000000301000", {"id": "5843104000000301000"}),
        ("ownerlookup", "5843104000000301000", {"id": "5843104000000301000"}),
        ("multiselectpicklist", "甲;乙", ["甲", "乙"]),
        ("tags", "老客户;贵宾", [{"name": "老客户"}, {"name": "贵宾"}]),
    ],
)
def test_texts_become_what_a_list_would_show(kind: str, text: str, value: Any) -> None:
    read = reading_of(kind)
    assert read is not None
    assert read(text) == value
    assert type(read(text)) is type(value)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("integer", "1,200"),
        ("integer", "1.0"),
        ("currency", "CNY 3"),
        ("double", "nan"),
        ("boolean", "1"),
        ("date", "29/02/1960"),
        ("datetime", "2026-03-29 02:30:00"),
        ("lookup", "王"),
    ],
)
def test_a_text_that_is_not_written_as_expected_is_left_to_a_read_by_id(kind: str, text: str) -> None:
    known = described(Odd=kind)
    layout = layout_of(("id", "Modified_Time", "Modified_By", "Odd"), ("Odd",), known, ())
    row = layout.row_of(["1", "2026-01-01T00:00:00+08:00", "2", text])
    assert "Odd" not in row
    assert lacking([row], layout) == ("Odd",)


def test_kinds_that_a_file_cannot_show_are_read_by_id() -> None:
    known = described(A="text", B="subform", C="jsonarray", Tag="tags", D="formula", E="text")
    fields = ("A", "B", "C", "Tag", "D", "E", "Nowhere")
    asked = columns_for(fields, known, ("Tag",), 200)
    assert asked == ["id", "Modified_Time", "Modified_By", "A", "E"]
    assert layout_of(asked, fields, known, ("Tag",)).missing == ("B", "C", "Tag", "D")
    few = columns_for(fields, known, ("Tag",), 4)
    assert few == asked[:4]
    assert layout_of(few, fields, known, ("Tag",)).missing == ("B", "C", "Tag", "D", "E")


def test_an_empty_text_is_shown_empty_and_the_actor_is_a_link() -> None:
    layout = layout_of(("Id", "A", "Modified_Time", "Modified_By", "Extra"), ("A",), described(A="integer"), ())
    row = layout.row_of(["9", "", "2026-01-01T00:00:00+08:00", "2", "?"])
    assert row == {
        "id": "9",
        "A": None,
        "Modified_Time": "2026-01-01T00:00:00+08:00",
        "Modified_By": {"id": "2"},
    }


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        (("A", "Modified_Time"), ["x", "2026-01-01T00:00:00+08:00"]),
        (("id", "A"), ["1", "x"]),
        (("id", "Modified_Time", "A", "A"), ["1", "2026-01-01T00:00:00+08:00", "x", "x"]),
        (("id", "Modified_Time"), ["1", ""]),
        (("id", "Modified_Time"), ["1", "yesterday"]),
        (("id", "Modified_Time"), ["", "2026-01-01T00:00:00+08:00"]),
        (("id", "Modified_Time"), ["=1+1", "2026-01-01T00:00:00+08:00"]),
    ],
)
def test_a_row_that_nobody_could_place_in_time_or_find_again_is_damaged(header: Any, cells: list[str]) -> None:
    with pytest.raises(Damaged):
        layout_of(header, ("A",), described(A="text"), ()).row_of(cells)
