"""People and their grants: kept under one seal, one administrator's role a person, codes that work once."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa
from store_kit import Kit

from hub.kernel.errors import Declined
from hub.store import approvals, reveals, users
from hub.store.access_tables import approval, user_role
from hub.store.access_tables import users as table
from hub.store.approvals import Approval
from hub.store.users import Grant, User


def _user(kit: Kit, login: str, *roles: str) -> User:
    user_id = kit.store.new_id()
    grants = tuple(
        Grant(kit.store.new_id(), user_id, role, "/010/", users.STANDING, None, "sec", 1.0) for role in roles
    )
    with kit.store.begin() as work:
        made = User(user_id, login, "王芳", "S1", "/010/", users.ACTIVE, work.now, "sys", grants=grants)
        return users.save(work, made)


def _load(kit: Kit, user: User) -> User:
    with kit.store.read() as conn:
        return users.load(conn, kit.store.ring, [user.user_id])[user.user_id]


def test_a_user_comes_back_as_it_was_saved(kit: Kit) -> None:
    made = _user(kit, "wang", "operator", "approver")
    assert _load(kit, made) == made
    with kit.store.read() as conn:
        assert users.by_login(conn, kit.store.ring, " WANG ") == made
        assert users.by_login(conn, kit.store.ring, "nobody") is None


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        (lambda u: table.update().values(state="locked"), "state"),
        (lambda u: table.update().values(branch_path="/"), "branch_path"),
        (lambda u: user_role.update().values(scope="/"), "grant"),
        (lambda u: user_role.update().values(role="approver"), "grant"),
        (lambda u: user_role.delete(), "grant"),
        (lambda u: user_role.insert().values(grant_id="forged", **_forged(u)), "grant forged"),
        (lambda u: table.update().values(revision=u.revision - 1), "seal"),
    ],
    ids=["state", "branch", "scope", "role", "deleted", "inserted", "rolled back"],
)
def test_what_sql_changes_behind_the_hubs_back_breaks_the_seal(kit: Kit, change: object, broken: str) -> None:
    made = _user(kit, "wang", "operator")
    with kit.store.engine.begin() as conn:
        conn.execute(change(made))  # type: ignore[operator]
    found = _load(kit, made)
    assert len(found.broken) == 1
    assert found.broken[0].startswith(broken)
    with kit.store.begin() as work, pytest.raises(Declined, match="seal"):
        users.save(work, found)


def _forged(user: User) -> dict[str, object]:
    return {
        "user_id": user.user_id,
        "role": "security_admin",
        "scope": "/",
        "kind": "standing",
        "granted_by": "x",
        "granted_at": 1.0,
    }


def test_the_database_admits_one_administrators_role_a_person(kit: Kit) -> None:
    made = _user(kit, "wang", "system_admin")
    with pytest.raises(sa.exc.IntegrityError), kit.store.engine.begin() as conn:
        conn.execute(user_role.insert().values(grant_id="second", **_forged(made)))
    assert _load(kit, made) == made


def test_one_of_two_changes_at_once_is_refused(kit: Kit) -> None:
    made = _user(kit, "wang", "operator")
    with kit.store.begin() as work:
        users.set_state(work, made, users.LOCKED)
    with pytest.raises(Declined, match="changed meanwhile"), kit.store.begin() as work:
        users.set_state(work, made, users.DISABLED)
    assert _load(kit, made).state == users.LOCKED


def test_a_one_time_code_works_once_and_in_time(kit: Kit) -> None:
    made = _user(kit, "wang")
    with kit.store.begin() as work:
        made = users.give_code(work, made, "one-time", work.now + 60)
        late = replace(made, _code=(*(made._code or ("", 0.0))[:1], work.now))
        assert users.redeem_code(work, made, "other") is None
        assert users.redeem_code(work, late, "one-time") is None
        used = users.redeem_code(work, made, "one-time")
        assert used is not None
        assert users.redeem_code(work, used, "one-time") is None


def test_a_request_keeps_every_word_under_its_seal(kit: Kit) -> None:
    with kit.store.begin() as work:
        change = {"role": "approver", "records": 501}
        asked = approvals.save(work, Approval("a1", "role.grant", change, "u1", "CHG-1", "why", "open", 1.0, 2.0))
        given = approvals.save(work, replace(asked, state="approved", decided_by="u2", decided_at=1.5))
        with pytest.raises(Declined, match="meanwhile"):
            approvals.save(work, replace(asked, state="rejected"))
    with kit.store.read() as conn:
        assert approvals.load(conn, kit.store.ring, states=("open",)) == []
        assert approvals.get(conn, kit.store.ring, "a1") == given
    assert [given.stands(at) for at in (1.9, 2.0)] == ["approved", "void"]
    assert approvals.digest_of("role.grant", {"records": 501, "role": "approver"}) == given.digest
    with kit.store.engine.begin() as conn:
        conn.execute(approval.update().values(ticket="CHG-2"))
    with kit.store.read() as conn, pytest.raises(Declined, match="seal"):
        approvals.get(conn, kit.store.ring, "a1")


def test_what_was_shown_is_counted_by_person_and_day(kit: Kit) -> None:
    with kit.store.begin() as work:
        for user in ("u1", "u1", "u2"):
            reveals.note(work, user, "customer", "h1", "mobile_phone", "T")
        assert [reveals.spent(work, "u1", since) for since in (work.now, work.now + 1)] == [2, 0]
