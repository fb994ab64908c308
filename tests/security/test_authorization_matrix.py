"""Every command by every role, own and other branch: the operations refuse, whoever calls them.

A command without a declared action, one that this table does not call, or an operation that asks nobody fails here.
Web routes join by adding what they call to `CALLS`, under their own declared action.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest

from hub.access import actor as actors
from hub.access.authorize import Denied, SignInRequired
from hub.access.roles import ACTIONS, ENTITIES, HOST, Role, may
from hub.access.tokens import Wanted
from hub.cli.commands import COMMANDS
from hub.cli.main import DEMO, MODULES
from hub.kernel.errors import HubError, NotFound
from hub.keys.rows import Purpose
from hub.operations import (
    approvals,
    audit_export,
    audit_search,
    auditing,
    backups,
    channels,
    checkpointing,
    complaints,
    connecting,
    connections,
    cycles,
    departed,
    editing,
    egress,
    erasing,
    filling,
    finding,
    granting,
    guards,
    holdouts,
    inspection,
    keys,
    matching,
    oidc,
    pausing,
    questions,
    resolving,
    revealing,
    rotating,
    rounds,
    scheduling,
    sessions,
    settling,
    signing,
    standing,
    tokens,
)
from hub.operations import users as accounts
from hub.operations.installation import Installation
from hub.operations.permission import OPERATIONS
from hub.store.audit_index import Wanted as LogFilter
from tests.security.access_world import OTHER, OWN, START, Reached, World, make_world

for _name in MODULES:
    import_module(f"hub.cli.{_name}")
import_module(DEMO)

ROOT = Path(__file__).parents[2]
Call = Callable[[Installation, World, str], object]
"""Does what a command does, with the installation of who asks, to the branch named."""


def _customer(world: World, branch: str) -> str:
    return world.records["customer", branch]


WHY = {"reason": "why", "ticket": "T-1"}
CALLS: dict[str, Call] = {
    "approval approve": lambda hub, w, b: approvals.approve(hub, "none"),
    "approval list": lambda hub, w, b: approvals.list_approvals(hub),
    "approval reject": lambda hub, w, b: approvals.reject(hub, "none", "why"),
    "approval show": lambda hub, w, b: approvals.show_approval(hub, "none"),
    "audit checkpoint": lambda hub, w, b: checkpointing.make_checkpoint(hub),
    "audit epoch": lambda hub, w, b: checkpointing.begin_epoch(hub, " "),
    "audit export": lambda hub, w, b: audit_export.export(hub, hub.settings.home, LogFilter()),
    "audit list": lambda hub, w, b: audit_search.read_page(hub, LogFilter()),
    "audit sample": lambda hub, w, b: audit_search.sample(hub, LogFilter(), 1, "seed"),
    "audit show": lambda hub, w, b: audit_search.show_entry(hub, "none"),
    "audit verify": lambda hub, w, b: auditing.verify_log(hub),
    "backup": lambda hub, w, b: backups.back_up(hub, backups.key_of(hub.settings).parent / "beside"),
    "channel close": lambda hub, w, b: channels.close_channel(hub, "alpha", "why"),
    "channel list": lambda hub, w, b: channels.list_channels(hub),
    "channel open": lambda hub, w, b: channels.open_channel(hub, "alpha"),
    "channel renew": lambda hub, w, b: channels.renew_channel(hub, "alpha"),
    "channel setup": lambda hub, w, b: signing.set_up(hub, "alpha"),
    "check": lambda hub, w, b: connections.check_systems(hub, "none"),
    "complaint list": lambda hub, w, b: complaints.list_complaints(hub),
    "conflict list": lambda hub, w, b: questions.list_questions(hub, "conflict"),
    "conflict resolve": lambda hub, w, b: questions.resolve_conflict(hub, w.conflicts[b], take="none"),
    "conflict show": lambda hub, w, b: questions.show_question(hub, "conflict", w.conflicts[b]),
    "connect": lambda hub, w, b: connecting.invite(hub, "alpha"),
    "describe": lambda hub, w, b: connections.describe(hub, "alpha", "thing"),
    "egress show": lambda hub, w, b: egress.show_egress(hub),
    "erasure admit": lambda hub, w, b: erasing.admit_again(hub, "none", "why"),
    "erasure list": lambda hub, w, b: erasing.list_erasures(hub),
    "erasure run": lambda hub, w, b: erasing.erase_record(hub, "none", "why"),
    "guard list": lambda hub, w, b: guards.list_guards(hub, "customer"),
    "guard release": lambda hub, w, b: guards.release_guard(hub, "customer", "none", reason="why"),
    "hold list": lambda hub, w, b: questions.list_questions(hub, "hold"),
    "hold resolve": lambda hub, w, b: questions.resolve_hold(hub, "none", accept=True),
    "hold show": lambda hub, w, b: questions.show_question(hub, "hold", "none"),
    "key destroy": lambda hub, w, b: keys.destroy_key(hub, 0, "why"),
    "key list": lambda hub, w, b: keys.list_keys(hub),
    "key retire": lambda hub, w, b: keys.retire_key(hub, 0, "why"),
    "key rotate": lambda hub, w, b: rotating.begin_rotation(hub, Purpose.INDEX, " "),
    "legal-hold lift": lambda hub, w, b: erasing.lift_hold(hub, "none", "why"),
    "legal-hold list": lambda hub, w, b: erasing.list_holds(hub),
    "legal-hold place": lambda hub, w, b: erasing.place_hold(hub, "none", "why"),
    "mapping check": lambda hub, w, b: connections.check_described_mappings(hub),
    "mapping resolve": lambda hub, w, b: resolving.resolve_mappings(hub, "alpha", None, False),
    "mapping tables": lambda hub, w, b: filling.compare_tables(hub, "alpha"),
    "match decide": lambda hub, w, b: matching.decide_match(hub, "none", new=True),
    "match list": lambda hub, w, b: matching.list_matches(hub, "customer"),
    "match merges": lambda hub, w, b: matching.list_merges(hub, "customer"),
    "match report": lambda hub, w, b: matching.match_report(hub, "customer"),
    "match undo": lambda hub, w, b: matching.undo_match(hub, "none"),
    "pause": lambda hub, w, b: pausing.pause(hub, "all", ""),
    "plan": lambda hub, w, b: cycles.plan(hub, "customer"),
    "quarantine list": lambda hub, w, b: holdouts.list_held(hub),
    "quarantine retry": lambda hub, w, b: holdouts.retry_held(hub, "none"),
    "reconcile": lambda hub, w, b: cycles.reconcile_entity(hub, "customer"),
    "record edit": lambda hub, w, b: editing.edit_record(hub, _customer(w, b), {"no_such": "x"}),
    "record find": lambda hub, w, b: finding.find_records(hub, "customer", "none", "x"),
    "record gone": lambda hub, w, b: departed.declare_gone(hub, _customer(w, b), "alpha", "why"),
    "record probe": lambda hub, w, b: revealing.probe_field(hub, _customer(w, b), "none", "x", **WHY),
    "record resync": lambda hub, w, b: cycles.resync(hub, _customer(w, b)),
    "record reveal": lambda hub, w, b: revealing.reveal_field(hub, _customer(w, b), "none", **WHY),
    "record show": lambda hub, w, b: inspection.show_record(hub, _customer(w, b)),
    "record timeline": lambda hub, w, b: inspection.show_timeline(hub, _customer(w, b)),
    "resume": lambda hub, w, b: pausing.resume(hub, "all"),
    "run": lambda hub, w, b: scheduling.note_start(hub),
    "schedule list": lambda hub, w, b: scheduling.read_board(hub),
    "schedule set": lambda hub, w, b: scheduling.set_schedule(hub, "none", "x", reason="why"),
    "settle": lambda hub, w, b: settling.settle_questions(hub, "alpha", "thing", None, False),
    "status": lambda hub, w, b: standing.overview(hub),
    "sync": lambda hub, w, b: rounds.sync_all(hub, ["customer"]),
    "token create": lambda hub, w, b: tokens.create_token(hub, Wanted("x", 0)),
    "token list": lambda hub, w, b: tokens.list_tokens(hub),
    "token revoke": lambda hub, w, b: tokens.revoke_token(hub, "none"),
    "user bootstrap": lambda hub, w, b: accounts.bootstrap(hub, "same", "same", "same"),
    "user break-glass": lambda hub, w, b: granting.break_glass(hub, "none", **WHY),
    "user create": lambda hub, w, b: accounts.create_user(hub, "?", "x"),
    "user disable": lambda hub, w, b: accounts.disable_user(hub, "none", "why"),
    "user enable": lambda hub, w, b: accounts.enable_user(hub, "none"),
    "user end-sessions": lambda hub, w, b: sessions.end_sessions(hub, "none"),
    "user grant": lambda hub, w, b: granting.grant_role(hub, "none", "operator"),
    "user groups": lambda hub, w, b: oidc.show_groups(hub),
    "user link": lambda hub, w, b: sessions.link_identity(hub, "none", "x"),
    "user list": lambda hub, w, b: accounts.list_users(hub),
    "user reset": lambda hub, w, b: sessions.reset_sign_in(hub, "none"),
    "user restore": lambda hub, w, b: accounts.restore_user(hub, "none", "why"),
    "user revoke": lambda hub, w, b: accounts.revoke_role(hub, "none", "operator", "why"),
    "user show": lambda hub, w, b: accounts.show_user(hub, "none"),
    "worker": lambda hub, w, b: scheduling.note_start(hub),
}
OF_A_RECORD = {
    "conflict resolve",
    "conflict show",
    "record edit",
    "record gone",
    "record probe",
    "record resync",
    "record reveal",
    "record show",
    "record timeline",
}
"""Commands that name one record, so that its branch decides."""
ASKED_ELSEWHERE = {
    "approvals.ask": "called by operations that were asked themselves",
    "approvals.require_approval": "called by operations that were asked themselves",
    "approvals.take": "called by operations that were asked themselves",
    "audit_search.open_attempts": "named when the daemon starts",
    "awaited.parent_command": "part of the overview",
    "awaited.unreleased": "part of the overview",
    "channels.speakers": "names connectors, shows nothing",
    "choice.entities_of": "looks a name up",
    "choice.entity_of": "looks a name up",
    "choice.person": "names who acts",
    "choice.record_of": "finds records that who acts may see",
    "choice.system_of": "looks a name up",
    "doorway.doorway": "is where nobody is known yet; who comes in is asked behind it",
    "explaining.explain": "part of a timeline",
    "health.examine": "the doctor acts as the hub itself",
    "pausing.held_back": "part of a cycle",
    "pausing.require_running": "part of a cycle",
    "pausing.scope_of": "looks a name up",
    "permission.acting_as": "sets who acts",
    "permission.branch_of": "is the decision itself",
    "permission.codes": "is the decision itself",
    "permission.reach": "is the decision itself",
    "permission.require": "is the decision itself",
    "permission.require_record": "is the decision itself",
    "permission.seen": "is the decision itself",
    "permission.sees": "is the decision itself",
    "preparing.system_needs": "reads the mapping files",
    "quota.with_quota": "part of the overview",
    "revealing.spend": "called by operations that were asked themselves",
    "rotating.places": "part of a rotation",
    "rotating.watch_of": "part of a rotation",
    "rotating.with_provider": "part of a rotation",
    "sharing.scope_of": "part of a cycle",
    "sinks.open_sink": "part of carrying checkpoints",
    "sinks.open_syslog": "part of carrying checkpoints",
    "support.make_bundle": "gathers by operations that ask themselves",
    "signing.listeners": "names connectors, shows nothing",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with make_world(tmp_path_factory.mktemp("access") / "hub") as made:
        yield made


def _refused(call: Call, hub: Installation, world: World, branch: str = OWN) -> bool:
    """Tells whether an operation refuses who asks; that it fails later in another way is no refusal."""
    try:
        call(hub, world, branch)
    except Denied:
        return True
    except (HubError, Reached):
        return False
    return False


def test_every_command_declares_what_one_must_be_permitted_to_do() -> None:
    assert [path for path, found in COMMANDS.items() if found.action not in {*ACTIONS, HOST}] == []


def test_every_command_that_opens_the_store_for_a_person_is_called_here() -> None:
    assert {path for path, found in COMMANDS.items() if found.action != HOST} == set(CALLS)


@pytest.mark.parametrize("path", CALLS)
def test_an_operation_refuses_every_role_that_its_command_does_not_name(world: World, path: str) -> None:
    action = str(COMMANDS[path].action)
    for role in Role:
        if path in OF_A_RECORD and role in ENTITIES:
            continue  # of another entity: refused as not there, below
        expected = not may(action, [role])
        assert _refused(CALLS[path], world.as_role(role), world) is expected, (path, role)
    for hub in (
        world.as_role(None),
        world.as_role(Role.OPERATOR, expires_at=START),
        world.as_role(Role.OPERATOR, revoked_at=START - 1),
        world.acting(actors.Actor(actors.USER, "u")),
    ):
        assert _refused(CALLS[path], hub, world), path
    system = world.acting(actors.system("daemon"))
    assert _refused(CALLS[path], system, world) is not ACTIONS[action].daemon, path
    assert not _refused(CALLS[path], world.hub, world), path


@pytest.mark.parametrize("path", sorted(OF_A_RECORD))
def test_a_record_of_another_branch_is_not_there(world: World, path: str) -> None:
    """Branch 03 is no beginning of branch 030; who asks learns no more than of a record that does not exist."""
    action = str(COMMANDS[path].action)
    for role in (role for role in Role if may(action, [role])):
        near, far = world.as_role(role, OWN), world.as_role(role, OTHER)
        for hub, branch in ((near, OTHER), (far, OWN)):
            before = len(world.events("access.denied"))
            with pytest.raises(NotFound, match="no golden record"):
                CALLS[path](hub, world, branch)
            said = world.events("access.denied")[before:]
            assert [(row["code"], row["obj"]["id"]) for row in said] == [("HUB-ACCESS-002", _customer(world, branch))]
        if role not in ENTITIES:
            assert not _refused(CALLS[path], near, world, OWN)


def test_lists_hold_what_lies_in_ones_own_branch(world: World) -> None:
    for branch, other in ((OWN, OTHER), (OTHER, OWN)):
        hub = world.as_role(Role.OPERATOR, branch)
        assert [q.id for q in questions.list_questions(hub, "conflict")] == [world.conflicts[branch]]
        listed = complaints.list_complaints(hub)
        assert [c.hub_id for c in listed.complaints] == [world.records["complaint", branch]]
        assert listed.counts["all"] == 1
        assert complaints.list_complaints(hub, branch=other.strip("/")[-3:]).complaints == ()
    officer = world.as_role(Role.COMPLAINTS_OFFICER, OWN)
    assert questions.list_questions(officer, "conflict") == []
    assert len(complaints.list_complaints(officer).complaints) == 1
    assert len(questions.list_questions(world.as_role(Role.OPERATOR), "conflict")) == 2


def test_a_refusal_is_audited_with_who_and_what(world: World) -> None:
    before = len(world.events("access.denied"))
    with pytest.raises(SignInRequired):
        standing.overview(world.as_role(None))
    with pytest.raises(Denied):
        granting.grant_role(world.as_role(Role.OPERATOR), "x", "operator")
    first, second = world.events("access.denied")[before:]
    assert (first["actor"]["type"], first["outcome"], first["code"]) == ("local", "denied", "HUB-ACCESS-003")
    assert (second["actor"]["roles"], second["reason"], second["code"]) == (
        ["operator"],
        "role.grant",
        "HUB-ACCESS-001",
    )


def test_every_operation_asks_who_may() -> None:
    """What takes an installation either asks, or stands in the list with the reason why it does not."""
    silent = set()
    for file in sorted((ROOT / "hub" / "operations").glob("*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
                continue
            takes = [ast.unparse(a.annotation) for a in node.args.args if a.annotation is not None]
            asks = any(ast.unparse(d).startswith("permit(") for d in node.decorator_list)
            if "Installation" in " ".join(takes) and not asks:
                silent.add(f"{file.stem}.{node.name}")
    assert silent == set(ASKED_ELSEWHERE)
    assert set(OPERATIONS.values()) <= set(ACTIONS)
