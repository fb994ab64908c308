"""Makes up one complaint or one contact at a time, in the order in which they came."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.simulation import activity_words as words
from connectors.simulation.activities import ComplaintEntry, LogEntry
from connectors.simulation.people import Person, World

_FIRST_DAY = datetime(2025, 7, 1, tzinfo=UTC)
_DAYS = 480
_OPEN_DAYS = 12
_BOTH = 0.085
"""Share among the complaints of people in both systems; about 5 % of all complaints live in both."""


class _Inventor:
    """Draws from one stream of randomness; no two things of one customer happen in the same minute."""

    def __init__(self, world: World, stream: str) -> None:
        self.rng = random.Random(f"{stream}:{world.seed}")
        self._world = world
        self._people = {person.person_id: person for person in world.people}
        self._taken: set[tuple[str, datetime]] = set()

    def _someone(self) -> tuple[Person, tuple[str, ...]]:
        person = self.rng.choice(self._world.people)
        return person, self._world.homes[person.person_id]

    def _maybe(self, share: float, value: Any) -> Any:
        return value if self.rng.random() < share else None

    def _pick(self, weights: dict[str, int]) -> str:
        return self.rng.choices(tuple(weights), tuple(weights.values()))[0]

    def _workday(self, day: datetime) -> datetime:
        """Returns an instant of a day between nine and six in China."""
        return day.replace(hour=0, minute=0) + timedelta(minutes=self.rng.randrange(60, 600))

    def _any_day(self, days: int = _DAYS) -> datetime:
        return self._workday(_FIRST_DAY + timedelta(days=self.rng.randrange(days)))

    def _later(self, moment: datetime, least: int, most: int) -> datetime:
        return self._workday(moment + timedelta(days=self.rng.randrange(least, most + 1)))

    def _free(self, person_id: str, moment: datetime) -> datetime:
        while (person_id, moment) in self._taken:
            moment += timedelta(minutes=1)
        self._taken.add((person_id, moment))
        return moment


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}"


class Complaints(_Inventor):
    """Invents complaints in the order in which they were received."""

    def __init__(self, world: World) -> None:
        super().__init__(world, "complaints")
        self._earlier: list[ComplaintEntry] = []

    def complaint(self, number: int) -> ComplaintEntry:
        """Returns the next complaint."""
        rng, repeated = self.rng, None
        person, homes = self._someone()
        if self._earlier and rng.random() < 0.05:
            repeated = rng.choice(self._earlier)
            person, homes = self._people[repeated.person_id], repeated.homes
        if len(homes) > 1 and rng.random() > (_BOTH if repeated is None else 0.5):
            homes = (rng.choice(homes),)
        status = self._pick(words.STATUSES)
        received = self._received(person, status, repeated)
        subject = rng.choice(words.COMPLAINTS)
        entry = ComplaintEntry(
            complaint_id=f"Q{number:07d}",
            person_id=person.person_id,
            homes=homes,
            complaint_no=f"TS{number:08d}" if "zoho_crm" in homes else f"WT{number:08d}",
            title=subject.title if repeated is None else f"{subject.title}（再次投诉）",
            intake_channel=self._pick(words.INTAKES),
            priority=self._pick(words.PRIORITIES),
            status=status,
            received_at=f"{received:%Y-%m-%dT%H:%M:%SZ}",
            repeat_of=repeated.complaint_id if repeated else None,
            business_category_code=subject.category,
            reason_code=subject.reason,
            description=subject.fact,
            **self._people_in_it(person),
            **self._details(received, subject),
            **self._course(status, received, subject),
        )
        if status == "closed" and received < _FIRST_DAY + timedelta(days=_DAYS - 80):
            self._earlier.append(entry)
        return entry

    def _received(self, person: Person, status: str, repeated: ComplaintEntry | None) -> datetime:
        if repeated is not None:
            moment = self._later(datetime.fromisoformat(repeated.received_at), 3, 40)
        elif status in words.OPEN_STATUSES:
            moment = self._workday(_FIRST_DAY + timedelta(days=_DAYS - self.rng.randrange(1, _OPEN_DAYS)))
        else:
            moment = self._any_day(_DAYS - 40)
        return self._free(person.person_id, moment)

    def _people_in_it(self, person: Person) -> dict[str, Any]:
        role = "representative" if person.kind == "organization" else self._pick(words.ROLES)
        name = person.full_name if role == "self" else f"{self.rng.choice('王李张刘陈杨赵周吴')}{words.AGENT}"
        return {
            "complainant_name": name,
            "complainant_role": role,
            "complainant_phone": person.mobile or person.phone,
            "complainant_email": self._maybe(0.4, person.email),
            "staff_no": self.rng.choices(words.STAFF, words.STAFF_SHARES)[0],
            "branch_code": person.branch_code,
        }

    def _details(self, received: datetime, subject: words.Complaint) -> dict[str, Any]:
        return {
            "business_channel_code": self._maybe(0.9, self.rng.choice(words.BUSINESS_CHANNELS)),
            "demand": self._maybe(0.8, subject.demand),
            "product_code": self._maybe(0.6, subject.product),
            "severity": self._pick(words.SEVERITIES),
            "occurred_at": self._maybe(0.7, _text(received - timedelta(hours=self.rng.randrange(2, 200)))),
        }

    def _course(self, status: str, received: datetime, subject: words.Complaint) -> dict[str, Any]:
        """Returns what a complaint has been through on its way to its status."""
        if status in ("registered", "declined") or (status == "withdrawn" and self.rng.random() < 0.5):
            return {}
        accepted = self._later(received, 1, 3)
        course: dict[str, Any] = {"accepted_at": _text(accepted), "extension": "none"}
        if self.rng.random() < 0.1:
            course |= {"extension": "to_30", "extension_reason": self.rng.choice(words.EXTENSIONS)}
        if status in ("accepted", "withdrawn"):
            return course
        course["investigation"] = subject.finding if status in words.SETTLED else self._maybe(0.4, words.UNDER_WAY)
        return course | (self._settled(status, accepted, subject) if status in words.SETTLED else {})

    def _settled(self, status: str, accepted: datetime, subject: words.Complaint) -> dict[str, Any]:
        course: dict[str, Any] = {
            "liability": self._pick(words.LIABILITIES),
            "resolution_type": subject.remedy,
            "resolution": subject.answer,
        }
        answered = self._later(accepted, 3, 11)
        # Some systems close without telling the customer; the hub lists those.
        told = status == "responded" or (status == "closed" and self.rng.random() > 0.08)
        if told:
            course |= {
                "feedback_method": self.rng.choice(("phone", "phone", "sms", "letter", "visit")),
                "feedback_at": _text(answered),
                "feedback_content": self.rng.choice(words.FEEDBACKS),
                "satisfaction_score": self._maybe(0.6, self.rng.randrange(1, 6)),
            }
        if status == "closed":
            course |= self._closed(answered, told)
        return course

    def _closed(self, answered: datetime, told: bool) -> dict[str, Any]:
        closed = self._later(answered, 0, 3)
        course: dict[str, Any] = {"closed_at": _text(max(closed, answered)), "root_cause": words.CAUSE}
        if self.rng.random() < 0.25:
            due = answered + timedelta(days=30)
            course |= {"corrective_action": words.CORRECTION, "corrective_due_on": f"{due:%Y-%m-%d}"}
        if told and self.rng.random() < 0.05:
            asked = self._later(closed, 5, 20)
            course |= {
                "review_requested_at": _text(asked),
                "reviewed_at": _text(self._later(asked, 3, 9)),
                "review_result": words.REVIEW,
            }
        return course


class Logs(_Inventor):
    """Invents contacts, most of them free, some about a complaint."""

    def __init__(self, world: World, complaints: Sequence[ComplaintEntry]) -> None:
        super().__init__(world, "logs")
        self._complaints = complaints

    def log(self, number: int) -> LogEntry:
        """Returns the next contact."""
        rng, about = self.rng, None
        person, homes = self._someone()
        if self._complaints and rng.random() < 0.12:
            about = rng.choice(self._complaints)
            person, homes = self._people[about.person_id], about.homes
        moment = self._later(datetime.fromisoformat(about.received_at), 0, 12) if about else self._any_day()
        if about:
            moment = max(moment, datetime.fromisoformat(about.received_at))
        started = self._free(person.person_id, moment)
        channel = self._pick(words.CHANNELS)
        topic = words.ABOUT_COMPLAINT if about else rng.choice(words.TOPICS)
        return LogEntry(
            log_id=f"L{number:07d}",
            person_id=person.person_id,
            homes=(rng.choice(homes),),
            channel=channel,
            started_at=f"{started:%Y-%m-%dT%H:%M:%SZ}",
            staff_no=rng.choices(words.STAFF, words.STAFF_SHARES)[0],
            complaint=about.complaint_id if about else None,
            contact_person=self._person_spoken_to(person),
            purpose=self._maybe(0.97, topic.purpose),
            branch_code=person.branch_code,
            **self._exchange(channel, topic, started),
            **self._extras(topic, started),
        )

    def _person_spoken_to(self, person: Person) -> str | None:
        if person.kind == "organization":
            spoken_to: str | None = self._maybe(0.7, f"{self.rng.choice('王李张刘陈杨赵周吴')}{words.AGENT}")
            return spoken_to
        return None

    def _exchange(self, channel: str, topic: words.Topic, started: datetime) -> dict[str, Any]:
        """Returns who called whom, how long, with what outcome and what was said."""
        rng = self.rng
        inbound = channel in ("phone", "wechat", "email", "app") and rng.random() < 0.35
        direction = "inbound" if inbound else "outbound"
        spoken: dict[str, Any] = {"direction": direction, "subject": topic.subject, "content": topic.content}
        if channel == "phone":
            spoken |= {"outcome": "reached", "duration_seconds": rng.randrange(15, 1500)}
            if rng.random() < 0.08:
                missed = {"outcome": "no_answer", "duration_seconds": 0, "content": self._maybe(0.5, words.MISSED)}
                return spoken | missed
            if direction == "outbound" and rng.random() < 0.1:
                spoken |= {"outcome": rng.choice(("refused", "rescheduled", "wrong_number"))}
                spoken["duration_seconds"] = rng.randrange(5, 60)
        elif channel in ("visit", "counter", "video"):
            # A tenth has no end: whoever wrote it down did not say how long it took.
            spoken |= {"outcome": "reached", "duration_seconds": self._maybe(0.9, rng.randrange(1, 9) * 900)}
            spoken["location"] = rng.choice(words.PLACES) if channel != "video" else None
            spoken["planned_at"] = self._maybe(0.5, _text(started.replace(minute=0)))
        elif direction == "outbound" and rng.random() < 0.15:
            spoken["outcome"] = "no_answer"
        return spoken

    def _extras(self, topic: words.Topic, started: datetime) -> dict[str, Any]:
        rng = self.rng
        extras: dict[str, Any] = {
            "product_code": self._maybe(0.3, topic.product),
            "next_action": self._maybe(0.35, rng.choice(words.NEXT_ACTIONS)),
            "next_follow_up_at": self._maybe(0.3, _text(self._later(started, 7, 60))),
        }
        if topic.purpose == "survey":
            method = rng.choice(("questionnaire", "phone_interview", "face_to_face"))
            extras |= {"survey_method": method, "survey_ref": f"SV{started:%Y%m}-{rng.randrange(1, 400):03d}"}
            extras["satisfaction_score"] = rng.randrange(1, 6)
        if topic.purpose == "needs":
            extras |= {"need_category": topic.need, "need_detail": self._maybe(0.7, topic.content)}
        if topic.purpose in ("event", "acquisition"):
            extras["campaign_code"] = self._maybe(0.8, f"HD{started:%Y}Q{(started.month + 2) // 3}")
        return extras
