"""Starts the simulator that ships with a kind of connector."""

from __future__ import annotations

from collections.abc import Sequence

from hub.kernel.errors import Declined
from hub.outbound import run_simulator


def simulate(kind: str, options: Sequence[str]) -> None:
    """Serves a simulator until it is stopped. Raises NotFound for a kind that ships none, Declined for its refusal."""
    try:
        run_simulator(kind, options)
    except SystemExit as left:
        if not left.code:
            return
        said = left.code if isinstance(left.code, str) else "its options are wrong, see above"
        raise Declined(f"simulator {kind}: {said}", f"模拟器 {kind}：{said}") from None
