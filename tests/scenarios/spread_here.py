"""Carries out the shares of a run in this thread, at the moment they are offered: a cycle as if spread, replayable."""

from __future__ import annotations

from collections.abc import Sequence

from hub.store import shares
from hub.store.shares import ShareState
from hub.store.unit_of_work import Lease
from hub.sync.engine import RunContext
from hub.sync.shares import do_share, for_a_share


class Here:
    """Implements `hub.sync.engine.Spread`; `taken` counts the shares."""

    scope = "here"

    def __init__(self, run: RunContext) -> None:
        self._run = run
        self.taken = 0

    def offer(self, share_ids: Sequence[str]) -> None:
        run = self._run
        for share_id in share_ids:
            with run.store.begin(Lease(run.entity, run.held.epoch)) as work:
                item = shares.take(work, share_id, "here")
            assert item is not None
            self.taken += 1
            mine = for_a_share(
                RunContext(
                    run.rules,
                    run.links,
                    run.store,
                    run.clock,
                    run.new_id,
                    run.held,
                    "",
                    "test",
                    threads=False,
                    page=run.page,
                ),
                item,
            )
            outcome = do_share(mine, item)
            with run.store.begin(item.lease) as work:
                shares.put_down(work, item.lease, ShareState.ENDED, outcome)
