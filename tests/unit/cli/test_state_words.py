"""Every state of an account, a key and a request for approval has a Chinese word of its own."""

from __future__ import annotations

from hub.cli.terms import ACCOUNTS, KEYS, WORDS
from hub.keys.rows import KeyState
from hub.store.approvals import STATES
from hub.store.users import ACTIVE, DISABLED, LOCKED


def test_states_are_worded_and_mean_one_thing() -> None:
    assert set(ACCOUNTS) == {ACTIVE, DISABLED, LOCKED}
    assert set(KEYS) == set(KeyState)
    assert set(STATES) <= set(WORDS)
    assert WORDS["active"] not in {*ACCOUNTS.values(), *KEYS.values()}
