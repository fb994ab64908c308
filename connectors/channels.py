"""Callbacks, an optional part of the contract: a system says that something changed, and no more than that is believed.

CHANNEL   a subscription: what a system was asked to tell, where, and for how long it will.
HINT      what is left of a callback: which records to read again. Nothing else of it counts.
SIGNED    callbacks that a person sets up in the system's own screens, signed and answered with a key that both know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Subscription:
    """Is what a channel should be: the system calls `url` and says `token` there, both known to nobody else.

    `channel_id` is ours: 14 digits, which every vendor takes.
    """

    channel_id: str
    objects: tuple[str, ...]
    token: str = field(repr=False)
    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Channel:
    """Is a channel as its system keeps it, for `life` more seconds.

    `objects` are those that it tells of, perhaps fewer than asked for; `token` and `url` are None where not shown.
    """

    channel_id: str
    objects: tuple[str, ...]
    life: float
    token: str | None = field(default=None, repr=False)
    url: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Hint:
    """Names records that may have changed; `sent_at` is epoch seconds by the system's clock, None where unsaid."""

    object: str
    native_ids: tuple[str, ...]
    sent_at: float | None = None


@runtime_checkable
class Notify(Protocol):
    """Is an optional part of the contract: channels by which a system tells of changes."""

    def open_channel(self, wanted: Subscription) -> Channel:
        """Opens a channel; what was granted counts, not what was asked for."""

    def renew_channel(self, wanted: Subscription) -> Channel | None:
        """Replaces everything of a channel and extends its life; None where the system knows no such channel."""

    def look_at_channel(self, channel_id: str) -> Channel | None:
        """Returns a channel as it stands, None where it is gone or has expired."""

    def close_channel(self, channel_id: str) -> None:
        """Ends a channel; one that is gone already is no error."""


@runtime_checkable
class Receive(Protocol):
    """Is an optional part of the contract: makes a hint out of a callback."""

    def receive(self, body: bytes, channel_id: str, tokens: Sequence[str]) -> Hint | None:
        """Returns what a callback hints at, None for one that does not prove to be of this channel.

        Calls nobody, compares in constant time, and takes no value out of the body but ids.
        """


@dataclass(frozen=True, slots=True)
class Told:
    """Is a signed callback that proved to be genuine.

    `message_id` names it (128 characters at most) until `until` (epoch seconds), from when on it is not believed any
    more. `hint` is None where there is nothing to read again; `answer` is what its system waits for.
    """

    message_id: str
    until: float
    answer: bytes = field(repr=False)
    hint: Hint | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """Is one thing that an administrator enters in the system's own screens, in both languages."""

    en: str
    zh: str


@runtime_checkable
class Signed(Protocol):
    """Is an optional part of the contract: callbacks that carry a signature and wait for a signed answer.

    Nobody opens or renews them by a call; an administrator enters the address and the key in the system.
    """

    key_name: str
    """The name of the key among the connection's credentials."""

    def hears(self) -> bool:
        """Tells whether the settings of the connection ask for such callbacks."""

    def check_key(self) -> None:
        """Raises SettingsInvalid where the key is missing or none that the system takes."""

    def make_key(self, entropy: bytes) -> str:
        """Returns a key in the form that the system takes, out of 32 bytes that nobody can guess."""

    def entries(self, url: str, objects: Sequence[str]) -> Sequence[Entry]:
        """Returns what an administrator enters in the system so that it calls `url` about `objects`."""

    def receive_signed(self, body: bytes) -> Told | None:
        """Returns what a callback tells, None for one that does not prove to be genuine and meant for this connection.

        Calls nobody, compares in constant time, and takes nothing out of the body but ids. Raises SettingsInvalid where
        the key cannot be had.
        """
