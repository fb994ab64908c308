"""Clauses about what must not leak, and about manners."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from connectors.base import Connector, Op
from connectors.conformance.kit import Kit, captured_logs, demand
from connectors.conformance.registration import clause
from connectors.conformance.world import NotOffered, WorldFault
from connectors.errors import ConnectorError


def spelled_out(error: BaseException | None) -> str:
    """Returns an error with its message, arguments and attributes, and those of everything that hangs on it."""
    parts: list[str] = []
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        parts += [repr(error), str(error), repr(error.args), repr(getattr(error, "__dict__", {}))]
        error = error.__cause__ or error.__context__
    return "\n".join(parts)


@contextmanager
def _struck(kit: Kit, fault: WorldFault, *, reads: bool) -> Iterator[None]:
    with suppress(NotOffered):
        kit.world.fail(fault, reads=reads, times=0)
    try:
        yield
    finally:
        kit.world.heal()


def _everything_said(kit: Kit, value: str) -> str:
    """Reads and writes under every fault and returns all that was said on the way."""
    said: list[str] = []

    def attempt(act: Callable[[], object]) -> None:
        try:
            said.append(repr(act()))
        except ConnectorError as error:
            said.append(spelled_out(error))
        except NotOffered:
            return

    with captured_logs() as lines:
        native_id = kit.people_create({kit.subject.text: value})
        attempt(lambda: kit.connector)
        attempt(lambda: kit.connector.check())
        for fault in WorldFault:
            with _struck(kit, fault, reads=True):
                attempt(lambda: kit.connector.changes(kit.object, kit.fields, None, 2))
                attempt(lambda: kit.connector.fetch(kit.object, [native_id], kit.fields))
                attempt(lambda: kit.connector.check())
            with _struck(kit, fault, reads=False):
                attempt(lambda: kit.connector.write([kit.create_request({kit.subject.text: value})]))
        if kit.subject.refused is not None:
            name, refused = kit.subject.refused
            bad = kit.request(Op.UPDATE, native_id, {kit.subject.text: value, name: refused})
            attempt(lambda: kit.connector.write([bad]))
        attempt(lambda: kit.connector.write([kit.request(Op.UPDATE, native_id, {kit.subject.text: value}, "0")]))
        attempt(lambda: kit.live(native_id))
        attempt(lambda: kit.connector)
    return "\n".join([*said, *lines])


@clause("HYG-01")
def keeps_secrets(kit: Kit) -> None:
    said = _everything_said(kit, "普通文字")
    secrets = [secret for secret in kit.world.secrets() if secret]
    demand(secrets, "the world names no secret to look for")
    leaked = sum(secret in said for secret in secrets)
    demand(not leaked, f"{leaked} of {len(secrets)} secrets appear in what the connector says")


@clause("HYG-02")
def keeps_values(kit: Kit) -> None:
    value = "机密客户王小明"
    demand(value not in _everything_said(kit, value), "a record's value appears in what the connector says")


@clause("HYG-03")
def checks_without_writing(kit: Kit) -> None:
    kit.people_create()
    before = {each: dict(fields) for each, fields in kit.world.records().items()}
    lines = kit.connector.check()
    demand(lines, "check proves nothing")
    for line in lines:
        demand(line.name and line.en and line.zh, "a line of check lacks its name or a language")
        demand(line.ok, f"check fails on a sound connection: {line.name}")
    demand({each: dict(fields) for each, fields in kit.world.records().items()} == before, "check wrote something")


@clause("HYG-04")
def has_the_contract(kit: Kit) -> None:
    demand(isinstance(kit.connector, Connector), "a method of the contract is missing")
    demand(isinstance(kit.connector.kind, str) and kit.connector.kind, "the connector does not state its kind")


@clause("HYG-05")
def closes_twice(kit: Kit) -> None:
    other = kit.make_connector()
    other.close()
    other.close()
