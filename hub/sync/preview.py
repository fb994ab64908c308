"""What a run would write, for a person to read before it does."""

from __future__ import annotations

from hub.core.merge import debts
from hub.core.plan import Act, Action
from hub.core.state import BindingState
from hub.store import questions, records
from hub.store.database import Connection
from hub.sync.engine import RunContext
from hub.sync.push import side_of

_ACTS = (
    (BindingState.PENDING, Act.CREATE),
    (BindingState.ACTIVE, Act.UPDATE),
    (BindingState.DOOMED, Act.DELETE),
)


def owed_actions(conn: Connection, run: RunContext, system: str, limit: int) -> list[tuple[str, Action]]:
    """Returns (hub id, action) of what is owed to a system, for a dry run; fields are named, values are not."""
    link = run.links[system]
    found: list[tuple[str, Action]] = []
    for state, act in _ACTS:
        page = records.dirty_page(conn, run.entity, system, "", limit, state)
        stored = records.load(conn, run.ring, [item.hub_id for item in page])
        frozen = questions.frozen_fields(conn, [item.hub_id for item in page])
        for item in page:
            fields: tuple[str, ...] = ()
            if state is BindingState.ACTIVE:
                base = stored[item.hub_id].bases.get(item.binding_id)
                base = link.base_of(item, stored[item.hub_id].golden, base)
                kept = frozen.get(item.hub_id, frozenset())
                debt = debts(
                    stored[item.hub_id].golden, side_of(link, item, base, stored[item.hub_id].golden), base, kept
                )
                fields = tuple(debt.fields)
            found.append((item.hub_id, Action(act, system, "owed", fields)))
    return found[:limit]
