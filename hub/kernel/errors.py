"""Errors of the hub, named by what to do next, each with a stable code and a message in two languages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Text:
    """Is one message in English and Chinese."""

    en: str
    zh: str

    def say(self, lang: str) -> str:
        return self.zh if lang == "zh" else self.en


@dataclass(frozen=True, slots=True)
class Problem:
    """Is one finding about a file: where it is, what is wrong and what to do."""

    file: str
    line: int | None
    code: str
    en: str
    zh: str
    severity: str = "error"

    def place(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


class HubError(Exception):
    """Carries a stable code, the process exit code and the same message in English and Chinese."""

    code = "HUB-000"
    exit_code = 1

    def __init__(self, en: str, zh: str, *, code: str | None = None) -> None:
        self.code = code or type(self).code
        super().__init__(f"{self.code} {en}")
        self.en = en
        self.zh = zh


class ConfigInvalid(HubError):
    """Is raised when settings or mappings cannot be used; lists every problem with file and line."""

    code = "HUB-CONF-001"
    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        en = "; ".join(f"{p.place()}: {p.en}" for p in problems)
        zh = "；".join(f"{p.place()}：{p.zh}" for p in problems)
        super().__init__(en, zh)


class InvariantBroken(HubError):
    """Is raised when the engine finds its own state impossible: it is our bug; the entity stops and evidence stays."""

    code = "HUB-BUG-001"
    exit_code = 70


class StoreUnavailable(HubError):
    """Is raised when the store cannot be opened, read or written (disk full, read-only, locked, unreachable)."""

    code = "HUB-STORE-001"
    exit_code = 5


class StoreTooNew(HubError):
    """Is raised when the store was made by a newer version of the program."""

    code = "HUB-STORE-002"
    exit_code = 5


class AuditUnavailable(HubError):
    """Is raised when the audit row cannot be written; the act is refused with it."""

    code = "HUB-AUDIT-001"
    exit_code = 5


class Busy(HubError):
    """Is raised when another process already runs a cycle of this entity."""

    code = "HUB-LEASE-001"
    exit_code = 6


class LeaseLost(HubError):
    """Is raised when an outcome is about to be committed under an epoch that is no longer ours."""

    code = "HUB-LEASE-002"
    exit_code = 6


class ShareFailed(HubError):
    """Is raised when a part of a cycle failed at another process for no fault of a system; its own log has more."""

    code = "HUB-SHARE-001"
    exit_code = 70


class KeyUnusable(HubError):
    """Is raised when a key file is missing, open to others, or not the one that sealed the store."""

    code = "HUB-KEY-001"
    exit_code = 4


class NotFound(HubError):
    """Is raised when a record, conflict, hold or run named by a person does not exist."""

    code = "HUB-REQ-404"
    exit_code = 3


class Declined(HubError):
    """Is raised when a request cannot be honoured as it stands, for example a resolution of moved candidates."""

    code = "HUB-REQ-409"
    exit_code = 3


def problem(file: Path | str, line: int | None, code: str, en: str, zh: str) -> Problem:
    return Problem(str(file), line, code, en, zh)
