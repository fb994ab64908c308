"""Who acts: a person with live grants, the hub itself, or the local identity until users are set up."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hub.access.roles import ROLES, Role, clash
from hub.audit import event
from hub.store.users import ACTIVE, BREAK_GLASS, Grant, User

USER, LOCAL, SYSTEM = "user", "local", "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """Is who acts. `only` and `branch` bound what a token may do beyond the grants; None bounds nothing.

    `open` marks the local identity of a hub without users: it may do everything, and all it does is audited as such.
    """

    kind: str
    id: str
    name: str = ""
    grants: tuple[Grant, ...] = ()
    auth: str = "none"
    session_ref: str | None = None
    only: frozenset[str] | None = None
    branch: str | None = None
    open: bool = False
    broken: tuple[str, ...] = ()
    """What of the person's rows does not agree with their seal."""

    def held(self, now: float) -> tuple[Grant, ...]:
        """Returns the grants that count now; none at all where two of them exclude each other."""
        live = tuple(g for g in self.grants if g.live(now) and g.role in ROLES)
        standing = [Role(g.role) for g in live if g.kind != BREAK_GLASS]
        return () if clash(standing) else live

    def audited(self, now: float) -> event.Actor:
        """Returns the actor as the audit log keeps it; a role taken by breaking glass is marked as such."""
        roles = sorted({f"break_glass:{g.role}" if g.kind == BREAK_GLASS else g.role for g in self.held(now)})
        return event.Actor(self.kind, self.id, tuple(roles), self.auth, self.session_ref)


def local(name: str, *, open: bool) -> Actor:
    """Returns the account of the machine that runs a command without being signed in."""
    return Actor(LOCAL, f"local:{name}", name, auth=LOCAL, open=open)


def system(name: str) -> Actor:
    """Returns the hub itself, as the daemon and its workers act."""
    return Actor(SYSTEM, f"system:{name}", name, auth=SYSTEM)


def person(user: User, *, auth: str, session_ref: str | None = None) -> Actor:
    """Returns a person who signed in; without grants where the account is not active or its rows are forged."""
    sound = user.state == ACTIVE and not user.broken
    grants = user.grants if sound else ()
    return Actor(USER, user.user_id, user.login, grants, auth, session_ref, broken=user.broken)


def bounded(actor: Actor, *, only: frozenset[str] | None, branch: str | None) -> Actor:
    """Returns an actor that may do less: these actions only, in this branch only."""
    return replace(actor, only=only, branch=branch)
