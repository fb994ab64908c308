"""The tamper matrix of the log: what one with all rights over the database may do, and who finds it out.

Rows that do not fit together are found without any anchor; a cut-off end, a log computed anew and an older store only
by what was kept outside: the signer's own note, or a file that checkpoints went to.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

import audit_lab
import orjson
import pytest
from audit_lab import HandClock, Tamper, act, faults, forget, judged, opened, tamper

from hub.audit.note import Checkpoint, Note, NoteInvalid, sign
from hub.audit.tree import GENESIS, chain, leaf
from hub.crypto.signatures import SigningKey
from hub.operations import anchoring, checkpointing, signer
from hub.operations.auditing import OK, TAMPERED, UNCLEAR, examine, read_anchor
from hub.operations.signer import HeadRefused

ANCHOR = "anchor/checkpoints.txt"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Is a signed log with a file outside the database that checkpoints went to."""
    home = tmp_path_factory.mktemp("template") / "hub"
    audit_lab.make_home(home, audit=f"{{sinks: {{outside: {{kind: file, path: {ANCHOR}}}}}}}")
    (home / "anchor").mkdir()
    with opened(home, HandClock()) as hub:
        for _ in range(3):
            act(hub, 4)
            checkpointing.make_checkpoint(hub)
            anchoring.deliver(hub)
        act(hub, 2)
    return home


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Path:
    return audit_lab.copy(template, tmp_path / "hub")


def rows_of(conn: sqlite3.Connection) -> list[list[object]]:
    return [list(row) for row in conn.execute("SELECT epoch, seq, body, leaf, chain FROM audit_entry ORDER BY seq")]


def put(conn: sqlite3.Connection, rows: list[list[object]], *, rehash: bool = False) -> None:
    """Writes the whole log anew, and moves the head to its end."""
    conn.execute("DELETE FROM audit_entry")
    prev = GENESIS
    for row in rows:
        if rehash:
            body = orjson.dumps(orjson.loads(row[2]) | {"seq": row[1]}, option=orjson.OPT_SORT_KEYS)  # type: ignore[arg-type]
            prev = chain(int(str(row[1])), prev, leaf(body))
            row[2:] = [body, leaf(body), prev]
        conn.execute("INSERT INTO audit_entry VALUES (?, ?, ?, ?, ?)", row)
    conn.execute("UPDATE audit_head SET seq = ?", (rows[-1][1],))


def edited(row: list[object], **members: object) -> list[object]:
    return [*row[:2], orjson.dumps(orjson.loads(row[2]) | members, option=orjson.OPT_SORT_KEYS), *row[3:]]  # type: ignore[arg-type]


def edit(conn: sqlite3.Connection) -> None:
    conn.execute("UPDATE audit_entry SET body = replace(body, 'record.edit', 'record.peek') WHERE seq = 3")


def delete_middle(conn: sqlite3.Connection) -> None:
    conn.execute("DELETE FROM audit_entry WHERE seq = 5")


def swap(conn: sqlite3.Connection) -> None:
    rows = rows_of(conn)
    rows[4][2:], rows[5][2:] = rows[5][2:], rows[4][2:]
    put(conn, rows)


def insert(conn: sqlite3.Connection) -> None:
    rows = rows_of(conn)
    late = [[row[0], int(str(row[1])) + 1, *row[2:]] for row in rows[6:]]
    put(conn, [*rows[:6], edited([1, 6, *rows[2][2:]], seq=6), *late])


def duplicate(conn: sqlite3.Connection) -> None:
    rows = rows_of(conn)
    put(conn, [*rows, [1, len(rows), *rows[-1][2:]]])


def clock_back(conn: sqlite3.Connection) -> None:
    rows = rows_of(conn)
    put(conn, [*rows[:-1], edited(rows[-1], ts="2020-01-01T00:00:00.000000Z")], rehash=True)


def delete_tail(conn: sqlite3.Connection) -> None:
    conn.execute("DELETE FROM audit_entry WHERE seq > 9")
    conn.execute("UPDATE audit_head SET seq = 9")


def rewrite(conn: sqlite3.Connection) -> None:
    rows = rows_of(conn)
    put(conn, [*rows[:2], edited(rows[2], act="record.peek"), *rows[3:]], rehash=True)


def drop_and_close_up(conn: sqlite3.Connection) -> None:
    rows = rows_of(conn)
    put(conn, [[1, number, *row[2:]] for number, row in enumerate(rows[:3] + rows[4:])], rehash=True)


def hide_behind_the_head(conn: sqlite3.Connection) -> None:
    conn.execute("UPDATE audit_head SET seq = 9")


@pytest.mark.parametrize(
    ("change", "fault", "row"),
    [
        (edit, "leaf", 3),
        (delete_middle, "missing", 5),
        (swap, "chain", 4),
        (insert, "leaf", 6),
        (duplicate, "chain", 14),
        (clock_back, "time", 13),
        (hide_behind_the_head, "stray", None),
    ],
)
def test_rows_that_do_not_fit_together_are_found_without_any_anchor(
    change: Tamper, fault: str, row: int | None, home: Path
) -> None:
    forget(home)
    tamper(home, change)
    report = judged(home)
    assert report.exit_code == TAMPERED
    assert [(str(item.fault), item.row) for item in report.findings] == [(fault, row)]


@pytest.mark.parametrize(
    ("known", "change", "fault"),
    [
        ("signer", delete_tail, "cut"),
        ("file", delete_tail, "cut"),
        ("checkpoints", delete_tail, "cut"),
        ("file", rewrite, "root"),
        ("checkpoints", drop_and_close_up, "root"),
    ],
)
def test_what_only_an_anchor_shows(change: Tamper, fault: str, known: str, home: Path) -> None:
    """Each of what is kept suffices alone, and without all of it the log looks whole, which is said."""
    kept = {name: (home / name).read_bytes() for name in (ANCHOR, "keys/audit.key.signed")}
    with sqlite3.connect(home / audit_lab.DATABASE) as conn:
        stored = conn.execute("SELECT * FROM audit_checkpoint").fetchall()
    forget(home)
    (home / ANCHOR).unlink()
    with sqlite3.connect(home / audit_lab.DATABASE) as conn:
        conn.execute("DELETE FROM audit_outbox")
    conn.close()
    tamper(home, change)
    if known == "signer":
        blind = judged(home)
        assert (blind.exit_code, blind.unanchored, blind.anchors) == (OK, True, 0)
        (home / "keys/audit.key.verified").unlink()
        (home / "keys/audit.key.signed").write_bytes(kept["keys/audit.key.signed"])
    elif known == "file":
        (home / ANCHOR).write_bytes(kept[ANCHOR])
    else:
        with sqlite3.connect(home / audit_lab.DATABASE) as conn:
            conn.executemany("INSERT INTO audit_checkpoint VALUES (?, ?, ?, ?, ?)", stored)
        conn.close()
    report = judged(home)
    assert report.exit_code == TAMPERED
    # The blind look was audited: what was cut off is written over by now.
    assert faults(report) == ({"root"} if known == "signer" else {fault})


@pytest.mark.parametrize("change", [delete_tail, rewrite])
def test_the_signer_signs_no_log_that_is_not_the_one_it_signed(change: Tamper, home: Path) -> None:
    tamper(home, change)
    before = (home / "keys/audit.key.signed").read_bytes()
    with opened(home, HandClock(audit_lab.START + 100)) as hub:
        for _ in range(2):
            with pytest.raises(HeadRefused):
                checkpointing.make_checkpoint(hub)
    assert (home / "keys/audit.key.signed").read_bytes() == before


@pytest.mark.parametrize("content", ["null", "[]", "{}", "{"])
def test_a_file_that_holds_no_head_is_not_taken_for_none(content: str, home: Path) -> None:
    (home / "keys/audit.key.signed").write_text(content)
    with opened(home, HandClock(audit_lab.START + 100)) as hub, pytest.raises(HeadRefused):
        signer.signed(hub.settings)


def test_an_old_database_put_back_is_refused_and_owned_up_to_by_a_new_epoch(home: Path) -> None:
    old = home / "old.db"
    shutil.copy(home / audit_lab.DATABASE, old)
    with opened(home, HandClock(audit_lab.START + 100)) as hub:
        act(hub, 3)
        checkpointing.make_checkpoint(hub)
        anchoring.deliver(hub)
    for name in ("hub.db", "hub.db-wal", "hub.db-shm"):
        (home / "var" / name).unlink(missing_ok=True)
    shutil.copy(old, home / audit_lab.DATABASE)
    report = judged(home)
    assert report.exit_code == TAMPERED
    assert "cut" in faults(report)
    clock = HandClock(audit_lab.START + 300)
    with opened(home, clock) as hub:
        with pytest.raises(HeadRefused, match="audit epoch"):
            checkpointing.make_checkpoint(hub)
        act(hub, 2)
        made = checkpointing.begin_epoch(hub, "restored after a disk fault")
        assert made.epoch == 2
        act(hub)
        checkpointing.make_checkpoint(hub)
        anchoring.deliver(hub)
    after = judged(home, clock)
    assert after.exit_code == OK, after.findings
    assert [(gap.epoch, gap.kept, gap.signed) for gap in after.gaps] == [(1, 12, 17)]
    # What was not lost is still proved by its anchors.
    tamper(home, rewrite_first)
    assert judged(home, clock).exit_code == TAMPERED


def rewrite_first(conn: sqlite3.Connection) -> None:
    rows = [row for row in rows_of(conn) if row[0] == 1]
    later = [row for row in rows_of(conn) if row[0] == 2]
    put(conn, [edited(rows[0], act="record.peek"), *rows[1:]], rehash=True)
    conn.executemany("INSERT INTO audit_entry VALUES (?, ?, ?, ?, ?)", later)
    conn.execute("UPDATE audit_head SET seq = ?", (later[-1][1],))


def test_a_replaced_signing_key_convinces_nobody(home: Path) -> None:
    """The forger computes the log anew and signs it with a key of his own, everywhere in the database."""
    forger = SigningKey(bytes(32))

    def forge(conn: sqlite3.Connection) -> None:
        rewrite(conn)
        name = conn.execute("SELECT note FROM audit_checkpoint").fetchone()[0].partition("/1\n")[0]
        for number, size in conn.execute("SELECT number, size FROM audit_checkpoint").fetchall():
            note = sign(Checkpoint(f"{name}/1", size, bytes(32)), forger, name).text()
            conn.execute("UPDATE audit_checkpoint SET note = ? WHERE number = ?", (note, number))

    forget_files(home)
    tamper(home, forge)
    report = judged(home)
    assert report.exit_code == TAMPERED
    assert "signature" in faults(report)


def forget_files(home: Path) -> None:
    for name in (ANCHOR, "keys/audit.key.signed"):
        (home / name).unlink()


def test_without_public_keys_nothing_is_claimed(home: Path) -> None:
    (home / "keys/audit.key.pub").unlink()
    report = judged(home)
    assert (report.exit_code, [item.source for item in report.unclear]) == (UNCLEAR, ["keys"])


def cuts(text: bytes) -> Iterator[int]:
    """Yields every place near the beginning, the end and each line end, and every seventh between."""
    ends = {place for place, byte in enumerate(text) if byte == 10}
    yield from sorted({*range(0, len(text), 7), *ends, *(end + 1 for end in ends), len(text) - 1} - {len(text)})


def test_an_anchor_cut_at_any_byte_never_passes_for_whole(home: Path) -> None:
    """A copy that ends in half a checkpoint, or holds none, leaves the question open; it accuses nobody either."""
    whole = (home / ANCHOR).read_bytes()
    copy = home / "copy.txt"
    copy.write_bytes(whole)
    notes = [note for note in read_anchor(copy) if isinstance(note, Note)]
    ends = list(accumulate(len(note.text().encode()) + 1 for note in notes))
    for end in cuts(whole):
        copy.write_bytes(whole[:end])
        found = list(read_anchor(copy))
        good = [note for note, last in zip(notes, ends, strict=True) if last - 1 <= end]
        assert found[: len(good)] == good, end
        torn = end not in {0, *ends, *(last - 1 for last in ends)}
        assert {type(each) for each in found[len(good) :]} == ({NoteInvalid} if torn else set()), end
    with opened(home, HandClock(audit_lab.START + 1000)) as hub:
        copy.write_bytes(whole[:-40])
        report = examine(hub, from_anchor=copy)
        assert report.exit_code == UNCLEAR
        copy.write_bytes(b"nothing of the kind\n")
        assert examine(hub, from_anchor=copy).exit_code == UNCLEAR


def test_rows_that_were_changed_since_the_last_look_are_found_by_the_quick_look_too(home: Path) -> None:
    assert judged(home).exit_code == OK
    with opened(home, HandClock(audit_lab.START + 2000)) as hub:
        act(hub, 3)
    tamper(home, lambda conn: conn.execute("DELETE FROM audit_entry WHERE seq = 16"))
    report = judged(home, HandClock(audit_lab.START + 3000), full=False)
    assert not report.full
    assert faults(report) == {"missing"}
