"""What an exported package says of the log: the tables people read, and the roots over what it leaves out; pure.

The tree of an epoch can be computed anew from the entries of the package and, for every gap between them, the roots
over the largest aligned subtrees that fill it. Gaps end where a checkpoint of the package does, so that one pass proves
every entry against the newest signed root and every checkpoint against the next. `standalone/verify.py` is the reader.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from hub.audit.merkle import node_hash
from hub.crypto.hashes import Hash

FORMAT = "crmhub-audit-1"
BEIJING = ZoneInfo("Asia/Shanghai")
LONGEST = 32_000
"""Characters of a cell; Excel holds 32,767."""
HEADINGS = (
    "epoch 纪元",
    "seq 序号",
    "beijing 北京时间",
    "utc 协调世界时",
    "actor 操作人",
    "act 操作",
    "stage 阶段",
    "outcome 结果",
    "object 对象类型",
    "object id 对象编号",
    "system 接入系统",
    "branch 机构",
    "fields 字段",
    "code 代码",
    "reason 原因",
    "counts 数量",
    "run 批次",
    "ticket 工单",
    "approver 批准人",
    "channel 渠道",
    "id 记录编号",
    "leaf 叶哈希",
)
_LIVE = tuple("=+-@\t\r＝＋－＠")
_NUMERIC = re.compile(r"0[0-9]+|[0-9]{12,}|[0-9][0-9.,]*[eE][+-]?[0-9]+")


def cells_of(record: Mapping[str, Any], leaf: bytes) -> list[str]:
    """Returns the cells of an entry in the order of `HEADINGS`; what it does not say is empty."""
    about = record["obj"]
    at = datetime.fromisoformat(record["ts"]).astimezone(BEIJING)
    found = (
        record["epoch"],
        record["seq"],
        at.strftime("%Y-%m-%d %H:%M:%S.%f"),
        record["ts"],
        record["actor"]["id"],
        record["act"],
        record["stage"],
        record["outcome"],
        about["type"],
        about.get("id"),
        about.get("connection"),
        about.get("branch"),
        " ".join(note["name"] for note in record.get("fields", ())),
        record.get("code"),
        record.get("reason"),
        " ".join(f"{name}={number}" for name, number in record.get("counts", {}).items()),
        record.get("corr"),
        record.get("ticket"),
        record.get("approver"),
        record["src"]["channel"],
        record["id"],
        leaf.hex(),
    )
    return ["" if cell is None else str(cell)[:LONGEST] for cell in found]


def safe(cell: str) -> str:
    """Returns a cell of a CSV file that no spreadsheet computes, and whose digits none rounds."""
    return f"'{cell}" if cell.startswith(_LIVE) or _NUMERIC.fullmatch(cell) else cell


def csv_line(cells: Sequence[str]) -> bytes:
    """Returns a line of CSV (RFC 4180)."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow([safe(cell) for cell in cells])
    return line.getvalue().encode()


@dataclass(slots=True)
class Gap:
    """Is a run of leaves that a package leaves out: the roots over its largest aligned subtrees, from left to right."""

    low: int
    high: int
    hash_: Hash = field(repr=False)
    nodes: list[tuple[int, bytes]] = field(default_factory=list)

    @classmethod
    def at(cls, low: int, hash_: Hash) -> Gap:
        """Returns an empty one."""
        return cls(low, low, hash_)

    def append(self, leaf: bytes) -> None:
        """Takes in the next leaf. Subtrees are joined where both halves are here and the pair is aligned."""
        height, node, start = 0, leaf, self.high
        while self.nodes and self.nodes[-1][0] == height and (start >> height) & 1:
            start -= 1 << height
            node = node_hash(self.nodes.pop()[1], node, self.hash_)
            height += 1
        self.nodes.append((height, node))
        self.high += 1
