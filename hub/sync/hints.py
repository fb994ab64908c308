"""Reads again what systems hinted at, strongly, and stages it like any page: a hint itself says nothing of a record."""

from __future__ import annotations

from connectors.errors import ConnectorError
from hub.store import callbacks
from hub.sync.engine import Link, RunContext
from hub.sync.looking import learn_versions

CHUNK = 100
ECHO = 60.0
"""Seconds after our own write within which a hint at the record is taken for the answer to it."""
CROWD = 200
"""Hints at one object that are read one by one; a crowd of them is what the poll is for, which has just been made."""


def forget_echoes(run: RunContext) -> None:
    """Forgets the hints that our own writes caused, before a page shows the records and nobody can tell any more."""
    with run.store.read() as conn:
        hinted = callbacks.waiting(conn)
    for system, link in run.links.items():
        if any((system, object_) in hinted for object_ in link.objects):
            with run.store.begin(run.held) as work:
                run.tally.add("echoed_hints", callbacks.drop_echoes(work, system, link.objects, ECHO))


def look_at_hints(run: RunContext, resting: frozenset[str]) -> None:
    """Looks at what was hinted at. What rests or is paused keeps its hints; where reading fails the poll makes up."""
    for system in run.systems():
        link = run.links[system]
        for object_ in link.objects:
            if system in resting or run.stop.is_set():
                break
            _look(run, link, object_)


def _look(run: RunContext, link: Link, object_: str) -> None:
    with run.store.read() as conn:
        found = callbacks.hints_of(conn, link.system, object_, CROWD + 1)
    if not found:
        return
    ids = [native_id for native_id, _ in found] if len(found) <= CROWD else []
    try:
        for start in range(0, len(ids), CHUNK):
            if run.blocked(link.system):
                break
            part = ids[start : start + CHUNK]
            shown = link.connector.fetch(object_, part, link.native_fields(object_))
            learn_versions(run, link, object_, shown)
            run.tally.add("hinted", len(part))
    except ConnectorError as error:
        run.block(link.system, error)
    with run.store.begin(run.held) as work:
        callbacks.drop_hints(work, link.system, object_, found[-1][1])
