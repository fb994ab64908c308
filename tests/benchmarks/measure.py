"""Runs two contestants by turns and says how they compare."""

from __future__ import annotations

import gc
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import orjson


@dataclass(slots=True)
class Took:
    """Is how long one piece of work took: seconds on the wall, and of the processor in this process (all threads)."""

    wall: float = 0.0
    cpu: float = 0.0


@contextmanager
def stopwatch() -> Iterator[Took]:
    """Times the block it wraps."""
    took, wall, cpu = Took(), perf_counter(), process_time()
    yield took
    took.wall, took.cpu = perf_counter() - wall, process_time() - cpu


Contestant = Callable[[], Took]
"""Does its work once; what is not compared happens outside the timing."""


@dataclass(frozen=True, slots=True)
class Result:
    """Is one comparison. `ours` and `other` are the absolute numbers in `unit`, `ratio` what the aim is about.

    `aim` is None where the ratio is only reported; it is a floor, or a ceiling where `at_most`.
    """

    name: str
    aim: float | None
    ratio: float
    ours: float
    other: float
    unit: str
    records: int
    ours_samples: tuple[Took, ...] = ()
    other_samples: tuple[Took, ...] = ()
    at_most: bool = False
    note: str = ""

    @property
    def met(self) -> bool | None:
        if self.aim is None:
            return None
        return self.ratio <= self.aim if self.at_most else self.ratio >= self.aim


def compare(
    name: str,
    aim: float | None,
    records: int,
    ours: Contestant,
    other: Contestant,
    rounds: int,
    note: str = "",
    *,
    by_cpu: bool = False,
) -> Result:
    """Lets both run by turns, each round in the other order, and compares the best time of each.

    The best one, because whatever else runs on the machine only ever adds time. `by_cpu` compares processor time, for
    work that waits for nobody; otherwise it is the wall clock, and the note says what the other two readings give.
    """
    mine: list[Took] = []
    theirs: list[Took] = []
    for number in range(rounds):
        turns = [(ours, mine), (other, theirs)]
        for run, samples in turns if number % 2 == 0 else reversed(turns):
            gc.collect()
            samples.append(run())

    def best(samples: Sequence[Took], cpu: bool) -> float:
        return min(took.cpu if cpu else took.wall for took in samples)

    middle = median(took.wall for took in theirs) / median(took.wall for took in mine)
    texts = [note, "" if by_cpu else f"{best(theirs, True) / best(mine, True):.2f} by processor time"]
    texts.append(f"{middle:.2f} by median of {rounds}")
    fastest, rival = best(mine, by_cpu), best(theirs, by_cpu)
    return Result(
        name,
        aim,
        rival / fastest,
        records / fastest,
        records / rival,
        "records/s",
        records,
        tuple(mine),
        tuple(theirs),
        note="; ".join(text for text in texts if text),
    )


def table(results: Sequence[Result]) -> str:
    """Returns the results as aligned text, a missed aim said in words."""
    head = ("benchmark", "aim", "ratio", "", "ours", "other", "unit", "note")
    rows = [head]
    for item in results:
        aim = "reported" if item.aim is None else f"{'<=' if item.at_most else '>='} {item.aim:g}"
        verdict = {True: "met", False: "MISSED", None: ""}[item.met]
        numbers = (f"{item.ours:,.0f}", f"{item.other:,.0f}", item.unit)
        rows.append((item.name, aim, f"{item.ratio:.3f}", verdict, *numbers, item.note))
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def load() -> str:
    """Returns the load of the machine over 1, 5 and 15 minutes."""
    return " ".join(f"{value:.2f}" for value in os.getloadavg())


def save(path: Path, results: Sequence[Result], circumstances: dict[str, Any]) -> None:
    """Writes everything measured as JSON."""
    machine = {"python": platform.python_version(), "system": platform.platform(), "processors": os.cpu_count()}
    body = {
        "circumstances": machine | circumstances,
        "results": [{**asdict(item), "met": item.met} for item in results],
    }
    path.write_bytes(orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
