"""Strong reads: what they prove is staged, and the versions they teach are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connectors.base import Fetched, NotVisible
from connectors.errors import ConnectorError
from hub.store import records
from hub.sync.engine import Link, RunContext
from hub.sync.stage import Stream, proven, stage


def look(run: RunContext, link: Link, wanted: Mapping[str, Sequence[str]]) -> None:
    """Observes records whose version is not known, so that the write that follows can be conditional."""
    for object_, ids in wanted.items():
        try:
            found = link.connector.fetch(object_, ids, link.native_fields(object_))
        except ConnectorError as error:
            run.block(link.system, error)
            return
        learn_versions(run, link, object_, found)
        run.tally.unseen |= {
            f"{link.system}/{object_}/{key}" for key, it in found.items() if isinstance(it, NotVisible)
        }


def learn_versions(run: RunContext, link: Link, object_: str, found: Mapping[str, Fetched]) -> None:
    """Stages strong reads and keeps the version of those that show nothing new."""
    shown = [record for item in found.values() if (record := proven(object_, item)) is not None]
    stage(run, link, Stream(object_, "look", None), shown, strong=True)
    versions = {item.native_id: item.version for item in shown if item.version and not item.deleted}
    with run.store.begin(run.held) as work:
        records.learn_versions(work, link.system, object_, versions)
    run.tally.add("looked", len(shown))
