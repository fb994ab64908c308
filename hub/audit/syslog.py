"""Lines for a syslog server or a SIEM: RFC 5424 with octet counting (RFC 6587), entries as CEF; pure.

CEF: `CEF:0|vendor|product|version|act|name|severity|extension`; in the head `|` and `\\` are escaped, in the extension
`=` and `\\`. Entries keep `seq`, `epoch` and `leaf`, so that a row in a SIEM can be found in the log and proved.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from hub.audit.event import stamp
from hub.audit.tree import RowTuple

LOG_AUDIT = 13
INFO, WARNING, ERROR = 6, 4, 3
_SEVERITY = {"success": (3, INFO), "denied": (6, WARNING), "error": (7, ERROR)}


def frame(line: bytes) -> bytes:
    """Returns a message with its length before it, so that none can end another."""
    return b"%d %s" % (len(line), line)


def line(host: str, kind: str, message: str, *, severity: int = INFO, at: str = "-") -> bytes:
    """Returns one RFC 5424 message without structured data; control characters were escaped before."""
    return f"<{LOG_AUDIT * 8 + severity}>1 {at} {_name(host)} crmhub - {kind} - {message}".encode()


def checkpoint_message(note: str, signed_at: float) -> str:
    """Returns a signed note as one line of JSON; `anchors_in` reads it back."""
    return orjson.dumps({"checkpoint": note, "signed_at": stamp(signed_at)}).decode()


def anchors_in(text: str) -> str | None:
    """Returns the note in a line that a server stored, whatever it put around; None where there is none."""
    start, end = text.find('{"checkpoint":'), text.rfind("}")
    if start < 0 or end < start:
        return None
    try:
        found = orjson.loads(text[start : end + 1])
    except orjson.JSONDecodeError:
        return None
    note = found.get("checkpoint")
    return note if isinstance(note, str) else None


def cef(row: RowTuple, version: str) -> tuple[str, int, str]:
    """Returns an entry as CEF, its syslog severity and its time."""
    epoch, seq, body, leaf, _ = row
    record: dict[str, Any] = orjson.loads(body)
    severity, level = _SEVERITY.get(record["outcome"], (5, WARNING))
    head = "|".join(_head(part) for part in ("CEF:0", "crmhub", "crmhub", version, record["act"], record["act"]))
    extension = {
        "rt": record["ts"],
        "externalId": record["id"],
        "outcome": record["outcome"],
        "suser": record["actor"]["id"],
        "shost": record["src"].get("host"),
        "src": record["src"].get("ip"),
        "dproc": record["src"]["channel"],
        "reason": record.get("reason"),
        **_customs(record, epoch, seq, leaf.hex()),
    }
    told = " ".join(f"{name}={_value(value)}" for name, value in extension.items() if value is not None)
    return f"{head}|{severity}|{told}", level, record["ts"]


def _customs(record: Mapping[str, Any], epoch: int, seq: int, leaf: str) -> dict[str, object]:
    about = record["obj"]
    fields = ",".join(note["name"] for note in record.get("fields", ()))
    found: dict[str, object] = {"cn1": seq, "cn1Label": "seq", "cn2": epoch, "cn2Label": "epoch"}
    texts = {
        "leaf": leaf,
        "object": " ".join(str(about[name]) for name in ("type", "id") if name in about),
        "connection": about.get("connection"),
        "fields": fields or None,
        "code": record.get("code"),
        "correlation": record.get("corr"),
    }
    for number, (label, value) in enumerate(((k, v) for k, v in texts.items() if v is not None), 1):
        found |= {f"cs{number}": value, f"cs{number}Label": label}
    return found


def _head(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|")


def _value(value: object) -> str:
    return str(value).replace("\\", "\\\\").replace("=", "\\=").replace("\n", "\\n").replace("\r", "\\r")


def _name(text: str) -> str:
    return "".join(c if "!" <= c <= "~" else "_" for c in text)[:255] or "-"
