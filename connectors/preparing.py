"""The part of the contract that sets a system up: what fields and options it lacks, made where the vendor allows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable


class Form(StrEnum):
    """Says what a field must hold, in no vendor's words. Nobody makes a field of form OTHER for the hub."""

    TEXT = "text"
    LONG_TEXT = "long_text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    FLAG = "flag"
    DATE = "date"
    INSTANT = "instant"
    PHONE = "phone"
    EMAIL = "email"
    CHOICE = "choice"
    LINK = "link"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class FieldNeed:
    """Is a field that the hub needs in an object, labelled in English and Chinese; length in characters.

    `options` are the stored values that are written, and `labels` what people read for each where that is known (empty:
    the values themselves); `target` is the object of a link. An existing field serves if it is of one of `kinds` (the
    vendor's words; empty: of any). `key` marks the hub id: unique, kept out of people's way. `once` tells that creates
    fill it and nothing else writes it, so that a description may call it read-only.
    """

    api_name: str
    form: Form
    en: str
    zh: str
    length: int | None = None
    options: tuple[str, ...] = ()
    target: str | None = None
    kinds: frozenset[str] = frozenset()
    written: bool = True
    key: bool = False
    labels: tuple[str, ...] = ()
    once: bool = False

    def spoken(self, value: str) -> str:
        """Returns what people read for an option."""
        return self.labels[self.options.index(value)] if self.labels and value in self.options else value


class State(StrEnum):
    """Says how a need stands.

    READY: there as needed. MISSING, LACKS_OPTIONS: can be made through the API. CREATED, EXTENDED: was made just now
    and read back. WAITING: made, but not seen yet. MANUAL: a person must make it. WRONG: there, but otherwise than
    needed; it is never changed, a person decides.
    """

    READY = "ready"
    MISSING = "missing"
    LACKS_OPTIONS = "lacks_options"
    CREATED = "created"
    EXTENDED = "extended"
    WAITING = "waiting"
    MANUAL = "manual"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Step:
    """Is one thing that a person does in the vendor's screens."""

    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Is how one need stands; `field` is empty where it is about the object as a whole.

    `options` are those that are missing, or were added. `steps` are exactly what a person is to do, where one must.
    """

    field: str
    state: State
    en: str = ""
    zh: str = ""
    options: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()


@runtime_checkable
class Catalogue(Protocol):
    """Is an optional part of the contract: which objects there are, as people call them."""

    def objects(self) -> Mapping[str, str]:
        """Returns the objects that the hub's user may know: API name -> label; only reads."""


@runtime_checkable
class Survey(Protocol):
    """Is an optional part of the contract: what an object lacks, listed.

    A system without an interface that makes fields offers this part alone, and answers every need that is not met with
    MANUAL and the steps.
    """

    def survey(self, object: str, needs: Sequence[FieldNeed]) -> Sequence[Finding]:
        """Says how every need stands, in their order, then what else of the object stands in the way; only reads."""


@runtime_checkable
class Prepare(Survey, Protocol):
    """Is an optional part of the contract: what an object lacks is made where the vendor allows it."""

    def prepare(self, object: str, needs: Sequence[FieldNeed]) -> Sequence[Finding]:
        """Makes what is missing, reads it back and says how every need stands; may be repeated at any time.

        Changes nothing that is there but by adding options. What is refused becomes MANUAL with the reason; errors of
        network, quota and sign-in are raised.
        """
