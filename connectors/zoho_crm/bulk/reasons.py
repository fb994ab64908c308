"""Why a bulk load is not made, or does not go on."""

from __future__ import annotations


class NotOffered(Exception):
    """Says that pages must do what a bulk load cannot; the reason is for the log and holds no value."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TokenLost(Exception):
    """Says that the vendor no longer knows the token of the page that a job was to be made for."""


class Damaged(Exception):
    """Says that a file does not hold what its job promised: cut off, not a ZIP, not the CSV. It is fetched again."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.en = en
        self.zh = zh


class Hostile(Damaged):
    """Says that a file would unpack to more than any export; it is not fetched again."""
