"""Lets a person authorise the hub at a system, and keeps what comes of it sealed in the store."""

from __future__ import annotations

from connectors.admission import Admission, Connectable, Invitation
from connectors.errors import ConnectorError
from hub.audit.event import Event, Outcome, Stage
from hub.kernel.errors import ConfigInvalid, Declined, problem
from hub.kernel.secrets import STORED, stored_as
from hub.kernel.settings import CODE, FILE, line_in_settings
from hub.operations import pausing
from hub.operations.choice import system_of
from hub.operations.installation import Installation
from hub.operations.permission import permit
from hub.store.vault import SealedTokens


@permit("system.change")
def invite(hub: Installation, system: str, *, by_link: bool = False) -> Invitation:
    """Says what the person does at the system; nothing is asked of it, and no code is spent on wrong settings.

    Raises NotFound, Declined for a kind of system without a sign-in, ConfigInvalid where the settings take a credential
    from elsewhere than the store, and the connector's errors.
    """
    invitation = _connectable(hub, system).invite(by_link)
    _check_kept(hub, system, invitation)
    return invitation


@permit("system.change")
def admit(hub: Installation, system: str, brought: str, *, by_link: bool = False) -> Admission:
    """Carries out the sign-in with what the person brought and keeps credentials and tokens in one commit.

    The audit log says before the code is spent that it will be, and afterwards what came of it. A running daemon and
    other processes use the new credentials within seconds; a pause for refused ones ends. Raises as `invite` does.
    """
    connector = _connectable(hub, system)
    attempt = hub.new_id()
    with hub.store.begin() as work:
        work.audit(_event(system, attempt, "attempt"))
    try:
        admission = connector.admit(brought, by_link)
    except ConnectorError as error:
        with hub.store.begin() as work:
            work.audit(_event(system, attempt, "result", "error", error.code))
        raise
    kept = {stored_as(name): text.encode() for name, text in admission.credentials.items()}
    with hub.store.begin() as work:
        SealedTokens(hub.store, system).put_all(work, {**kept, **admission.tokens})
        work.audit(_event(system, attempt, "result", "success", admission.way))
    pausing.resume_rotated(hub, pausing.list_pauses(hub))
    return admission


def _connectable(hub: Installation, system: str) -> Connectable:
    connector = hub.connect(system_of(hub, system))
    if isinstance(connector, Connectable):
        return connector
    raise Declined(
        f"{system} ({connector.kind}) needs no sign-in by a person: its credentials stand in config/hub.yaml by "
        f"reference; prove them with `crmhub check {system}`",
        f"{system}（{connector.kind}）无需人工授权：其凭据在 config/hub.yaml 中引用；请用 `crmhub check {system}` 验证",
    )


def _check_kept(hub: Installation, system: str, invitation: Invitation) -> None:
    """Raises ConfigInvalid for every credential that would be kept and that the settings take from elsewhere."""
    referenced = hub.settings.systems[system].credentials
    wrong = [name for name in invitation.keeps if referenced.get(name) != STORED]
    if wrong:
        raise ConfigInvalid(
            [
                problem(
                    hub.settings.home / FILE,
                    line_in_settings(hub.settings, "systems", system, "credentials", name),
                    CODE,
                    f"`systems.{system}.credentials.{name}` must be `stored`: `crmhub connect` keeps it in the store",
                    f"`systems.{system}.credentials.{name}` 应为 `stored`，这样才会使用 `crmhub connect` 取得的凭据",
                )
                for name in wrong
            ]
        )


def _event(system: str, attempt: str, stage: Stage, outcome: Outcome = "success", code: str | None = None) -> Event:
    return Event("connect", "system", system, outcome=outcome, code=code, corr=attempt, stage=stage, connection=system)
