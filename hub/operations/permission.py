"""Every operation begins here: may who acts do this? A refusal is audited, after all that was begun is undone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import replace
from functools import wraps
from typing import Concatenate, Final, ParamSpec, TypeVar

from hub.access import field_scope
from hub.access.actor import Actor
from hub.access.authorize import Denied, OutOfScope, Target, authorize, scopes
from hub.audit.event import Event, Source
from hub.audit.tree import Appender
from hub.canonical.schema import Field
from hub.canonical.values import Value
from hub.core.state import GoldenRecord
from hub.kernel.errors import NotFound
from hub.operations.installation import Installation
from hub.store import row_scope
from hub.store.database import Connection
from hub.store.users import BREAK_GLASS, Grant

P = ParamSpec("P")
R = TypeVar("R")
OPERATIONS: Final[dict[str, str]] = {}
"""Names every operation with the action it needs; tests go through it."""
_inside: ContextVar[bool] = ContextVar("inside_an_operation", default=False)


def permit(
    action: str,
) -> Callable[[Callable[Concatenate[Installation, P], R]], Callable[Concatenate[Installation, P], R]]:
    """Makes a function of an installation an operation: nobody gets in who may not do `action`.

    A record outside the actor's branch is, for who asks, not there: the error is that of a record nobody knows.
    """

    def guard(act: Callable[Concatenate[Installation, P], R]) -> Callable[Concatenate[Installation, P], R]:
        OPERATIONS[f"{act.__module__}.{act.__name__}"] = action

        @wraps(act)
        def guarded(hub: Installation, /, *given: P.args, **named: P.kwargs) -> R:
            if _inside.get():
                require(hub, action)
                return act(hub, *given, **named)
            token = _inside.set(True)
            try:
                _flag(hub, action, require(hub, action))
                return act(hub, *given, **named)
            except OutOfScope as refused:
                _note(hub, action, refused)
                raise no_record(refused.id or "") from None
            except Denied as refused:
                _note(hub, action, refused)
                raise
            finally:
                _inside.reset(token)

        return guarded

    return guard


def require(
    hub: Installation, action: str, target: Target | None = None, fields: Iterable[Field] = ()
) -> tuple[Grant, ...]:
    """Returns the grants that permit an act now. Raises Denied, OutOfScope or SignInRequired."""
    return authorize(hub.who, action, target, fields, now=hub.clock.now())


def require_record(
    hub: Installation, action: str, golden: GoldenRecord, fields: Iterable[Field] = ()
) -> tuple[Grant, ...]:
    """Does the same for a golden record, bounded by the branch it belongs to."""
    return require(hub, action, Target(golden.entity, golden.hub_id, branch_of(hub, golden)), fields)


def branch_of(hub: Installation, golden: GoldenRecord) -> str | None:
    """Returns the branch path of a record, None where it names no branch: then only the whole bank holds it."""
    return hub.branches.path(golden.fields.get("branch_code"))


def codes(hub: Installation, action: str, entity: str) -> frozenset[str] | None:
    """Returns the branch codes whose records of an entity who acts may list, None for every record."""
    return hub.branches.codes(scopes(hub.who, action, entity, now=hub.clock.now()))


def seen(hub: Installation, field: Field, value: Value) -> str:
    """Returns what who acts sees of a value among others."""
    return field_scope.shown(field, value, hub.who, hub.clock.now())


def reach(hub: Installation, action: str, entities: Iterable[str]) -> dict[str, frozenset[str] | None]:
    """Returns the same per entity, as the repositories take it."""
    return {name: codes(hub, action, name) for name in entities}


def sees(hub: Installation, conn: Connection, hub_id: str) -> bool:
    """Tells whether who acts may look at a record, without opening it and without a word to the audit log."""
    found = row_scope.places(conn, [hub_id]).get(hub_id)
    if found is None:
        return False
    entity, code = found
    try:
        require(hub, "record.read", Target(entity, hub_id, hub.branches.path(code)))
    except OutOfScope:
        return False
    return True


def no_record(hub_id: str) -> NotFound:
    return NotFound(
        f"there is no golden record {hub_id}; look it up with `crmhub record show SYSTEM:NATIVE_ID`",
        f"没有黄金记录 {hub_id}；可用 `crmhub record show 系统:原编号` 查找",
    )


def acting_as(hub: Installation, who: Actor, source: Source | None = None) -> Installation:
    """Returns the same installation for another actor, whom the audit log then names."""
    append = hub.store.append
    if not isinstance(append, Appender):
        raise TypeError("this store does not say who acts")
    origin = replace(append.origin, actor=who.audited(hub.clock.now()), source=source or append.origin.source)
    return replace(hub, who=who, store=replace(hub.store, append=replace(append, origin=origin)))


def _flag(hub: Installation, action: str, grants: tuple[Grant, ...]) -> None:
    """Notes each act that only a role taken by breaking glass permits, before it is done."""
    if grants and all(grant.kind == BREAK_GLASS for grant in grants):
        with hub.store.begin() as work:
            work.audit(Event("break_glass.use", "action", action, approver=grants[0].granted_by))


def _note(hub: Installation, action: str, refused: Denied) -> None:
    with hub.store.begin() as work:
        obj = "record" if isinstance(refused, OutOfScope) else "action"
        work.audit(
            Event("access.denied", obj, getattr(refused, "id", None) or action, "denied", refused.code, reason=action)
        )
