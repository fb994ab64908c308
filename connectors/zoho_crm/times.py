"""Zoho's times: read with their offset, kept as UTC text that sorts, sent as ISO 8601 with an offset."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from connectors.errors import ProtocolViolation


def instant(text: object) -> float:
    """Returns the epoch seconds of a vendor time. Raises ProtocolViolation for a time without an offset."""
    try:
        parsed = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        parsed = None
    if parsed is None or parsed.tzinfo is None:
        raise ProtocolViolation(
            "Zoho sent a time that is not ISO 8601 with an offset; see the vendor's status page",
            "Zoho 返回的时间不是带时区的 ISO 8601 格式，请查看厂商的服务状态",
        )
    return parsed.timestamp()


def version(text: object) -> str:
    """Returns a vendor time as ordered text: UTC with whole seconds, which is all that Modified_Time resolves."""
    return version_at(instant(text))


def version_at(seconds: float) -> str:
    """Returns epoch seconds as ordered text."""
    return datetime.fromtimestamp(int(seconds), UTC).isoformat()[:19] + "Z"


def stamp(seconds: float) -> str:
    """Formats epoch seconds for a header or a query, fractions cut off."""
    return datetime.fromtimestamp(int(seconds), UTC).isoformat(timespec="seconds")


def server_time(date_header: str) -> float | None:
    """Returns the epoch seconds of an HTTP Date header, None where there is none."""
    try:
        return parsedate_to_datetime(date_header).timestamp()
    except (TypeError, ValueError, IndexError):
        return None
