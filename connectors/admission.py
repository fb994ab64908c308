"""An optional part of the contract: a person lets the hub in at the vendor, once, by a code or by a consent link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from connectors.base import CheckLine


@dataclass(frozen=True, slots=True)
class Invitation:
    """Says what a person does at the vendor to let the hub in.

    `asks`: something is brought back, a code or the address that the browser ended at; False: the credentials of the
    settings suffice. `keeps` names the credentials that come of it. `link` is the address of a consent page.
    """

    asks: bool
    keeps: tuple[str, ...]
    en: str
    zh: str
    link: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Admission:
    """Is what a sign-in gave: credentials by name and tokens by name, to be kept sealed in one commit."""

    way: str
    credentials: Mapping[str, str] = field(repr=False)
    tokens: Mapping[str, bytes] = field(repr=False)
    lines: tuple[CheckLine, ...] = ()


@runtime_checkable
class Connectable(Protocol):
    """Lets a person authorise the hub. Both methods raise the errors of `connectors.errors` and nothing else."""

    def invite(self, by_link: bool) -> Invitation:
        """Says what the person does, by a consent link or by a code; asks the vendor nothing."""

    def admit(self, brought: str, by_link: bool) -> Admission:
        """Exchanges what the person brought, once; keeps none of it. An address answers the last link that was made."""
