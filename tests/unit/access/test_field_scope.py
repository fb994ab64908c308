"""Who sees how much of a field: a table of class, role and purpose."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hub.access import actor as actors
from hub.access.field_scope import READ, REVEAL, View, shown, view
from hub.access.masking import HIDDEN
from hub.access.roles import Role
from hub.canonical.schema import Field, load_schema
from hub.canonical.shipped import shipped_folder
from hub.store.users import ACTIVE, STANDING, Grant, User

NOTHING, MASKED, WHOLE = View.NOTHING, View.MASKED, View.WHOLE
BLIND = (Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN, Role.MAPPING_ADMIN)


@pytest.fixture(scope="module")
def fields() -> dict[str, Field]:
    entities = load_schema(shipped_folder("mappings") / "canonical").entities
    customer, complaint = entities["customer"].fields, entities["complaint"].fields
    words = next(field for field in complaint.values() if field.klass == "C2" and field.free_text)
    phone = customer["mobile_phone"]
    strange = {name: replace(phone, klass=klass) for name, klass in (("secret", "C3"), ("unknown", ""))}
    return {"code": customer["branch_code"], "phone": phone, "words": words, **strange}


@pytest.mark.parametrize(
    ("role", "purpose", "code", "phone", "words"),
    [
        (Role.OPERATOR, READ, WHOLE, MASKED, MASKED),
        (Role.OPERATOR, REVEAL, WHOLE, WHOLE, WHOLE),
        (Role.COMPLAINTS_OFFICER, READ, WHOLE, MASKED, MASKED),
        (Role.COMPLAINTS_OFFICER, REVEAL, WHOLE, WHOLE, WHOLE),
        (Role.APPROVER, READ, WHOLE, MASKED, MASKED),
        (Role.APPROVER, REVEAL, NOTHING, NOTHING, NOTHING),
        (Role.AUDIT_ADMIN, READ, WHOLE, MASKED, NOTHING),
        (Role.AUDIT_ADMIN, REVEAL, NOTHING, NOTHING, NOTHING),
        (Role.EXAMINER, READ, WHOLE, MASKED, NOTHING),
        *((role, purpose, NOTHING, NOTHING, NOTHING) for role in BLIND for purpose in (READ, REVEAL)),
    ],
)
def test_view(fields: dict[str, Field], role: Role, purpose: str, code: View, phone: View, words: View) -> None:
    seen = [view(fields[name], [role], purpose) for name in ("code", "phone", "words", "secret", "unknown")]
    assert seen == [code, phone, words, NOTHING, NOTHING]


def test_the_role_that_sees_most_decides_and_who_has_none_sees_nothing(fields: dict[str, Field]) -> None:
    grants = tuple(Grant(str(n), "u", r, "/", STANDING, None, "x", 0.0) for n, r in enumerate(("approver", "operator")))
    user = User("u", "u", "u", None, "/", ACTIVE, 0.0, "x", 1, grants)
    assert shown(fields["phone"], "+8613812341234", actors.person(user, auth="token"), 1.0) == "138****1234"
    for actor in (actors.local("root", open=False), actors.system("daemon"), actors.Actor(actors.USER, "u")):
        assert shown(fields["phone"], "+8613812341234", actor, 1.0) == HIDDEN
    assert shown(fields["secret"], "x", actors.local("root", open=True), 1.0) == HIDDEN
