"""Tries out on a system what its vendor leaves open, and says which setting goes with it."""

from __future__ import annotations

from collections import Counter

from connectors.settling import Settled, Settles
from hub.audit.event import Event
from hub.kernel.errors import Declined, NotFound
from hub.operations.choice import system_of
from hub.operations.installation import Installation
from hub.operations.permission import permit


@permit("system.change")
def settle_questions(hub: Installation, system: str, object_: str, question: str | None, write: bool) -> list[Settled]:
    """Tries one question, or all; with `write` also those that need a test record, which is audited.

    Raises NotFound, Declined and the connector's errors.
    """
    connector = hub.connect(system_of(hub, system))
    if not isinstance(connector, Settles):
        raise Declined(
            f"{system}: nothing of this kind of system is tried out by the hub; see docs/known-unknowns.md",
            f"{system}：该类系统没有可自动核实的问题；请见 docs/known-unknowns.md",
        )
    known = connector.questions()
    if question is not None and question not in known:
        listed = ", ".join(known)
        raise NotFound(f"{question} is not a question; known: {listed}", f"没有问题 {question}；已有：{listed}")
    if question is not None and known[question] and not write:
        raise Declined(
            f"{question} needs a test record; give --write, with the system paused: crmhub pause {system}",
            f"{question} 需要测试记录；请先 crmhub pause {system}，再加 --write",
        )
    if write:
        _note(hub, system, object_, "attempt")
    found = list(connector.settle(object_, question, write))
    if write:
        _note(hub, system, object_, "result", found)
    return found


def _note(hub: Installation, system: str, object_: str, stage: str, found: list[Settled] | None = None) -> None:
    counts = Counter("agrees" if item.agrees else "differs" for item in found or ())
    event = Event(
        "system.settle",
        "object",
        object_,
        counts=counts,
        connection=system,
        stage="attempt" if stage == "attempt" else "result",
    )
    with hub.store.begin() as work:
        work.audit(event)
