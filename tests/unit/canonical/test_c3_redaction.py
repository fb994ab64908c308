"""Authentication data in free text is taken out once, and ordinary sentences stay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.canonical.redaction import MARK, redact_c3


@pytest.mark.parametrize(
    ("text", "kind", "secret"),
    [
        ("客户说密码：abcd1234 请保密", "password", "abcd1234"),
        ("Password is Hunter2!", "password", "Hunter2!"),
        ("卡背面 CVV2=123", "card_verification", "123"),
        ("验证码是 889900", "card_verification", "889900"),
        ("track ;6222021234567890=2512101", "card_track", "6222021234567890"),
        ("data:image/png;base64," + "QUJD" * 30, "biometric", "QUJDQUJD"),
    ],
)
def test_finds_and_removes(text: str, kind: str, secret: str) -> None:
    kept, kinds = redact_c3(text)
    assert kinds == (kind,)
    assert secret not in kept
    assert MARK in kept


@pytest.mark.parametrize("text", ["客户忘记密码，请协助重置", "Wants a password reset", "二维码已发", "复古 spin 课程"])
def test_leaves_ordinary_sentences(text: str) -> None:
    assert redact_c3(text) == (text, ())


@given(st.lists(st.sampled_from(["密码", "：", "=", " is ", "abcd1234", "CVV", "123", MARK, "是", "\n"]), max_size=10))
def test_a_second_pass_changes_nothing(parts: list[str]) -> None:
    once, _ = redact_c3("".join(parts))
    assert redact_c3(once) == (once, ())
