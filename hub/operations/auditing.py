"""The audit log: verified row by row, and listed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from hub.audit.tree import FIRST_EPOCH, GENESIS, Head, head_of
from hub.audit.verify import Verdict, explain, verify
from hub.kernel.errors import HubError
from hub.operations.installation import Installation
from hub.operations.permission import permit
from hub.store import vault


class AuditBroken(HubError):
    """Is raised when a row of the audit log does not verify."""

    code = "HUB-AUDIT-002"
    exit_code = 5


@permit("audit.verify")
def verify_log(hub: Installation) -> Verdict:
    """Verifies the whole log. Raises AuditBroken naming the first broken row."""
    with hub.store.read() as conn:
        return _judge(verify(vault.audit_rows(conn)))


@permit("audit.verify")
def verify_tail(hub: Installation, rows: int = 1000) -> Verdict:
    """Verifies the newest rows only. Raises AuditBroken."""
    with hub.store.read() as conn:
        tail = vault.audit_tail(conn, rows + 1)
    whole = len(tail) <= rows
    after = Head(FIRST_EPOCH, -1, GENESIS) if whole else head_of(tail[0])
    return _judge(verify(tail if whole else tail[1:], after))


def _judge(verdict: Verdict) -> Verdict:
    if verdict.first_bad is not None:
        seq, reason = verdict.first_bad
        text = explain(reason)
        raise AuditBroken(
            f"audit row {seq} does not verify: {text.en}; keep the database as it is and tell the auditors",
            f"审计第 {seq} 行校验失败：{text.zh}；请保留数据库原状并通知审计人员",
        )
    return verdict


@permit("audit.read")
def list_log(
    hub: Installation, *, act: str | None = None, about: str | None = None, limit: int = 50
) -> list[Mapping[str, Any]]:
    """Returns the newest entries, oldest first: those of one act (or its prefix) and about one object id, if named."""
    with hub.store.read() as conn:
        if act is None and about is None:
            bodies = [row[2] for row in vault.audit_tail(conn, limit)]
        else:
            bodies = [row[2] for row in vault.audit_rows(conn)]
    entries = [orjson.loads(body) for body in bodies]
    kept = [
        entry
        for entry in entries
        if (act is None or entry["act"].startswith(act))
        and (about is None or about in (entry["obj"].get("id"), entry.get("corr")))
    ]
    return kept[-limit:]
