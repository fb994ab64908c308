"""Sends what is ready: intents committed, the system called, outcomes committed, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from connectors.errors import ConnectorError
from hub.kernel.failpoints import hit
from hub.store import intents
from hub.sync.engine import Link, RunContext
from hub.sync.outcome import Sent, settle


def batches(link: Link, ready: Sequence[Sent]) -> Iterator[list[Sent]]:
    """Groups requests by object and op into batches that the connector takes at once."""

    def key(item: Sent) -> tuple[str, str]:
        return item.request.object, item.request.op.value

    for (object_, _), group in groupby(sorted(ready, key=key), key):
        items, size = list(group), max(1, link.can(object_).batch_size)
        for start in range(0, len(items), size):
            yield items[start : start + size]


def send(run: RunContext, link: Link, batch: Sequence[Sent]) -> int:
    """Commits the intents, calls the system, and commits what came of it."""
    with run.store.begin(run.held) as work:
        intents.commit(work, run.held, run.run_id, [item.intent for item in batch])
    hit("intents_committed")
    error: ConnectorError | None = None
    try:
        results = list(link.connector.write([item.request for item in batch]))
    except ConnectorError as raised:
        error, results = raised, []
    hit("call_returned")
    written = settle(run, link, batch, results, error)
    if error is not None:
        run.block(link.system, error)
    hit("outcome_committed")
    run.progress("push", link.system, len(batch))
    return written
