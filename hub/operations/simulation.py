"""Starts the simulator that ships with a kind of connector."""

from __future__ import annotations

from collections.abc import Sequence

from hub.outbound import run_simulator


def simulate(kind: str, options: Sequence[str]) -> None:
    """Serves a simulator until it is stopped. Raises NotFound for a kind that ships none."""
    run_simulator(kind, options)
