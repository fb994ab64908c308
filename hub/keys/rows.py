"""Rows of the key tables, as the ring makes them and the store keeps them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Purpose(StrEnum):
    """Is what a data key is for; every (tenant, purpose) has exactly one primary key."""

    FIELD = "field"
    SECRET = "secret"  # noqa: S105 - a purpose, not a secret
    INDEX = "index"
    DIGEST = "digest"
    SUBJECT_WRAP = "subject_wrap"
    CANARY = "canary"


class KeyState(StrEnum):
    """Is where a data key stands: pending -> primary -> active (opens only) -> disabled -> destroyed."""

    PENDING = "pending"
    PRIMARY = "primary"
    ACTIVE = "active"
    DISABLED = "disabled"
    DESTROYED = "destroyed"


LOADED = frozenset({KeyState.PENDING, KeyState.PRIMARY, KeyState.ACTIVE})


@dataclass(frozen=True, slots=True)
class KeyRow:
    """Is one row of `crypto_key`; `id` is a u32, `created_at` epoch seconds.

    The row of purpose `canary` holds no key but a known text sealed under the `field` key.
    """

    id: int
    tenant: str
    purpose: Purpose
    suite: int
    kek_id: str
    wrapped: bytes = field(repr=False)
    state: KeyState
    created_at: float
    promoted_at: float | None = None
    retired_at: float | None = None


@dataclass(frozen=True, slots=True)
class SubjectKeyRow:
    """Is one row of `subject_key`: a subject's key wrapped under the `subject_wrap` key `key_id`."""

    subject_id: str
    key_id: int
    wrapped: bytes = field(repr=False)
