"""Shows how a run goes on: records done, rate and time left, on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text as Line

from hub.cli.desk import Desk
from hub.operations.cycles import expected
from hub.operations.installation import Installation

_PHASES = {
    "pull": ("read", "读取"),
    "merge": ("merge", "合并"),
    "push": ("write", "写入"),
    "reconcile": ("compare", "对账"),
}


class _Rate(ProgressColumn):
    """Shows records per second."""

    def render(self, task: Task) -> Line:
        speed = task.finished_speed or task.speed
        return Line("" if speed is None else f"{speed:,.0f}/s")


@contextmanager
def watching(desk: Desk, hub: Installation, entity: str) -> Iterator[None]:
    """Shows the progress of the runs inside the block on standard error, where that is a terminal."""
    if desk.json or not sys.stderr.isatty():
        yield
        return
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,}"), _Rate())
    with Progress(*columns, TimeRemainingColumn(elapsed_when_finished=True), console=console, transient=True) as bars:
        tasks: dict[tuple[str, str], TaskID] = {}

        def tell(phase: str, system: str, done: int) -> None:
            if (phase, system) not in tasks:
                name = desk.word(*_PHASES.get(phase, (phase, phase)))
                left = expected(hub, entity, phase, system)
                # The first page is done already, so what is left is that much more.
                total = None if left is None else left + done
                tasks[phase, system] = bars.add_task(f"{name} {system}", total=total)
            bars.advance(tasks[phase, system], done)

        before, hub.progress = hub.progress, tell
        try:
            yield
        finally:
            hub.progress = before
