"""Customers are found by what a caller says, without any of it standing in the store readable."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from hub.cli.main import run
from hub.kernel.errors import Declined
from hub.keys.rows import Purpose
from hub.operations import finding
from hub.store import matches
from hub.store.key_tables import identifier_search
from hub.store.tables import blind_index
from tests.scenarios.key_lab import ENTITY, Hand, KeyLab, acts, fields_of, fill, make_lab, rotate

ASKED = {
    "phone": "138 0000 0003",
    "email": "P3@bank.cn",
    "account": "C000003",
    "name": " 王小3",
}


@pytest.fixture
def lab(tmp_path: Path, database_url: str) -> Iterator[KeyLab]:
    made = make_lab(tmp_path, database_url, Hand())
    yield made
    made.close()


def test_by_each_kind_exactly_masked_and_audited(lab: KeyLab) -> None:
    hub = lab.open()
    ids = fill(hub, 8)
    for kind, value in ASKED.items():
        [found] = finding.find_records(hub, ENTITY, kind, value)
        assert (found.hub_id, found.state) == (ids[3], "live")
        # A customer number is of class C1, which is never masked.
        shown = {text for name, text in found.fields.items() if name != "customer_no"}
        assert not {value.strip(), *map(str, fields_of(3).values())} & shown
        assert finding.find_records(hub, ENTITY, kind, value.replace("3", "7")) != [found]
    assert finding.find_records(hub, ENTITY, "name", "王小") == []
    said = acts(hub, "record.find")
    assert [(act["stage"], act["code"]) for act in said[:2]] == [("attempt", "phone"), ("result", "phone")]
    assert said[1]["counts"] == {"opened": 1, "found": 1}
    text = orjson.dumps(said).decode()
    assert not any(part in text for part in ("0003", "P3@", "p3@", "王小"))


def test_what_is_none_is_not_searched(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, "sqlite:///var/hub.db")
    hub = lab.open()
    for kind, value in (("phone", " "), ("email", "no address"), ("name", "")):
        with pytest.raises(Declined, match="nothing was searched"):
            finding.find_records(hub, ENTITY, kind, value)
    assert acts(hub, "record.find") == []
    lab.close()


def test_guessing_is_stopped_and_audited(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, "sqlite:///var/hub.db", Hand())
    hub = lab.open()
    with hub.store.begin() as work:
        who = finding.person(hub)
        rows = [{"search_id": str(n), "actor": who, "searched_at": work.now - 60} for n in range(finding.HOURLY)]
        work.conn.execute(identifier_search.insert(), rows)
    with pytest.raises(Declined, match="60 an hour"):
        finding.find_records(hub, ENTITY, "name", "王小3")
    [act] = acts(hub, "record.find")
    assert (act["outcome"], act["stage"]) == ("denied", "single")
    lab.clock.sleep(3600)
    assert finding.find_records(hub, ENTITY, "name", "王小3") == []
    lab.close()


def test_records_of_an_earlier_release_and_under_a_new_key(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, "sqlite:///var/hub.db", Hand())
    hub = lab.open()
    ids = fill(hub, 5)
    with hub.store.begin() as work:
        work.conn.execute(blind_index.delete().where(blind_index.c.rule.like("find.%")))
    assert [item.hub_id for item in finding.find_records(hub, ENTITY, "name", "王小3")] == [ids[3]]
    rotate(hub, Purpose.INDEX)
    for kind, value in ASKED.items():
        assert [item.hub_id for item in finding.find_records(hub, ENTITY, kind, value)] == [ids[3]]
    lab.close()


def test_a_name_shares_its_index_with_others_and_is_no_evidence(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, "sqlite:///var/hub.db")
    hub = lab.open()
    ids = fill(hub, 1)
    with hub.store.read() as conn:
        stored = matches.keys_of(conn, ids)[ids[0]]
    assert {rule: len(digest) for rule, digest in stored.items() if rule.startswith("find.")} == {
        "find.full_name": matches.FIND,
        "find.customer_no": matches.FIND,
    }
    assert set(hub.rules[ENTITY].keys(hub.store.ring, fields_of(0))).isdisjoint(
        {rule for rule in stored if rule.startswith("find.")}
    )
    lab.close()


def test_the_command_takes_the_value_from_a_pipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    lab = make_lab(tmp_path, "sqlite:///var/hub.db")
    hub = lab.open()
    ids = fill(hub, 4)
    monkeypatch.setitem(os.environ, "CRMHUB_HOME", str(lab.home))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("王小2\n".encode())))
    assert run(["record", "find", "--name", "--home", str(lab.home), "--json"]) == 0
    said = orjson.loads(capfd.readouterr().out)
    assert [item["hub_id"] for item in said["found"]] == [ids[2]]
    assert "王小2" not in orjson.dumps(said).decode()
    assert run(["record", "find", "--name", "--phone", "--home", str(lab.home)]) == 3
    lab.close()
