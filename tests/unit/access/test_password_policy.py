"""Two profiles of what a password must be, and the list of those that guessers try first."""

from __future__ import annotations

import pytest

from hub.access.passwords import POLICIES, PasswordRefused, check_password, common_words, is_common
from tests import common_words as made

MLPS, ASVS = POLICIES["mlps"], POLICIES["asvs"]
OWN = ("wang.fang", "Wang Fang", "my-bank", "某某银行")


def test_the_profiles_are_those_decided() -> None:
    assert (MLPS.shortest, MLPS.classes, MLPS.days, MLPS.history) == (12, 3, 90, 5)
    assert (ASVS.shortest, ASVS.classes, ASVS.days, ASVS.history) == (15, 0, 0, 0)
    assert MLPS.due(0.0, 90 * 86_400.0)
    assert not MLPS.due(0.0, 90 * 86_400.0 - 1)
    assert not ASVS.due(0.0, 1e12)


def test_the_list_is_the_one_its_rules_make_and_long_enough() -> None:
    with open(made.__file__.replace("tests/common_words.py", "hub/access/common_words.txt"), encoding="utf-8") as file:
        assert file.read() == made.listed(), "run: python -m tests.common_words > hub/access/common_words.txt"
    assert len(common_words()) >= 3000
    assert all(word == word.lower() for word in common_words())


@pytest.mark.parametrize(
    ("policy", "password"),
    [
        (MLPS, "Tk7#vq92Lmzx"),
        (MLPS, "绿茶-Rivet-沙发-09"),
        (ASVS, "rivet lampshade overgrown"),
        (ASVS, "竹林里有一只会唱歌的蓝色河马在散步"),
        (ASVS, "x" * 0 + "qpzm vbty wkcj " * 8 + "endingqz"),
    ],
)
def test_good_passwords_are_taken(policy: object, password: str) -> None:
    check_password(policy, password, OWN)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("policy", "password", "reason"),
    [
        (MLPS, "Tk7#vq92Lmz", "at least 12 characters"),
        (MLPS, "tkvqlmzxhwpd", "at least 3 of"),
        (MLPS, "tk7vq92lmzxh", "at least 3 of"),
        (ASVS, "Tk7#vq92Lmzx", "at least 15 characters"),
        (ASVS, "ab3" * 43, "at most 128 characters"),
        (MLPS, "Password2026!", "common word"),
        (MLPS, "P@ssw0rd@1234", "common word"),
        (MLPS, "Admin@123456", "common word"),
        (MLPS, "Crmhub-2026-Bank", "common word"),
        (MLPS, "WangFang#1990", "common word"),
        (MLPS, "1qaz@WSX3edc", "common word"),
        (MLPS, "Qwertyuiop12!", "common word"),
        (MLPS, "Aa1!Aa1!Aa1!", "common word"),
        (ASVS, "passwordpassword", "common word"),
        (ASVS, "111111111111111", "common word"),
        (ASVS, "zhangwei zhangwei", "common word"),
    ],
)
def test_bad_passwords_are_refused_with_the_reason_and_never_shown(policy: object, password: str, reason: str) -> None:
    with pytest.raises(PasswordRefused) as refused:
        check_password(policy, password, OWN)  # type: ignore[arg-type]
    assert reason in refused.value.en
    assert password not in refused.value.en + refused.value.zh


def test_every_listed_word_of_some_length_is_refused_with_digits_and_capitals() -> None:
    words = [word for word in sorted(common_words())[::7] if len(word) > 5 and word.isalnum()]
    missed = [word for word in words if not is_common(word.capitalize() + "#2026")]
    assert missed == []
