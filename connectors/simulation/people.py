"""Invented bank customers that both simulators share, made from a seed: the same seed makes the same world."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from typing import Any

SYSTEM_KINDS = ("zoho_crm", "fxiaoke")

CANONICAL_NAMES = {
    "customer_no": "customer_no",
    "kind": "customer_kind",
    "full_name": "full_name",
    "family_name": "family_name",
    "given_name": "given_name",
    "short_name": "short_name",
    "gender": "gender",
    "birth_date": "birth_date",
    "credit_code": "credit_code",
    "mobile": "mobile_phone",
    "phone": "phone",
    "email": "email",
    "region_code": "address_region",
    "address": "address_line",
    "postal_code": "postal_code",
    "tier": "customer_tier",
    "lifecycle": "lifecycle_stage",
    "tags": "behavior_tags",
    "need_summary": "need_summary",
    "preferred_channel": "preferred_channel",
    "consent": "contact_consent",
    "consent_changed_at": "consent_changed_at",
    "next_follow_up_at": "next_follow_up_at",
    "satisfaction": "satisfaction_score",
    "loyalty_tier": "loyalty_tier",
    "loyalty_points": "loyalty_points",
    "source": "customer_source",
    "industry": "industry",
    "staff_no": "staff_no",
    "branch_code": "branch_code",
    "remark": "remark",
}
"""Field of Person -> canonical field name. `province`, `city` and `district` spell out the region code."""


@dataclass(frozen=True, slots=True)
class Person:
    """One invented customer in canonical values; None where nothing is known."""

    person_id: str
    kind: str
    full_name: str = field(repr=False)
    family_name: str | None = field(default=None, repr=False)
    given_name: str | None = field(default=None, repr=False)
    short_name: str | None = field(default=None, repr=False)
    customer_no: str | None = None
    gender: str | None = None
    birth_date: str | None = field(default=None, repr=False)
    credit_code: str | None = None
    mobile: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    region_code: str | None = None
    province: str | None = None
    city: str | None = None
    district: str | None = None
    address: str | None = field(default=None, repr=False)
    postal_code: str | None = None
    tier: str | None = None
    lifecycle: str | None = None
    tags: tuple[str, ...] = ()
    need_summary: str | None = field(default=None, repr=False)
    preferred_channel: str | None = None
    consent: str | None = None
    consent_changed_at: str | None = None
    next_follow_up_at: str | None = None
    satisfaction: int | None = None
    loyalty_tier: str | None = None
    loyalty_points: int | None = field(default=None, repr=False)
    source: str | None = None
    industry: str | None = None
    staff_no: str | None = None
    branch_code: str | None = None
    remark: str | None = field(default=None, repr=False)

    def canonical(self) -> dict[str, Any]:
        """Returns the customer under canonical field names, empty values left out."""
        named = {canonical: getattr(self, name) for name, canonical in CANONICAL_NAMES.items()}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in named.items() if value}


@dataclass(frozen=True, slots=True)
class Appearance:
    """A person as one system knows them: the person with the fields that differ there."""

    person: Person
    variant_fields: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def seen(self) -> Person:
        """Returns the person as this system has them."""
        return replace(self.person, **self.variant_fields) if self.variant_fields else self.person

    def canonical(self) -> dict[str, Any]:
        """Returns what this system knows, under canonical field names."""
        return self.seen().canonical()


@dataclass(frozen=True)
class World:
    """Every invented person of one seed, who lives in which system, and how sure a match can be."""

    people: tuple[Person, ...]
    seed: int
    homes: Mapping[str, tuple[str, ...]]
    variants: Mapping[tuple[str, str], Mapping[str, Any]]
    unsure: frozenset[str]

    def appears_in(self, system_kind: str) -> list[Appearance]:
        """Returns the people that a kind of system knows, in order; raises ValueError for an unknown kind."""
        if system_kind not in SYSTEM_KINDS:
            raise ValueError(f"unknown system kind {system_kind}")
        return [
            Appearance(person, self.variants.get((system_kind, person.person_id), {}))
            for person in self.people
            if system_kind in self.homes[person.person_id]
        ]

    def truth(self) -> list[dict[str, Any]]:
        """Returns for each person the native id in both systems and how sure a match can be."""
        return list(self._truth)

    @cached_property
    def _truth(self) -> tuple[dict[str, Any], ...]:
        return tuple(self._truth_of(person.person_id) for person in self.people)

    def _truth_of(self, person_id: str) -> dict[str, Any]:
        homes = self.homes[person_id]
        difficulty = "new" if len(homes) < 2 else ("unsure" if person_id in self.unsure else "sure")
        ids = {kind: native_id(kind, person_id, self.seed) if kind in homes else None for kind in SYSTEM_KINDS}
        return {"person_id": person_id, **ids, "difficulty": difficulty}


def native_id(system_kind: str, person_id: str, seed: int) -> str:
    """Returns the id that a system gives to a person: 19 digits in Zoho, 24 hexadecimal digits in Fxiaoke."""
    number = int(person_id.lstrip("P"))
    digest = blake2b(f"{seed}:{system_kind}:{person_id}".encode(), digest_size=8).digest()
    if system_kind == "zoho_crm":
        return str(5_843_104_000_001_000_000 + number * 1000 + digest[0] * 3)
    if system_kind == "fxiaoke":
        return f"{0x65000000 + number:08x}{digest[:4].hex()}{number:08x}"
    raise ValueError(f"unknown system kind {system_kind}")


def generate(records: int, seed: int) -> World:
    """Makes a world of `records` people; about 60 % live in both systems, 20 % in each alone."""
    from connectors.simulation.invention import Inventor, differ

    rng = random.Random(f"people:{seed}")
    inventor = Inventor(rng)
    people: list[Person] = []
    homes: dict[str, tuple[str, ...]] = {}
    variants: dict[tuple[str, str], Mapping[str, Any]] = {}
    unsure: set[str] = set()
    for number in range(1, records + 1):
        person = inventor.person(f"P{number:07d}")
        people.append(person)
        chance = rng.random()
        homes[person.person_id] = SYSTEM_KINDS if chance < 0.6 else (("zoho_crm",) if chance < 0.8 else ("fxiaoke",))
        if chance < 0.6:
            kind, fields, doubtful = differ(person, rng, inventor)
            if fields:
                variants[kind, person.person_id] = fields
            if doubtful:
                unsure.add(person.person_id)
    return World(tuple(people), seed, homes, variants, frozenset(unsure))
