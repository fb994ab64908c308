"""Sessions and proofs as people manage them: their own, and those of everybody for the security administrator."""

from __future__ import annotations

from dataclasses import replace

from hub.audit.event import Event
from hub.crypto.bearer import new_recovery_code
from hub.kernel.errors import NotFound
from hub.operations.installation import Installation
from hub.operations.permission import permit
from hub.store import credentials, identities, sessions, users
from hub.store.sessions import Session
from hub.store.unit_of_work import UnitOfWork

CODE_LASTS = 86_400.0
"""Seconds for which a one-time code may be used."""


@permit("self.manage")
def list_sessions(hub: Installation) -> list[Session]:
    """Returns the sessions of who is signed in, the oldest first; never show their digests."""
    with hub.store.read() as conn:
        return sessions.of_user(conn, hub.store.ring, hub.who.id)


@permit("self.manage")
def end_session(hub: Installation, session_ref: str) -> None:
    """Ends a session of who is signed in. Raises NotFound, also for one of somebody else."""
    with hub.store.begin() as work:
        own = sessions.of_user(work.conn, work.ring, hub.who.id)
        if session_ref not in [each.session_ref for each in own]:
            raise NotFound(f"you have no session {session_ref}", f"本人没有会话 {session_ref}")
        _end(work, [session_ref], "left")


@permit("session.manage")
def end_sessions(hub: Installation, login: str) -> int:
    """Ends every session of a person; returns how many. Raises NotFound."""
    with hub.store.begin() as work:
        user = users.get(work.conn, work.ring, login)
        refs = [each.session_ref for each in sessions.of_user(work.conn, work.ring, user.user_id)]
        _end(work, refs, "revoked")
        return len(refs)


@permit("session.manage")
def reset_sign_in(hub: Installation, login: str) -> str:
    """Gives a person a new one-time code and forgets the second factor; returns the code, shown once.

    Sessions end with it, and an account that was closed after failures is open again. Raises NotFound.
    """
    code = new_recovery_code()
    with hub.store.begin() as work:
        user = users.get(work.conn, work.ring, login)
        known = credentials.load(work.conn, work.ring, user.user_id, lock=True)
        if known is not None:
            forgotten = {"totp": None, "recovery": (), "phc": None, "totp_step": None}
            # The password opens nothing any more, and still counts as one that was used lately.
            used = (known.phc, *known.history) if known.phc else known.history
            credentials.save(work, replace(known, renew=True, history=used, **forgotten))  # type: ignore[arg-type]
            credentials.open_again(work, user.user_id)
        users.give_code(work, user, code, work.now + CODE_LASTS)
        work.audit(Event("sign_in.reset", "user", user.user_id))
        _end(work, [each.session_ref for each in sessions.of_user(work.conn, work.ring, user.user_id)], "reset")
    return code


@permit("session.manage")
def link_identity(hub: Installation, login: str, subject: str) -> None:
    """Links the subject by which the identity provider knows a person; empty takes the link away. Raises NotFound.

    Whose link is taken away or replaced is signed in no more, whoever that is.
    """
    provider = hub.settings.web.oidc
    if provider is None:
        raise NotFound("web.oidc is not set in config/hub.yaml", "config/hub.yaml 未设置 web.oidc")
    pepper = credentials.pepper(hub.store)
    with hub.store.begin() as work:
        user = users.get(work.conn, work.ring, login)
        if subject:
            lost = identities.link(work, pepper, provider.issuer, subject, user.user_id, hub.who.id)
        else:
            lost = [user.user_id] if identities.unlink(work, user.user_id) else []
        for user_id in lost:
            work.audit(Event("oidc.unlink", "user", user_id))
            _end(work, [each.session_ref for each in sessions.of_user(work.conn, work.ring, user_id)], "unlinked")
        if subject:
            work.audit(Event("oidc.link", "user", user.user_id))


def _end(work: UnitOfWork, refs: list[str], why: str) -> None:
    sessions.end(work, refs)
    for ref in refs:
        work.audit(Event("session.end", "session", ref, reason=why))
