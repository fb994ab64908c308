"""Runs two contestants by turns and says how they compare."""

from __future__ import annotations

import gc
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import orjson

Contestant = Callable[[], float]
"""Does its work once and returns the seconds it took; what is not compared happens outside the timing."""


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
    ours_samples: tuple[float, ...]
    other_samples: tuple[float, ...]
    at_most: bool = False
    note: str = ""

    @property
    def met(self) -> bool | None:
        if self.aim is None:
            return None
        return self.ratio <= self.aim if self.at_most else self.ratio >= self.aim


def compare(
    name: str, aim: float | None, records: int, ours: Contestant, other: Contestant, rounds: int, note: str = ""
) -> Result:
    """Lets both run by turns, each round in the other order; the best time of each counts, as others use the machine."""
    our_seconds: list[float] = []
    other_seconds: list[float] = []
    for number in range(rounds):
        turns = [(ours, our_seconds), (other, other_seconds)]
        for run, samples in turns if number % 2 == 0 else reversed(turns):
            gc.collect()
            samples.append(run())
    mine, theirs = min(our_seconds), min(other_seconds)
    spread = median(other_seconds) / median(our_seconds)
    text = "; ".join(part for part in (note, f"{spread:.2f} by the medians of {rounds}") if part)
    return Result(
        name,
        aim,
        theirs / mine,
        records / mine,
        records / theirs,
        "records/s",
        records,
        tuple(our_seconds),
        tuple(other_seconds),
        note=text,
    )


def table(results: Sequence[Result]) -> str:
    """Returns the results as aligned text, a missed aim said in words."""
    head = ("benchmark", "aim", "ratio", "", "ours", "other", "unit", "note")
    rows = [head]
    for item in results:
        aim = "reported" if item.aim is None else f"{'<=' if item.at_most else '>='} {item.aim:g}"
        verdict = {True: "met", False: "MISSED", None: ""}[item.met]
        rows.append(
            (item.name, aim, f"{item.ratio:.2f}", verdict, f"{item.ours:,.0f}", f"{item.other:,.0f}", item.unit, item.note)
        )
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
