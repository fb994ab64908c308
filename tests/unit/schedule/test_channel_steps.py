"""What a channel needs at an instant, as a table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hub.operations.channels import LOOK_EVERY, REFUSED_AGAIN, Step, step_of
from hub.store.callbacks import ChannelRow, ChannelState

NOW, BASE, OBJECTS = 1_790_000_000.0, "https://hub.example/hooks", ("Contacts", "Accounts")
DAY = 86_400.0
OPEN = ChannelRow(
    "zoho",
    "90000000000001",
    ChannelState.OPEN,
    OBJECTS,
    OBJECTS,
    ("token",),
    f"{BASE}/path",
    renew_at=NOW + 4 * DAY,
    expires_at=NOW + 5 * DAY,
    looked_at=NOW,
)


def row(**changes: object) -> ChannelRow:
    return replace(OPEN, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("channel", "base", "objects", "step"),
    [
        (None, BASE, OBJECTS, Step.OPEN),
        (None, None, OBJECTS, Step.NOTHING),
        (None, BASE, (), Step.NOTHING),
        (OPEN, BASE, OBJECTS, Step.NOTHING),
        (OPEN, None, OBJECTS, Step.CLOSE),
        (OPEN, BASE, (), Step.CLOSE),
        (row(state=ChannelState.CLOSED, tokens=(), url=""), BASE, OBJECTS, Step.NOTHING),
        (row(state=ChannelState.CLOSED, tokens=(), url=""), None, OBJECTS, Step.NOTHING),
        (row(state=ChannelState.OPENING, expires_at=None, renew_at=None), BASE, OBJECTS, Step.LOOK),
        (row(state=ChannelState.RENEWING), BASE, OBJECTS, Step.RENEW),
        (row(renew_at=NOW), BASE, OBJECTS, Step.RENEW),
        (row(renew_at=NOW + 1), BASE, OBJECTS, Step.NOTHING),
        (row(expires_at=NOW), BASE, OBJECTS, Step.LOOK),
        (OPEN, BASE, ("Contacts",), Step.RENEW),
        (OPEN, "https://other.example", OBJECTS, Step.RENEW),
        (OPEN, f"{BASE}/path", OBJECTS, Step.RENEW),
        (row(looked_at=NOW - LOOK_EVERY), BASE, OBJECTS, Step.LOOK),
        (row(looked_at=NOW - LOOK_EVERY + 1), BASE, OBJECTS, Step.NOTHING),
        (row(looked_at=NOW + 60), BASE, OBJECTS, Step.LOOK),
        (row(renew_at=NOW, retry_at=NOW + 1), BASE, OBJECTS, Step.NOTHING),
        (row(renew_at=NOW, retry_at=NOW), BASE, OBJECTS, Step.RENEW),
        (row(renew_at=NOW, retry_at=NOW + REFUSED_AGAIN + 1), BASE, OBJECTS, Step.RENEW),
    ],
)
def test_step(channel: ChannelRow | None, base: str | None, objects: tuple[str, ...], step: Step) -> None:
    assert step_of(channel, objects, base, NOW) is step
