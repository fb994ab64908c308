"""The one decision: may this actor do this to that? Pure; deny by default."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hub.access.actor import LOCAL, SYSTEM, Actor
from hub.access.branches import ROOT, within
from hub.access.roles import ACTIONS, ENTITIES, LABELS, Action, Role
from hub.canonical.schema import Field
from hub.kernel.errors import HubError
from hub.store.users import Grant


@dataclass(frozen=True, slots=True)
class Target:
    """Is what an act is about: a record's entity, id and branch path, or another thing by its kind and id."""

    kind: str
    id: str | None = None
    branch: str | None = None


class Denied(HubError):
    """Is raised when the actor may not do this; the refusal is audited, and nothing was done."""

    code = "HUB-ACCESS-001"
    exit_code = 8


class OutOfScope(Denied):
    """Is raised for a record of another branch; who asks is told that there is no such record."""

    code = "HUB-ACCESS-002"

    def __init__(self, object: Target) -> None:
        super().__init__(
            f"{object.kind} {object.id or ''} lies outside your branch or role",
            f"{object.kind} {object.id or ''} 不在本人的机构或角色范围内",
        )
        self.id = object.id


class Forged(Denied):
    """Is raised for a person whose rows do not agree with their seal: somebody wrote them behind the hub's back."""

    code = "HUB-ACCESS-004"


class SignInRequired(Denied):
    """Is raised where nobody is signed in and users are set up: the machine's account is no administrator."""

    code = "HUB-ACCESS-003"


OPEN_CLASSES = frozenset({"-", "C1", "C2"})
"""Classes of fields that people may see or change at all; what has no class counts as C3."""


def authorize(
    actor: Actor, action: str, object: Target | None = None, fields: Iterable[Field] = (), *, now: float
) -> tuple[Grant, ...]:
    """Returns the grants that permit an act. Raises Denied, OutOfScope or SignInRequired.

    `fields` are named where the act shows or changes single fields; nobody may do so with one of class C3.
    """
    known = ACTIONS.get(action)
    if known is None:
        raise _denied(f"{action} is not an action of the table", f"{action} 不在权限表中")
    if actor.only is not None and action not in actor.only:
        raise _denied(f"this token does not cover {action}", f"该令牌不包含 {action}")
    closed = next((field.name for field in fields if field.klass not in OPEN_CLASSES), None)
    if closed is not None:
        raise _denied(f"{closed} may be neither shown nor changed by anybody", f"{closed} 任何人均不得查看或修改")
    if actor.kind == SYSTEM:
        if known.daemon:
            return ()
        raise _denied(f"the hub itself may not {known.text.en}", f"系统自身不得{known.text.zh}")
    if actor.open:
        return ()
    held = [grant for grant in actor.held(now) if Role(grant.role) in known.roles]
    if not held:
        raise _nobody(actor, known)
    if known.rows and object is not None:
        held = [grant for grant in held if _covers(grant, actor, object)]
        if not held:
            raise OutOfScope(object)
    return tuple(held)


def _covers(grant: Grant, actor: Actor, object: Target) -> bool:
    entities = ENTITIES.get(Role(grant.role))
    if entities is not None and object.kind not in entities:
        return False
    for scope in (grant.scope, actor.branch or ROOT):
        if scope != ROOT and (object.branch is None or not within(object.branch, scope)):
            return False
    return True


def scopes(actor: Actor, action: str, entity: str, *, now: float) -> tuple[str, ...]:
    """Returns the branches in which an actor may do something to records of an entity; empty where nowhere."""
    known = ACTIONS.get(action)
    if known is None or (actor.only is not None and action not in actor.only):
        return ()
    if actor.open or (actor.kind == SYSTEM and known.daemon):
        return (ROOT,)
    found = set()
    for grant in actor.held(now):
        role = Role(grant.role)
        if role in known.roles and entity in ENTITIES.get(role, {entity}):
            narrower = _narrower(grant.scope, actor.branch or ROOT)
            found |= {narrower} if narrower else set()
    return tuple(sorted(found))


def _narrower(one: str, other: str) -> str | None:
    return one if within(one, other) else other if within(other, one) else None


def _nobody(actor: Actor, action: Action) -> Denied:
    if actor.broken:
        what = ", ".join(actor.broken)
        return Forged(
            f"the rows of {actor.name} were changed behind the hub's back ({what}); nothing is permitted until the "
            "security administrator runs `crmhub user restore`; tell the auditors",
            f"{actor.name} 的数据被绕过系统修改（{what}）；请通知审计人员，"
            "并由安全管理员运行 `crmhub user restore` 后再操作",
        )
    if actor.kind == LOCAL:
        return SignInRequired(
            "sign in first: users are set up here, so the account of the machine may not act by itself; "
            "set CRMHUB_TOKEN or CRMHUB_TOKEN_FILE",
            "请先登录：本系统已启用用户，本机账号不能直接操作；请设置 CRMHUB_TOKEN 或 CRMHUB_TOKEN_FILE",
        )
    who = [LABELS[role] for role in Role if role in action.roles]
    en, zh = ", ".join(text.en for text in who) or "nobody", "、".join(text.zh for text in who) or "任何人均不可"
    return _denied(f"you may not {action.text.en}; who may: {en}", f"无权{action.text.zh}；有权角色：{zh}")


def _denied(en: str, zh: str) -> Denied:
    return Denied(en, zh)
