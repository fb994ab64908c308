"""Branches as paths: a branch holds itself and what lies below it, by whole names between separators."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hub.kernel.errors import Declined

ROOT = "/"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,20}")
_PATH = re.compile(r"/(?:[A-Za-z0-9_-]{1,20}/){0,9}")


def checked_path(text: str) -> str:
    """Returns a branch path. Raises Declined for anything but names between slashes."""
    if not _PATH.fullmatch(text):
        raise Declined(
            f"a branch is a path such as /010/03/, each name of letters, digits, - and _; got {text[:40]!r}",
            f"机构须写成路径，如 /010/03/，各级名称由字母、数字、- 和 _ 组成；收到 {text[:40]!r}",
        )
    return text


def within(path: str, scope: str) -> bool:
    """Tells whether a branch lies in a scope: `/010/03/` holds `/010/03/` and `/010/03/1/`, never `/010/030/`."""
    return scope.endswith("/") and path.startswith(scope)


@dataclass(frozen=True, slots=True)
class Branches:
    """Knows where each branch code of the records stands; one that no table places is a branch of its own."""

    paths: Mapping[str, str]

    def path(self, code: object) -> str | None:
        """Returns the path of a code; None without a code, which no scope but the root holds."""
        if not isinstance(code, str) or not code:
            return None
        found = self.paths.get(code)
        if found is None:
            # A code that holds a separator would name a place in a tree it has no part in.
            return f"/{code}/" if _NAME.fullmatch(code) else None
        return found if _PATH.fullmatch(found) else None

    def codes(self, scopes: Iterable[str]) -> frozenset[str] | None:
        """Returns the codes that lie in any of the scopes, None for all of them."""
        wanted = tuple(scopes)
        if ROOT in wanted:
            return None
        known = {code for code, path in self.paths.items() if any(within(path, scope) for scope in wanted)}
        own = {s.strip("/") for s in wanted if s.count("/") == 2 and s.strip("/") not in self.paths}
        return frozenset(known | own)
