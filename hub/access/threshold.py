"""What all steps of a sign-in share: the rules, who failed how often, and how a session moves on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from dataclasses import field as attribute

from hub.access.actor import USER
from hub.access.passwords import Policy, check_password, reused
from hub.access.refusals import SessionEnded, StepRefused
from hub.audit import event
from hub.audit.event import Event
from hub.crypto import bearer
from hub.crypto.digests import Digester
from hub.crypto.passwords import Hasher
from hub.store import credentials, sessions, users
from hub.store.credentials import Credential
from hub.store.database import Connection
from hub.store.sessions import ENROL, FULL, RENEW, TOTP, Session
from hub.store.unit_of_work import Store, UnitOfWork
from hub.store.users import User

MOST_FAILURES, LOCKED_FOR = 5, 900.0
"""Failures in a row after which an account is closed, and the seconds for which it is."""
STEP_FOR = 600.0
"""Seconds that a sign-in may take before its last step."""
SECOND = frozenset({"totp", "recovery", "mfa"})
"""How a second factor stands in `auth`, `mfa` where the identity provider took it."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Is what an installation asks of who comes in; seconds. `words` are names that no password may be made of."""

    policy: Policy
    idle: float = 900.0
    absolute: float = 28_800.0
    most: int = 2
    issuer: str = "crmhub"
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Visitor:
    """Is where somebody knocks from: an address, and a digest of what the browser says of itself."""

    ip: str | None = None
    agent: str | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """Is a session as its person gets it; the token is shown once."""

    session: Session
    token: str = attribute(repr=False)


Waiting = tuple[Session, User, Credential]
HASHER = Hasher()
"""Is the one of this process: what it bounds is the memory of all sign-ins together."""


class Threshold:
    """Is the door of one installation for one visitor; `store` audits under the address that they come from."""

    def __init__(self, store: Store, rules: Rules, hasher: Hasher, pepper: bytes, visitor: Visitor) -> None:
        self.store, self.rules, self.hasher, self.visitor = store, rules, hasher, visitor
        self._keyed = Digester(pepper)

    # Keyed digests.

    def secret(self, user_id: str) -> bytes:
        """Returns what binds a hash to its account: one that SQL moved to another account fits nothing there."""
        return self._keyed.digest(b"password", user_id.encode())

    def recovery(self, user_id: str, code: str) -> str:
        plain = bearer.plain_recovery_code(code).encode("utf-8", "surrogatepass")
        return self._keyed.digest(b"recovery", user_id.encode(), plain).hex()

    def source(self) -> bytes:
        """Returns where somebody knocks from, as it is counted."""
        return self._keyed.digest(b"source", (self.visitor.ip or "").encode())[:16]

    def named(self, login: str) -> str:
        """Returns a name that nobody has, as it is audited: people type passwords into that field."""
        return self._keyed.digest(b"login", login.strip().lower().encode("utf-8", "surrogatepass"))[:16].hex()

    # Failures.

    def fail(self, work: UnitOfWork, user: User, made: Credential, noted: Event) -> None:
        """Counts a failure of an account, and closes it after the last one that is allowed.

        While it is closed nothing is counted, so that nobody keeps somebody else out for ever.
        """
        work.audit(noted)
        if locked(made, work.now):
            return
        lately = made.failed_at is not None and work.now - made.failed_at < LOCKED_FOR
        failed = made.failed + 1 if lately else 1
        closed = failed >= MOST_FAILURES
        counted = replace(made, failed=failed, failed_at=work.now, locked_until=None)
        if closed:
            counted = replace(counted, failed=0, locked_until=work.now + LOCKED_FOR)
            work.audit(Event("sign_in.locked", "user", user.user_id, "denied", counts={"failures": failed}))
        if made.revision:
            credentials.count(work, counted)
        else:
            credentials.save(work, counted)

    # Sessions.

    def standing(self, conn: Connection, token: str, stage: str, *, lock: bool = False) -> Waiting:
        """Returns a session that waits for a step, its person and their proofs. Raises SessionEnded, StepRefused."""
        known = sessions.find(conn, self.store.ring, bearer.digest_of(token), lock=lock)
        if known is None:
            raise SessionEnded
        user = users.load(conn, self.store.ring, [known.user_id]).get(known.user_id)
        made = credentials.load(conn, self.store.ring, known.user_id, lock=lock)
        if user is None or made is None or self.over(known, user, self.store.clock.now()) is not None:
            raise SessionEnded
        if known.stage != stage:
            raise StepRefused(known.stage)
        return known, user, made

    def over(self, known: Session, user: User | None, now: float) -> str | None:
        """Returns why a session is over, None while it is not."""
        if user is None or not able(user) or user.revision != known.user_revision:
            return "changed"
        if known.stage != FULL:
            return "late" if now - known.begun_at >= STEP_FOR else None
        if now - known.begun_at >= self.rules.absolute:
            return "absolute"
        return "idle" if now - known.seen_at >= self.rules.idle else None

    def stage(self, made: Credential, auth: str, now: float) -> str:
        """Returns what a sign-in waits for next, FULL where for nothing."""
        second = SECOND & set(auth.split("+"))
        if made.totp is not None and not second:
            return TOTP
        if not vouched(auth) and (made.phc is None or made.renew or self.rules.policy.due(made.set_at, now)):
            return RENEW
        return ENROL if made.totp is None and "mfa" not in second else FULL

    def go_on(self, work: UnitOfWork, known: Session, user: User, made: Credential, auth: str) -> Opened:
        """Moves a session to its next step under a new token."""
        stage = self.stage(made, auth, work.now)
        opened = self.turn(work, replace(known, auth=auth, stage=stage, tries=0, proved_at=work.now), known)
        if stage == FULL:
            self.arrive(work, user, made, opened.session)
        return opened

    def turn(self, work: UnitOfWork, fresh: Session, known: Session) -> Opened:
        """Keeps what became of a session under a new token. Raises SessionEnded where somebody else changed it."""
        token = bearer.new_token()
        made = replace(fresh, digest=bearer.digest_of(token), seen_at=work.now)
        if not sessions.change(work, known, made):
            raise SessionEnded
        return Opened(replace(made, revision=known.revision + 1), token)

    def arrive(self, work: UnitOfWork, user: User, made: Credential, session: Session) -> None:
        """Notes that somebody is in, forgets failures, and ends the oldest sessions beyond those allowed."""
        if made.failed or made.locked_until:
            credentials.count(work, replace(made, failed=0, failed_at=None, locked_until=None))
        who = self.acts(user, session)
        work.audit(Event("sign_in.ok", "user", user.user_id, reason=session.auth, actor=who))
        full = [s for s in sessions.of_user(work.conn, work.ring, user.user_id) if s.stage == FULL]
        others = [s.session_ref for s in full if s.session_ref != session.session_ref]
        self.end(work, others[: max(0, len(others) + 1 - self.rules.most)], "too_many", who)

    def end_all(
        self, work: UnitOfWork, user_id: str, why: str, *, but: str | None = None, who: event.Actor | None = None
    ) -> int:
        """Ends the sessions of a person but one; returns how many."""
        refs = [s.session_ref for s in sessions.of_user(work.conn, work.ring, user_id) if s.session_ref != but]
        self.end(work, refs, why, who)
        return len(refs)

    def end(self, work: UnitOfWork, refs: list[str], why: str, who: event.Actor | None = None) -> None:
        sessions.end(work, refs)
        for ref in refs:
            work.audit(Event("session.end", "session", ref, reason=why, actor=who))

    def acts(self, user: User, session: Session) -> event.Actor:
        """Returns a person as the audit log keeps them while they sign in."""
        return event.Actor(USER, user.user_id, auth=session.auth, session_ref=session.session_ref)

    # Passwords.

    def fresh_hash(self, user: User, made: Credential, password: str) -> str:
        """Returns the hash of a password that the policy takes and that was not used lately. Raises PasswordRefused."""
        policy, secret = self.rules.policy, self.secret(user.user_id)
        check_password(policy, password, (user.login, user.display_name, user.staff_no or "", *self.rules.words))
        used = [*([made.phc] if made.phc else []), *made.history[: policy.history]]
        if any(self.hasher.matches(password, phc, secret) for phc in dict.fromkeys(used)):
            raise reused()
        return self.hasher.hash(password, secret)

    def set_password(self, work: UnitOfWork, user: User, made: Credential, phc: str, session: Session) -> Credential:
        """Keeps a new password and ends the person's other sessions."""
        history = tuple(each for each in (made.phc, *made.history) if each)[: self.rules.policy.history]
        who = self.acts(user, session)
        work.audit(Event("password.set", "user", user.user_id, actor=who))
        self.end_all(work, user.user_id, "password", but=session.session_ref, who=who)
        return credentials.save(work, replace(made, phc=phc, set_at=work.now, renew=False, history=history))


def locked(made: Credential, now: float) -> bool:
    """Tells whether an account is closed for now."""
    return made.locked_until is not None and now < made.locked_until


def able(user: User) -> bool:
    """Tells whether a person may sign in at all."""
    return user.state == users.ACTIVE and not user.broken


def vouched(auth: str) -> bool:
    """Tells whether an identity provider vouched for a sign-in."""
    return auth.split("+")[0] == "oidc"
