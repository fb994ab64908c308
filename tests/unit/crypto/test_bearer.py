"""Tokens: enough bits, a form that scanners know, a checksum that tells a mistyped one."""

from __future__ import annotations

import re

from hub.crypto.bearer import (
    challenge_of,
    csrf_of,
    digest_of,
    new_api_token,
    new_recovery_code,
    new_token,
    plain_recovery_code,
    read_api_token,
)
from hub.kernel.redaction import redact


def test_an_api_token_has_the_documented_form_and_reads_back() -> None:
    made = new_api_token()
    assert re.fullmatch(r"csh_[a-z2-9]{8}_[A-Za-z0-9_-]{43}[0-9A-Za-z]{6}", made.text)
    assert read_api_token(made.text) == made
    assert made.secret not in repr(made)
    assert redact(f"asked with {made.text}!") == "asked with [token]!"


def test_a_mistyped_api_token_is_told_by_its_checksum() -> None:
    text = new_api_token().text
    for place in range(4, len(text)):
        other = "a" if text[place] != "a" else "b"
        assert read_api_token(text[:place] + other + text[place + 1 :]) is None
    for wrong in ("", text[:-1], text + "a", text.upper(), f" {text}", "Bearer x"):
        assert read_api_token(wrong) is None


def test_tokens_hold_256_bits_and_never_repeat() -> None:
    made = {new_token() for _ in range(500)}
    assert len(made) == 500
    assert {len(token) for token in made} == {43}
    assert len(digest_of("x")) == 32


def test_the_proof_of_a_page_belongs_to_one_session() -> None:
    one, other = new_token(), new_token()
    assert csrf_of(one) == csrf_of(one)
    assert len({csrf_of(one), csrf_of(other), one, other}) == 4


def test_recovery_codes_hold_80_bits_and_may_be_typed_as_people_type() -> None:
    code = new_recovery_code()
    assert re.fullmatch(r"[a-z2-7]{4}(-[a-z2-7]{4}){3}", code)
    assert plain_recovery_code(code.upper().replace("-", " ")) == plain_recovery_code(code)


def test_the_challenge_is_that_of_the_standard() -> None:
    # RFC 7636, appendix B.
    assert challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
