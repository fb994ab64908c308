"""`crmhub key …` as people run it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest

from hub.cli.main import run
from hub.keys.rows import Purpose
from hub.operations import rotating
from tests.scenarios.key_lab import KeyLab, fill, make_lab

Say = Callable[..., tuple[int, Any]]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyLab]:
    made = make_lab(tmp_path_factory.mktemp("keys"), "sqlite:///var/hub.db")
    hub = made.open()
    fill(hub, 3)
    hub.close()
    yield made
    made.close()


@pytest.fixture
def say(lab: KeyLab, capfd: pytest.CaptureFixture[str]) -> Say:
    def call(*words: str) -> tuple[int, Any]:
        code = run([*words, "--home", str(lab.home), "--json"])
        return code, orjson.loads(capfd.readouterr().out)

    return call


def test_the_book_of_rotation_word_by_word(say: Say, lab: KeyLab, capfd: pytest.CaptureFixture[str]) -> None:
    code, said = say("key", "rotate", "all", "--reason", "yearly, ticket 31")
    assert (code, said["done"], said["waits_for"]) == (0, True, [])
    assert [item["purpose"] for item in said["rotations"]] == list(rotating.ROTATED)
    _, said = say("key", "list", "--count")
    assert {number for places in said["left"].values() for number in places.values()} == {0}
    old = [row for row in said["keys"] if row["state"] == "active"]
    assert len(old) == len(rotating.ROTATED)
    assert say("key", "retire", str(old[0]["id"]), "--reason", "ticket 31")[1]["key"]["state"] == "disabled"
    code, said = say("key", "destroy", str(old[0]["id"]), "--reason", "ticket 31")
    assert (code, said["error"]["code"]) == (3, "HUB-REQ-409")
    assert say("key", "retire", str(old[0]["id"]), "--reason", "too early", "--undo")[1]["key"]["state"] == "active"
    assert run(["key", "list", "--home", str(lab.home), "--lang", "zh"]) == 0
    assert "已完成" in capfd.readouterr().out


def test_what_it_waits_for_is_named_and_status_says_how_far_it_is(
    say: Say, lab: KeyLab, capfd: pytest.CaptureFixture[str]
) -> None:
    other = lab.open()
    with other.store.begin():
        pass
    code, said = say("key", "rotate", "secret", "--reason", "ticket 32", "--wait", "0")
    assert (code, said["done"]) == (10, False)
    assert [item["pid"] for item in said["waits_for"]] == [other.store.watch.pid]  # type: ignore[union-attr]
    assert [item["purpose"] for item in say("status")[1]["key_rotations"]] == [Purpose.SECRET]
    assert run(["status", "--home", str(lab.home), "--lang", "en"]) == 0
    assert "waits until every process has loaded the new key" in capfd.readouterr().out
    other.close()
    assert say("key", "rotate", "secret", "--reason", "ticket 32")[0] == 0
    assert say("status")[1]["key_rotations"] == []


def test_refusals(say: Say) -> None:
    for words in (
        ("rotate", "everything", "--reason", "x"),
        ("rotate", "kek", "--reason", "x"),
        ("retire", "999", "--reason", "x"),
        ("retire", "1", "--reason", " "),
    ):
        code, said = say("key", *words)
        assert code == 3, said
        assert said["error"]["code"].startswith("HUB-REQ-")
