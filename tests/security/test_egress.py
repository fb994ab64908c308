"""What lies abroad is sent what is approved, masked, and nothing else; what was masked never comes back as an edit."""

from __future__ import annotations

import base64
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.memory.faults import FaultKind
from connectors.regions import UNKNOWN, region_of
from connectors.registry import region
from hub.access.egress import ALLOWED, Basis, Decision, Rule, Shaper, Verdict, decide, shaper_of
from hub.canonical.schema import Entity, Field, Kind, load_schema
from hub.canonical.shipped import shipped_folder
from hub.kernel.egress_settings import FILE, load_egress
from hub.kernel.errors import ConfigInvalid, Text
from hub.store import ledger, vault
from tests.scenarios import desk
from tests.scenarios.invariants import check_always
from tests.scenarios.world import SystemSpec, World

TODAY = date(2026, 3, 2)
BASIS = Basis("SCC-17", date(2026, 12, 31), 2)
SCHEMA = load_schema(shipped_folder("mappings") / "canonical")
CUSTOMER = SCHEMA.entity("customer")
NOTHING_ABROAD = Rule("r", Verdict.BLOCK, regions=frozenset({"abroad"}))
NO_NOTES = Rule("no-notes", Verdict.BLOCK, fields=frozenset({"note"}))


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        ("zoho_crm", {}, "cn"),
        ("zoho_crm", {"data_center": "eu"}, "eu"),
        ("zoho_crm", {"data_center": "us", "environment": "sandbox"}, "us"),
        ("zoho_crm", {"accounts_url": "http://127.0.0.1:1", "api_url": "http://127.0.0.1:1"}, "lab"),
        ("zoho_crm", {"api_url": "http://127.0.0.1:1"}, UNKNOWN),
        ("zoho_crm", {"data_center": "nowhere"}, UNKNOWN),
        ("fxiaoke", {}, "cn"),
        ("fxiaoke", {"base_url": "https://open-ksc.sharecrm.com"}, "hk"),
        ("fxiaoke", {"base_url": "https://crm.bank.example"}, UNKNOWN),
        ("fxiaoke", {"base_url": "https://[open.fxiaoke.com"}, UNKNOWN),
        ("memory", {"world": "w"}, "lab"),
    ],
)
def test_the_region_comes_from_the_host_alone(kind: str, given: dict[str, str], expected: str) -> None:
    assert region(kind, given) == expected


def test_a_host_that_only_looks_known_is_not() -> None:
    known = {"www.zohoapis.com.cn": "cn"}
    assert region_of(["https://www.zohoapis.com.cn.evil.example"], known) == UNKNOWN
    assert region_of(["https://www.zohoapis.com.cn@evil.example"], known) == UNKNOWN
    assert region_of([], known) == UNKNOWN


def field(name: str) -> Field:
    return CUSTOMER.fields[name]


@pytest.mark.parametrize(
    ("name", "where", "basis", "rules", "expected"),
    [
        ("full_name", "cn", None, (), ALLOWED),
        ("full_name", "lab", None, (), ALLOWED),
        ("full_name", "eu", None, (), Decision(Verdict.BLOCK, "no_basis")),
        ("customer_tier", "eu", None, (), Decision(Verdict.BLOCK, "no_basis")),
        ("customer_tier", UNKNOWN, None, (), Decision(Verdict.BLOCK, "no_basis")),
        ("customer_tier", "eu", BASIS, (), ALLOWED),
        ("full_name", "eu", BASIS, (), Decision(Verdict.MASK, "abroad")),
        ("remark", "hk", BASIS, (), Decision(Verdict.MASK, "abroad")),
        ("birth_date", "eu", BASIS, (), Decision(Verdict.BLOCK, "abroad")),
        ("aum_band", "eu", BASIS, (), Decision(Verdict.BLOCK, "abroad")),
        ("full_name", "eu", Basis("old", date(2026, 3, 1), 9), (), Decision(Verdict.BLOCK, "no_basis")),
        ("full_name", "eu", Basis("last day", TODAY, 9), (), Decision(Verdict.MASK, "abroad")),
        ("customer_tier", "eu", BASIS, (NOTHING_ABROAD,), Decision(Verdict.BLOCK, "r")),
        ("customer_tier", "cn", BASIS, (NOTHING_ABROAD,), ALLOWED),
        ("full_name", "cn", None, (Rule("r", Verdict.MASK, classes=frozenset({"C2"})),), Decision(Verdict.MASK, "r")),
        ("birth_date", "cn", None, (Rule("r", Verdict.MASK),), Decision(Verdict.BLOCK, "r")),
        ("full_name", "eu", None, (Rule("r", Verdict.ALLOW),), Decision(Verdict.BLOCK, "no_basis")),
        ("full_name", "cn", None, (Rule("r", Verdict.BLOCK, systems=frozenset({"other"})),), ALLOWED),
    ],
)  # fmt: skip
def test_the_strictest_rule_wins_and_none_loosens(
    name: str, where: str, basis: Basis | None, rules: tuple[Rule, ...], expected: Decision
) -> None:
    assert decide(field(name), "customer", "zoho", where, basis, rules, TODAY) == expected


def test_what_has_no_known_class_is_blocked_everywhere() -> None:
    odd = Field("odd", Text("Odd", "其他"), Kind.STRING, "C3", "ask")
    assert decide(odd, "customer", "zoho", "cn", BASIS, (), TODAY) == Decision(Verdict.BLOCK, "unclassified")


texts = st.text(st.characters(codec="utf-8", exclude_characters="*"), min_size=3, max_size=40)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(CUSTOMER.fields)), texts))
def test_no_personal_value_leaves_whole_in_any_spelling(values: dict[str, str]) -> None:
    """No C2 value but free text, and no blocked one, is among the bytes: plain, turned round, or in base64."""
    shaper = shaper_of(CUSTOMER, "zoho", "eu", BASIS, (), TODAY)
    out = orjson.dumps(dict(shaper.shape(values)))
    for name, value in values.items():
        if field(name).klass != "C2" or field(name).free_text:
            continue
        if name in shaper.blocked:
            assert name not in shaper.shape(values)
        spellings = (value, value[::-1], base64.b64encode(value.encode()).decode())
        left = {text for text in spellings if orjson.dumps(text)[1:-1] in out}
        others = "".join(other for key, other in values.items() if key != name)
        assert not left or any(text in others for text in left)


# --- through the engine -------------------------------------------------------------------------------------------

ANNA = {
    "customer_kind": "individual",
    "full_name": "Anna Li",
    "mobile": "+8613800000001",
    "note": "red",
    "city": "Xian",
}
BELA = {"customer_kind": "individual", "full_name": "Bela Wu", "mobile": "+8613800000002", "city": "Xian"}
CARL = {"customer_kind": "individual", "full_name": "Carl Xu", "mobile": "+8613800000003", "city": "Xian"}


def abroad(basis: Basis | None = BASIS, *rules: Rule) -> Any:
    def made(entity: Entity) -> Shaper:
        return shaper_of(entity, "a2", "eu", basis, rules, TODAY)

    return made


def world_of(basis: Basis | None = BASIS, *rules: Rule) -> World:
    return World([SystemSpec("a1"), SystemSpec("a2", egress=abroad(basis, *rules))])


def test_a_record_goes_abroad_masked_and_nothing_flows_back() -> None:
    world = world_of(BASIS, NO_NOTES)
    first = world.create("a1", ANNA)
    assert world.settle().reasons == ()
    [(second, (_, there))] = world.live("a2").items()
    assert "Anna" not in str(there)
    assert "00000001" not in str(there)
    assert "red" not in str(there), "a rule may tighten"
    assert there["city"] == "Xian"
    assert world.shows("a1", first)["full_name"] == "Anna Li"
    quiet = world.cycle()
    assert (quiet.counts.get("written:update", 0), quiet.reasons) == (0, ()), "what is masked is not written forever"
    world.edit("a2", second, city="Wuhan")
    world.settle()
    assert world.golden("Anna Li")["full_name"] == "Anna Li"
    assert world.shows("a1", first)["city"] == "Wuhan", "what may flow flows both ways"
    world.edit("a1", first, full_name="Anna Lin", city="Jinan")
    world.settle()
    assert world.shows("a2", second)["city"] == "Jinan"
    assert "Lin" not in str(world.live("a2"))
    check_always(world)
    with world.hub.store.read() as conn:
        events = [orjson.loads(row[2]) for row in vault.audit_rows(conn)]
    sent = [
        event["egress"] for event in events if event["act"] == "remote.create" and event["obj"]["connection"] == "a2"
    ]
    assert sent == [{"region": "eu", "decision": "mask", "rule": "SCC-17, abroad"}]
    assert all("egress" not in event for event in events if event["obj"].get("connection") == "a1")


def test_an_edit_abroad_of_what_was_masked_is_asked_about() -> None:
    world = world_of()
    first = world.create("a1", ANNA)
    world.settle()
    second = next(iter(world.live("a2")))
    world.edit("a2", second, full_name="Anna Lee")
    assert [reason.partition("=")[0] for reason in world.settle().reasons] == ["holds"]
    assert world.shows("a1", first)["full_name"] == "Anna Li"
    [asked] = desk.asked(world, "hold")
    assert (asked.field, asked.rule) == ("full_name", "masked")


def test_a_write_whose_answer_was_lost_counts_like_any_other_and_stays_masked() -> None:
    world = world_of()
    first = world.create("a1", ANNA)
    world.faults("a2").inject(FaultKind.AFTER_EFFECT, "write")
    assert world.settle().reasons == ()
    with world.hub.store.read() as conn:
        assert dict(ledger.totals(conn, 2026)) == {"a2": 1}
        events = [orjson.loads(row[2]) for row in vault.audit_rows(conn)]
    sent = [e for e in events if e["act"] == "remote.create" and e.get("reason") == "recovered"]
    assert [e["egress"] for e in sent] == [{"region": "eu", "decision": "mask", "rule": "SCC-17, abroad"}]
    world.faults("a2").inject(FaultKind.AFTER_EFFECT, "write")
    world.edit("a1", first, full_name="Anna Linden", city="Wuhan")
    world.settle()
    [second] = world.live("a2")
    world.edit("a2", second, full_name="Anna Lee")
    assert [reason.partition("=")[0] for reason in world.settle().reasons] == ["holds"]
    assert world.shows("a1", first)["full_name"] == "Anna Linden", "it is asked about, however the mask got there"


def test_without_a_basis_there_is_one_report_and_no_call() -> None:
    world = world_of(None)
    for person in (ANNA, BELA, CARL):
        world.create("a1", person)
    report = world.settle()
    assert report.reasons == ("egress:a2:customer_kind+full_name=3",)
    assert world.live("a2") == {}
    assert report.standing.causes == (), "no record is quarantined for a rule"


def test_the_approved_number_of_persons_is_kept_and_a_known_one_goes_on() -> None:
    world = world_of()
    people = [world.create("a1", person) for person in (ANNA, BELA, CARL)]
    report = world.settle()
    assert report.reasons == ("egress_quota:a2=1",)
    assert len(world.live("a2")) == 2
    with world.hub.store.read() as conn:
        assert dict(ledger.totals(conn, 2026)) == {"a2": 2}
    for person in people:
        world.edit("a1", person, city="Wuhan")
    assert world.settle().reasons == ("egress_quota:a2=1",)
    assert [native["city"] for _, native in world.live("a2").values()] == ["Wuhan", "Wuhan"]
    with world.hub.store.read() as conn:
        assert dict(ledger.totals(conn, 2026)) == {"a2": 2}, "each person counts once a year"


# --- the file -----------------------------------------------------------------------------------------------------


def read(home: Path, text: str) -> Any:
    (home / "config").mkdir(exist_ok=True)
    (home / FILE).write_text(text, encoding="utf-8")
    return load_egress(home, {"zoho": 1}, {"customer": frozenset({"full_name"})})


def test_the_file_is_read_and_every_mistake_names_its_line(tmp_path: Path) -> None:
    found = read(tmp_path, "bases:\n  zoho: {id: SCC-17, until: 2026-12-31, persons: 10}\n")
    assert found.bases["zoho"].until == date(2026, 12, 31)
    with pytest.raises(ConfigInvalid) as caught:
        read(tmp_path, "bases:\n  other: {id: x, until: 2026-12-31, persons: 1}\n")
    assert [(p.line, p.code) for p in caught.value.problems] == [(2, "HUB-CONF-006")]
    wrong = "rules:\n  - {name: r, decision: block, fields: [nothing]}\n  - {name: s, decision: allow}\n"
    with pytest.raises(ConfigInvalid) as caught:
        read(tmp_path, wrong)
    assert [p.line for p in caught.value.problems] == [3], "nothing can be allowed by a rule"
    with pytest.raises(ConfigInvalid) as caught:
        read(tmp_path, wrong.partition("\n  - {name: s")[0] + "\n")
    assert [(p.line, "full_name" in p.en) for p in caught.value.problems] == [(2, True)]
