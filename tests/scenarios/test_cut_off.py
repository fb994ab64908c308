"""A cut-off leaves old records alone on both sides; moved, it brings in what it left out and deletes nothing."""

from __future__ import annotations

from pathlib import Path

from hub.core.state import BindingState
from hub.mapping.loader import load_mapping
from hub.mapping.tables import load_tables
from hub.mapping.translate import CompiledMapping, compile_mapping
from tests.scenarios.world import ENTITY, SCHEMA, SystemSpec, World, schema

OLD, MIDDLE, YOUNG = "2019-05-01T00:00:00.000Z", "2021-05-01T00:00:00.000Z", "2023-05-01T00:00:00.000Z"


class Dated(World):
    """Is a world whose mappings have a cut-off; `since` may be changed, after which the hub is started anew."""

    def __init__(self, folder: Path, since: dict[str, str | None]) -> None:
        self.dir, self.since = folder, since
        super().__init__([SystemSpec("a1"), SystemSpec("b1", "beta")], page=3)

    def mapping(self, kind: str, entity: str = ENTITY) -> CompiledMapping:
        text = (SCHEMA / kind / f"{entity}.core.yaml").read_text(encoding="utf-8")
        if (day := self.since[kind]) is not None:
            text = text.replace("filter: {}\n", f"filter: {{}}\nsince: {{field: met_at, from: {day}}}\n")
        file = self.dir / f"{kind}.{entity}.yaml"
        file.write_text(text, encoding="utf-8")
        return compile_mapping(load_mapping(file), schema(), load_tables(SCHEMA / "tables"))

    def move(self, **since: str | None) -> None:
        self.since |= since
        self.restart()

    def person(self, system: str, name: str, met_at: str | None) -> str:
        fields = {"customer_kind": "individual", "full_name": name, "code": f"ID{name}", "met_at": met_at}
        return self.create(system, {key: value for key, value in fields.items() if value is not None})

    def names(self, system: str) -> set[str]:
        return {str(self.shows(system, native_id)["full_name"]) for native_id in self.live(system)}


def test_old_records_are_neither_taken_in_nor_written(tmp_path: Path) -> None:
    world = Dated(tmp_path, {"alpha": "2022-01-01", "beta": "2020-01-01"})
    for name, met_at in (("Old", OLD), ("Middle", MIDDLE), ("Young", YOUNG), ("Never", None)):
        world.person("a1", f"A{name}", met_at)
        world.person("b1", f"B{name}", met_at)
    report = world.settle()
    assert report.reasons == ()
    assert world.names("b1") == {"BOld", "BMiddle", "BYoung", "BNever", "AYoung", "ANever"}
    # What one side takes and the other does not is taken in and not written there.
    assert world.names("a1") == {"AOld", "AMiddle", "AYoung", "ANever", "BYoung", "BNever"}
    assert {record.fields["full_name"] for record in world.goldens().values()} == {
        "AYoung", "ANever", "BMiddle", "BYoung", "BNever",
    }  # fmt: skip
    before = world.mark()
    assert world.settle().reasons == ()
    assert world.writes(before) == []


def test_moved_earlier_it_brings_in_what_it_left_out(tmp_path: Path) -> None:
    world = Dated(tmp_path, {"alpha": "2022-01-01", "beta": "2020-01-01"})
    world.person("a1", "AMiddle", MIDDLE)
    world.person("b1", "BMiddle", MIDDLE)
    world.person("b1", "BOld", OLD)
    world.settle()
    assert (world.names("a1"), world.names("b1")) == ({"AMiddle"}, {"BMiddle", "BOld"})
    world.move(alpha="2020-01-01")
    assert world.settle().reasons == ()
    assert (world.names("a1"), world.names("b1")) == ({"AMiddle", "BMiddle"}, {"AMiddle", "BMiddle", "BOld"})
    world.move(alpha=None, beta=None)
    assert world.settle().reasons == ()
    assert world.names("a1") == world.names("b1") == {"AMiddle", "BMiddle", "BOld"}


def test_moved_later_it_asks_and_deletes_and_unbinds_nothing(tmp_path: Path) -> None:
    world = Dated(tmp_path, {"alpha": None, "beta": None})
    old, young = world.person("a1", "Old", OLD), world.person("a1", "Young", YOUNG)
    world.settle()
    bound = set(world.bindings())
    before = world.mark()
    world.move(alpha="2022-01-01")
    report = world.settle()
    assert report.reasons == ("quarantine:HUB-FILTER-001:a1=1",)
    assert world.writes(before) == []
    assert set(world.bindings()) == bound
    assert world.bindings()["a1", old].state is world.bindings()["a1", young].state is BindingState.ACTIVE
    world.edit("a1", young, city="Wuhan")
    world.settle()
    assert {world.shows("b1", each)["city"] for each in world.live("b1")} == {None, "Wuhan"}, "the others flow"


def test_a_record_that_becomes_too_old_asks_and_one_that_becomes_younger_comes_in(tmp_path: Path) -> None:
    world = Dated(tmp_path, {"alpha": "2022-01-01", "beta": "2022-01-01"})
    ages, grows = world.person("a1", "Ages", YOUNG), world.person("a1", "Grows", OLD)
    world.settle()
    assert world.names("b1") == {"Ages"}
    world.edit("a1", ages, met_at=OLD)
    world.edit("a1", grows, met_at=YOUNG)
    report = world.settle()
    assert report.reasons == ("quarantine:HUB-FILTER-001:a1=1",)
    assert world.names("b1") == {"Ages", "Grows"}


def test_a_system_that_can_leaves_old_records_out_of_its_listings_but_tells_of_later_changes(tmp_path: Path) -> None:
    world = Dated(tmp_path, {"alpha": "2022-01-01", "beta": "2022-01-01"})
    old = [world.person("a1", f"Old{number}", OLD) for number in range(7)]
    world.person("a1", "Young", YOUNG)
    report = world.cycle()
    assert report.counts.get("too_old", 0) == 0, "ten years of logs are not read to be thrown away"
    assert report.counts["read"] == 1
    world.settle()
    found = world.hub.reconcile()
    assert {(item.system, item.listed, item.extra, item.missing) for item in found} == {
        ("a1", 1, 0, 0), ("b1", 1, 0, 0), ("b1", 0, 0, 0),
    }  # fmt: skip
    world.edit("a1", old[0], city="Wuhan")
    assert world.cycle().counts["too_old"] == 1
    # Moved later the listing is whole again: who is bound and too old must be seen to ask.
    world.move(alpha="2024-01-01")
    report = world.settle()
    assert report.reasons == ("quarantine:HUB-FILTER-001:a1=1",)
