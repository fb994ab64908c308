"""Records of people who were erased, met again in a system: held out, and nothing of them is kept."""

from __future__ import annotations

from collections.abc import Sequence

from hub.core.state import Observation
from hub.store import erasure
from hub.store.quarantine import INBOUND, Fault
from hub.sync.engine import RunContext

ERASED, LIKE_ERASED = "HUB-ERASE-001", "HUB-ERASE-002"


def keep_out(
    run: RunContext, faults: list[Fault], strangers: Sequence[Observation], seen: Sequence[Observation]
) -> Sequence[Observation]:
    """Returns what was seen without strangers who carry an erased record's id or match key; those become faults."""
    if not strangers:
        return seen
    keys = {item.obs_id: run.rules.keys(run.ring, item.fields).values() for item in strangers}
    with run.store.read() as conn:
        stamps = erasure.stopped_places(conn, "", "", [item.stamp for item in strangers if item.stamp])
        digests = erasure.stopped_keys(conn, run.entity, [digest for found in keys.values() for digest in found])
    out = set()
    for item in strangers:
        known = stamps.get(item.stamp or "")
        like = next((digests[digest] for digest in keys[item.obs_id] if digest in digests), None)
        erased = known or like
        if erased is not None:
            out.add(item.obs_id)
            digest = item.digest or b""
            faults.append(erased_fault(item.system, item.object, item.native_id, erased, digest, like=known is None))
    return [item for item in seen if item.obs_id not in out]


def erased_fault(system: str, object_: str, native_id: str, erased: str, digest: bytes, *, like: bool = False) -> Fault:
    """Returns what is held out: the place and the erased record's id; neither payload nor subject."""
    what_en, what_zh = ("looks like a record", "疑似某记录") if like else ("is of a record", "属于某记录")
    return Fault(
        system,
        object_,
        native_id,
        INBOUND,
        "",
        LIKE_ERASED if like else ERASED,
        f"{what_en} that was erased on request ({erased}); delete it in {system}, or let the person come back: "
        f"crmhub erasure admit {erased} --reason TEXT, then quarantine retry",
        f"{what_zh}（{erased}），该记录已应请求删除；请在 {system} 中删除，或准许重新建立："
        f"crmhub erasure admit {erased} --reason 原因，再 quarantine retry",
        digest,
    )
