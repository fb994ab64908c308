"""The file beside the store that says whom to erase again survives a crash and a full disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hub.kernel.errors import StoreUnavailable
from hub.store import erasure
from hub.store.erasure import FILE, Certificate


def certificate(hub_id: str) -> Certificate:
    return Certificate(f"e-{hub_id}", hub_id, "customer", {}, {}, (), "letter", None, "local:ann", 100.0)


def test_a_line_that_was_cut_off_swallows_no_other(tmp_path: Path) -> None:
    erasure.note_outside(tmp_path, certificate("a"))
    with (tmp_path / FILE).open("ab") as file:
        file.write(b'{"erasure_id":"e-x","hub_')
    erasure.note_outside(tmp_path, certificate("b"))
    erasure.note_outside(tmp_path, certificate("c"))
    assert erasure.erased_since(tmp_path, 99.0) == ["a", "b", "c"]
    assert erasure.erased_since(tmp_path, 100.0) == []


def test_a_line_that_was_not_written_whole_stops_the_erasure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: whole(descriptor, data[:10]))
    with pytest.raises(StoreUnavailable):
        erasure.note_outside(tmp_path, certificate("a"))
