"""Where every entity stands, on one screen, ending with what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hub.kernel.errors import Text
from hub.operations.installation import Installation
from hub.operations.permission import permit
from hub.operations.progress import Progress, progress_of
from hub.operations.quota import with_quota
from hub.operations.reasons import Advice, explain
from hub.store import records, runs
from hub.store.allowances import load
from hub.store.lease import Holder, leader
from hub.store.runs import Run
from hub.sync.cycle import FIRST_SYNC, Standing, read_standing


@dataclass(frozen=True, slots=True)
class EntityStanding:
    """Is one entity: its records per state, what is owed per system, what waits, its last run, and what comes next."""

    entity: str
    label: Text
    records: Mapping[str, int]
    owed: Mapping[str, Mapping[str, int]]
    queued: int
    waiting: Mapping[str, int]
    last: Run | None
    advice: tuple[Advice, ...]
    backfills: tuple[Progress, ...] = ()


@dataclass(frozen=True, slots=True)
class Allowed:
    """Is how a window of a system stands, in its units; the last `reserve` of `size` are kept for people.

    `frees_at` is when the daemon may go on, in epoch seconds, where it has stopped. `spare` units above the reserve are
    left to what is due. `ends_at` is when the window begins anew, every `seconds`, where it does not roll.
    """

    system: str
    unit: str
    size: int
    reserve: int
    used: int
    left: int
    frees_at: float | None
    spare: int = 0
    ends_at: float | None = None
    seconds: float = 86_400.0

    @property
    def is_short(self) -> bool:
        """Tells whether so little is left that only what is due should use it."""
        return self.left - self.reserve < self.spare


@permit("status.read")
def steering(hub: Installation) -> Holder | None:
    """Returns which process steers by the schedules, or did so last; None where no daemon ever ran."""
    return leader(hub.store)


@permit("status.read")
def allowances(hub: Installation) -> list[Allowed]:
    """Returns how much of what their vendors grant the systems have used up, where anything was used."""
    with hub.store.read() as conn:
        rows = load(conn, hub.clock.now())
    named = [(row.name.partition(":"), row) for row in rows]
    return [
        Allowed(
            system,
            unit,
            row.size,
            row.reserve,
            row.used,
            max(0, row.left),
            row.frees_at,
            row.spare,
            row.ends_at,
            row.seconds,
        )
        for (system, _, unit), row in named
        if system in hub.settings.systems
    ]


@permit("status.read")
def overview(hub: Installation) -> list[EntityStanding]:
    """Returns where every synchronised entity stands; reads the store only."""
    found = []
    now = hub.store.clock.now()
    with hub.store.read() as conn:
        totals = records.totals(conn)
        windows = {row.name.partition(":")[0]: row for row in load(conn, now)}
        for entity, rules in hub.rules.items():
            standing = read_standing(conn, entity)
            last = next(iter(runs.latest(conn, entity, 1)), None)
            mine = {key.partition(":")[2]: n for key, n in totals.items() if key.partition(":")[0] == entity}
            found.append(
                EntityStanding(
                    entity,
                    rules.entity.label,
                    mine,
                    standing.owed,
                    standing.queued,
                    standing.waiting,
                    last,
                    tuple(_next(hub, entity, standing, last)),
                    with_quota(hub, progress_of(conn, entity, now), windows, now),
                )
            )
    return found


def _next(hub: Installation, entity: str, standing: Standing, last: Run | None) -> list[Advice]:
    if last is None:
        return [
            Advice("never_ran", "prove that every system answers", "先确认各接入系统可用", "crmhub check"),
            Advice("never_ran", "then see what a first sync would do", "再查看首次同步的待同步清单", "crmhub plan"),
        ]
    found = [explain(reason) for reason in standing.reasons()]
    found += [explain(reason) for reason in last.reasons if reason.startswith(("system:", "waiting_parent="))]
    released = {row.system for row in standing.guards if row.guard == FIRST_SYNC}
    owing = [s for s, owed in standing.owed.items() if s not in released and any(_writes(owed).values())]
    if hub.rules[entity].limits.first_sync and owing:
        found.append(explain(f"guard:{FIRST_SYNC}:{owing[0]}={sum(_writes(standing.owed[owing[0]]).values())}"))
    if last.ended_at is None:
        found.append(
            Advice(
                "interrupted",
                "the last run has not ended: it is still going on, or it was cut off; the next sync settles it",
                "上一批次未结束：仍在运行或已中断；下一批次会自行处理",
                "crmhub sync",
            )
        )
    elif not found and (standing.debts or standing.queued):
        found.append(Advice("owed", "changes are owed; go on", "仍有待同步变更，请继续", "crmhub sync"))
    return found


def _writes(owed: Mapping[str, int]) -> dict[str, int]:
    return {kind: owed.get(kind, 0) for kind in ("creates", "updates", "deletes")}
