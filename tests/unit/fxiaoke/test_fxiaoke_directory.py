"""Employees, departments and regions: by the data API where it is shared, else by the directory, in either id form."""

from __future__ import annotations

from typing import Any

import pytest
from fxiaoke_tenant import Make

from connectors.directory import Branches, Directory, Regions
from connectors.errors import AuthRejected, ProtocolViolation, Unsupported
from connectors.fxiaoke.simulator.staff import open_id_of
from connectors.simulation.server import RunningSimulator

PERSON, DEPARTMENT = "PersonnelObj", "DepartmentObj"
OPEN: dict[str, Any] = {"employee_ids": "open"}
LEGACY = {"auth_style": "legacy", "operator_id": "FSUID_simulated"}


def calls(vendor: RunningSimulator) -> set[str]:
    return {name for name in vendor.admin.calls()["calls"] if not name.startswith(("token", "describe"))}


@pytest.mark.parametrize("sign_in", [{}, LEGACY], ids=["bearer", "legacy"])
@pytest.mark.parametrize("source", ["personnel", "directory"])
def test_everybody_is_listed_with_number_and_whether_they_left(
    vendor: RunningSimulator, make: Make, sign_in: dict[str, Any], source: str
) -> None:
    connector = make(**sign_in, staff_source=source)
    assert isinstance(connector, Directory)
    people = {one.native_id: one for one in connector.staff()}
    assert len(people) == 9
    assert (people["1001"].number, people["1001"].name, people["1001"].mobile) == ("S1001", "王建国", "13900001001")
    assert [key for key, one in people.items() if not one.active] == ["1007"]
    assert "王建国" not in repr(people["1001"])
    assert calls(vendor) == ({f"query {PERSON}"} if source == "personnel" else {"users"})


@pytest.mark.parametrize("switches", [{"directory_converts": True}, {"directory_converts": False}])
def test_ids_of_the_other_form_are_not_taken(vendor: RunningSimulator, make: Make, switches: dict[str, Any]) -> None:
    vendor.admin.settings(**switches, directory_list_key="userlist")
    people = {one.number: one.native_id for one in make(**OPEN).staff()}
    assert people["S1001"] == open_id_of("1001")
    assert calls(vendor) == {"users"}, "PersonnelObj holds plain ids alone"
    with pytest.raises(Unsupported, match="employee_ids: plain"):
        make(**OPEN, staff_source="personnel").staff()
    plain = make(staff_source="directory")
    if switches["directory_converts"]:
        assert {one.native_id for one in plain.staff()} >= {"1001", "1099"}
    else:
        with pytest.raises(Unsupported, match="employee_ids: open"):
            plain.staff()


@pytest.mark.parametrize("how", ["refused", "empty"])
def test_personnel_that_nobody_shared_is_told_and_the_directory_asked(
    vendor: RunningSimulator, make: Make, how: str
) -> None:
    vendor.admin.settings(personnel_shared=False, personnel_unshared=how)
    connector = make()
    assert len(connector.staff()) == 9
    line = next(line for line in connector.check() if line.name == f"directory {PERSON}")
    assert line.ok, "the directory endpoints are still there"
    assert "sharing rule" in line.en
    assert "通讯录" in line.zh
    alone = make(staff_source="personnel")
    with pytest.raises(AuthRejected):
        alone.staff()
    assert not next(line for line in alone.check() if line.name == f"directory {PERSON}").ok
    vendor.admin.settings(directory_takes_bearer=False)
    with pytest.raises(AuthRejected) as both:
        connector.staff()
    assert (both.value.missing, "directory endpoints" in both.value.en) == (
        f"a data sharing rule of {PERSON} for the operator",
        True,
    )
    assert len(make(**LEGACY).staff()) == 9, "the older sign-in opens them"


@pytest.mark.parametrize("switches", [{}, {"department_codes": False}, {"denied_objects": [DEPARTMENT]}])
def test_departments_come_with_their_codes_where_the_tenant_keeps_them(
    vendor: RunningSimulator, make: Make, switches: dict[str, Any]
) -> None:
    vendor.admin.settings(**switches)
    connector = make()
    assert isinstance(connector, Branches)
    found = {one.native_id: one for one in connector.branches()}
    assert (found["2011"].name, found["2011"].code) == ("北京朝阳支行", None if switches else "B0101")
    assert len(found) == 7
    assert ("departments" in calls(vendor)) is ("denied_objects" in switches)


@pytest.mark.parametrize("links", ["child_options", "parent"])
def test_regions_say_where_they_lie(vendor: RunningSimulator, make: Make, links: str) -> None:
    vendor.admin.settings(region_links=links)
    connector = make()
    assert isinstance(connector, Regions)
    found = {one.code: one for one in connector.regions()}
    assert (found["21015"].name, found["21015"].level, found["21015"].inside) == ("朝阳区", "district", "2101")
    assert (found["2101"].inside, found["201"].inside, found["CN"].inside) == ("201", "CN", None)


@pytest.mark.parametrize(("path", "method"), [("user/list", "staff"), ("countryAreaOptions/get", "regions")])
def test_a_path_that_the_cloud_does_not_know_is_told(
    vendor: RunningSimulator, make: Make, path: str, method: str
) -> None:
    connector = make(staff_source="directory")
    vendor.admin.faults([{"match": {"path_regex": f"{path}$"}, "action": "vendor_error", "code": 10006, "every": 1}])
    with pytest.raises(ProtocolViolation, match="10006"):
        getattr(connector, method)()
