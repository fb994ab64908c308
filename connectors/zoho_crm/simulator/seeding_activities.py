"""Fills the simulated org with contact logs and complaints, written the way a bank's staff would have written them."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from connectors.simulation.activities import Activities, ComplaintEntry, LogEntry, activity_id
from connectors.simulation.people import World, native_id
from connectors.zoho_crm.simulator import activities as rules
from connectors.zoho_crm.simulator.activity_fields import PICKLISTS
from connectors.zoho_crm.simulator.records import Org, Row
from connectors.zoho_crm.simulator.schema import API_USER

_MODULES = {"phone": "Calls", **dict.fromkeys(("visit", "video", "counter"), "Events")}
_MESSAGES = ("sms", "wechat", "email", "app", "letter", "other")


def _named(picklist: str, *values: str) -> dict[str, str]:
    return dict(zip(values, PICKLISTS[picklist], strict=True))


_PURPOSES = _named(
    "purpose", "return_visit", "service", "consulting", "survey", "needs", "complaint", "greeting", "event",
    "acquisition", "maintenance", "retention", "other",
)  # fmt: skip
_OUTCOMES = _named("outcome", "reached", "no_answer", "refused", "rescheduled", "wrong_number")
_OPTIONS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "survey_method": ("Survey_Method", _named("survey", "questionnaire", "phone_interview", "face_to_face")),
    "need_category": (
        "Need_Category",
        _named("need", "deposit", "loan", "card", "wealth", "payment", "digital", "agency", "other"),
    ),
    "intake_channel": (
        "Case_Origin",
        _named("caseorigin", "phone", "email", "online", "branch", "letter", "regulator", "media", "other"),
    ),
    "priority": ("Priority", _named("casepriority", "low", "normal", "high", "urgent")),
    "status": (
        "Status",
        _named(
            "casestatus", "registered", "accepted", "declined", "investigating", "awaiting_customer", "resolved",
            "responded", "closed", "withdrawn",
        ),
    ),
    "complainant_role": ("Complainant_Role", _named("role", "self", "agent", "heir", "representative")),
    "severity": ("Severity", _named("severity", "general", "major", "collective")),
    "extension": ("Extension", _named("extension", "none", "to_30", "to_60")),
    "liability": ("Liability", _named("liability", "institution", "shared", "customer", "none", "undetermined")),
    "resolution_type": (
        "Resolution_Type",
        _named("resolution", "explanation", "correction", "apology", "refund", "compensation", "mediation", "other"),
    ),
    "feedback_method": (
        "Feedback_Method",
        _named(
            "feedback", "phone", "visit", "counter", "video", "sms", "wechat", "email", "app", "letter", "other"
        ),
    ),
}  # fmt: skip
_OWN_NAMES = {
    "title": "Subject",
    "complainant_name": "Reported_By",
    "complainant_phone": "Phone",
    "complainant_email": "Email",
    "investigation": "Internal_Comments",
    "resolution": "Solution",
    "content": "Description",
    "description": "Description",
}
"""Canonical fields that stand in a standard field of another name; the others stand in Title_Case."""


def seed_activities(org: Org, world: World, made: Activities) -> int:
    """Creates the complaints and contacts that live in Zoho and returns how many there are."""
    rng = random.Random(f"zoho activities:{world.seed}")
    seeding = _Seeding(org, world, rng, {entry.complaint_id: entry.title for entry in made.complaints})
    cases = [seeding.case(entry) for entry in made.complaints_in("zoho_crm")]
    org.modules["Cases"].load(cases)
    org.last_case = len(made.complaints)
    rows: dict[str, list[Row]] = {"Calls": [], "Events": [], "Tasks": []}
    for entry in made.logs_in("zoho_crm"):
        module = _MODULES.get(entry.channel, "Tasks")
        rows[module].append(seeding.log(module, entry))
    for module, listed in rows.items():
        org.modules[module].load(listed)
    return len(cases) + sum(map(len, rows.values()))


class _Seeding:
    """Writes entries as rows of the org; links are made to records that are already there."""

    def __init__(self, org: Org, world: World, rng: random.Random, titles: Mapping[str, str]) -> None:
        self._org, self._world, self._rng, self._titles = org, world, rng, titles
        self._kinds = {person.person_id: person.kind for person in world.people}

    def case(self, entry: ComplaintEntry) -> Row:
        """Returns a complaint as a case."""
        native = self._native(entry.canonical())
        native["Case_Number"] = entry.complaint_no
        customer = "Account_Name" if self._is_organization(entry.person_id) else "Related_To"
        native[customer] = self._customer(entry.person_id)
        if entry.repeat_of:
            native["Repeat_Of"] = self._case_link(entry.repeat_of)
        return self._row("Cases", entry.complaint_id, native, entry.received_at, entry.staff_no)

    def log(self, module: str, entry: LogEntry) -> Row:
        """Returns a contact as a call, an event or a task."""
        canonical = entry.canonical()
        native = self._native(canonical) | self._links(entry)
        started = datetime.fromisoformat(entry.started_at)
        native |= {"Calls": self._call, "Events": self._event, "Tasks": self._task}[module](entry, started)
        for name in ("Next_Action", "Location"):
            if name in native and name not in self._org.modules[module].spec.fields:
                other = {"Next_Action": "Call_Agenda", "Location": "Venue"}[name]
                native[other] = native.pop(name)
        return self._row(module, entry.log_id, native, entry.started_at, entry.staff_no)

    def _native(self, canonical: Mapping[str, Any]) -> dict[str, Any]:
        native: dict[str, Any] = {}
        for name, value in canonical.items():
            if name in _OPTIONS:
                target, options = _OPTIONS[name]
                native[target] = options[value]
            elif name.endswith("_at"):
                native[_title(name)] = self._moment(value)
            else:
                native[_OWN_NAMES.get(name, _title(name))] = value
        return native

    def _call(self, entry: LogEntry, started: datetime) -> dict[str, Any]:
        seconds, missed = entry.duration_seconds or 0, entry.outcome == "no_answer" and entry.direction == "inbound"
        # The vendor takes no outbound call of no length: staff write a second.
        shown = seconds if seconds or missed else 1
        return {
            "Call_Type": "Missed" if missed else str(entry.direction).capitalize(),
            "Call_Start_Time": self._moment(entry.started_at),
            "Call_Duration": f"{shown // 60:02d}:{shown % 60:02d}",
            "Call_Result": _OUTCOMES.get(entry.outcome or ""),
            "Call_Purpose": _PURPOSES.get(entry.purpose or ""),
            "Outgoing_Call_Status": "Completed" if entry.direction == "outbound" else None,
        }

    def _event(self, entry: LogEntry, started: datetime) -> dict[str, Any]:
        end = started + timedelta(seconds=entry.duration_seconds or 1800)
        channels = _named("meeting", "visit", "video", "counter")
        return {
            "Event_Title": entry.subject,
            "Start_DateTime": self._moment(entry.started_at),
            "End_DateTime": self._org.iso(end.timestamp()),
            "Channel": channels[entry.channel],
            **self._told_apart(entry),
        }

    def _task(self, entry: LogEntry, started: datetime) -> dict[str, Any]:
        return {
            "Channel": _named("message", *_MESSAGES)[entry.channel],
            "Status": "Completed",
            "Due_Date": started.date().isoformat(),
            **self._told_apart(entry),
        }

    def _told_apart(self, entry: LogEntry) -> dict[str, Any]:
        return {
            "Direction": _named("direction", "inbound", "outbound").get(entry.direction or ""),
            "Purpose": _PURPOSES.get(entry.purpose or ""),
            "Outcome": _OUTCOMES.get(entry.outcome or ""),
        }

    def _links(self, entry: LogEntry) -> dict[str, Any]:
        """Returns whom a contact was with and which complaint it was about; What_Id holds one of two."""
        case = self._case_link(entry.complaint) if entry.complaint else None
        if self._is_organization(entry.person_id):
            return {"What_Id": self._customer(entry.person_id), "$se_module": "Accounts", "Complaint_Id": case}
        links = {"Who_Id": self._customer(entry.person_id)}
        return links | {"What_Id": case, "$se_module": "Cases"} if case else links

    def _is_organization(self, person_id: str) -> bool:
        return self._kinds[person_id] == "organization"

    def _customer(self, person_id: str) -> dict[str, Any]:
        store = self._org.modules["Accounts" if self._is_organization(person_id) else "Contacts"]
        record_id = native_id("zoho_crm", person_id, self._world.seed)
        return {"name": store.rows[record_id].fields[store.spec.name_field], "id": record_id}

    def _case_link(self, complaint_id: str) -> dict[str, Any]:
        record_id = activity_id("zoho_crm", complaint_id, self._world.seed)
        return {"name": self._titles[complaint_id], "id": record_id}

    def _moment(self, text: str) -> str:
        return self._org.iso(datetime.fromisoformat(text).timestamp())

    def _row(self, module: str, entry_id: str, native: dict[str, Any], began: str, staff_no: str | None) -> Row:
        org, store = self._org, self._org.modules[module]
        created = min(int(datetime.fromisoformat(began).timestamp()) + self._rng.randrange(60, 7200), org.now() - 7200)
        modified = min(created + self._rng.randrange(0, 86_400 * 10), org.now() - 3600)
        owner = org.users.get(f"584310400000030{(staff_no or 'S1099')[1:]}", org.users[API_USER])
        fields: dict[str, Any] = dict.fromkeys(store.spec.fields) | rules.born_with(org, store)
        known = (*store.spec.fields, "$se_module") if "What_Id" in store.spec.fields else tuple(store.spec.fields)
        fields |= {name: value for name, value in native.items() if name in known and value is not None}
        record_id = activity_id("zoho_crm", entry_id, self._world.seed)
        fields |= {"id": record_id, "Tag": [], "Owner": owner.lookup()}
        fields |= {"Created_By": owner.lookup(), "Modified_By": owner.lookup()}
        fields |= {"Created_Time": org.iso(created), "Modified_Time": org.iso(modified)}
        rules.derive(org, store, fields, owner)
        if module == "Tasks":
            fields["Closed_Time"] = org.iso(created)
        return Row(record_id, fields, created, modified)


def _title(name: str) -> str:
    return "_".join(part.capitalize() for part in name.split("_"))
