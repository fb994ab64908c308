"""What one native record is in canonical form: an observation, or the reason why it is held out."""

from __future__ import annotations

from connectors.base import NativeRecord
from hub.core.state import Kind, Observation
from hub.store.quarantine import INBOUND, OUTSIDE, Fault
from hub.sync.engine import Link, RunContext


def observe(
    run: RunContext, link: Link, record: NativeRecord, digest: bytes, *, bound: bool
) -> Observation | Fault | None:
    """Returns what a record shows in canonical form, why it cannot be read, or None outside the mapping's filter."""
    kind = Kind.UPSERT
    if record.deleted:
        kind = Kind.MERGED if record.merged_into else Kind.GONE
    entity, obs_id = run.entity, run.new_id()
    if kind is not Kind.UPSERT:
        return Observation(
            obs_id,
            entity,
            link.system,
            record.object,
            record.native_id,
            kind,
            {},
            record.version,
            None,
            record.merged_into,
            digest,
        )
    if link.mapping.is_foreign(record.object, record.fields, bound=bound):
        # Nothing of another sort's record is read: its values need not even fit the mapping.
        if bound:
            return _outside(link, record, digest, old=False)
        run.tally.add("filtered")
        return None
    translated = link.mapping.to_canonical(record.object, record.fields)
    if translated.redactions:
        run.tally.add("redacted", len(translated.redactions))
    if translated.refusals:
        first = translated.refusals[0]
        payload = {"fields": dict(record.fields)}
        return Fault(
            link.system,
            record.object,
            record.native_id,
            INBOUND,
            "",
            "HUB-VALUE-001",
            f"{first.native_field} ({first.field}): {first.reason.en}; correct it in {link.system}, or its mapping",
            f"{first.native_field}（{first.field}）：{first.reason.zh}；请在 {link.system} 中更正，或修改映射",
            digest,
            payload=payload,
        )
    if link.mapping.part(record.object) is not None:
        if not link.mapping.belongs(record.object, record.fields):
            if bound:
                return _outside(link, record, digest, old=False)
            run.tally.add("filtered")
            return None
    elif not link.mapping.admits(translated.fields):
        old = link.mapping.is_too_old(translated.fields)
        if bound:
            return _outside(link, record, digest, old=old)
        run.tally.add("too_old" if old else "filtered")
        return None
    once = link.scope(record.object).once if bound else ()
    shown = {n: v for n, v in translated.fields.items() if n not in once} if once else translated.fields
    stamp = record.fields.get(link.mapping.hub_id_field(record.object))
    return Observation(
        obs_id,
        entity,
        link.system,
        record.object,
        record.native_id,
        kind,
        shown,
        record.version,
        stamp if isinstance(stamp, str) and stamp else None,
        None,
        digest,
    )


def _outside(link: Link, record: NativeRecord, digest: bytes, *, old: bool) -> Fault:
    """Holds out a bound record that left the mapping's filter: it asks to be unbound, it is never deleted."""
    if old:
        en = f"the record is older than the cut-off (since) of the mapping of {link.system}"
        zh = f"该记录早于 {link.system} 映射的起始时间（since）"
    else:
        en = f"the record left the filter of the mapping of {link.system}"
        zh = f"该记录已不符合 {link.system} 映射的筛选条件"
    return Fault(
        link.system,
        record.object,
        record.native_id,
        INBOUND,
        "",
        OUTSIDE,
        f"{en}; widen it, or detach the record",
        f"{zh}；请放宽该条件，或解除绑定",
        digest,
    )
