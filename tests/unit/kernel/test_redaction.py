"""The last net: personal values and secrets are taken out of log text, ids stay readable."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.kernel.redaction import escape, redact

HUB_ID = "0192f0c1-5d2a-7c3e-8f10-9a1b2c3d4e5f"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("call 13800138000", "call [phone]"),
        ("tel:+86 138 0013 8000.", "tel:[phone]."),
        ("手机13800138000已停机", "手机[phone]已停机"),
        ("手机１３８００１３８０００", "手机[phone]"),
        ("座机 010-62345678", "座机 [phone]"),
        ("id 11010519491231002X", "id [id-number]"),
        ("card 6222020000000000018 ok", "card [card] ok"),
        ("mail wang.ming@bank.example now", "mail [e-mail] now"),
        ("Authorization: Zoho-oauthtoken 1000.abcdef0123.9876fedc", "Authorization: [credential]"),
        ('{"refresh_token":"1000.abcdef0123456789.abcdef01"}', '{"refresh_token":"[token]"}'),
        ("url?client_secret=hunter2&x=1", "url?client_secret=[secret]&x=1"),
        ("bearer abc.def", "[credential]"),
    ],
)
def test_personal_values_and_secrets_leave(text: str, kept: str) -> None:
    assert redact(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        HUB_ID,
        "5843104000000301001",
        "64a1b2c3d4e5f60718293a4b",
        "run 1760000000000 ms",
        "sha256:" + "0123456789abcdef" * 4,
        "2025-10-09T08:53:20.250000Z",
        "client_id is missing",
        "记录 5843104000000301001 的字段 mobile_phone 被拒绝",
        "110105194912310021",
    ],
)
def test_ids_times_and_digests_stay(text: str) -> None:
    assert redact(text) == text


@given(text=st.text(max_size=80))
def test_redacting_twice_changes_nothing(text: str) -> None:
    assert redact(redact(text)) == redact(text)


@given(text=st.text(max_size=80))
def test_escaped_text_cannot_forge_a_line(text: str) -> None:
    assert not set(escape(text)) & set("\r\n\x1b\x85\u2028\u202e\u2066\x00\x9b")
