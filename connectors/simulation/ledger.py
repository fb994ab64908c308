"""Counts every call a simulator answered, by operation, path and status."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from connectors.simulation.recording import Tape


@dataclass(slots=True)
class CallNotes:
    """What a handler notes about the call it answers; lives in the ASGI scope under `simulation`."""

    operation: str = ""
    rows: int = 0
    fault: dict[str, Any] | None = None
    counted: bool = True
    cost: int = 0
    """Units that the vendor counts for the call, where it counts any."""


@dataclass(slots=True)
class Ledger:
    """Counts calls and rows per operation and per status since the last reset."""

    calls: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    paths: Counter[str] = field(default_factory=Counter)
    costs: Counter[str] = field(default_factory=Counter)
    remarks: Counter[str] = field(default_factory=Counter)
    tape: Tape = field(default_factory=Tape)

    def note(self, method: str, path: str, status: int, notes: CallNotes) -> None:
        """Counts one answered call; status 0 means that the connection was cut without an answer."""
        operation = notes.operation or f"{method} {path}"
        self.calls[operation] += 1
        self.rows[operation] += notes.rows
        self.costs[operation] += notes.cost
        self.statuses[str(status)] += 1
        self.paths[f"{method} {path}"] += 1

    def reset(self) -> None:
        """Forgets everything counted so far."""
        for counter in (self.calls, self.rows, self.statuses, self.paths, self.costs, self.remarks):
            counter.clear()

    def report(self) -> dict[str, Any]:
        """Returns the counts as plain JSON values."""
        return {
            "total": sum(self.calls.values()),
            "calls": dict(self.calls),
            "rows": dict(self.rows),
            "statuses": dict(self.statuses),
            "paths": dict(self.paths),
            "costs": dict(self.costs),
            "remarks": dict(self.remarks),
        }
