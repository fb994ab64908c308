"""What stopped a run comes with the command that helps."""

from __future__ import annotations

import pytest

from hub.operations.reasons import explain


@pytest.mark.parametrize(
    ("reason", "command"),
    [
        ("system:zoho:HUB-NET-001", "crmhub check zoho"),
        ("system:zoho:HUB-PAUSE-002", "crmhub resume zoho"),
        ("system:zoho:HUB-PAUSE-003", "crmhub schedule list"),
        ("conflicts=3", "crmhub conflict list"),
        ("out_of_sight=2", "crmhub reconcile contact_log"),
        ("match_questions=2", "crmhub match list --entity contact_log"),
        ("guard:first_sync:NAME=5", "crmhub guard release first_sync --entity contact_log --reason TEXT"),
        (
            "guard:mass_delete:NAME=40",
            "crmhub guard release mass_delete --entity contact_log --system NAME --reason TEXT",
        ),
        ("parked=3", "crmhub match list --entity customer"),
        ("waiting_parent=3", "crmhub match list --entity customer"),
    ],
)
def test_a_reason_names_the_command_that_comes_next(reason: str, command: str) -> None:
    told = explain(reason, "contact_log", parents="crmhub match list --entity customer")
    assert told.command == command
    assert told.en
    assert told.zh
