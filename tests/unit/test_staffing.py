"""The staff table is compared with the accounts of a system."""

from __future__ import annotations

from connectors.directory import Staff
from hub.mapping.tables import Table
from hub.operations.staffing import SHOWN, compare


def table(**rows: tuple[str, str]) -> Table:
    cells = {key: {"staff_no": key, "crm": native_id, "active": active} for key, (native_id, active) in rows.items()}
    return Table("staff", "staff.csv", ("staff_no", "crm", "active"), cells, dict.fromkeys(cells, 2), "")


def accounts(**active: bool) -> dict[str, Staff]:
    return {native_id: Staff(native_id, active=is_active) for native_id, is_active in active.items()}


def test_a_table_that_fits_is_one_line_that_counts_who_is_in_no_row() -> None:
    fits = table(S1=("u1", "yes"), S2=("u2", "no"), S3=("", "yes"))
    (line,) = compare(fits, "crm", accounts(u1=True, u2=False, u3=True))
    assert line.ok
    assert line.en.startswith("1 working staff are users there; 1 further users")
    assert "1 名在职员工" in line.zh
    (line,) = compare(fits, "crm", accounts(u1=True, u2=False))
    assert line.en == "1 working staff are users there"


def test_who_is_unknown_and_who_left_are_named() -> None:
    unknown, left = compare(
        table(S1=("u1", "yes"), S2=("u2", "yes"), S3=("u9", "no")), "crm", accounts(u1=True, u2=False)
    )
    assert not unknown.ok
    assert "S3" in unknown.en
    assert not left.ok
    assert "S2" in left.en
    assert "后备负责人" in left.zh


def test_of_many_the_first_are_named() -> None:
    rows = {f"S{n}": (f"u{n}", "yes") for n in range(SHOWN + 2)}
    (line,) = compare(table(**rows), "crm", {})
    assert line.en.count("S") == SHOWN
    assert "…" in line.en
