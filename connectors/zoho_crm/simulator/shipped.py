"""The options of picklists as the vendor ships them, before a bank's administrator made them its own.

Source: Zoho CRM standard fields, from an engineer's knowledge (unverified); the statuses and origins of Cases as in the
vendor's own field list.
"""

from __future__ import annotations

from collections.abc import Mapping

_NEW_CASES = {("Cases", "Status"): ("New", "On Hold", "Escalated", "Closed")}
_EVERY = {
    **_NEW_CASES,
    ("Cases", "Case_Origin"): ("Email", "Phone", "Web"),
    ("Cases", "Priority"): ("High", "Medium", "Low"),
    ("Calls", "Call_Purpose"): ("Prospecting", "Administrative", "Negotiation", "Demo", "Project", "Desk"),
    ("Calls", "Call_Result"): (
        "Interested", "Not interested", "No response/Busy", "Requested more info", "Requested call back",
        "Invalid number",
    ),
    ("Contacts", "Lead_Source"): (
        "Advertisement", "Cold Call", "Employee Referral", "External Referral", "Online Store", "Partner",
        "Public Relations", "Sales Email Alias", "Seminar Partner", "Trade Show", "Web Download", "Chat",
    ),
    ("Accounts", "Rating"): ("Acquired", "Active", "Market Failed", "Project Cancelled", "Shut Down"),
    ("Accounts", "Account_Type"): (
        "Analyst", "Competitor", "Customer", "Distributor", "Integrator", "Investor", "Other", "Partner", "Press",
        "Prospect", "Reseller", "Supplier", "Vendor",
    ),
    ("Accounts", "Industry"): (
        "Communications", "Technology", "Government/Military", "Manufacturing", "Financial Services", "IT Services",
        "Education", "Pharma", "Real Estate", "Consulting", "Health Care",
    ),
}  # fmt: skip
Options = Mapping[tuple[str, str], tuple[str, ...]]
PICKLISTS: Mapping[str, Options] = {"bank": {}, "new_cases": _NEW_CASES, "shipped": _EVERY}
"""Which picklists are as shipped: none, the statuses of Cases, or all."""


def shipped(chosen: str, module: str, field: str) -> tuple[str, ...]:
    """Returns the vendor's options of a field, or nothing where the bank has its own."""
    return PICKLISTS[chosen].get((module, field), ())
