"""Runs the benchmarks and prints one table: `make bench`, or `CRMHUB_BENCH_RECORDS=100000 make bench` for the whole."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from . import auditing, creating, loading, memory, ranges, reading, spread, translation
from .lab import Lab, open_lab
from .measure import Result, load, save, table

SUITES: dict[str, Callable[[Lab], list[Result]]] = {
    "read": reading.results,
    "load": loading.results,
    "translate": translation.results,
    "memory": memory.results,
    "spread": spread.results,
    "ranges": ranges.results,
    "creates": creating.results,
    "audit": auditing.results,
}
DEFAULT_RECORDS = 10_000
_RESULTS = Path(__file__).resolve().parents[2] / "bench-results.json"


def run(customers: int, rounds: int, suites: list[str], say: Callable[[str], None]) -> list[Result]:
    """Runs the named suites on one pair of simulators."""
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="crmhub-bench-") as folder:
        say(f"starting two simulators with {customers:,} customers each")
        with open_lab(Path(folder), customers, rounds) as lab:
            for name in suites:
                say(f"{name}: running")
                results += SUITES[name](lab)
    return results


def main() -> int:
    """Returns 0, or 1 under --strict when an aim was missed."""
    parser = argparse.ArgumentParser(prog="make bench")
    records = int(os.environ.get("CRMHUB_BENCH_RECORDS", DEFAULT_RECORDS))
    parser.add_argument("--records", type=int, default=records, help="customers in each system")
    parser.add_argument("--rounds", type=int, default=None, help="turns of each contestant")
    parser.add_argument("--only", action="append", choices=list(SUITES), help="run this suite; may be repeated")
    parser.add_argument("--strict", action="store_true", help="end with 1 when an aim was missed")
    chosen = parser.parse_args()
    rounds = chosen.rounds or (3 if chosen.records > 20_000 else 5)
    before = load()
    results = run(
        chosen.records, rounds, chosen.only or list(SUITES), lambda text: print(text, file=sys.stderr, flush=True)
    )
    after = load()
    circumstances = {"records": chosen.records, "rounds": rounds, "load_before": before, "load_after": after}
    save(_RESULTS, results, circumstances)
    print(table(results))
    print(f"\nload of the machine (1, 5, 15 min): {before} before, {after} after; details in {_RESULTS.name}")
    missed = [item.name for item in results if item.met is False]
    if missed:
        print(f"MISSED: {', '.join(missed)}")
    return 1 if missed and chosen.strict else 0


if __name__ == "__main__":
    sys.exit(main())
