"""Real rows as contact logs and complaints in the words of Zoho, and what Fxiaoke must show of them afterwards.

Sources: UCI "Bank Marketing" (S. Moro, P. Cortez, P. Rita; CC BY 4.0), telephone contacts of a bank, and the CFPB
Consumer Complaint Database (public domain). The year and the hour of a contact, who was in charge and whose complaint
a complaint was, are in neither: the year is the first of the series (2008), hour and employee follow from the row, and
every fifth customer complained once.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import requests

from connectors.simulation.server import RunningSimulator
from hub.cli.demo_lab import CREDENTIALS, FXIAOKE, ZOHO, Lab
from hub.store.records import bindings_by_native

BATCH = 100
CHUNK = 500
YEAR = 2008
EVERY = 5
CHINA = timezone(timedelta(hours=8))
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
OUTCOMES = {"reached": ("已接通", "option1"), "no_answer": ("未接", "option2"), "refused": ("拒绝", "option3")}
INTAKES = {
    "Web": ("Web", "option3"),
    "Phone": ("Phone", "option1"),
    "Postal mail": ("Letter", "option5"),
    "Referral": ("Regulator", "option6"),
    "Fax": ("Other", "other"),
}
"""How it was submitted -> Case_Origin and intake_channel__c; a referral comes from another authority."""
RELIEFS = {
    "Closed with explanation": ("解释说明", "option1"),
    "Closed with non-monetary relief": ("更正", "option2"),
    "Closed with monetary relief": ("补偿", "option5"),
}
OPEN, CLOSED = ("调查处理", "option4"), ("已结案", "option8")
OPTION = {"channel": "1", "purpose": "9", "outbound": "option2", "deposit": "option1"}
"""Option values of Fxiaoke: telephone, acquisition, outbound, deposit."""
DESKS = (
    ("B0001", "2001"),
    ("B0101", "2011"),
    ("B0201", "2021"),
    ("B0301", "2031"),
    ("B0302", "2032"),
    ("B0401", "2041"),
)
"""Branches (and their departments in Fxiaoke) of the employees S1001 to S1006, who take turns."""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Loaded:
    """Is one real row: what was written in Zoho, and the fields that Fxiaoke must show of it."""

    module: str
    native_id: str
    customer: str
    shown: Row = field(repr=False)


def read_table(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def load_logs(lab: Lab, rows: Sequence[dict[str, str]], customers: Sequence[str]) -> list[Loaded]:
    """Writes each row as a call of its customer (a Zoho id)."""
    made = [_log(number, row) for number, row in enumerate(rows)]
    for (native, _), customer in zip(made, customers, strict=True):
        native["Who_Id"] = {"id": customer}
    ids = _insert(lab.simulators[ZOHO], "Calls", [native for native, _ in made])
    return [
        Loaded("Calls", native_id, customer, shown)
        for native_id, customer, (_, shown) in zip(ids, customers, made, strict=True)
    ]


def load_complaints(lab: Lab, rows: Sequence[dict[str, str]], customers: Sequence[str]) -> list[Loaded]:
    """Writes each row as a case of every fifth customer (a Zoho id)."""
    owners = [customers[EVERY * number % len(customers)] for number in range(len(rows))]
    made = [_complaint(number, row) for number, row in enumerate(rows)]
    for (native, _), customer in zip(made, owners, strict=True):
        native["Related_To"] = {"id": customer}
    ids = _insert(lab.simulators[ZOHO], "Cases", [native for native, _ in made])
    return [
        Loaded("Cases", native_id, customer, shown)
        for native_id, customer, (_, shown) in zip(ids, owners, made, strict=True)
    ]


def _log(number: int, row: dict[str, str]) -> tuple[dict[str, Any], Row]:
    began = datetime(YEAR, MONTHS.index(row["month"]) + 1, int(row["day"]), 9, tzinfo=CHINA)
    began += timedelta(seconds=number * 37 % 32_400)
    seconds = int(row["duration"])
    outcome = "no_answer" if seconds == 0 else "reached" if row["y"] == "yes" else "refused"
    content = (
        f"row {number}; contact={row['contact']}; campaign={row['campaign']}; pdays={row['pdays']}; "
        f"previous={row['previous']}; poutcome={row['poutcome']}; y={row['y']}"
    )
    # The vendor takes no outbound call of no length: staff write a second.
    length = f"{max(seconds, 1) // 60:02d}:{max(seconds, 1) % 60:02d}"
    deposit = row["y"] == "yes"
    native = {
        **_desk_in_zoho(number),
        "Subject": "Term deposit",
        "Call_Type": "Outbound",
        "Call_Start_Time": began.isoformat(),
        "Call_Duration": length,
        "Call_Result": OUTCOMES[outcome][0],
        "Call_Purpose": "客户开发",
        "Description": content,
        "Need_Category": "存款" if deposit else None,
    }
    shown = {
        **_desk_in_fxiaoke(number),
        "subject__c": "Term deposit",
        "interactive_types": OPTION["channel"],
        "interactive_scenario": OPTION["purpose"],
        "direction__c": OPTION["outbound"],
        "contact_time__c": _milliseconds(began),
        "duration_seconds__c": str(seconds),
        "outcome__c": OUTCOMES[outcome][1],
        "active_record_content": content,
        "need_category__c": OPTION["deposit"] if deposit else None,
    }
    return native, shown


def _complaint(number: int, row: dict[str, str]) -> tuple[dict[str, Any], Row]:
    received, accepted = _day(row["Date received"]), _day(row["Date sent to company"])
    status = OPEN if row["Company response"] == "In progress" else CLOSED
    intake, relief = INTAKES[row["Submitted via"]], RELIEFS.get(row["Company response"], (None, None))
    rest = ("Complaint ID", "Sub-product", "Sub-issue", "State", "ZIP code", "Company", "Timely response?")
    facts = "; ".join(f"{name}: {row[name]}" for name in rest)
    disputed = f"Consumer disputed? {row['Consumer disputed?']}".rstrip()
    native = {
        **_desk_in_zoho(number),
        "Subject": row["Issue"],
        "Case_Origin": intake[0],
        "Priority": "Medium",
        "Status": status[0],
        "Description": facts,
        "Demand": disputed,
        "Product_Code": row["Product"],
        "Received_At": received.isoformat(),
        "Accepted_At": accepted.isoformat(),
        "Resolution_Type": relief[0],
        "Solution": None if status is OPEN else row["Company response"],
    }
    shown = {
        **_desk_in_fxiaoke(number),
        "title__c": row["Issue"],
        "intake_channel__c": intake[1],
        "priority__c": "option2",
        "status__c": status[1],
        "description__c": facts,
        "demand__c": disputed,
        "product_code__c": row["Product"],
        "received_at__c": _milliseconds(received),
        "accepted_at__c": _milliseconds(accepted),
        "resolution_type__c": relief[1],
        "resolution__c": native["Solution"],
    }
    return native, shown


def _desk_in_zoho(number: int) -> dict[str, Any]:
    turn = number % len(DESKS)
    return {"Owner": {"id": f"584310400000030100{turn + 1}"}, "Branch_Code": DESKS[turn][0]}


def _desk_in_fxiaoke(number: int) -> dict[str, Any]:
    turn = number % len(DESKS)
    return {"owner": [f"100{turn + 1}"], "data_own_department": [DESKS[turn][1]]}


def _day(text: str) -> datetime:
    return datetime.strptime(text, "%m/%d/%Y").replace(tzinfo=CHINA)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * 1000


def _insert(simulator: RunningSimulator, module: str, rows: Sequence[Row]) -> list[str]:
    """Writes rows through the vendor's API in full batches and returns their ids; every row must be taken."""
    form = {"grant_type": "refresh_token", **CREDENTIALS[ZOHO]}
    with requests.Session() as session:
        session.trust_env = False
        token = session.post(f"{simulator.base_url}/oauth/v2/token", data=form, timeout=30).json()["access_token"]
        session.headers["Authorization"] = f"Zoho-oauthtoken {token}"
        ids: list[str] = []
        for start in range(0, len(rows), BATCH):
            body = {"data": list(rows[start : start + BATCH]), "trigger": []}
            answer = session.post(f"{simulator.base_url}/crm/v8/{module}", json=body, timeout=60)
            taken = answer.json()["data"]
            refused = [item for item in taken if item["code"] != "SUCCESS"]
            assert not refused, refused[0]
            ids += [str(item["details"]["id"]) for item in taken]
    return ids


def owners_of(lab: Lab, system: str, object_: str, native_ids: Sequence[str]) -> dict[str, str]:
    """Returns which golden record each record of an object belongs to: native id -> hub id."""
    found: dict[str, str] = {}
    with lab.hub.store.read() as conn:
        for start in range(0, len(native_ids), CHUNK):
            bound = bindings_by_native(conn, system, object_, native_ids[start : start + CHUNK])
            found |= {native_id: item.hub_id for native_id, item in bound.items()}
    return found


def arrived(lab: Lab, object_: str, loaded: Sequence[Loaded], number_of: Mapping[str, str]) -> Iterator[str]:
    """Yields what is missing or wrong in Fxiaoke, one line per row; nothing where every row arrived as it stands.

    `number_of` gives the number of the customer with a Zoho id; a child must hang on the same customer.
    """
    numbers = {str(row["_id"]): str(row["customer_no__c"]) for row in lab.records(FXIAOKE, "AccountObj")}
    here = owners_of(lab, ZOHO, loaded[0].module, [item.native_id for item in loaded])
    found = {str(row["hub_id__c"]): row for row in lab.records(FXIAOKE, object_)}
    if len(found) != len(loaded):
        yield f"{object_}: {len(found)} records of {len(loaded)}"
    for item in loaded:
        row = found.get(here.get(item.native_id, ""))
        if row is None:
            yield f"{item.module} {item.native_id} is missing"
            continue
        wrong = [name for name, value in item.shown.items() if row.get(name) != value]
        if numbers.get(str(row.get("account_id"))) != number_of[item.customer]:
            wrong.append("account_id")
        if wrong:
            yield f"{item.module} {item.native_id}: {wrong}"
