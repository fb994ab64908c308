"""One canonical form per type: the same after a second pass, and refusals that never show the value."""

import unicodedata
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hub.canonical.schema import Field, Kind, load_schema
from hub.canonical.shipped import shipped_folder
from hub.canonical.values import Value, ValueRefused, canonicalise, compile_canon, match_domain, normalise_for_match
from hub.kernel.errors import Text

SCHEMA = load_schema(shipped_folder("mappings") / "canonical")
CUSTOMER = SCHEMA.entity("customer").fields
COMPLAINT = SCHEMA.entity("complaint").fields
EVERY_FIELD = [field for entity in SCHEMA.entities.values() for field in entity.fields.values()]

SPICE = st.sampled_from(
    ["\u200b", "\ufeff", " ", "　", "é", "e\u0301", "张", "欧阳", "\r\n", "\x00", "İ", "😀", "𠮷", "*", "·"]
)
TEXTS = st.one_of(st.text(max_size=30), st.lists(st.one_of(SPICE, st.text(max_size=3)), max_size=8).map("".join))
PHONES = st.from_regex(r"\+?[0-9]{2,4}[ -]?[0-9]{4}[ -]?[0-9]{2,6}( ?ext ?[0-9]{1,4})?", fullmatch=True)
RAW = st.one_of(
    TEXTS,
    PHONES,
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.decimals(),
    st.dates(),
    st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=8)), timezone(timedelta(hours=-11))])),
    st.lists(TEXTS, max_size=5),
    st.sampled_from(
        ["granted", "2026-02-30", "2026-03-01T09:00:00+08:00", "0.10", "1e400", "-0.00", "true", "A@B.COM"]
    ),
)


def attempt(field: Field, raw: object) -> Value | ValueRefused:
    try:
        return canonicalise(field, raw)
    except ValueRefused as refused:
        return refused


@given(field=st.sampled_from(EVERY_FIELD), raw=RAW)
@example(field=CUSTOMER["full_name"], raw="A \u0301")
@example(field=CUSTOMER["email"], raw="İ@x.com")
@example(field=CUSTOMER["full_name"], raw="张\u200b 三")
def test_a_second_pass_changes_nothing(field: Field, raw: object) -> None:
    once = attempt(field, raw)
    if isinstance(once, ValueRefused):
        assert once.field == field.name
        return
    assert canonicalise(field, once) == once
    assert once != ""
    assert once != ()
    if isinstance(once, str):
        assert unicodedata.is_normalized("NFC", once)
        once.encode("utf-8")


@given(raw=st.text(min_size=6, max_size=30, alphabet="ABCDEFGH12345678"))
def test_a_refusal_never_shows_the_value(raw: str) -> None:
    for name in ("birth_date", "mobile_phone", "email", "contact_consent", "satisfaction_score"):
        refused = attempt(CUSTOMER[name], raw)
        if isinstance(refused, ValueRefused):
            assert raw not in str(refused) + repr(refused) + refused.reason.zh + refused.reason.en
            assert refused.reason.zh != refused.reason.en


@pytest.mark.parametrize(
    ("name", "raw", "expected"),
    [
        ("mobile_phone", "138 0013 8000", "+8613800138000"),
        ("mobile_phone", "(+86) 138-0013-8000", "+8613800138000"),
        ("mobile_phone", "8613800138000", "+8613800138000"),
        ("mobile_phone", "１３８００１３８０００", "+8613800138000"),
        ("mobile_phone", "+351 912 345 678", "+351912345678"),
        ("phone", "010-88886666", "+861088886666"),
        ("phone", "内线 5", "内线 5"),
        ("email", " Zhang.San@Example.COM ", "zhang.san@example.com"),
        ("full_name", "  张  三 ", "张三"),
        ("full_name", "John   Smith", "John Smith"),
        ("full_name", "", None),
        ("short_name", "e\u0301cole", "école"),
        ("short_name", "a\tb", "a b"),
        ("postal_code", "010010", "010010"),
        ("id_number", " 11010519491231002x ", "11010519491231002X"),
        ("birth_date", date(1980, 2, 29), "1980-02-29"),
        ("next_follow_up_at", "2026-03-01T09:00:00.987+08:00", "2026-03-01T01:00:00.000Z"),
        ("next_follow_up_at", "2026-03-01T09:00:00Z", "2026-03-01T09:00:00.000Z"),
        ("behavior_tags", ["b", "a", " a", ""], ("a", "b")),
        ("behavior_tags", [], None),
        ("satisfaction_score", "5", 5),
        ("satisfaction_score", 5.0, 5),
        ("remark", "a\r\nb\rc", "a\nb\nc"),
        ("contact_consent", "", None),
    ],
)
def test_forms(name: str, raw: object, expected: object) -> None:
    assert canonicalise(CUSTOMER[name], raw) == expected


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("mobile_phone", "12"),
        ("mobile_phone", 13800138000),
        ("email", "nobody"),
        ("birth_date", "1980-02-30"),
        ("birth_date", "19800230"),
        ("next_follow_up_at", "2026-03-01T09:00:00"),
        ("satisfaction_score", 6),
        ("satisfaction_score", True),
        ("satisfaction_score", "4.5"),
        ("loyalty_points", -1),
        ("customer_tier", "platinum"),
        ("short_name", "x" * 81),
        ("short_name", "a\ud800"),
        ("behavior_tags", "tag"),
        ("behavior_tags", [f"t{n}" for n in range(21)]),
    ],
)
def test_refusals(name: str, raw: object) -> None:
    with pytest.raises(ValueRefused):
        canonicalise(CUSTOMER[name], raw)


@pytest.mark.parametrize(
    ("raw", "expected"), [("12.5", "12.50"), (12, "12.00"), (0.1, "0.10"), ("-0", "0.00"), (Decimal("1e3"), "1000.00")]
)
def test_decimals_keep_their_scale(raw: object, expected: str) -> None:
    assert canonicalise(COMPLAINT["amount_involved"], raw) == expected


@pytest.mark.parametrize("raw", ["1.005", "NaN", "Infinity", "1e30", "12345678901234567.00", True, "一"])
def test_decimals_are_never_rounded(raw: object) -> None:
    with pytest.raises(ValueRefused):
        canonicalise(COMPLAINT["amount_involved"], raw)


@given(moment=st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.just(UTC)))
def test_instants_are_cut_never_rounded(moment: datetime) -> None:
    written = canonicalise(CUSTOMER["next_follow_up_at"], moment)
    assert isinstance(written, str)
    assert datetime.fromisoformat(written) == moment.replace(microsecond=0)


def test_instants_may_keep_milliseconds() -> None:
    field = Field("seen_at", Text("Seen", "见"), Kind.DATETIME, "C1", "prefer", resolution="ms")
    assert compile_canon(field)("2026-03-01T09:00:00.9876+08:00") == "2026-03-01T01:00:00.987Z"


def test_evidence_is_coarser_than_the_canonical_form() -> None:
    assert match_domain(CUSTOMER["mobile_phone"]) == match_domain(CUSTOMER["phone"]) == "phone"
    assert normalise_for_match("name", "Ａcme（中国） 有限公司") == normalise_for_match("name", "ACME(中国)有限公司")
    assert normalise_for_match("id_number", "110105491231002") == normalise_for_match("id_number", "11010519491231002X")
    assert normalise_for_match("email", None) is None
    assert normalise_for_match("exact", "1980-02-03") == "1980-02-03"
