"""Every benchmark runs, and its contestants do the same work; how long they take is no matter of a test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from tests.postgres_server import PostgresServer

from . import auditing, creating, loading, memory, ranges, reading, spread, translation
from .byhand_zoho import zoho
from .lab import ZOHO, Lab, count, open_lab, opened, read_in
from .loading import Bench, hand_loop
from .measure import Result, Took, compare, save, table

CUSTOMERS = 60


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with open_lab(tmp_path_factory.mktemp("bench"), CUSTOMERS, 1) as stage:
        yield stage


@pytest.mark.slow
def test_every_suite_runs_and_finds_the_same_results(lab: Lab, tmp_path: Path) -> None:
    """Each suite compares what its contestants made before it compares their times."""
    results = [*reading.results(lab), *loading.results(lab), *translation.results(lab), *memory.results(lab)]
    assert [item.name for item in results] == [
        "read into SQLite, zoho",
        "read into SQLite, fxiaoke",
        "first load",
        "unchanged re-read",
        "first load, sealing on : off",
        "first load, sealing with SM4 : off",
        "translation, zoho",
        "translation, fxiaoke",
        "peak memory",
    ]
    assert all(item.ratio > 0 and item.records > 0 for item in results)
    save(tmp_path / "results.json", results, {"records": CUSTOMERS})
    kept = orjson.loads((tmp_path / "results.json").read_bytes())
    assert [item["name"] for item in kept["results"]] == [item.name for item in results]


@pytest.mark.slow
@pytest.mark.postgres
def test_a_spread_first_load_creates_each_customer_once(postgres: PostgresServer) -> None:
    made = spread.pushed(postgres, 2, 160)
    assert made.records > 80
    assert made.rate > 0


@pytest.mark.slow
@pytest.mark.postgres
def test_creates_that_a_killed_process_left_are_made_once_and_within_the_limit(postgres: PostgresServer) -> None:
    made = creating.created(postgres, "raised limit", creating.RAISED, 119)
    assert made.records == 119
    assert made.ratio > 0


@pytest.mark.slow
def test_ranges_list_what_one_chain_lists(lab: Lab) -> None:
    found = ranges.results(lab, pages=20)
    assert [item.aim for item in found] == [3.0, None]
    assert all(item.ratio > 0 and item.records == 4_000 for item in found)


def test_the_hub_goes_on_from_what_the_hand_written_loop_wrote(lab: Lab) -> None:
    home, bench = lab.home(), Bench(lab)
    with hand_loop(home) as loop:
        loop.load(bench.walk)
        with opened(home) as hub:
            assert count(hub, "golden") == pytest.approx(CUSTOMERS, rel=0.3)
            loading.read_again(hub)


def test_a_hand_written_loop_that_does_less_is_told_apart(lab: Lab) -> None:
    kept, by_hand, bench = lab.home(), lab.home(), Bench(lab)
    contact = zoho()["Contacts"]
    with opened(kept) as hub, hand_loop(by_hand) as loop:
        loop.functions["Contacts"] = lambda row: contact(row) | {"email": None}
        read_in(hub)
        loop.load(bench.walk)
        with opened(by_hand) as other, pytest.raises(AssertionError, match="golden"):
            loading.same(hub, other)
        mapping, records = translation.by_system(hub, ZOHO)
        with pytest.raises(AssertionError, match="email"):
            translation.same(mapping, loop.functions, records)


def test_the_best_turn_counts_and_a_miss_is_said() -> None:
    turns = iter([Took(2.0, 1.0), Took(1.0, 1.0), Took(5.0, 1.0), Took(4.0, 1.0)])
    result = compare("slow", 0.6, 100, lambda: next(turns), lambda: next(turns), 2)
    assert (result.ratio, result.ours, result.other) == (0.5, 50.0, 100.0)
    assert result.met is False
    assert "MISSED" in table([result])
    assert Result("fits", 1.3, 1.2, 1, 1, "MiB", 1, at_most=True).met is True
    assert "MISSED" not in table([Result("told", None, 0.1, 1, 1, "records/s", 1)])


def test_the_log_is_verified_and_written_by_the_benchmark() -> None:
    found = auditing.results(rows=3000, pages=2, rounds=1)
    assert [item.aim for item in found] == [60.0, 0.5]
    assert all(item.ratio > 0 and item.records > 0 for item in found)
