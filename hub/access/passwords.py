"""What a password must be, in one of two profiles: 等保 level 3 (`mlps`) or OWASP ASVS 5.0 (`asvs`). Pure.

The two contradict each other: one asks for composition and periodic change, the other forbids both. A bank chooses.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from hub.kernel.errors import HubError, Text

LONGEST = 128
FILE = "common_words.txt"
_DAY = 86_400.0
_ENDS, _TAIL = re.compile(r"^[\W\d_]+|[\W\d_]+$"), re.compile(r"(?<=\w)[\W_]+\d*$")
# What people put for letters; the digits that end a word are taken off before.
_FOLDED = str.maketrans({"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "@": "a", "$": "s", "!": "i"})
_SHORTEST_WORD, _OF_ITS_OWN = 4, 5


class PasswordRefused(HubError):
    """Is raised for a new password that the policy refuses; says every reason, never the password."""

    code = "HUB-SIGNIN-004"
    exit_code = 3

    def __init__(self, reasons: Iterable[Text]) -> None:
        found = list(reasons)
        super().__init__(
            f"choose another password: {'; '.join(r.en for r in found)}",
            f"请换一个口令：{'；'.join(r.zh for r in found)}",
        )


@dataclass(frozen=True, slots=True)
class Policy:
    """Is one profile; `classes` of upper case, lower case, digits, others; `days` 0 asks for no periodic change."""

    shortest: int
    classes: int = 0
    days: int = 0
    history: int = 0

    def due(self, set_at: float, now: float) -> bool:
        """Tells whether a password is so old that it must be changed."""
        return bool(self.days) and now - set_at >= self.days * _DAY


POLICIES: Final = {"mlps": Policy(12, 3, 90, 5), "asvs": Policy(15)}


def check_password(policy: Policy, password: str, own: Iterable[str] = ()) -> None:
    """Raises PasswordRefused where a policy refuses a password; `own` are words of its owner and the installation."""
    reasons = [*_lengths(policy, password), *_composition(policy, password)]
    if is_common(password, own):
        reasons.append(
            Text(
                "it is a common word, a pattern of the keyboard, or a name of yours with digits around it",
                "含常见词、键盘序列，或仅为本人/本行名称加数字",
            )
        )
    if reasons:
        raise PasswordRefused(reasons)


def reused() -> PasswordRefused:
    """Returns the refusal of a password that was in use lately."""
    return PasswordRefused([Text("it is the present one or was in use lately", "与当前或最近使用过的口令相同")])


def _lengths(policy: Policy, password: str) -> list[Text]:
    number = len(password)
    if number > LONGEST:
        return [Text(f"at most {LONGEST} characters", f"最多 {LONGEST} 个字符")]
    if number < policy.shortest:
        return [Text(f"at least {policy.shortest} characters", f"至少 {policy.shortest} 个字符")]
    return []


def _composition(policy: Policy, password: str) -> list[Text]:
    kinds = {_kind(char) for char in password}
    if len(kinds) >= policy.classes:
        return []
    return [
        Text(
            f"at least {policy.classes} of: upper case, lower case, digits, other characters",
            f"大写、小写、数字、其他字符中至少 {policy.classes} 类",
        )
    ]


def _kind(char: str) -> str:
    if char.isdigit():
        return "digit"
    if not char.isalpha():
        return "other"
    # Chinese letters have no case and are none of a keyboard's 26: they count as others.
    return "upper" if char.isupper() else "lower" if char.islower() else "other"


def is_common(password: str, own: Iterable[str] = ()) -> bool:
    """Tells whether a guesser tries a password early: a listed word, or one with digits and marks around or inside."""
    plain = unicodedata.normalize("NFKC", password).lower()
    listed, context = common_words(), {_letters(word) for word in own} - {""}
    core, head = _ENDS.sub("", plain), _TAIL.sub("", plain)
    folded = (core.translate(_FOLDED), plain.translate(_FOLDED), head.translate(_FOLDED))
    for form in {plain, core, head, *folded, _letters(plain), _unit(plain)}:
        if form in listed or form in context or (form and _unit(form) in listed):
            return True
    if len(set(plain)) < _OF_ITS_OWN:
        return True
    around = context | _context_words()
    return any(_little_of_its_own(_letters(form), around) for form in (core, core.translate(_FOLDED)))


def _letters(text: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFKC", text).lower() if char.isalpha())


def _unit(text: str) -> str:
    """Returns what a text repeats, or the text itself."""
    found = re.fullmatch(r"(.+?)\1+", text)
    return found[1] if found else text


def _little_of_its_own(letters: str, context: Iterable[str]) -> bool:
    """Tells whether a password is made of words of its surroundings and hardly anything else."""
    rest = letters
    for word in sorted((word for word in context if len(word) >= _SHORTEST_WORD), key=len, reverse=True):
        rest = rest.replace(word, "")
    return rest != letters and len(rest) < _OF_ITS_OWN


@cache
def common_words() -> frozenset[str]:
    """Returns the list that ships: common passwords, words of a bank's surroundings, keyboard patterns."""
    return frozenset(line for line in _read() if line and not line.startswith("#"))


@cache
def _context_words() -> frozenset[str]:
    """Returns the words before the list's first rule: those of the surroundings."""
    found: list[str] = []
    for line in _read():
        if line.startswith("# rule"):
            break
        if line and not line.startswith("#"):
            found.append(line)
    return frozenset(found)


@cache
def _read() -> tuple[str, ...]:
    return tuple((files("hub.access") / FILE).read_text(encoding="utf-8").splitlines())
