"""API tokens: who acts by one, how far it reaches, and what its use leaves in the audit log."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from hub.access import actor as actors
from hub.access.actor import Actor
from hub.access.branches import checked_path, within
from hub.access.roles import ACTIONS
from hub.audit.event import Event
from hub.crypto.bearer import ApiToken, new_api_token, read_api_token
from hub.kernel.errors import Declined
from hub.keys.keyring import Keyring
from hub.store import api_tokens, credentials, users
from hub.store.api_tokens import ApiTokenRow
from hub.store.database import Connection
from hub.store.unit_of_work import Store, UnitOfWork

TOKEN = "token"  # noqa: S105 - how somebody proved who they are
MOST_DAYS, DAY = 90, 86_400.0
USED_EVERY = 60.0
"""Seconds after which another use of a token is noted."""
HERE = "127.0.0.1"
"""Is where a command comes from."""
BY_PERSON_ONLY = frozenset(
    {
        "approval.decide",
        "break_glass.ask",
        "key.change",
        "record.probe",
        "record.reveal",
        "record.unmask",
        "role.grant",
        "self.manage",
        "session.manage",
        "user.bootstrap",
        "user.enable",
    }
)
"""Actions that no token may do: they are for a person who has just proved to be there."""
ADMITTED = frozenset(ACTIONS) - BY_PERSON_ONLY


@dataclass(frozen=True, slots=True)
class Presented:
    """Is what a token came to: who acts, or why nobody does; `row` is None for one that is none of ours."""

    who: Actor | None
    row: ApiTokenRow | None
    why: str | None = None


def present(conn: Connection, ring: Keyring, text: str, now: float, ip: str = HERE) -> Presented:
    """Returns who acts by a token that is brought from an address."""
    token = read_api_token(text)
    pepper = credentials.read_pepper(conn, ring)
    row = None if token is None or pepper is None else api_tokens.find(conn, pepper, token.public, token.secret)
    if row is None:
        return Presented(None, None, "unknown")
    user = users.load(conn, ring, [row.user_id]).get(row.user_id)
    why = _refused(row, ip, now)
    if why is not None or user is None:
        return Presented(None, row, why)
    who = actors.person(user, auth=TOKEN, session_ref=row.token_id)
    only = ADMITTED if row.only is None else ADMITTED & set(row.only)
    return Presented(actors.bounded(who, only=frozenset(only), branch=row.branch), row)


def _refused(row: ApiTokenRow, ip: str, now: float) -> str | None:
    if row.revoked_at is not None:
        return "revoked"
    if now >= row.expires_at:
        return "expired"
    return None if not row.networks or _inside(ip, row.networks) else "network"


def _inside(ip: str, networks: Iterable[str]) -> bool:
    try:
        address = ip_address(ip)
    except ValueError:
        return False
    return any(address in ip_network(each) for each in networks)


def note(store: Store, found: Presented) -> None:
    """Notes that a token was used, its first use and its end in the audit log; refused ones every time."""
    row = found.row
    if row is None:
        return
    with store.read() as conn:
        row = api_tokens.get(conn, row.token_id) or row
    now, who = store.clock.now(), None if found.who is None else found.who.audited(store.clock.now())
    if found.who is None:
        with store.begin() as work:
            if found.why == "expired" and api_tokens.note_end(work, row.token_id):
                work.audit(Event("token.expired", "token", row.token_id, "denied", corr=row.user_id))
            else:
                work.audit(Event("token.refused", "token", row.token_id, "denied", reason=found.why, corr=row.user_id))
    elif row.used_at is None or abs(now - row.used_at) >= USED_EVERY:
        with store.begin() as work:
            if api_tokens.note_use(work, row.token_id):
                work.audit(Event("token.first_use", "token", row.token_id, actor=who))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Is what somebody asks a token for; `only` None stands for all that the person may do."""

    name: str
    days: int
    only: tuple[str, ...] | None = None
    branch: str | None = None
    networks: tuple[str, ...] = ()


def checked(wanted: Wanted, most_days: int = MOST_DAYS) -> Wanted:
    """Returns what was asked for, in one form. Raises Declined with everything that cannot be had."""
    if not 0 < len(wanted.name.strip()) <= 64 or not wanted.name.isprintable():
        raise Declined("name the token, in at most 64 characters", "请为令牌命名，最多 64 个字符")
    if not 0 < wanted.days <= min(most_days, MOST_DAYS):
        raise Declined(f"a token lasts 1 to {most_days} days", f"令牌有效期为 1 至 {most_days} 天")
    unknown = sorted(set(wanted.only or ()) - ADMITTED)
    if unknown:
        names = ", ".join(unknown)
        raise Declined(f"no token may have these scopes: {names}", f"令牌不能包含以下权限：{names}")
    try:
        networks = tuple(str(ip_network(each)) for each in wanted.networks)
    except ValueError:
        raise Declined("a network is written like 10.1.0.0/16", "网段写法如 10.1.0.0/16") from None
    only = None if wanted.only is None else tuple(sorted(set(wanted.only)))
    branch = None if wanted.branch is None else checked_path(wanted.branch)
    return Wanted(wanted.name.strip(), wanted.days, only, branch, networks)


def make(work: UnitOfWork, pepper: bytes, who: Actor, wanted: Wanted) -> tuple[ApiTokenRow, ApiToken]:
    """Makes a token of who acts; its text is shown once and never kept. `wanted` was checked."""
    token = new_api_token()
    row = ApiTokenRow(
        token.public,
        who.id,
        wanted.name,
        wanted.only,
        wanted.branch,
        wanted.networks,
        work.now,
        work.now + wanted.days * DAY,
    )
    api_tokens.put(work, pepper, row, token.secret)
    work.audit(Event("token.create", "token", row.token_id, branch=row.branch, counts={"days": wanted.days}))
    return row, token


def narrower(who: Actor, branch: str | None, now: float) -> bool:
    """Tells whether a branch lies within what who acts holds anywhere."""
    return branch is None or any(within(branch, grant.scope) for grant in who.held(now))
