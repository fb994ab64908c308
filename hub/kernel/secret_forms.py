"""Finds what looks like a secret in text that people write or hand over; says where and of which kind, never what."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hub.kernel.errors import Text
from hub.kernel.secrets import looks_secret

_KEYS = (
    r"(?:secret|passw(?:or)?d|passwd|pwd|token|api_?key|access_?key(?:_?id)?|private_?key|permanent_?code|refresh|cookie"
    r"|authorization|口令|密码|密钥|令牌)"
)
_REFERENCE = r"(?!env:|file:|stored\b|null\b|none\b|true\b|false\b|\$\{|\$\(|<|\*{3}|\[|\{)"
_FORMS: tuple[tuple[str, Text, re.Pattern[str]], ...] = (
    ("pem", Text("a private key (PEM)", "私钥（PEM）"), re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY")),
    ("jwt", Text("a signed token (JWT)", "签名令牌（JWT）"), re.compile(r"\beyJ[\w-]{5,}\.[\w-]{4,}\.[\w-]{8,}")),
    (
        "vendor",
        Text("an access or refresh token of a CRM", "CRM 的访问或刷新令牌"),
        re.compile(r"\b1000\.[0-9a-f]{16,}(?:\.[0-9a-f]{16,})?\b|\b[A-Za-z]+-oauthtoken\s+\S{8,}", re.I),
    ),
    (
        "cloud",
        Text("an access key of a cloud", "云服务访问密钥"),
        re.compile(
            r"\b(?:(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}|LTAI[A-Za-z0-9]{12,24}|AKID[A-Za-z0-9]{13,40}|AIza[\w-]{35})\b"
        ),
    ),
    (
        "service",
        Text("a token of a service", "服务令牌"),
        re.compile(
            r"\b(?:gh[oprsu]_[A-Za-z0-9]{30,}|github_pat_\w{30,}|glpat-[\w-]{20,}|xox[abprs]-[\w-]{10,}|hv[bs]\.[\w-]{20,}"
            r"|csh_[A-Za-z0-9]{8}_[\w-]{40,})"
        ),
    ),
    (
        "url",
        Text("a password in an address", "地址中的口令"),
        re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/@:'\"]*:[^\s/@'\"]+@", re.I),
    ),
    ("header", Text("a header that signs in", "登录请求头"), re.compile(r"\b(?:bearer|basic)\s+[\w+/.=-]{12,}", re.I)),
    (
        "pair",
        Text("a value under a name that says secret", "名称表明为密钥的值"),
        re.compile(
            rf"{_KEYS}[A-Za-z0-9_.-]{{0,40}}[\"']?\s*(?::=|=>|[:=：＝])\s*[\"']?{_REFERENCE}([!-~]{{6,}})", re.I
        ),
    ),
)
_RANDOM = Text("a long random text", "随机长字符串")
_WORD = re.compile(r"[A-Za-z0-9+/_-]{20,}={0,2}")
_DIGEST = re.compile(r"(?i)(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{128})|[\w+/-]{43}=|[\w+/-]{86}==")
_NAME = re.compile(r"[a-z]+(?:[_.-][a-z0-9]+)*|[A-Z]+(?:_[A-Z0-9]+)*|[A-Z][a-z]+(?:[A-Z][a-z]+)*\d*")
_PLACE = re.compile(r"[A-Za-z0-9_.-]*/[A-Za-z0-9_./-]*")
_ENTROPY = 3.6
"""Bits a letter above which a word of twenty letters is no word of a language. Measured on the shipped files."""
LINE_LIMIT = 64 * 1024


@dataclass(frozen=True, slots=True)
class Leak:
    """Is one find: its line and its kind; the value stays where it is."""

    line: int
    kind: str
    text: Text


def find_secrets(lines: Iterable[tuple[int, str]], *, digests: bool = False) -> Iterator[Leak]:
    """Yields one find for each numbered line at most; with `digests` hashes and signatures belong here and are none."""
    for number, line in lines:
        if (found := _form_of(line, digests)) is not None:
            yield Leak(number, *found)


def _form_of(line: str, digests: bool) -> tuple[str, Text] | None:
    for kind, text, pattern in _FORMS:
        found = pattern.search(line)
        if found is not None and (kind != "pair" or _is_value(found[1])):
            return kind, text
    if any(_is_random(word, digests) for word in _WORD.findall(line)):
        return "random", _RANDOM
    return None


def _is_value(value: str) -> bool:
    """Tells a password from a word: it has a digit or a mark, or mixes cases; a name of a field is none."""
    return _NAME.fullmatch(value) is None and not value.isdecimal() and any(c.isalnum() for c in value)


def _is_random(word: str, digests: bool) -> bool:
    if digests and _DIGEST.fullmatch(word):
        return False
    if looks_secret(word):
        return True
    mixed = any(c.isdigit() for c in word) and any(c.islower() for c in word) and any(c.isupper() for c in word)
    return mixed and not _PLACE.fullmatch(word) and not _NAME.fullmatch(word) and entropy(word) >= _ENTROPY


def entropy(word: str) -> float:
    """Returns the Shannon entropy of a word in bits a letter."""
    total = len(word)
    return -sum(count / total * math.log2(count / total) for count in Counter(word).values())
