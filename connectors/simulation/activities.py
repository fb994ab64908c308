"""Invented contact logs and complaints that both simulators share, made from the seed of a world of people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from hashlib import blake2b
from typing import Any

from connectors.simulation.people import World

_REFERENCES = {"log_id", "complaint_id", "person_id", "homes", "complaint", "repeat_of"}


@dataclass(frozen=True, slots=True)
class ComplaintEntry:
    """One invented complaint in canonical values; instants are UTC texts, None where nothing is known.

    `complaint_id` is the simulators' own name for it, `repeat_of` another one's; `homes` are the kinds of system it
    lives in.
    """

    complaint_id: str
    person_id: str
    homes: tuple[str, ...]
    complaint_no: str
    title: str = field(repr=False)
    intake_channel: str
    priority: str
    status: str
    received_at: str
    repeat_of: str | None = None
    complainant_name: str | None = field(default=None, repr=False)
    complainant_role: str | None = None
    complainant_phone: str | None = field(default=None, repr=False)
    complainant_email: str | None = field(default=None, repr=False)
    business_channel_code: str | None = None
    business_category_code: str | None = None
    reason_code: str | None = None
    description: str | None = field(default=None, repr=False)
    demand: str | None = field(default=None, repr=False)
    product_code: str | None = None
    severity: str | None = None
    occurred_at: str | None = None
    accepted_at: str | None = None
    extension: str | None = None
    extension_reason: str | None = field(default=None, repr=False)
    investigation: str | None = field(default=None, repr=False)
    liability: str | None = None
    resolution_type: str | None = None
    resolution: str | None = field(default=None, repr=False)
    feedback_method: str | None = None
    feedback_at: str | None = None
    feedback_content: str | None = field(default=None, repr=False)
    satisfaction_score: int | None = None
    closed_at: str | None = None
    root_cause: str | None = None
    corrective_action: str | None = None
    corrective_due_on: str | None = None
    review_requested_at: str | None = None
    reviewed_at: str | None = None
    review_result: str | None = None
    staff_no: str | None = None
    branch_code: str | None = None

    def canonical(self) -> dict[str, Any]:
        """Returns the complaint under canonical field names, references and empty values left out."""
        return _canonical(self)


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One invented contact in canonical values; instants are UTC texts, None where nothing is known.

    `complaint` is the `complaint_id` of the complaint it was about; `homes` is the one kind of system it lives in.
    """

    log_id: str
    person_id: str
    homes: tuple[str, ...]
    channel: str
    started_at: str
    staff_no: str
    complaint: str | None = None
    contact_person: str | None = field(default=None, repr=False)
    direction: str | None = None
    purpose: str | None = None
    subject: str | None = field(default=None, repr=False)
    content: str | None = field(default=None, repr=False)
    planned_at: str | None = None
    duration_seconds: int | None = None
    outcome: str | None = None
    satisfaction_score: int | None = None
    survey_method: str | None = None
    survey_ref: str | None = None
    need_category: str | None = None
    need_detail: str | None = field(default=None, repr=False)
    product_code: str | None = None
    campaign_code: str | None = None
    next_action: str | None = field(default=None, repr=False)
    next_follow_up_at: str | None = None
    location: str | None = field(default=None, repr=False)
    branch_code: str | None = None

    def canonical(self) -> dict[str, Any]:
        """Returns the contact under canonical field names, references and empty values left out."""
        return _canonical(self)


def _canonical(entry: LogEntry | ComplaintEntry) -> dict[str, Any]:
    named = {one.name: getattr(entry, one.name) for one in fields(entry) if one.name not in _REFERENCES}
    return {name: value for name, value in named.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Activities:
    """Every invented complaint and contact of a world."""

    complaints: tuple[ComplaintEntry, ...]
    logs: tuple[LogEntry, ...]
    seed: int

    def complaints_in(self, system_kind: str) -> list[ComplaintEntry]:
        """Returns the complaints that live in a kind of system, earlier ones before those that repeat them."""
        return [entry for entry in self.complaints if system_kind in entry.homes]

    def logs_in(self, system_kind: str) -> list[LogEntry]:
        """Returns the contacts that live in a kind of system."""
        return [entry for entry in self.logs if system_kind in entry.homes]


def invent_activities(world: World, logs: int, complaints: int) -> Activities:
    """Makes the complaints and contacts of a world: the same seed and counts make the same ones."""
    made = invent_complaints(world, complaints)
    return Activities(made, invent_logs(world, logs, made), world.seed)


def activity_id(system_kind: str, entry_id: str, seed: int) -> str:
    """Returns the id that a system gives to a `log_id` or `complaint_id`; raises ValueError for an unknown kind.

    The ids sort before those of records made later.
    """
    number, is_log = int(entry_id[1:]), entry_id.startswith("L")
    digest = blake2b(f"{seed}:{system_kind}:{entry_id}".encode(), digest_size=8).digest()
    if system_kind == "zoho_crm":
        base = 5_843_103_600_000_000_000 if is_log else 5_843_103_500_000_000_000
        return str(base + number * 1000 + digest[0] * 3)
    if system_kind == "fxiaoke":
        return f"{(0x64000000 if is_log else 0x63000000) + number:08x}{digest[:4].hex()}{number:08x}"
    raise ValueError(f"unknown system kind {system_kind}")


def invent_complaints(world: World, count: int) -> tuple[ComplaintEntry, ...]:
    """Makes `count` complaints in every state; some repeat an earlier one, about 5 % live in both systems."""
    from connectors.simulation.activity_invention import Complaints

    if not world.people:
        return ()
    inventor = Complaints(world)
    return tuple(inventor.complaint(number) for number in range(1, count + 1))


def invent_logs(world: World, count: int, complaints: Sequence[ComplaintEntry] = ()) -> tuple[LogEntry, ...]:
    """Makes `count` contacts, each in one system; about 12 % are about one of the complaints."""
    from connectors.simulation.activity_invention import Logs

    if not world.people:
        return ()
    inventor = Logs(world, complaints)
    return tuple(inventor.log(number) for number in range(1, count + 1))
