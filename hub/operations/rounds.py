"""Runs the cycles of several entities, parents first, until a whole round brings nothing new."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial

from hub.operations.cycles import Synced, sync
from hub.operations.installation import Installation
from hub.operations.permission import permit
from hub.sync.cycle import Outcome, Report, read_standing

ROUNDS = 5
"""How often parents and children may hand each other work before a person looks."""

Watch = Callable[[str], AbstractContextManager[object]]


@permit("sync.run")
def sync_all(
    hub: Installation,
    names: Sequence[str],
    *,
    until_converged: bool = False,
    max_cycles: int = 10,
    stop: threading.Event | None = None,
    watch: Watch = lambda name: nullcontext(),
    told: Callable[[str, int, Report], None] = lambda name, number, report: None,
) -> list[Synced]:
    """Runs one cycle of each entity, or rounds of them until nothing is owed or nothing moves any more. Raises Busy.

    A child may bring work for its parent (when a customer was last contacted), so the parents have another look.
    """
    stop = stop or threading.Event()
    done: dict[str, Synced] = {}
    for _ in range(ROUNDS if until_converged else 1):
        moved = False
        for name in names:
            if stop.is_set() or (name in done and not _has_work(hub, name)):
                continue
            with watch(name):
                found = sync(
                    hub,
                    name,
                    until_converged=until_converged,
                    max_cycles=max_cycles,
                    stop=stop,
                    told=partial(told, name),
                )
            moved = moved or _moved(found)
            done[name] = found if name not in done else _joined(done[name], found)
        if not moved or stop.is_set():
            break
    return list(done.values())


def _has_work(hub: Installation, name: str) -> bool:
    with hub.store.read() as conn:
        left = read_standing(conn, name)
    return bool(left.queued or left.debts or left.waiting.get("parked"))


def _moved(found: Synced) -> bool:
    named = ("created", "merged", "woken", "noted", "recovered")
    written = any(number for name, number in found.counts.items() if name.startswith("written:"))
    return written or any(found.counts.get(name) for name in named) or found.outcome == Outcome.PROGRESSED


def _joined(before: Synced, after: Synced) -> Synced:
    counts = Counter(before.counts)
    counts.update(after.counts)
    return replace(after, cycles=before.cycles + after.cycles, counts=counts)
