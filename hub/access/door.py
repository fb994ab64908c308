"""Where people come in and go out; every outcome is audited.

Who is refused learns nothing but that: an unknown name, a wrong password, a locked and a disabled account take the
same way and get the same answer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from hub.access import actor as actors
from hub.access.refusals import SessionEnded, SignInRefused, StepRefused, TooSoon
from hub.access.threshold import LOCKED_FOR, Opened, Threshold, able, locked
from hub.audit.event import Event
from hub.crypto import bearer
from hub.store import credentials, sessions, users
from hub.store.credentials import Credential
from hub.store.sessions import FULL, Session
from hub.store.unit_of_work import UnitOfWork
from hub.store.users import Grant, User

FREE_FAILURES, LONGEST_WAIT = 5, 300.0
"""Failures of one source before it must wait; then it waits twice as long after each, up to so many seconds."""
FRESH_FOR = 300.0
"""Seconds for which a proof counts where an act asks for a fresh one."""
SEEN_EVERY = 30.0
LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class Entered:
    """Is who came in: a session, the person, and who they act as."""

    session: Session
    user: User
    who: actors.Actor


def sign_in(at: Threshold, login: str, password: str) -> Opened:
    """Begins a session of who knows a password or holds a one-time code.

    Raises SignInRefused, TooSoon and TooManyHashes.
    """
    source = at.source()
    # What no account can be called goes the same way as a name that nobody has; some databases refuse it as a value.
    login = login if login.isprintable() and len(login) <= LONGEST_NAME else ""
    with at.store.read() as conn:
        _hold_back(at, credentials.source_failures(conn, source))
        user = users.by_login(conn, at.store.ring, login)
        known = None if user is None else credentials.load(conn, at.store.ring, user.user_id)
    phc, secret = None if known is None else known.phc, at.secret("" if user is None else user.user_id)
    fits = at.hasher.matches(password, phc, secret)
    fresh = at.hasher.hash(password, secret) if fits and phc is not None and at.hasher.outdated(phc) else None
    opened = None
    with at.store.begin() as work:
        user = users.by_login(work.conn, work.ring, login)
        if user is not None:
            opened = _judge(at, work, user, password, phc if fits else None, fresh)
        else:
            noted = Event("sign_in.failed", "user", None, "denied", reason="unknown", digest=at.named(login))
            work.audit(noted)
        if opened is None:
            credentials.count_source(work, source, LOCKED_FOR)
    # Raised behind the commit: what failed is counted, whatever comes of the answer.
    if opened is None:
        raise SignInRefused
    return opened


def _judge(
    at: Threshold, work: UnitOfWork, user: User, password: str, phc: str | None, fresh: str | None
) -> Opened | None:
    """Decides on the rows as they are now, held against everybody else; `phc` is the hash that fitted."""
    made = credentials.load(work.conn, work.ring, user.user_id, lock=True) or Credential(user.user_id)
    why = "password"
    if locked(made, work.now) or not able(user):
        why = "locked" if able(user) else "state"
    elif phc is not None and made.phc == phc:
        if fresh is not None:
            made = credentials.save(work, replace(made, phc=fresh))
        return _begin(at, work, user, made, "password")
    elif (redeemed := users.redeem_code(work, user, password)) is not None:
        work.audit(Event("sign_in.code", "user", user.user_id))
        return _begin(at, work, redeemed, credentials.save(work, replace(made, renew=True)), "password")
    at.fail(work, user, made, Event("sign_in.failed", "user", user.user_id, "denied", reason=why))
    return None


def _begin(
    at: Threshold, work: UnitOfWork, user: User, made: Credential, auth: str, grants: tuple[Grant, ...] = ()
) -> Opened:
    _clear(at, work)
    token = bearer.new_token()
    begun = Session(
        at.store.new_id(),
        user.user_id,
        at.stage(made, auth, work.now),
        auth,
        begun_at=work.now,
        seen_at=work.now,
        proved_at=work.now,
        user_revision=user.revision,
        ip=at.visitor.ip,
        agent=at.visitor.agent,
        grants=grants,
        digest=bearer.digest_of(token),
    )
    sessions.begin(work, begun)
    if begun.stage == FULL:
        at.arrive(work, user, made, begun)
    return Opened(begun, token)


def admit(at: Threshold, user_id: str, auth: str, grants: tuple[Grant, ...]) -> Opened:
    """Begins a session of a person whom an identity provider vouches for. Raises SignInRefused."""
    opened = None
    with at.store.begin() as work:
        user = users.load(work.conn, work.ring, [user_id]).get(user_id)
        if user is not None:
            made = credentials.load(work.conn, work.ring, user_id, lock=True) or Credential(user_id)
            if able(user) and not locked(made, work.now):
                made = made if made.revision else credentials.save(work, made)
                opened = _begin(at, work, user, made, auth, grants)
            else:
                work.audit(Event("sign_in.failed", "user", user_id, "denied", reason="state"))
    if opened is None:
        raise SignInRefused
    return opened


def enter(at: Threshold, token: str, *, stage: str | None = FULL) -> Entered:
    """Returns who holds a token; `stage` None takes a sign-in at any step.

    Raises SessionEnded, also for a session that idled, is too old, or whose person's roles changed, and StepRefused.
    """
    digest = bearer.digest_of(token)
    with at.store.read() as conn:
        known = sessions.find(conn, at.store.ring, digest)
        if known is None:
            raise SessionEnded
        user = users.load(conn, at.store.ring, [known.user_id]).get(known.user_id)
    now = at.store.clock.now()
    why = at.over(known, user, now)
    if why is not None or user is None:
        with at.store.begin() as work:
            at.end(work, [known.session_ref], why or "changed")
        raise SessionEnded
    if stage is not None and known.stage != stage:
        raise StepRefused(known.stage)
    if abs(now - known.seen_at) >= SEEN_EVERY:
        with at.store.begin() as work:
            sessions.touch(work, digest)
    who = actors.person(user, auth=known.auth, session_ref=known.session_ref)
    return Entered(known, user, replace(who, grants=(*who.grants, *known.grants)))


def leave(at: Threshold, token: str) -> None:
    """Ends a session; one that is over already stays so."""
    with at.store.begin() as work:
        known = sessions.find(work.conn, work.ring, bearer.digest_of(token), lock=True)
        if known is not None:
            user = users.load(work.conn, work.ring, [known.user_id])[known.user_id]
            at.end(work, [known.session_ref], "left", at.acts(user, known))


def fresh(at: Threshold, session: Session) -> bool:
    """Tells whether the person proved lately to be there."""
    return 0 <= at.store.clock.now() - session.proved_at < FRESH_FOR


def _hold_back(at: Threshold, failures: tuple[int, float]) -> None:
    failed, failed_at = failures
    if failed >= FREE_FAILURES:
        wait = min(LONGEST_WAIT, 2.0 ** min(failed - FREE_FAILURES, 16)) - (at.store.clock.now() - failed_at)
        if wait > 0:
            raise TooSoon(wait)


def _clear(at: Threshold, work: UnitOfWork) -> None:
    """Forgets sessions that nobody can use any more."""
    late = sessions.forgotten(work.conn, work.now - at.rules.idle, work.now - at.rules.absolute)
    at.end(work, late, "idle")
