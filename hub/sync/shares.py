"""Shares: cuts the streams and the debts of a cycle into parts, and joins what came of them.

The cycle has one leader, who holds the entity's lease; whoever is free carries out a share under the same epoch. Who is
who, what to merge and what to guard stay with the leader: only reading pages and writing batches is spread.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import connectors.errors
from connectors.errors import ConnectorError
from hub.core.state import BindingState
from hub.kernel.errors import ShareFailed
from hub.store import lease, shares
from hub.store.shares import Share, ShareState
from hub.sync.engine import CUT_SHORT, Link, RunContext, Turn
from hub.sync.pull import pull_object
from hub.sync.push import push, push_parts, push_walks
from hub.sync.walks import Range, ranges_of, walk_range

PULL, PUSH = "pull", "push"
BATCHES = 10
"""Batches in a share: enough that those of every object are full, few enough that many processes find work."""
LOOK, RESCUE, LOST = 0.1, 1.0, 30.0
"""Seconds between two looks at the shares of a run; two looks for dead holders; until silence means lost offers."""
OFFERED_AGAIN = "shares_offered_again"
"""Counts the shares whose holder died, or of which the offer was lost."""
OLD_SHARES_END = 30.0
"""Seconds that a new epoch waits for who still carries out a share of an older one; the epoch fences them anyway."""


# The leader.


def settle_older(run: RunContext) -> None:
    """Ends the shares of older epochs, and waits a while for those who are amid a call: then recovery sees its end."""
    if not lease.many_machines(run.store.engine):
        return
    with run.store.begin(run.held) as work:
        locks = shares.retire(work, run.entity, run.held.epoch)
    waited = 0.0
    while locks and waited < OLD_SHARES_END:
        with run.store.read() as conn:
            locks = sorted(lease.held_elsewhere(conn, locks))
        if locks:
            run.clock.sleep(LOOK)
            waited += LOOK
    run.tally.add("shares_left_behind", len(locks))
    with run.store.begin(run.held) as work:
        shares.forget(work, run.entity, run.held.epoch)


def pull_rest(run: RunContext, left: Sequence[tuple[str, str]]) -> None:
    """Has the streams read to their end of which more than one page was there."""
    _carry_out(run, [_cut(run, PULL, system, {"object": object_}) for system, object_ in left])


def push_spread(run: RunContext, link: Link, turn: Turn) -> int:
    """Has every debt to one system walked once, as `push` does; returns how many writes were accepted."""
    size = BATCHES * max(link.can(object_).batch_size for object_ in link.objects)
    walks, groups = ranges_of(run, link, turn, size)
    if sum(map(len, groups)) < 2:
        return push(run, link, turn)
    written = push_parts(run, link, turn, going=True) + push_walks(run, link, walks, turn)
    for group in groups:
        if run.stop.is_set() or run.blocked(link.system) or run.cut_short():
            break
        places = [{"state": part.state.value, "after": part.after, "until": part.until} for part in group]
        written += _carry_out(run, [_cut(run, PUSH, link.system, place) for place in places])
    if not (run.stop.is_set() or run.blocked(link.system) or run.cut_short()):
        written += push_parts(run, link, turn, going=False)
    return written


def _cut(run: RunContext, act: str, system: str, place: Mapping[str, Any]) -> Share:
    assert run.spread is not None
    return Share(run.new_id(), run.run_id, run.entity, run.held.epoch, act, system, place, run.spread.scope)


def _carry_out(run: RunContext, cut: Sequence[Share]) -> int:
    """Offers shares and waits until all have ended or were taken back; returns how many writes were accepted."""
    if not cut:
        return 0
    spread = run.spread
    assert spread is not None
    with run.store.begin(run.held) as work:
        shares.make(work, cut)
    spread.offer([item.share_id for item in cut])
    act, first = cut[0].act, cut[0].share_id
    done: dict[str, int] = {}
    asked, looked_at = False, run.clock.now()
    rescued: set[tuple[str, int]] = set()
    while True:
        with run.store.read() as conn:
            found = [item for item in shares.of_run(conn, run.run_id) if item.share_id >= first]
        for item in found:
            if (more := item.done - done.get(item.share_id, 0)) > 0:
                run.progress(act, item.system, more)
                done[item.share_id] = item.done
        pending = [item for item in found if item.state in (ShareState.OPEN, ShareState.TAKEN)]
        if not pending:
            run.tally.add(CUT_SHORT, sum(1 for item in found if item.state is ShareState.DROPPED))
            return sum(_join(run, item) for item in found if item.state is ShareState.ENDED)
        if (run.stop.is_set() or run.turn.used_up()) and not asked:
            asked = True
            with run.store.begin(run.held) as work:
                shares.ask_to_stop(work, run.run_id)
            continue
        if abs(run.clock.now() - looked_at) >= RESCUE:
            looked_at = run.clock.now()
            _rescue(run, found, pending, rescued)
        run.clock.sleep(LOOK)


def _rescue(run: RunContext, found: Sequence[Share], pending: Sequence[Share], rescued: set[tuple[str, int]]) -> None:
    """Offers again what nobody carries out: its holder died, or all offers were lost; notes which. Raises LeaseLost."""
    assert run.spread is not None
    with run.store.begin(run.held) as work:
        silent = work.now - max(item.beat_at or item.made_at for item in found) >= LOST
    with run.store.read() as conn:
        busy = lease.held_elsewhere(conn, [item.lock for item in pending])
    idle = [item for item in pending if item.lock not in busy and (silent or item.state is ShareState.TAKEN)]
    turns = {(item.share_id, item.turn) for item in idle} - rescued
    rescued |= turns
    run.tally.add(OFFERED_AGAIN, len(turns))
    run.spread.offer([item.share_id for item in idle])


def _join(run: RunContext, item: Share) -> int:
    """Adds what came of a share to the run. Raises ShareFailed where it failed for no fault of a system."""
    said = item.outcome
    if failed := said.get("failed"):
        raise ShareFailed(
            f"{item.act} of {item.system} failed at {item.holder}: {failed['code']} {failed['en']}",
            f"{item.system} 的 {item.act} 在 {item.holder} 失败：{failed['code']} {failed['zh']}",
        )
    for name, number in said.get("counts", {}).items():
        run.tally.add(name, number)
    run.tally.orphans.difference_update(said.get("placed", ()))
    run.tally.orphans.update(said.get("orphans", ()))
    run.tally.unseen.update(said.get("unseen", ()))
    for why, ids in said.get("withheld", {}).items():
        run.tally.withheld.setdefault(why, set()).update(ids)
    if (words := said.get("blocked")) is not None:
        run.block(item.system, error_of(words))
    return int(sum(number for name, number in said.get("counts", {}).items() if name.startswith("written:")))


# Who carries a share out.


def do_share(run: RunContext, item: Share) -> dict[str, Any]:
    """Carries a share out as far as it goes and returns what came of it, in JSON."""
    link = run.links[item.system]
    before = dict(item.outcome.get("counts", {}))
    if item.act == PULL:
        pull_object(run, link, str(item.place["object"]))
    else:
        state, after, until = (str(item.place[name]) for name in ("state", "after", "until"))
        push_walks(run, link, [walk_range(run, link, Range(BindingState(state), after, until))], run.turn)
    for name, number in before.items():
        run.tally.add(name, number)
    blocked = run.tally.blocked.get(item.system)
    return {
        "counts": dict(run.tally.counts),
        "orphans": sorted(run.tally.orphans),
        "unseen": sorted(run.tally.unseen),
        "withheld": {why: sorted(ids) for why, ids in run.tally.withheld.items()},
        "placed": sorted(run.tally.placed),
        "blocked": None if blocked is None else words_of(blocked),
    }


# Errors of a system on their way from who met them to the leader.


def words_of(error: ConnectorError) -> dict[str, Any]:
    """Returns an error in JSON: its code, its two messages and what else its class carries."""
    return {"code": error.code, **vars(error)}


def error_of(words: Mapping[str, Any]) -> ConnectorError:
    """Returns the error that `words_of` spelled out; one of an unknown code keeps its messages."""
    kinds = {kind.code: kind for kind in _kinds(ConnectorError)}
    rest = {name: value for name, value in words.items() if name not in ("code", "en", "zh")}
    return kinds[words["code"]](words["en"], words["zh"], **rest)


def _kinds(base: type[ConnectorError]) -> Iterator[type[ConnectorError]]:
    yield base
    for kind in vars(connectors.errors).values():
        if isinstance(kind, type) and issubclass(kind, base) and kind is not base:
            yield kind


def for_a_share(run: RunContext, item: Share) -> RunContext:
    """Returns the run as who carries out one of its shares sees it: strangers wait for the leader."""
    return replace(run, held=item.lease, run_id=item.run_id, spread=None, adopts=False)
