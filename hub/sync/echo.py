"""Our own writes coming back: heard and noted in the commit that reads them, without a row in the inbox."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hub.core.state import Base, Binding, BindingState, GoldenRecord, Kind, Observation
from hub.store import records
from hub.sync.engine import Link, RunContext

Heard = tuple[Binding, Binding]
"""A binding before and after its echo was heard."""


def quiet_echoes(run: RunContext, link: Link, seen: Sequence[tuple[Observation, Binding | None]]) -> list[Heard]:
    """Returns the bindings whose record was written by us since it was last seen and shows nothing but that.

    Comparing with the base is what the merge would do; a record that shows anything else goes to the merge.
    """
    written = [(item, binding) for item, binding in seen if binding is not None and _written(link, item, binding)]
    if not written:
        return []
    with run.store.read() as conn:
        stored = records.load(conn, run.ring, [binding.hub_id for _, binding in written])
    heard: list[Heard] = []
    for item, binding in written:
        known = stored[binding.hub_id]
        if quiet(item, known.golden, known.bases.get(binding.binding_id), link.scope(binding.object).readable):
            after = replace(
                binding,
                version=item.version or binding.version,
                obs_digest=item.digest,
                stamped=binding.stamped or item.stamp == binding.hub_id,
            )
            heard.append((binding, after))
    return heard


def _written(link: Link, item: Observation, binding: Binding) -> bool:
    present = binding.mapping_version == link.mapping.version
    # Without a digest of what was seen (we wrote it, or the digest key was replaced) the record itself is compared.
    return present and item.kind is Kind.UPSERT and binding.state is BindingState.ACTIVE and not binding.obs_digest


def quiet(item: Observation, golden: GoldenRecord, base: Base | None, readable: frozenset[str]) -> bool:
    """Tells whether an observation shows only what both sides agreed to; a base of None equals the golden record."""
    for name, shown in item.fields.items():
        if name not in readable:
            continue
        now = golden.fields.get(name)
        if base is None:
            if shown != now:
                return False
        else:
            known = base.get(name)
            if known is None or known.agreed != now or not known.knows(shown):
                return False
    return True
