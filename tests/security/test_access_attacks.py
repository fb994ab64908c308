"""What somebody who wants more than was given tries: forged grants, agreeing with oneself, edited approvals."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from hub.access import actor as actors
from hub.access.authorize import Denied, SignInRequired
from hub.access.identity import MARKER, token_of
from hub.access.roles import Role
from hub.app import open_installation
from hub.cli.main import run
from hub.kernel.errors import Declined, HubError, NotFound
from hub.operations import (
    approvals,
    audit_search,
    auditing,
    complaints,
    connecting,
    editing,
    granting,
    guards,
    health,
    inspection,
    pausing,
    questions,
    revealing,
    standing,
)
from hub.operations import users as accounts
from hub.operations.approvals import ApprovalPending
from hub.operations.installation import Installation
from hub.operations.revealing import QuotaSpent
from hub.operations.users import Invited
from hub.store import users
from hub.store.access_tables import approval, user_role
from hub.store.access_tables import users as user_table
from hub.store.approvals import APPROVED, DONE, VOID, Approval
from hub.store.users import STANDING, Grant, User
from tests.security.access_world import OTHER, OWN, PHONE, START, Reached, World, make_world

DAY = 86_400.0
WHY = {"reason": "why", "ticket": "CHG-1"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with make_world(tmp_path_factory.mktemp("attacks") / "hub") as made:
        yield made


@pytest.fixture(autouse=True)
def at_start(world: World) -> Iterator[None]:
    yield
    world.clock.at = max(world.clock.at, START)


def _sql(world: World, statement: sa.Executable) -> None:
    with world.hub.store.engine.begin() as conn:
        conn.execute(statement)


# Setting up, once.


def test_users_are_set_up_once_and_then_the_machine_is_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with make_world(tmp_path / "hub") as fresh:
        with pytest.raises(Declined, match="three persons"):
            accounts.bootstrap(fresh.hub, "a1", "a1", "a3")
        made = accounts.bootstrap(fresh.hub, "Sys.1", "sec1", "aud1")
        assert [item.user.grants[0].role for item in made] == ["system_admin", "security_admin", "audit_admin"]
        assert all(len(item.code) == 40 for item in made)
        assert made[0].code not in repr(made)
        with pytest.raises(Declined, match="set up already"):
            accounts.bootstrap(fresh.hub, "b1", "b2", "b3")
        _the_last_of_a_post_stays(fresh, made)
        reopened = open_installation(fresh.home, clock=fresh.clock)
        with pytest.raises(SignInRequired):
            inspection.show_record(reopened, fresh.records["customer", OWN])
        assert [f.en for f in health.examine(fresh.home, lambda: reopened) if f.name == "audit" and not f.ok] == []
        for lang, says in (("en", "set CRMHUB_TOKEN"), ("zh", "请先登录")):
            assert run(["status", "--home", str(fresh.home), "--lang", lang]) == 8
            assert says in capsys.readouterr().err
        _emptied_tables_open_nothing(fresh)


def _the_last_of_a_post_stays(fresh: World, made: list[Invited]) -> None:
    security = fresh.sign_in(made[1].user)
    for role, login in (("security_admin", "sec1"), ("audit_admin", "aud1"), ("system_admin", "sys.1")):
        with pytest.raises(Declined, match="the last"):
            accounts.revoke_role(security, login, role, "why")
        with pytest.raises(Declined, match="the last"):
            accounts.disable_user(security, login, "why")
    # The first approver, or a second administrator, is agreed to by the audit administrator: nobody else is there yet.
    asked = granting.grant_role(security, fresh.person().login, "security_admin", **WHY)
    assert isinstance(asked, Approval)
    approvals.approve(fresh.sign_in(made[2].user), asked.approval_id)
    assert accounts.revoke_role(security, "sec1", "security_admin", "handed over").grants[0].revoked_at is not None


def _emptied_tables_open_nothing(fresh: World) -> None:
    """Whoever empties the tables by SQL is not let in as the machine's account: a note beside the store remains."""
    for table in (user_role, user_table):
        _sql(fresh, table.delete())
    _sql(fresh, sa.text("DELETE FROM meta WHERE key = 'users_set_up_at'"))
    assert (fresh.home / "var" / MARKER).exists()
    again = open_installation(fresh.home, clock=fresh.clock)
    with pytest.raises(SignInRequired):
        standing.overview(again)
    with pytest.raises(Denied):
        accounts.bootstrap(again, "c1", "c2", "c3")
    again.close()


def test_a_token_comes_from_the_environment_or_a_file_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("csh_x\n", encoding="ascii")
    file.chmod(0o600)
    assert token_of({"CRMHUB_TOKEN": " csh_y "}) == "csh_y"
    assert token_of({"CRMHUB_TOKEN_FILE": str(file)}) == "csh_x"
    assert token_of({}) is None
    link = tmp_path / "link"
    link.symlink_to(file)
    for named, mode in ((link, 0o600), (file, 0o640), (file, 0o604), (tmp_path, 0o700), (tmp_path / "none", 0)):
        if named == file:
            os.chmod(file, mode)
        with pytest.raises(SignInRequired):
            token_of({"CRMHUB_TOKEN_FILE": str(named)})


# Grants by SQL.


@pytest.mark.parametrize("how", ["insert", "scope", "revive", "move"])
def test_a_grant_by_sql_counts_for_nothing_and_is_reported(world: World, how: str) -> None:
    person, other = world.person("operator", scope=OWN), world.person("operator")
    grant = person.grants[0]
    if how == "revive":
        with world.hub.store.begin() as work:
            ended = replace(grant, revoked_at=work.now, revoked_by="x")
            person = users.save(work, replace(person, grants=(ended,)))
    here = user_role.c.grant_id == grant.grant_id
    row = {"user_id": person.user_id, "kind": "standing", "granted_by": "x", "granted_at": START}
    forged: dict[str, sa.Executable] = {
        "insert": user_role.insert().values(grant_id=f"f-{person.user_id}", role="approver", scope="/", **row),
        "scope": user_role.update().where(here).values(scope="/"),
        "revive": user_role.update().where(here).values(revoked_at=None, revoked_by=None),
        "move": user_role.update().where(user_role.c.user_id == other.user_id).values(user_id=person.user_id),
    }
    _sql(world, forged[how])
    hub = world.sign_in(person)
    with pytest.raises(Denied) as refused:
        inspection.show_record(hub, world.records["customer", OTHER])
    assert refused.value.code == "HUB-ACCESS-004"
    reported = accounts.report_forged(world.hub)
    assert person.user_id in [user.user_id for user in reported]
    assert any(row["obj"]["id"] == person.user_id for row in world.events("access.forged"))
    security = world.sign_in(world.person("security_admin"))
    while left := accounts.report_forged(world.hub):
        accounts.restore_user(security, left[0].login, "put right")
    with pytest.raises(HubError) as still:
        inspection.show_record(world.sign_in(person), world.records["customer", OTHER])
    assert still.value.code in ("HUB-REQ-404", "HUB-ACCESS-001")


def test_an_unlocked_account_by_sql_stays_locked(world: World) -> None:
    person = world.person("operator", state=users.LOCKED)
    with pytest.raises(Denied):
        standing.overview(world.sign_in(person))
    _sql(world, user_table.update().where(user_table.c.user_id == person.user_id).values(state="active"))
    with pytest.raises(Denied, match="behind the hub's back"):
        standing.overview(world.sign_in(person))
    _sql(world, user_table.update().where(user_table.c.user_id == person.user_id).values(state="locked"))


# Roles.


def test_the_three_administrators_are_three_persons(world: World) -> None:
    security, operator = world.sign_in(world.person("security_admin")), world.person("operator")
    for held, asked in (("system_admin", "audit_admin"), ("audit_admin", "operator"), ("operator", "security_admin")):
        person = world.person(held)
        with pytest.raises(Declined, match="at once"):
            granting.grant_role(security, person.login, asked, **WHY)
    with pytest.raises(Declined, match="himself"):
        granting.grant_role(security, _me(security, world).login, "operator")
    made = granting.grant_role(security, operator.login, "complaints_officer", branch=OWN, reason="new post")
    assert isinstance(made, User)
    assert [grant.role for grant in made.grants] == ["operator", "complaints_officer"]


def _me(hub: Installation, world: World) -> User:
    with world.hub.store.read() as conn:
        return users.load(conn, world.hub.store.ring, [hub.who.id])[hub.who.id]


def test_an_examiner_is_admitted_for_a_time_and_no_longer(world: World) -> None:
    security, person = world.sign_in(world.person("security_admin")), world.person()
    for until in (None, world.clock.at + 91 * DAY, world.clock.at - 1):
        with pytest.raises(Declined):
            granting.grant_role(security, person.login, "external_examiner", expires_at=until)
    end = world.clock.at + 10 * DAY
    granting.grant_role(security, person.login, "external_examiner", expires_at=end)
    hub = world.sign_in(person)
    assert audit_search.list_log(hub, limit=1)
    with pytest.raises(Denied):
        editing.edit_record(hub, world.records["customer", OWN], {"full_name": "x"})
    world.clock.at = end
    with pytest.raises(Denied):
        audit_search.list_log(hub, limit=1)


# Four eyes.


def _asked(world: World, role: str = "approver") -> tuple[Installation, User, Approval]:
    security, person = world.sign_in(world.person("security_admin", staff_no="S-7")), world.person()
    asked = granting.grant_role(security, person.login, role, **WHY)
    assert isinstance(asked, Approval)
    return security, person, asked


def test_nobody_agrees_to_what_he_asked_for_by_any_account(world: World) -> None:
    security, person, asked = _asked(world)
    twin = world.person("approver", staff_no="S-7")
    glass = replace(world.as_role(Role.APPROVER, kind=users.BREAK_GLASS).who, id="lent")
    refused = {
        "himself": security,
        "his other account": world.sign_in(twin),
        "whom it concerns": world.acting(replace(world.as_role(Role.APPROVER).who, id=person.user_id)),
        "a role that somebody lent": world.acting(glass),
        "who may not": world.sign_in(world.person("operator")),
        "the hub": world.acting(actors.system("daemon")),
        "the machine": world.acting(actors.local("root", open=False)),
    }
    for who, hub in refused.items():
        with pytest.raises(Denied):
            approvals.approve(hub, asked.approval_id)
        assert approvals.show_approval(world.hub, asked.approval_id).state == "open", who
    done = approvals.approve(world.sign_in(world.person("approver")), asked.approval_id, digest=asked.digest.hex()[:8])
    assert done.state == DONE
    assert _load(world, person).grants[0].granted_by == security.who.id
    given = world.events("role.grant")[-1]
    assert (given["ticket"], given["approver"]) == ("CHG-1", done.decided_by)


@pytest.mark.parametrize(("typed", "kept"), [(" S-8 ", "S-8"), ("", None), ("  ", None)])
def test_a_staff_number_is_kept_without_spaces_and_never_empty(world: World, typed: str, kept: str | None) -> None:
    system = world.sign_in(world.person("system_admin"))
    login = f"staff{len(world.events('user.create'))}"
    assert accounts.create_user(system, login, "Name", staff_no=typed).staff_no == kept


def _load(world: World, user: User) -> User:
    with world.hub.store.read() as conn:
        return users.load(conn, world.hub.store.ring, [user.user_id])[user.user_id]


def test_an_approval_holds_for_exactly_what_was_seen(world: World) -> None:
    operator, approver = world.sign_in(world.person("operator")), world.sign_in(world.person("approver"))
    change = {"records": 501, "entity": "customer"}

    def need(what: dict[str, object], approval_id: str | None = None) -> Approval | None:
        return approvals.require_approval(operator, "record.export", what, approval_id=approval_id, **WHY)

    with pytest.raises(ApprovalPending) as pending:
        need(change)
    asked = pending.value.approval_id
    with pytest.raises(Declined, match="not approved"):
        need(change, asked)
    with pytest.raises(Declined, match="not the one"):
        approvals.approve(approver, asked, digest="00")
    assert approvals.approve(approver, asked).state == APPROVED
    given = need(change, asked)
    with operator.store.begin() as work:
        assert approvals.take(operator, work, given) == approver.who.id
    with pytest.raises(Declined, match="done"), operator.store.begin() as work:
        approvals.take(operator, work, given)
    with pytest.raises(ApprovalPending) as pending:
        need(change)
    approvals.approve(approver, pending.value.approval_id)
    other = world.sign_in(world.person("operator"))
    with pytest.raises(Denied, match="only who asked"):
        approvals.require_approval(
            other, "record.export", {**change, "records": 9}, approval_id=pending.value.approval_id, **WHY
        )
    assert approvals.show_approval(world.hub, pending.value.approval_id).state == APPROVED
    for _ in range(2):
        with pytest.raises(Declined):
            need({**change, "records": 5000}, pending.value.approval_id)
    assert approvals.show_approval(world.hub, pending.value.approval_id).state == VOID
    with pytest.raises(Declined):
        need(change, pending.value.approval_id)


@pytest.mark.parametrize("how", ["change", "state", "author", "expiry"])
def test_an_approval_by_sql_is_void(world: World, how: str) -> None:
    security, _, asked = _asked(world)
    values: dict[str, dict[str, object]] = {
        "change": {"digest": b"\0" * 32},
        "state": {"state": "approved", "decided_by": "x", "decided_at": 1.0},
        "author": {"author_id": "another"},
        "expiry": {"expires_at": START * 2},
    }
    _sql(world, approval.update().where(approval.c.approval_id == asked.approval_id).values(**values[how]))
    with pytest.raises(Declined, match="behind the hub's back"):
        approvals.approve(world.sign_in(world.person("approver")), asked.approval_id)
    assert [a.stands(START) for a in approvals.list_approvals(security) if a.approval_id == asked.approval_id] == [VOID]


def test_an_approval_ends_after_three_working_days(world: World) -> None:
    _, _, asked = _asked(world)
    approver = world.sign_in(world.person("approver"))
    world.clock.at = asked.expires_at
    with pytest.raises(Declined, match="void"):
        approvals.approve(approver, asked.approval_id)


def test_what_is_agreed_to_for_later_happens_then(world: World) -> None:
    security, person = world.sign_in(world.person("security_admin")), world.person()
    start = world.clock.at + DAY / 2
    asked = granting.grant_role(security, person.login, "operator", activate_at=start, **WHY)
    assert isinstance(asked, Approval)
    approvals.approve(world.sign_in(world.person("approver")), asked.approval_id)
    daemon = world.acting(actors.system("daemon"))
    assert approvals.activate_due(daemon) == []
    world.clock.at = start
    assert [done.state for done in approvals.activate_due(daemon)] == [DONE]
    assert approvals.activate_due(daemon) == []
    assert [grant.role for grant in _load(world, person).grants] == ["operator"]


def test_what_was_refused_stays_refused(world: World) -> None:
    _, _, asked = _asked(world)
    approver = world.sign_in(world.person("approver"))
    with pytest.raises(Declined):
        approvals.reject(approver, asked.approval_id, " ")
    approvals.reject(approver, asked.approval_id, "not now")
    with pytest.raises(Declined, match="rejected"):
        approvals.approve(approver, asked.approval_id)


def test_without_a_ticket_nothing_is_asked_for(world: World) -> None:
    security, person = world.sign_in(world.person("security_admin")), world.person()
    with pytest.raises(Declined, match="ticket"):
        granting.grant_role(security, person.login, "approver", reason="why")


# Breaking glass.


def test_two_persons_break_glass_for_an_hour_and_every_act_is_flagged(world: World) -> None:
    first, second = world.person("operator"), world.person("operator")
    hub = world.sign_in(first)
    with pytest.raises(Denied):
        connecting.invite(hub, "alpha")
    for role in ("audit_admin", "approver", "external_examiner"):
        with pytest.raises(Declined):
            granting.break_glass(hub, role, **WHY)
    asked = granting.break_glass(hub, "system_admin", **WHY)
    with pytest.raises(Denied):
        approvals.approve(hub, asked.approval_id)
    assert approvals.approve(world.sign_in(second), asked.approval_id).state == DONE
    begun = world.clock.at
    hub = world.sign_in(first)
    with pytest.raises(Reached):
        connecting.invite(hub, "alpha")
    used = world.events("break_glass.use")[-1]
    assert (used["obj"]["id"], used["approver"]) == ("system.change", second.user_id)
    assert used["actor"]["roles"] == ["break_glass:system_admin", "operator"]
    world.clock.at = begun + 3600
    with pytest.raises(Denied):
        connecting.invite(hub, "alpha")
    again = granting.break_glass(world.sign_in(first), "system_admin", **WHY)
    world.clock.at += 3600
    with pytest.raises(Declined, match="void"):
        approvals.approve(world.sign_in(second), again.approval_id)


def test_an_administrator_takes_no_other_administrators_role(world: World) -> None:
    with pytest.raises(Declined, match="at once"):
        granting.break_glass(world.sign_in(world.person("system_admin")), "security_admin", **WHY)


def test_an_administrator_by_a_group_takes_no_other_administrators_role(world: World) -> None:
    person = world.person()
    by_group = Grant("oidc:security_admin:/", person.user_id, "security_admin", "/", STANDING, None, "oidc", START)
    hub = world.acting(replace(world.sign_in(person).who, grants=(by_group,), auth="oidc+mfa"))
    with pytest.raises(Declined, match="at once"):
        granting.break_glass(hub, "system_admin", **WHY)


# Values.


def test_one_value_is_shown_for_a_reason_and_audited_before(world: World) -> None:
    hub, hub_id = world.sign_in(world.person("operator", scope=OWN)), world.records["customer", OWN]
    for said in ({"reason": "", "ticket": "T"}, {"reason": "why", "ticket": " "}):
        with pytest.raises(Declined):
            revealing.reveal_field(hub, hub_id, "mobile_phone", **said)
    found = revealing.reveal_field(hub, hub_id, "mobile_phone", **WHY)
    assert (found.value, found.left_today, found.until) == (PHONE, 49, world.clock.at + 60)
    assert PHONE not in repr(found)
    row = world.events("record.reveal")[-1]
    assert (row["obj"]["id"], row["ticket"], row["code"]) == (hub_id, "CHG-1", "mobile_phone")
    assert row["obj"]["branch"] == OWN
    with pytest.raises(NotFound):
        revealing.reveal_field(hub, world.records["customer", OTHER], "mobile_phone", **WHY)
    for asked in (
        lambda: inspection.show_record(hub, hub_id, "why"),
        lambda: inspection.show_timeline(hub, hub_id, "x"),
    ):
        with pytest.raises(Denied):
            asked()


def test_the_quota_of_a_day_ends_and_a_burst_is_an_alarm(world: World) -> None:
    hub, hub_id = world.sign_in(world.person("operator", scope=OWN)), world.records["customer", OWN]
    for _ in range(4):
        revealing.reveal_field(hub, hub_id, "mobile_phone", **WHY)
    mine = [row for row in world.events("reveal.burst") if row["obj"]["id"] == hub.who.id]
    assert mine == []
    for left in range(45, -1, -1):
        assert revealing.reveal_field(hub, hub_id, "mobile_phone", **WHY).left_today == left
    mine = [row for row in world.events("reveal.burst") if row["obj"]["id"] == hub.who.id]
    assert mine[0]["counts"] == {"values": 5}
    before = len(world.events("record.reveal"))
    for asked in (
        lambda: revealing.reveal_field(hub, hub_id, "mobile_phone", **WHY),
        lambda: questions.show_question(hub, "conflict", world.conflicts[OWN], "why"),
    ):
        with pytest.raises(QuotaSpent):
            asked()
    assert len(world.events("record.reveal")) == before
    assert world.events("access.denied")[-1]["code"] == "HUB-ACCESS-008"
    world.clock.at += DAY
    assert revealing.reveal_field(hub, hub_id, "mobile_phone", **WHY).left_today == 49


def test_an_auditor_tests_a_value_and_sees_none(world: World) -> None:
    hub, hub_id = world.sign_in(world.person("audit_admin")), world.records["customer", OWN]
    assert revealing.probe_field(hub, hub_id, "mobile_phone", "138 1234 1234", **WHY).now
    assert not revealing.probe_field(hub, hub_id, "mobile_phone", "13900000000", **WHY).now
    rows = world.events("record.probe")[-2:]
    assert [row["code"] for row in rows] == ["mobile_phone:match", "mobile_phone:no_match"]
    assert not any(number in json.dumps(rows) for number in ("13812341234", "13900000000"))
    with pytest.raises(Denied):
        revealing.reveal_field(hub, hub_id, "mobile_phone", **WHY)
    shown = inspection.show_record(hub, hub_id)
    assert PHONE not in str([field.value for field in shown.fields])


# The smallest staffing that works: the three administrators and two persons who do the work.


def test_five_persons_can_do_everything(world: World) -> None:
    work = [world.person("operator", "mapping_admin", "approver", "complaints_officer") for _ in range(2)]
    first, second = (world.sign_in(person) for person in work)
    system, security = world.sign_in(world.person("system_admin")), world.sign_in(world.person("security_admin"))
    auditor = world.sign_in(world.person("audit_admin"))
    # At night one operator pauses and resumes alone; so may the system administrator, and the security one pauses.
    for hub in (first, system):
        pausing.pause(hub, "all", "night")
        pausing.resume(hub, "all")
    pausing.pause(security, "all", "incident")
    with pytest.raises(Denied):
        pausing.resume(security, "all")
    pausing.resume(second, "all")
    # A guard: an operator, alone. A rotated secret: the system administrator, or an operator by breaking glass.
    with pytest.raises(Declined, match="stops nothing"):
        guards.release_guard(first, "customer", "max_changes", reason="checked")
    with pytest.raises(Reached):
        connecting.invite(system, "alpha")
    with pytest.raises(Denied):
        connecting.invite(first, "alpha")
    asked = granting.break_glass(first, "system_admin", **WHY)
    assert approvals.approve(second, asked.approval_id).state == DONE
    # What one asks for the other agrees to; a privileged role by an approver or the audit administrator.
    with pytest.raises(ApprovalPending) as pending:
        approvals.require_approval(first, "mapping.activate", {"digest": "x"}, approval_id=None, **WHY)
    with pytest.raises(Denied, match="another person"):
        approvals.approve(first, pending.value.approval_id)
    assert approvals.approve(second, pending.value.approval_id).state == APPROVED
    promoted = granting.grant_role(security, world.person().login, "mapping_admin", **WHY)
    assert isinstance(promoted, Approval)
    assert approvals.approve(auditor, promoted.approval_id).state == DONE
    assert complaints.list_complaints(second).counts["all"] == 2
    assert auditing.verify_log(auditor).first_bad is None
