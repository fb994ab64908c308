"""A package of the audit log is verified without the hub, by the Python file and by the page, and no forgery passes."""

from __future__ import annotations

import base64
import io
import json
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

import audit_lab
import pytest
from audit_lab import HandClock, act, opened
from audit_package import PAGE, Change, Files, covered, flip, judge, repack, rows, unpack
from chromium import Browser, browsing

from hub.audit.note import Checkpoint, VerifierKey, sign
from hub.crypto.signatures import SigningKey
from hub.operations.audit_export import export
from hub.operations.checkpointing import begin_epoch, make_checkpoint
from hub.store.audit_index import Wanted


@dataclass(frozen=True)
class World:
    """Is a log of two epochs, its packages, and what an auditor kept of it."""

    folder: Path
    complete: Path
    filtered: Path
    key: Path
    anchor: Path


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("packages")
    home = audit_lab.make_home(folder / "hub")
    with opened(home, HandClock()) as hub:
        act(hub, 6)
        made = make_checkpoint(hub)
        assert made is not None
        (folder / "anchor.txt").write_text(made.note + "\n", encoding="utf-8")
        act(hub, 5, name="guard.release", about="=cmd", reason="客户迁移", connection="zoho")
        begin_epoch(hub, "a new hash")
        act(hub, 7)
        act(hub, 2, name="guard.release")
        hub.clock.sleep(100_000)
        export(hub, folder / "complete.zip", Wanted())
        export(hub, folder / "filtered.zip", Wanted(act="guard.release"))
    key = home / "keys" / "audit.key.pub"
    return World(folder, folder / "complete.zip", folder / "filtered.zip", key, folder / "anchor.txt")


NAMES = [
    "entries.jsonl",
    "entries.csv",
    "entries.xlsx",
    "checkpoints.txt",
    "proofs.json",
    "keys.json",
    "README.md",
    "verify.py",
    "verify.html",
]


def resign(files: Files) -> None:
    """Signs the checkpoints anew with the forger's own key, which goes into the package."""
    own = SigningKey(b"f" * 32)
    blocks = files["checkpoints.txt"].decode().split("\n\n")[:-1]
    notes, name = [], ""
    for head, tail in zip(blocks[::2], blocks[1::2], strict=True):
        origin, size, root = head.split("\n")
        name = tail.split(" ")[1]
        notes.append(sign(Checkpoint(origin, int(size), base64.b64decode(root)), own, name))
    files["checkpoints.txt"] = "".join(f"{note}\n" for note in notes).encode()
    files["keys.json"] = json.dumps({"keys": [str(VerifierKey(name, own.public))]}).encode()


def cut_checkpoint(files: Files) -> None:
    files["checkpoints.txt"] = files["checkpoints.txt"][:-40]


def drop_checkpoint(files: Files) -> None:
    blocks = files["checkpoints.txt"].decode().split("\n\n")
    files["checkpoints.txt"] = "\n\n".join([*blocks[:-3], ""]).encode()


def say_csv(files: Files) -> None:
    files["entries.csv"] = files["entries.csv"].replace(b"success", b"denied ", 1)


def say_xlsx(files: Files) -> None:
    before, after = zipfile.ZipFile(io.BytesIO(files["entries.xlsx"])), io.BytesIO()
    with zipfile.ZipFile(after, "w") as book:
        for name in before.namelist():
            book.writestr(name, before.read(name).replace(b"success", b"denied!", 1))
    files["entries.xlsx"] = after.getvalue()


def other_node(files: Files) -> None:
    proofs = json.loads(files["proofs.json"])
    proofs["epochs"][0]["gaps"][0][2][0] = base64.b64encode(bytes(32)).decode()
    files["proofs.json"] = json.dumps(proofs).encode()


def drop_epoch(files: Files) -> None:
    """Leaves out the first epoch whole, and every trace of it."""
    manifest, proofs = json.loads(files["manifest.json"]), json.loads(files["proofs.json"])
    gone = manifest["epochs"].pop(0)
    manifest["entries"] -= gone["entries"]
    proofs["epochs"].pop(0)
    files["manifest.json"], files["proofs.json"] = json.dumps(manifest).encode(), json.dumps(proofs).encode()
    for name, first in (("entries.jsonl", 0), ("entries.csv", 1)):
        lines = files[name].splitlines(keepends=True)
        files[name] = b"".join([*lines[:first], *lines[first + gone["entries"] :]])
    blocks = files["checkpoints.txt"].decode().split("\n\n")[:-1]
    kept = [part for pair in zip(blocks[::2], blocks[1::2], strict=True) if "/1\n" not in pair[0] for part in pair]
    files["checkpoints.txt"] = "\n\n".join([*kept, ""]).encode()


def swap(lines: list[bytes]) -> None:
    lines[2], lines[3] = lines[3], lines[2]


def edit(lines: list[bytes]) -> None:
    lines[1] = lines[1].replace(b"local:", b"local;", 1)


COMPLETE: dict[str, Change] = {
    **{f"flip_{name}": flip(name) for name in NAMES},
    **{f"flip_covered_{name}": covered(flip(name)) for name in NAMES[:5]},
    "row_removed": rows(lambda lines: lines.pop(3)),
    "last_row_removed": rows(lambda lines: lines.pop()),
    "row_inserted": rows(lambda lines: lines.insert(3, lines[2])),
    "row_appended": rows(lambda lines: lines.append(lines[-1])),
    "rows_swapped": rows(swap),
    "row_edited": rows(edit),
    "checkpoint_cut": covered(cut_checkpoint),
    "checkpoint_dropped": covered(drop_checkpoint),
    "csv_says_otherwise": covered(say_csv),
    "xlsx_says_otherwise": covered(say_xlsx),
    "forgers_key": covered(resign),
    "epoch_dropped": covered(drop_epoch),
    "file_added": lambda files: files.update({"more.txt": b"x"}),
    "file_missing": lambda files: files.pop("entries.csv"),
}
FILTERED: dict[str, Change] = {
    "row_removed": rows(lambda lines: lines.pop(1)),
    "rows_swapped": rows(swap),
    "row_edited": rows(edit),
    "node_changed": covered(other_node),
    "forgers_key": covered(resign),
}
CASES = [(kind, name) for kind, table in (("complete", COMPLETE), ("filtered", FILTERED)) for name in table]
BY_DIGEST_ONLY = {"csv_says_otherwise", "xlsx_says_otherwise", "flip_covered_entries.csv", "flip_covered_entries.xlsx"}
"""What the page leaves to the Python file: it compares the tables with the manifest only, and says so."""


OWN = """Verifier.run([...document.getElementById("pick").files], document.getElementById("keys").value, {own: true})
  .then((judged) => `${judged.way} ${judged.verdict}`)"""
VERDICT = """new Promise((done) => { const look = () => { const found = document.getElementById("verdict");
  found ? done(found.className) : setTimeout(look, 5); }; look(); })"""


def forged(world: World, kind: str, name: str) -> Path:
    target = world.folder / f"{kind}-{name}.zip"
    if not target.exists():
        files = unpack(getattr(world, kind))
        (COMPLETE if kind == "complete" else FILTERED)[name](files)
        repack(files, target)
    return target


@pytest.mark.parametrize("kind", ["complete", "filtered"])
def test_an_honest_package_is_verified_alone_with_key_and_anchor_and_by_openssl(world: World, kind: str) -> None:
    package = getattr(world, kind)
    code, said = judge(package)
    assert code == 0
    assert "NO KEY OF YOUR OWN" in said
    code, said = judge(package, "--key", str(world.key), "--openssl")
    assert (code, "NO KEY OF YOUR OWN" in said) == (0, False)
    folder = world.folder / f"{kind}-folder"
    shutil.unpack_archive(package, folder)
    assert judge(folder, "--key", str(world.key))[0] == 0


def test_an_anchor_of_ones_own_is_compared(world: World) -> None:
    assert judge(world.complete, "--anchor", str(world.anchor))[0] == 0
    other = world.folder / "other-anchor.txt"
    text = world.anchor.read_text(encoding="utf-8")
    root = text.split("\n")[2]
    other.write_text(text.replace(root, base64.b64encode(bytes(32)).decode()), encoding="utf-8")
    assert judge(world.complete, "--anchor", str(other))[0] == 2
    other.write_text(text[:-20], encoding="utf-8")
    assert judge(world.complete, "--anchor", str(other))[0] == 3


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_the_python_file_finds_every_forgery(world: World, kind: str, name: str) -> None:
    code, said = judge(forged(world, kind, name), "--key", str(world.key))
    assert code == 2, said


def test_what_cannot_be_told_is_neither_good_nor_forged(world: World, tmp_path: Path) -> None:
    cut = tmp_path / "cut.zip"
    cut.write_bytes(world.complete.read_bytes()[:-30])
    later = unpack(world.complete)
    later["manifest.json"] = later["manifest.json"].replace(b"crmhub-audit-1", b"crmhub-audit-9")
    repack(later, tmp_path / "later.zip")
    repack({"a.txt": b""}, tmp_path / "none.zip")
    for package in (cut, tmp_path / "later.zip", tmp_path / "none.zip", tmp_path / "absent.zip"):
        assert judge(package)[0] == 3, package
    assert judge(world.complete, "--key", str(cut))[0] == 3


def shown(browser: Browser, files: list[Path]) -> str:
    """Returns the class of the verdict that the page shows on files that a person chose."""
    browser.run("document.getElementById('result').replaceChildren()")
    browser.choose("#pick", files)
    return str(browser.run(VERDICT))


def test_the_page_finds_every_forgery_in_a_browser_and_asks_nothing_of_a_network(world: World, tmp_path: Path) -> None:
    packages = {"complete": world.complete, "filtered": world.filtered}
    packages |= {f"{kind}-{name}": forged(world, kind, name) for kind, name in CASES}
    judged: dict[str, str] = {}
    with browsing(tmp_path / "profile") as browser:
        browser.open(PAGE)
        browser.run(f"document.getElementById('keys').value = {json.dumps(world.key.read_text())}")
        for name, package in packages.items():
            judged[name] = shown(browser, [package])
        own = []
        for package in (world.complete, packages["complete-forgers_key"]):
            shown(browser, [package])
            own.append(browser.run(OWN))
        unpacked = world.folder / "complete-files"
        shutil.unpack_archive(world.complete, unpacked)
        assert shown(browser, sorted(unpacked.iterdir())) == "verdict ok"
        refused = browser.run("fetch('data:text/plain,x').then(() => false, () => true)")
        assert refused
        assert {address.partition(":")[0] for address in browser.requests()} <= {"file", "data", "about"}
    assert own == ["own ok", "own tampered"]
    good = {"complete", "filtered", *(f"complete-{name}" for name in BY_DIGEST_ONLY)}
    assert {name for name, verdict in judged.items() if "ok" in verdict} == good
    assert {verdict for name, verdict in judged.items() if name not in good} == {"verdict tampered"}
