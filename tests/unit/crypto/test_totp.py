"""One-time codes: the vectors of RFC 6238, the window, and each code once."""

from __future__ import annotations

import pytest

from hub.crypto.totp import base32_of, code_at, enrolment_uri, matching_step, new_secret

SECRET = b"12345678901234567890"
# RFC 6238, appendix B, SHA-1: the last six of the eight digits.
VECTORS = [
    (59, "287082"),
    (1111111109, "081804"),
    (1111111111, "050471"),
    (1234567890, "005924"),
    (2000000000, "279037"),
    (20000000000, "353130"),
]


@pytest.mark.parametrize(("at", "code"), VECTORS)
def test_vectors_of_the_standard(at: int, code: str) -> None:
    assert code_at(SECRET, at // 30) == code
    assert matching_step(SECRET, code, at, None) == at // 30


@pytest.mark.parametrize(("off", "step"), [(-2, None), (-1, 999), (0, 1000), (1, 1001), (2, None)])
def test_the_window_is_one_step_either_way(off: int, step: int | None) -> None:
    assert matching_step(SECRET, code_at(SECRET, 1000 + off), 1000 * 30 + 15, None) == step


def test_a_code_is_good_once_and_none_before_it() -> None:
    now = 1000 * 30.0
    assert matching_step(SECRET, code_at(SECRET, 1000), now, 999) == 1000
    assert matching_step(SECRET, code_at(SECRET, 1000), now, 1000) is None
    assert matching_step(SECRET, code_at(SECRET, 999), now, 1000) is None
    assert matching_step(SECRET, code_at(SECRET, 1001), now, 1000) == 1001


@pytest.mark.parametrize("code", ["", "28708", "2870822", "２８７０８２", "abcdef", "\ud800"])
def test_what_is_no_code_matches_nothing(code: str) -> None:
    assert matching_step(SECRET, code, 59, None) is None


def test_an_app_is_told_everything() -> None:
    uri = enrolment_uri(SECRET, "wang.fang", "crmhub my-bank")
    assert uri.startswith("otpauth://totp/crmhub%20my-bank:wang.fang?")
    assert "digits=6" in uri
    assert "period=30" in uri
    assert base32_of(SECRET).replace(" ", "") == "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    assert len(new_secret()) == 20
    assert new_secret() != new_secret()
