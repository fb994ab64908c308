"""What is known of the fields of each module: which ones a list cuts, and which ones only a single read shows.

Source: Zoho API v8 fields-meta (`data_type`, `textarea.type`), get-records.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.zoho_crm.calls import Api

SINGLE_READ = frozenset({"subform", "multiselectlookup", "multiuserlookup"})
"""Kinds of fields whose values come with a single record only."""
_NEVER_CUT = frozenset({"small", "large"})
_FRESH = 3600.0
"""Seconds for which a description stands for the fields that there are."""


@dataclass(frozen=True, slots=True)
class Known:
    """Holds what metadata say of one module: its fields, those of single reads, and texts that no list cuts."""

    names: frozenset[str]
    single: frozenset[str]
    rich: frozenset[str]
    plain: frozenset[str]


class Catalogue:
    """Remembers the fields of modules as metadata described them, and what queries refused since then."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._known: dict[str, Known | None] = {}
        self._read_at: dict[str, float] = {}
        self._refused: dict[str, set[str]] = {}

    def remember(self, object: str, entries: Iterable[Mapping[str, Any]]) -> None:
        """Keeps a fresh description; what a query refused under an older one may be asked for again."""
        self._known[object], self._read_at[object] = _read(entries), self._api.context.clock.now()
        self._refused.pop(object, None)

    def known(self, object: str) -> Known | None:
        """Returns what was described so far, None where nothing was."""
        return self._known.get(object)

    def fresh(self, object: str) -> Known | None:
        """Returns what was described within the last hour: a field that it does not name need not be asked for."""
        return self._known.get(object) if self._is_fresh(object) else None

    def learn(self, object: str) -> Known | None:
        """Returns what metadata say, read unless they were within the last hour; None where they are refused."""
        if not self._is_fresh(object):
            answer = self._api.get("/settings/fields", "describe fields", {"module": object})
            listed = answer.content.get("fields") if answer.ok and isinstance(answer.content, Mapping) else None
            self._known[object], self._read_at[object] = None, self._api.context.clock.now()
            if isinstance(listed, list):
                self.remember(object, (entry for entry in listed if isinstance(entry, Mapping)))
        return self._known[object]

    def _is_fresh(self, object: str) -> bool:
        return 0 <= self._api.context.clock.now() - self._read_at.get(object, -_FRESH) < _FRESH

    def refuse(self, object: str, names: Iterable[str]) -> bool:
        """Notes fields that a query cannot select; tells whether any of them is new."""
        refused = self._refused.setdefault(object, set())
        before = len(refused)
        refused.update(names)
        return len(refused) > before

    def refused(self, object: str) -> frozenset[str]:
        """Returns the fields that a query could not select."""
        return frozenset(self._refused.get(object, ()))


def _read(entries: Iterable[Mapping[str, Any]]) -> Known:
    names, single, rich, plain = set(), set(), set(), set()
    for entry in entries:
        name, kind = str(entry.get("api_name")), entry.get("data_type")
        text = entry.get("textarea")
        form = text.get("type") if isinstance(text, Mapping) else None
        names.add(name)
        if kind in SINGLE_READ:
            single.add(name)
        elif form == "rich_text" or kind == "richtextarea":
            rich.add(name)
        elif kind != "textarea" or form in _NEVER_CUT:
            plain.add(name)
    return Known(frozenset(names), frozenset(single), frozenset(rich), frozenset(plain))
