"""The steps of a sign-in after the first: a code, a new password, a second factor, and proving it once more."""

from __future__ import annotations

from dataclasses import dataclass, replace
from dataclasses import field as attribute

from hub.access.refusals import SessionEnded, SignInRefused
from hub.access.threshold import LOCKED_FOR, MOST_FAILURES, Opened, Threshold, locked, vouched
from hub.audit.event import Event
from hub.crypto import bearer, totp
from hub.crypto.digests import compare
from hub.store import credentials, sessions
from hub.store.credentials import Credential
from hub.store.sessions import ENROL, FULL, RENEW, TOTP, Session
from hub.store.unit_of_work import UnitOfWork
from hub.store.users import User

RECOVERY_CODES = 10


@dataclass(frozen=True, slots=True)
class Enrolment:
    """Is a second factor as an app takes it; shown once, kept sealed."""

    uri: str = attribute(repr=False)
    secret: str = attribute(repr=False)


def give_code(at: Threshold, token: str, code: str) -> Opened:
    """Takes a code of the second factor, or a recovery code. Raises SignInRefused, SessionEnded, StepRefused."""
    opened = None
    with at.store.begin() as work:
        known, user, made = at.standing(work.conn, token, TOTP, lock=True)
        taken = None if locked(made, work.now) else _take(at, work, made, code)
        if taken is None:
            _wrong(at, work, known, user, made)
        else:
            opened = at.go_on(work, known, user, taken[0], f"{known.auth}+{taken[1]}")
    if opened is None:
        raise SignInRefused
    return opened


def renew(at: Threshold, token: str, password: str) -> Opened:
    """Sets the password that a sign-in waits for. Raises PasswordRefused, SessionEnded, StepRefused."""
    with at.store.read() as conn:
        _, user, made = at.standing(conn, token, RENEW)
    phc = at.fresh_hash(user, made, password)
    with at.store.begin() as work:
        known, user, now_made = at.standing(work.conn, token, RENEW, lock=True)
        if now_made.revision != made.revision:
            raise SessionEnded
        # What was counted meanwhile has no revision: the row as it is now keeps it.
        return at.go_on(work, known, user, at.set_password(work, user, now_made, phc, known), known.auth)


def change_password(at: Threshold, token: str, password: str) -> None:
    """Sets another password of who is in. Raises PasswordRefused, SessionEnded."""
    with at.store.read() as conn:
        _, user, made = at.standing(conn, token, FULL)
    phc = at.fresh_hash(user, made, password)
    with at.store.begin() as work:
        known, user, now_made = at.standing(work.conn, token, FULL, lock=True)
        if now_made.revision != made.revision:
            raise SessionEnded
        at.set_password(work, user, now_made, phc, known)


def enrol(at: Threshold, token: str) -> Enrolment:
    """Makes a second factor for a sign-in that waits for one. Raises SessionEnded, StepRefused."""
    secret = totp.new_secret()
    with at.store.begin() as work:
        known, user, _ = at.standing(work.conn, token, ENROL, lock=True)
        if not sessions.change(work, known, replace(known, pending=secret.hex())):
            raise SessionEnded
    return Enrolment(totp.enrolment_uri(secret, user.login, at.rules.issuer), totp.base32_of(secret))


def confirm(at: Threshold, token: str, code: str) -> tuple[Opened, tuple[str, ...]]:
    """Takes the first code of a new second factor; returns ten recovery codes, shown once. Raises SignInRefused."""
    opened, codes = None, tuple(bearer.new_recovery_code() for _ in range(RECOVERY_CODES))
    with at.store.begin() as work:
        known, user, made = at.standing(work.conn, token, ENROL, lock=True)
        secret = bytes.fromhex(known.pending or "")
        step = totp.matching_step(secret, code.strip(), work.now, None) if secret else None
        if step is None:
            _wrong(at, work, known, user, made)
        else:
            kept = tuple(at.recovery(user.user_id, each) for each in codes)
            made = credentials.save(work, replace(made, totp=secret, totp_step=step, recovery=kept))
            work.audit(Event("mfa.enrol", "user", user.user_id, actor=at.acts(user, known)))
            opened = at.go_on(work, replace(known, pending=None), user, made, f"{known.auth}+totp")
    if opened is None:
        raise SignInRefused
    return opened, codes


def prove(at: Threshold, token: str, password: str, code: str) -> Opened:
    """Lets a person prove again to be there, for acts that ask for it; whom a provider vouches for has no password.

    Raises SignInRefused, SessionEnded.
    """
    with at.store.read() as conn:
        session, user, made = at.standing(conn, token, FULL)
    asked = not vouched(session.auth)
    fits = at.hasher.matches(password, made.phc, at.secret(user.user_id)) if asked else True
    opened = None
    with at.store.begin() as work:
        known, user, now_made = at.standing(work.conn, token, FULL, lock=True)
        fits = fits and now_made.phc == made.phc and not locked(now_made, work.now)
        taken = _take(at, work, now_made, code) if fits else None
        if taken is None:
            _wrong(at, work, known, user, now_made)
        else:
            work.audit(Event("sign_in.proved", "user", user.user_id, actor=at.acts(user, known)))
            opened = at.turn(work, replace(known, tries=0, proved_at=work.now), known)
    if opened is None:
        raise SignInRefused
    return opened


def _take(at: Threshold, work: UnitOfWork, made: Credential, code: str) -> tuple[Credential, str] | None:
    """Uses a code up, so that it works once; returns what is left and which kind it was, None where it is none."""
    step = None if made.totp is None else totp.matching_step(made.totp, code.strip(), work.now, made.totp_step)
    if step is not None:
        made = replace(made, totp_step=step)
        credentials.count(work, made)
        return made, "totp"
    digest = at.recovery(made.user_id, code).encode()
    left = tuple(kept for kept in made.recovery if not compare(kept.encode(), digest))
    if len(left) == len(made.recovery):
        return None
    work.audit(Event("mfa.recovery", "user", made.user_id, counts={"left": len(left)}))
    return credentials.save(work, replace(made, recovery=left)), "recovery"


def _wrong(at: Threshold, work: UnitOfWork, known: Session, user: User, made: Credential) -> None:
    """Counts a wrong code against the session, the account and the source; the fifth ends the session."""
    who = at.acts(user, known)
    at.fail(work, user, made, Event("mfa.failed", "user", user.user_id, "denied", actor=who))
    credentials.count_source(work, at.source(), LOCKED_FOR)
    if known.tries + 1 >= MOST_FAILURES:
        at.end(work, [known.session_ref], "codes", who)
    else:
        sessions.change(work, known, replace(known, tries=known.tries + 1))
