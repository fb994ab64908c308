"""What holds for single modules: which are only read, and what their lists must be asked for.

Source: Zoho API v8 get-records (`converted`), notes, insert-records.
"""

from __future__ import annotations

from collections.abc import Mapping

READ_ONLY = frozenset({"Leads", "Notes"})
"""Read and never written: a lead becomes a customer by conversion in Zoho, a note takes no hub id field."""
NOTES = "Notes"
LISTED_WITH: Mapping[str, Mapping[str, str]] = {"Leads": {"converted": "both"}}
"""A converted lead leaves the list by default; it is there still, and nobody deleted it."""
ONLY_LISTED = frozenset({"Leads", "Notes"})
"""Not read by COQL as long as a list goes on, nor in bulk: whether a query or a file shows converted leads, or notes,
is not documented."""
LISTS: Mapping[str, str] = {"Notes": "list notes, which Zoho shows to administrators only,"}
"""What asking for the list of a module is called where it is refused."""
