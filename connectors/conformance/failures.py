"""Clauses about what goes wrong on the way."""

from __future__ import annotations

from connectors.base import Op, Refused, Unknown
from connectors.conformance.kit import ClauseBroken, Kit, demand, refusal
from connectors.conformance.registration import clause
from connectors.conformance.world import WorldFault
from connectors.errors import AuthRejected, ConnectorError, ProtocolViolation, QuotaExhausted, RateLimited, RetryLater

Errors = type[ConnectorError] | tuple[type[ConnectorError], ...]


def _failing_read(kit: Kit, fault: WorldFault, expected: Errors) -> ConnectorError:
    """Reads under a lasting fault, then demands that the same cursor goes on as if nothing had been."""
    cursor = kit.caught_up()
    native_id = kit.people_create()
    kit.settle()
    kit.world.fail(fault, reads=True, times=0)
    with refusal(expected) as caught:
        kit.drain(cursor)
    kit.world.heal()
    demand(native_id in kit.polled(cursor), "after a failure the same cursor lost a change")
    return caught[0]


def _unclear_write(kit: Kit, fault: WorldFault, effects: int) -> None:
    """Writes under a fault and demands Unknown, with the effect of exactly one sending."""
    edited, marker = kit.people_create(), kit.new_hub_id()
    sent = {}
    if kit.can.can_update:
        sent["update"] = kit.request(Op.UPDATE, edited, {kit.subject.text: f"改{marker}"})
    if kit.can.can_create:
        sent["create"] = kit.create_request({kit.subject.text: f"新{marker}"})
    for what, request in sent.items():
        kit.world.fail(fault, reads=False, times=1)
        result = kit.write(request)
        kit.world.heal()
        demand(isinstance(result, Unknown), f"an unclear {what} ended in {type(result).__name__}")
        found = len(kit.holding(str(request.fields[kit.subject.text])))
        demand(found == effects, f"an unclear {what} took effect {found} times, {effects} was due")


@clause("FAIL-01")
def slows_down(kit: Kit) -> None:
    error = _failing_read(kit, WorldFault.RATE_LIMITED, (RateLimited, QuotaExhausted))
    if isinstance(error, RateLimited):
        demand(error.after > 0, "RateLimited does not say how long to wait")


@clause("FAIL-02")
def retries_later(kit: Kit) -> None:
    error = _failing_read(kit, WorldFault.SERVER_ERROR, RetryLater)
    demand(error.retryable, "a server error is not retryable")


@clause("FAIL-03")
def unclear_before(kit: Kit) -> None:
    _unclear_write(kit, WorldFault.TIMEOUT_BEFORE, 0)


@clause("FAIL-04")
def unclear_after(kit: Kit) -> None:
    _unclear_write(kit, WorldFault.TIMEOUT_AFTER, 1)


@clause("FAIL-05")
def unclear_server_error(kit: Kit) -> None:
    _unclear_write(kit, WorldFault.SERVER_ERROR, 0)


@clause("FAIL-06")
def html_page(kit: Kit) -> None:
    _failing_read(kit, WorldFault.HTML_PAGE, (RetryLater, ProtocolViolation))


@clause("FAIL-07")
def truncated_page(kit: Kit) -> None:
    _failing_read(kit, WorldFault.TRUNCATED_JSON, (RetryLater, ProtocolViolation))


@clause("FAIL-08")
def unreadable_answer(kit: Kit) -> None:
    _unclear_write(kit, WorldFault.TRUNCATED_JSON, 1)
    _unclear_write(kit, WorldFault.HTML_PAGE, 1)


@clause("FAIL-09")
def token_expires(kit: Kit) -> None:
    ids = set(kit.people_create_many(5))
    kit.settle()
    page = kit.connector.changes(kit.object, kit.fields, None, 2)
    kit.world.fail(WorldFault.TOKEN_EXPIRED, reads=True, times=1)
    try:
        rest, _ = kit.drain(page.next_cursor, 2)
    except AuthRejected as error:
        raise ClauseBroken("an expired token ended a listing") from error
    listed = {record.native_id for record in (*page.records, *rest)}
    demand(ids <= listed, "an expired token cost records of a listing")


@clause("FAIL-10")
def credentials_rejected(kit: Kit) -> None:
    error = _failing_read(kit, WorldFault.CREDENTIALS, AuthRejected)
    demand(isinstance(error, AuthRejected) and error.missing, "AuthRejected does not say what is missing")


@clause("FAIL-11")
def slows_down_writes(kit: Kit) -> None:
    text = kit.new_hub_id()
    request = kit.request(Op.UPDATE, kit.people_create(), {kit.subject.text: text})
    kit.world.fail(WorldFault.RATE_LIMITED, reads=False, times=0)
    try:
        result = kit.write(request)
        demand(isinstance(result, Refused) and result.retry_later, "a rate-limited write is not to be retried later")
    except (RateLimited, QuotaExhausted):
        pass
    kit.world.heal()
    demand(not kit.holding(text), "a rate-limited write took effect")
