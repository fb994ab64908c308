"""The cut-off of a mapping: from when on records take part."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, Final

from pydantic_core import PydanticCustomError

from hub.canonical.schema import Field, Kind
from hub.canonical.values import Value, write_instant
from hub.kernel.errors import Text

ZONE: Final = timezone(timedelta(hours=8), "Asia/Shanghai")
"""The time zone of the hub: a day begins at midnight there."""
NO_MOMENT: Final = Text(
    "must be a date such as 2024-01-01, or a date and time in quotes such as '2024-01-01T08:00:00+08:00'",
    "应为日期，如 2024-01-01；或加引号的日期时间，如 '2024-01-01T08:00:00+08:00'",
)


@dataclass(frozen=True, slots=True)
class CutOff:
    """Is a field and the earliest value with which a record takes part, in canonical form."""

    field: str
    earliest: str

    def leaves_out(self, value: Value) -> bool:
        """Tells whether a record with this value is too old; one without a value is not."""
        # Canonical days and instants have one form each, so that text compares as time.
        return isinstance(value, str) and value < self.earliest


def read_moment(raw: Any) -> str:
    """Returns the text of a date or a date and time of a mapping file. Raises PydanticCustomError."""
    if type(raw) is date:
        return raw.isoformat()
    try:
        if isinstance(raw, str):
            datetime.fromisoformat(raw.strip())
            return raw.strip()
    except ValueError:
        pass
    # An unquoted date and time loses its offset in YAML, so it is not guessed.
    raise PydanticCustomError("said", "no moment", {"en": NO_MOMENT.en, "zh": NO_MOMENT.zh})


def cut_off(field: Field, moment: str) -> CutOff | None:
    """Returns the cut-off on a field, or None where the field cannot be compared with the moment."""
    stands = datetime.fromisoformat(moment)
    if field.kind is Kind.DATETIME:
        stands = stands if stands.tzinfo else stands.replace(tzinfo=ZONE)
        return CutOff(field.name, write_instant(stands.astimezone(UTC), field.resolution == "ms"))
    if field.kind is Kind.DATE and len(moment) == len("2024-01-01"):
        return CutOff(field.name, stands.date().isoformat())
    return None
