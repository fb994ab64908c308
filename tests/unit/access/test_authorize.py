"""The one decision: roles, scopes by whole branch names, time limits, tokens, exclusion."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hub.access import actor as actors
from hub.access.actor import Actor
from hub.access.authorize import Denied, OutOfScope, SignInRequired, Target, authorize, scopes
from hub.access.branches import Branches, checked_path, within
from hub.access.roles import ACTIONS, ADMINISTRATORS, ALONE, KINDS, Role, clash
from hub.kernel.errors import Declined
from hub.store.users import ACTIVE, BREAK_GLASS, LOCKED, STANDING, Grant, User

NOW = 1000.0


def _actor(*roles: str, scope: str = "/010/03/", **more: object) -> Actor:
    grants = tuple(Grant(f"g{n}", "u1", role, scope, STANDING, None, "sec", 1.0) for n, role in enumerate(roles))
    user = User("u1", "wang", "王芳", "S1", scope, ACTIVE, 1.0, "sys", 1, grants)
    return replace(actors.person(user, auth="token"), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "scope", "inside"),
    [
        ("/010/03/", "/010/03/", True),
        ("/010/03/1/", "/010/03/", True),
        ("/010/030/", "/010/03/", False),
        ("/010/", "/010/03/", False),
        ("/010/03/", "/", True),
        ("/010/03/", "/010/03", False),
        ("/0103/", "/01%/", False),
    ],
)
def test_a_branch_lies_in_a_scope_by_whole_names(path: str, scope: str, inside: bool) -> None:
    assert within(path, scope) is inside


@pytest.mark.parametrize("text", ["", "010", "/010", "010/", "/010//", "/%/", "/../", "/a b/", "/" + "1/" * 11])
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(Declined):
        checked_path(text)


def test_codes_become_paths_and_scopes_become_codes() -> None:
    branches = Branches({"03": "/010/03/", "030": "/010/030/", "bad": "/%/"})
    assert [branches.path(code) for code in ("03", "X1", "bad", None, "a/b")] == ["/010/03/", "/X1/", None, None, None]
    assert branches.codes(["/010/03/"]) == {"03"}
    assert branches.codes(["/010/"]) == {"010", "03", "030"}
    assert branches.codes(["/X1/"]) == {"X1"}
    assert branches.codes(["/010/03/", "/"]) is None
    assert branches.codes([]) == frozenset()


def test_rows_are_bounded_by_branch_and_entity() -> None:
    operator, officer = _actor("operator"), _actor("complaints_officer")
    inside, beside = Target("customer", "h1", "/010/03/"), Target("customer", "h1", "/010/030/")
    assert authorize(operator, "record.read", inside, now=NOW)
    for actor, target in (
        (operator, beside),
        (operator, Target("customer", "h1", None)),
        (officer, inside),
        (_actor("operator", branch="/010/"), beside),
        (_actor("operator", scope="/", branch="/010/03/"), beside),
    ):
        with pytest.raises(OutOfScope):
            authorize(actor, "record.read", target, now=NOW)
    assert authorize(_actor("operator", scope="/"), "record.read", Target("customer", "h1", None), now=NOW)
    assert authorize(officer, "record.read", Target("complaint", "h1", "/010/03/"), now=NOW)


def test_lists_are_bounded_alike() -> None:
    assert scopes(_actor("operator"), "record.read", "customer", now=NOW) == ("/010/03/",)
    assert scopes(_actor("complaints_officer"), "record.read", "customer", now=NOW) == ()
    assert scopes(_actor("operator", branch="/010/03/1/"), "record.read", "customer", now=NOW) == ("/010/03/1/",)
    assert scopes(_actor("operator", branch="/011/"), "record.read", "customer", now=NOW) == ()
    assert scopes(_actor("security_admin"), "record.read", "customer", now=NOW) == ()
    assert scopes(_actor("operator"), "no.such", "customer", now=NOW) == ()


def test_what_nobody_declared_nobody_may_do() -> None:
    for actor in (_actor(*[Role.OPERATOR]), actors.system("daemon"), actors.local("root", open=True)):
        with pytest.raises(Denied, match=r"no\.such"):
            authorize(actor, "no.such", now=NOW)


@pytest.mark.parametrize("action", ACTIONS)
def test_the_hub_itself_may_do_its_own_work_only(action: str) -> None:
    daemon = actors.system("daemon")
    if ACTIONS[action].daemon:
        assert authorize(daemon, action, now=NOW) == ()
    else:
        with pytest.raises(Denied):
            authorize(daemon, action, now=NOW)


def test_the_account_of_the_machine_may_act_until_users_are_set_up() -> None:
    assert authorize(actors.local("root", open=True), "record.reveal", now=NOW) == ()
    with pytest.raises(SignInRequired, match="CRMHUB_TOKEN"):
        authorize(actors.local("root", open=False), "status.read", now=NOW)


def test_grants_end() -> None:
    ended = replace(_actor("external_examiner").grants[0], expires_at=NOW)
    examiner = replace(_actor(), grants=(ended,))
    assert authorize(examiner, "audit.read", now=NOW - 1)
    for changed in (ended, replace(ended, expires_at=None, revoked_at=NOW - 10)):
        with pytest.raises(Denied):
            authorize(replace(_actor(), grants=(changed,)), "audit.read", now=NOW)


def test_roles_that_exclude_each_other_count_for_nothing_together() -> None:
    with pytest.raises(Denied):
        authorize(_actor("security_admin", "operator"), "role.grant", now=NOW)
    with pytest.raises(Denied):
        authorize(_actor("no_such_role"), "status.read", now=NOW)


def test_a_role_for_an_hour_stands_beside_another_and_is_marked() -> None:
    glass = Grant("g9", "u1", "system_admin", "/", BREAK_GLASS, NOW + 3600, "op2", NOW)
    actor = replace(_actor("operator"), grants=(*_actor("operator").grants, glass))
    assert authorize(actor, "system.change", now=NOW) == (glass,)
    assert actor.audited(NOW).roles == ("break_glass:system_admin", "operator")


def test_a_token_does_less_than_its_owner() -> None:
    token = actors.bounded(_actor("operator"), only=frozenset({"status.read"}), branch=None)
    assert authorize(token, "status.read", now=NOW)
    with pytest.raises(Denied, match="token"):
        authorize(token, "sync.run", now=NOW)


@pytest.mark.parametrize("change", [{"state": LOCKED}, {"broken": ("grant g0",)}])
def test_who_is_locked_or_forged_has_no_grants(change: dict[str, object]) -> None:
    user = User("u1", "wang", "王芳", None, "/", ACTIVE, 1.0, "sys", 1, _actor("operator").grants)
    assert actors.person(replace(user, **change), auth="token").grants == ()  # type: ignore[arg-type]


def test_the_table_keeps_the_duties_apart() -> None:
    """Each line is one promise of the reference; the table may be tightened, never loosened past them."""
    may = {role: {a.name for a in ACTIONS.values() if role in a.roles} for role in Role}
    system, security, audit = may[Role.SYSTEM_ADMIN], may[Role.SECURITY_ADMIN], may[Role.AUDIT_ADMIN]
    assert not system & {"role.grant", "record.read", "record.reveal", "audit.read", "audit.prune", "user.enable"}
    assert not security & {"sync.run", "mapping.edit", "record.read", "record.reveal", "audit.prune", "user.create"}
    reads = {name for name in audit if name.endswith((".read", ".verify", ".probe"))}
    assert audit - reads == {"audit.export", "audit.prune", "audit.sign", "self.manage", "approval.decide"}
    assert "record.reveal" not in audit
    assert not may[Role.OPERATOR] & {"mapping.edit", "record.export.bulk", "role.grant"}
    assert "mapping.activate" not in may[Role.OPERATOR]
    assert may[Role.EXAMINER] <= {n for n in ACTIONS if n.endswith((".read", ".verify"))} | {"self.manage"}
    assert not any(set(ACTIONS) <= actions for actions in may.values())


def test_who_may_hold_which_roles_together() -> None:
    for one in Role:
        for other in Role:
            alone = {one, other} & ALONE and one is not other
            assert (clash([one, other]) is not None) is bool(alone)
    assert len(ADMINISTRATORS) == 3


def test_every_kind_of_approval_can_be_agreed_to_by_somebody_else() -> None:
    deciders = ACTIONS["approval.decide"].roles
    assert all(kind.approvers and kind.approvers <= deciders for kind in KINDS.values())
