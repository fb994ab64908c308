"""Faults a simulator injects into its answers, chosen by rules."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ACTIONS = frozenset(
    {
        "timeout_before_commit",
        "timeout_after_commit",
        "reset_before_commit",
        "reset_after_commit",
        "http_500",
        "http_502_html",
        "http_503",
        "http_429",
        "truncated_json",
        "slow",
        "slow_body",
        "stale_read",
        "html_200",
        "wrong_content_type",
        "auth_expired",
        "row_error",
        "vendor_error",
    }
)
_DETAILS = frozenset({"after_commit", "seconds", "ms", "row", "code", "field", "message", "status", "body"})
_KEYS = _DETAILS | {"match", "nth", "every", "probability", "seed", "times", "action"}


@dataclass(slots=True)
class FaultRule:
    """One rule: which calls it looks at, how often it strikes, and what it does."""

    action: str
    method: str = ""
    path: re.Pattern[str] = field(default_factory=lambda: re.compile(""))
    nth: int = 0
    every: int = 0
    probability: float | None = None
    times: int = 0
    details: dict[str, Any] = field(default_factory=dict)
    rng: random.Random = field(default_factory=random.Random)
    seen: int = 0
    struck: int = 0

    def strikes(self, method: str, path: str) -> bool:
        """Tells whether the fault hits this call, counting the calls it looks at."""
        if (self.method and self.method != method) or not self.path.search(path):
            return False
        self.seen += 1
        if self.times and self.struck >= self.times:
            return False
        hit = True
        if self.nth:
            hit = self.seen == self.nth
        elif self.every:
            hit = self.seen % self.every == 0
        elif self.probability is not None:
            hit = self.rng.random() < self.probability
        self.struck += hit
        return hit


class FaultPlan:
    """An ordered list of fault rules; the first that strikes decides."""

    def __init__(self, rules: list[dict[str, Any]] | None = None) -> None:
        self.rules: list[FaultRule] = []
        self.replace(rules or [])

    @classmethod
    def from_file(cls, path: str | Path) -> FaultPlan:
        """Reads a JSON or YAML file that holds a list of rules, or a map with the key `faults`.

        Raises ValueError that names the file when a rule is wrong.
        """
        text = Path(path).read_text(encoding="utf-8")
        try:
            parsed = YAML(typ="safe", pure=True).load(text)  # JSON is YAML
            return cls(parsed.get("faults", []) if isinstance(parsed, dict) else (parsed or []))
        except Exception as cause:
            raise ValueError(f"{path}: {cause}") from cause

    def replace(self, rules: list[dict[str, Any]]) -> None:
        """Takes a new list of rules in place of the old; raises ValueError for a wrong rule."""
        try:
            self.rules = [_read_rule(position, rule) for position, rule in enumerate(rules)]
        except re.error as broken:
            raise ValueError(f"path_regex: {broken}") from broken

    def strike(self, method: str, path: str) -> dict[str, Any] | None:
        """Returns the fault for this call as {action, …details}, or None."""
        for rule in self.rules:
            if rule.strikes(method, path):
                return {"action": rule.action, **rule.details}
        return None

    def replays(self, method: str, path: str) -> bool:
        """Tells whether answers to such a call must be kept, because a `stale_read` may show one of them again."""
        rules = (rule for rule in self.rules if rule.action == "stale_read")
        return any(rule.method in ("", method) and rule.path.search(path) for rule in rules)

    def report(self) -> list[dict[str, Any]]:
        """Returns each rule's action with how many calls it saw and hit."""
        return [{"action": rule.action, "seen": rule.seen, "struck": rule.struck} for rule in self.rules]


def _read_rule(position: int, rule: object) -> FaultRule:
    if not isinstance(rule, dict):
        raise ValueError(f"fault {position}: a rule is a map")
    match = rule.get("match") or {}
    unknown = (set(rule) - _KEYS) | (set(match) - {"method", "path_regex"})
    if unknown:
        raise ValueError(f"fault {position}: unknown key {sorted(unknown)[0]}")
    action = str(rule.get("action", ""))
    if action not in ACTIONS:
        raise ValueError(f"fault {position}: action must be one of {', '.join(sorted(ACTIONS))}")
    probability = rule.get("probability")
    return FaultRule(
        action=action,
        method=str(match.get("method", "")).upper(),
        path=re.compile(str(match.get("path_regex", ""))),
        nth=int(rule.get("nth", 0)),
        every=int(rule.get("every", 0)),
        probability=None if probability is None else float(probability),
        times=int(rule.get("times", 0)),
        details={key: value for key, value in rule.items() if key in _DETAILS},
        rng=random.Random(int(rule.get("seed", 0))),
    )
