"""Compares the staff, branch and region tables with what a system tells of itself, and fills them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from connectors.base import Connector
from connectors.directory import Branches, Directory, Regions
from hub.audit.event import Event
from hub.kernel.errors import Declined
from hub.mapping.filling import (
    REGIONS,
    Proposal,
    Use,
    doubles,
    propose_branches,
    propose_regions,
    propose_staff,
    uses_of,
    written,
)
from hub.mapping.loader import load_chosen
from hub.mapping.tables import Table, load_tables
from hub.operations.choice import system_of
from hub.operations.installation import Installation
from hub.operations.permission import permit


@dataclass(frozen=True, slots=True)
class Comparison:
    """Is one table against a system: what should change, and who left of those who stand in for others."""

    use: Use
    proposal: Proposal
    left: tuple[str, ...] = ()

    @property
    def needs_a_person(self) -> bool:
        return bool(self.proposal.unmatched or self.left)


@permit("mapping.read")
def compare_tables(hub: Installation, system: str) -> list[Comparison]:
    """Compares every table that the mappings of a system use; only reads.

    Raises NotFound, Declined where the system offers none of it, ConfigInvalid and the connector's errors.
    """
    configured = hub.settings.systems[system_of(hub, system)]
    entities = [name for name, entity in hub.settings.entities.items() if system in entity.systems]
    chosen = [load_chosen(hub.settings.mappings, configured, name) for name in entities]
    tables = load_tables(hub.settings.mappings / "tables")
    connector = hub.connect(system)
    found = []
    for use in uses_of(chosen):
        table = tables.get(use.table)
        made = None if table is None else _compare(connector, configured.kind, table, use)
        if made is not None:
            found.append(made)
    if not found:
        raise Declined(
            f"{system} does not say who works there, or no mapping of it uses such a table",
            f"{system} 不提供员工、机构或区域信息，或其映射未使用此类对照表",
        )
    return found


def _compare(connector: Connector, kind: str, table: Table, use: Use) -> Comparison | None:
    if table.name == REGIONS:
        if not isinstance(connector, Regions):
            return None
        return Comparison(use, propose_regions(table, use, kind, connector.regions()))
    if use.fallbacks and isinstance(connector, Directory):
        accounts = connector.staff()
        proposal = propose_staff(table, use, accounts)
        gone = {one.native_id for one in accounts if not one.active}
        left = [key for key in use.fallbacks if proposal.result().rows.get(key, {}).get(use.columns[0]) in gone]
        return Comparison(use, proposal, tuple(sorted(left)))
    if not use.fallbacks and isinstance(connector, Branches):
        return Comparison(use, propose_branches(table, use, connector.branches()))
    return None


@permit("mapping.edit")
def fill_tables(hub: Installation, system: str) -> list[Comparison]:
    """Writes into the tables what a comparison finds, each file in one step, audited.

    Raises Declined where two rows would name the same account; no file is written then.
    """
    found = compare_tables(hub, system)
    for item in found:
        column = item.use.columns[0]
        same = doubles(item.proposal.result(), column) if item.use.table != REGIONS else []
        if same:
            listed = ", ".join(same)
            raise Declined(
                f"{item.proposal.table.file}: {listed} would have the same {column}; correct the column by hand first",
                f"{item.proposal.table.file}：{listed} 的 {column} 将相同；请先手工更正该列",
            )
    for item in found:
        if not item.proposal.is_empty:
            _write(item.proposal)
            with hub.store.begin() as work:
                work.audit(Event("table.fill", "table", item.use.table, connection=system, counts=_counts(item)))
    return found


def _counts(item: Comparison) -> Mapping[str, int]:
    proposal = item.proposal
    return {"cells": len(proposal.cells), "rows": len(proposal.rows), "unmatched": len(proposal.unmatched)}


def _write(proposal: Proposal) -> None:
    """Replaces a file in one step, so that nobody reads half a table."""
    file = proposal.table.file
    fresh = f"{file}.new"
    with open(fresh, "w", encoding="utf-8", newline="") as stream:
        stream.write(written(proposal.result()))
        stream.flush()
        os.fsync(stream.fileno())
    os.chmod(fresh, os.stat(file).st_mode & 0o777)
    os.replace(fresh, file)
