"""How an update is guarded against another writer, and what writes cost.

ALONE     one row a call under If-Unmodified-Since: nothing comes between.
TOGETHER  a hundred rows a call, their versions read in one call just before. What falls between the two is refused
          where the vendor heeds If-Unmodified-Since on several rows, which is not documented.
Source: Zoho API v8 update-records, api-limits (a credit for ten rows of a write, one for a read).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from connectors.base import NativeRecord, Op
from connectors.errors import ProtocolViolation
from connectors.pricing import Price
from connectors.zoho_crm.settings import ZohoSettings
from connectors.zoho_crm.times import instant

ALONE: Literal["single_row_if_unmodified_since"] = "single_row_if_unmodified_since"
TOGETHER: Literal["batch_read_before_write"] = "batch_read_before_write"
CREDITS = ("API credits", "API 额度")
ROWS_PER_CREDIT = 10
MOST_ALONE = 10
"""More contested rows than these in one batch are an import or an automation, and nobody at a screen."""


def goes_alone(rows: int) -> bool:
    """Tells whether rows cost no more calls alone than together with the read before them."""
    return rows <= 2


def is_contested(record: NativeRecord, now: float, within: float, own: str | None) -> bool:
    """Tells whether somebody else wrote a record of late, so that the next edit may be on its way.

    `own` is the user that the hub writes as; while it is not known everybody counts as somebody else.
    """
    if record.modified_at is None or now - record.modified_at >= within:
        return False
    return own is None or record.modified_by != own


def price(op: Op, versions: Sequence[str | None], now: float, settings: ZohoSettings) -> Price:
    """Returns what one write per entry costs; who wrote last, and so who goes alone, is known once they are read."""
    total = Price(0, 0, CREDITS)
    for start in range(0, len(versions), settings.batch_size):
        total += _price_of_batch(op, versions[start : start + settings.batch_size], now, settings)
    return total


def _price_of_batch(op: Op, versions: Sequence[str | None], now: float, settings: ZohoSettings) -> Price:
    rows, mode = len(versions), settings.conditional_updates
    if op is Op.CREATE:
        return Price(1, _units(rows), CREDITS)
    if op is Op.DELETE:
        return Price(2, 2, CREDITS)
    versioned = sum(version is not None for version in versions)
    free = Price(bool(rows - versioned), _units(rows - versioned), CREDITS)
    if mode == ALONE or (mode != TOGETHER and goes_alone(versioned)):
        return free + Price(versioned, versioned, CREDITS, versioned)
    young = sum(_is_young(version, now, settings) for version in versions)
    alone = 0 if mode == TOGETHER or young > MOST_ALONE else young
    left = versioned - alone
    return free + Price(1 + alone + bool(left), 1 + alone + _units(left), CREDITS, alone)


def _units(rows: int) -> int:
    return -(-rows // ROWS_PER_CREDIT)


def _is_young(version: str | None, now: float, settings: ZohoSettings) -> bool:
    try:
        return version is not None and now - instant(version) < settings.contested_within
    except ProtocolViolation:
        return False
