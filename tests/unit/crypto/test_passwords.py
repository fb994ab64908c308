"""Argon2id hashes: bound to their account, renewed at another cost, and the same work for an account without one."""

from __future__ import annotations

import pytest

from hub.crypto import passwords
from hub.crypto.passwords import Cost, Hasher, TooManyHashes, cost_of

CHEAP = Cost(memory=64, passes=1)
SECRET = b"s" * 32


def test_the_cost_in_use_is_the_one_decided() -> None:
    phc = Hasher().hash("correct horse 电池", SECRET)
    assert phc.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert Hasher().matches("correct horse 电池", phc, SECRET)


def test_a_hash_fits_its_password_and_its_account_only() -> None:
    hasher = Hasher(CHEAP)
    phc = hasher.hash("p" * 128, SECRET)
    assert hasher.matches("p" * 128, phc, SECRET)
    # Nothing is cut off: the 128th character counts.
    assert not hasher.matches("p" * 127 + "q", phc, SECRET)
    assert not hasher.matches("p" * 127, phc, SECRET)
    assert not hasher.matches("p" * 128, phc, b"t" * 32)
    assert phc != hasher.hash("p" * 128, SECRET)


def test_a_hash_made_at_another_cost_is_outdated_and_still_fits() -> None:
    phc = Hasher(CHEAP).hash("x", SECRET)
    assert cost_of(phc) == CHEAP
    dearer = Hasher(Cost(memory=128, passes=1))
    assert dearer.matches("x", phc, SECRET)
    assert dearer.outdated(phc)
    assert not Hasher(CHEAP).outdated(phc)


@pytest.mark.parametrize("phc", ["", "plain", "$argon2id$v=19$m=99999999,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$" + "A" * 43])
def test_what_is_no_hash_of_ours_fits_nothing(phc: str) -> None:
    assert not Hasher(CHEAP).matches("", phc, SECRET)


def test_an_unknown_account_costs_the_same_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library is asked once for either, with a hash of the same cost."""
    asked: list[Cost | None] = []
    real = passwords.Argon2id

    class Counting:
        def __new__(cls, **words: object) -> object:
            return real(**words)  # type: ignore[arg-type]

        @staticmethod
        def verify_phc_encoded(password: bytes, phc: str, secret: bytes) -> None:
            asked.append(cost_of(phc))
            real.verify_phc_encoded(password, phc, secret)

    hasher = Hasher(CHEAP)
    phc = hasher.hash("x", SECRET)
    assert not hasher.matches("x", None, SECRET)
    monkeypatch.setattr(passwords, "Argon2id", Counting)
    assert not hasher.matches("x", None, SECRET)
    assert not hasher.matches("y", phc, SECRET)
    assert asked == [CHEAP, CHEAP]


def test_more_hashes_than_there_is_room_for_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "PATIENCE", 0.01)
    hasher = Hasher(CHEAP, at_once=1)
    phc = hasher.hash("x", SECRET)
    with hasher._turn(), pytest.raises(TooManyHashes):
        hasher.matches("x", phc, SECRET)
    assert hasher.matches("x", phc, SECRET)
