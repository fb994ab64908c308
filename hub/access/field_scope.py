"""How much of a value who asks may see: by the class of the field, the role, and what it is for. Pure."""

from __future__ import annotations

from collections.abc import Collection
from enum import IntEnum
from types import MappingProxyType
from typing import Final

from hub.access.actor import Actor
from hub.access.masking import HIDDEN, mask, show
from hub.access.roles import ROLES, Role
from hub.canonical.schema import Field
from hub.canonical.values import Value

READ, REVEAL = "read", "reveal"
"""What a value is wanted for: to be looked at with the rest of a record, or by itself, for a reason, in a quota."""


class View(IntEnum):
    """Is how much of a value is seen; of several roles the one counts that sees most."""

    NOTHING = 0
    MASKED = 1
    WHOLE = 2


INTERNAL, PERSONAL, WORDS = "internal", "personal", "words"
"""Kinds of fields: classes C1 and `-`; class C2; and class C2 in free text, such as what a client complained of."""

_WORKS = (Role.OPERATOR, Role.COMPLAINTS_OFFICER, Role.APPROVER)
_LOOKS = (Role.AUDIT_ADMIN, Role.EXAMINER)
_TABLE: Final = MappingProxyType(
    {
        **{(role, INTERNAL, READ): View.WHOLE for role in (*_WORKS, *_LOOKS)},
        **{(role, PERSONAL, READ): View.MASKED for role in (*_WORKS, *_LOOKS)},
        # Who only looks needs no word of what clients said; a suspected value is tested by `record probe`.
        **{(role, WORDS, READ): View.MASKED for role in _WORKS},
        **{
            (role, kind, REVEAL): View.WHOLE
            for role in (Role.OPERATOR, Role.COMPLAINTS_OFFICER)
            for kind in (INTERNAL, PERSONAL, WORDS)
        },
    }
)


def view(field: Field, roles: Collection[Role], purpose: str = READ) -> View:
    """Returns how much of a field's value these roles see; of class C3, and of what has no class, nobody anything."""
    if field.klass not in ("-", "C1", "C2"):
        return View.NOTHING
    kind = INTERNAL if field.klass != "C2" else WORDS if field.free_text else PERSONAL
    return max((_TABLE.get((role, kind, purpose), View.NOTHING) for role in roles), default=View.NOTHING)


def shown(field: Field, value: Value, actor: Actor, now: float) -> str:
    """Returns what an actor sees of a value among others: the masked text, or that there is one."""
    if value is None or value == ():
        return ""
    if actor.open:
        return mask(field, value)
    held = {Role(grant.role) for grant in actor.held(now) if grant.role in ROLES}
    found = view(field, held)
    return HIDDEN if found is View.NOTHING else show(value) if found is View.WHOLE else mask(field, value)
