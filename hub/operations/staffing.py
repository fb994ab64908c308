"""Compares the staff table with the accounts that a system really has: who is unknown there, and who left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connectors.base import CheckLine, Connector
from connectors.directory import Directory, Staff
from connectors.errors import ConnectorError
from hub.kernel.settings import Settings
from hub.mapping.tables import Table, load_tables

TABLE = "staff"
SHOWN = 5
"""Staff numbers named in one line."""


def staff_lines(settings: Settings, system: str, connector: Connector) -> list[CheckLine]:
    """Returns what the directory of a system says about the staff table; nothing where either is missing.

    A record whose owner has left is written with the fallback owner as soon as the table says `active: no`; until then
    the system refuses it. Raises ConfigInvalid for a broken table.
    """
    kind = settings.systems[system].kind
    table = load_tables(settings.mappings / "tables").get(TABLE)
    if not isinstance(connector, Directory) or table is None or kind not in table.columns:
        return []
    try:
        accounts = {one.native_id: one for one in connector.staff()}
    except ConnectorError as error:
        return [CheckLine(TABLE, False, error.en, error.zh)]
    return compare(table, kind, accounts)


def compare(table: Table, column: str, accounts: Mapping[str, Staff]) -> list[CheckLine]:
    """Compares the rows of a staff table with accounts by their ids."""
    working = {key: row[column] for key, row in table.rows.items() if row[column] and row.get("active", "yes") == "yes"}
    unknown = [key for key, row in table.rows.items() if row[column] and row[column] not in accounts]
    left = [key for key, native_id in working.items() if native_id in accounts and not accounts[native_id].active]
    named = {row[column] for row in table.rows.values()}
    strangers = sum(1 for one in accounts.values() if one.active and one.native_id not in named)
    problems = [
        (
            unknown,
            "no such user there; correct the column, or see `crmhub mapping tables`",
            "系统中无此用户，请更正该列，或使用 `crmhub mapping tables`",
        ),
        (
            left,
            "left there; set active to no, then the fallback owner is written",
            "已离职，请将 active 改为 no，之后写入后备负责人",
        ),
    ]
    lines = [
        CheckLine(TABLE, False, f"{column} of {_names(keys, ', ')}: {en}", f"{_names(keys, '、')} 的 {column}：{zh}")
        for keys, en, zh in problems
        if keys
    ]
    rest = f"; {strangers} further users are in no row, what they own is held out until they are"
    rest_zh = f"；另有 {strangers} 名在职用户不在表中，其名下记录在补齐前列为异常"
    whole = CheckLine(
        TABLE,
        True,
        f"{len(working)} working staff are users there{rest if strangers else ''}",
        f"{len(working)} 名在职员工均为系统用户{rest_zh if strangers else ''}",
    )
    return lines or [whole]


def _names(keys: Sequence[str], comma: str) -> str:
    return comma.join(keys[:SHOWN]) + ("…" if len(keys) > SHOWN else "")
