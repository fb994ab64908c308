"""The door of an opened installation: its rules from the settings, and who knocks from where."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hub.access import door, tokens
from hub.access.actor import Actor
from hub.access.passwords import POLICIES
from hub.access.refusals import SessionEnded
from hub.access.threshold import HASHER, Rules, Threshold, Visitor
from hub.audit.tree import Appender
from hub.crypto.bearer import read_api_token
from hub.kernel.settings import Settings
from hub.operations.installation import Installation
from hub.operations.permission import acting_as
from hub.store import credentials
from hub.store.unit_of_work import Store

VISITOR = Actor("visitor", "visitor")
"""Is who knocks and is not known yet."""


@dataclass(frozen=True, slots=True)
class Doorway:
    """Is an installation as a visitor finds it: `hub` may do nothing, `at` is its door."""

    hub: Installation
    at: Threshold

    def inside(self, who: Actor) -> Installation:
        """Returns the installation for somebody who came in."""
        return acting_as(self.hub, who)


def doorway(hub: Installation, visitor: Visitor, *, console: bool = True) -> Doorway:
    """Opens the door for one visitor: through the web (`console`), or at a terminal of this machine."""
    append = hub.store.append
    if not isinstance(append, Appender):
        raise TypeError("this store does not say who acts")
    source = replace(append.origin.source, ip=visitor.ip, ua_hash=visitor.agent)
    outside = acting_as(hub, VISITOR, replace(source, channel="console") if console else source)
    pepper = credentials.pepper(hub.store)
    return Doorway(outside, Threshold(outside.store, rules_of(hub.settings), HASHER, pepper, visitor))


def bearer(store: Store, settings: Settings, token: str) -> Actor:
    """Returns who acts by the token of a shell on this machine: an API token, or a session of `crmhub user sign-in`.

    What came of it is noted in the audit log. Raises SessionEnded.
    """
    if read_api_token(token) is None:
        pepper = credentials.pepper(store)
        return door.enter(Threshold(store, rules_of(settings), HASHER, pepper, Visitor(tokens.HERE)), token).who
    with store.read() as conn:
        found = tokens.present(conn, store.ring, token, store.clock.now())
    tokens.note(store, found)
    if found.who is None:
        raise SessionEnded
    return found.who


def rules_of(settings: Settings) -> Rules:
    """Returns what the settings ask of who comes in."""
    web, own = settings.web, settings.installation
    return Rules(
        POLICIES[web.passwords],
        idle=web.idle_minutes * 60,
        absolute=web.session_hours * 3600,
        most=web.sessions,
        issuer=f"crmhub {own.id}",
        words=(own.id, own.name),
    )
