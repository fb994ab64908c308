"""No personal value is shown whole: by format, by type, and inside free text however it is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.access.masking import (
    HIDDEN,
    mask,
    mask_address,
    mask_email,
    mask_fields,
    mask_id_number,
    mask_name,
    mask_phone,
    mask_text,
)
from hub.canonical.schema import Field, Kind, Schema, load_schema
from hub.canonical.shipped import shipped_folder
from hub.kernel.errors import Text


@pytest.fixture(scope="module")
def schema() -> Schema:
    return load_schema(shipped_folder("mappings") / "canonical")


@pytest.mark.parametrize(
    ("name", "masked"),
    [("张三", "*三"), ("王小明", "王*明"), ("欧阳娜娜", "欧**娜"), ("王", "*"), ("John Doe", "J******e")],
)
def test_names(name: str, masked: str) -> None:
    assert mask_name(name) == masked


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("+8613812341234", "138****1234"),
        ("13812341234", "138****1234"),
        ("+861062345621", "010-******21"),
        ("010-62345621", "010-******21"),
        ("+8675586543210", "0755-******10"),
        ("+14155552671", "+14*******71"),
        ("95588", HIDDEN),
    ],
)
def test_telephone_numbers(number: str, masked: str) -> None:
    assert mask_phone(number) == masked


def test_the_other_formats() -> None:
    assert mask_id_number("110101199003071234") == "110***********1234"
    assert mask_id_number("E1234567") == HIDDEN
    assert mask_email("zhangsan@bank.cn") == "z***@bank.cn"
    assert mask_email("nobody") == HIDDEN
    assert mask_address("北京市海淀区中关村大街1号") == "北京市海淀区****"
    assert mask_address("广东省深圳市南山区科技园") == "广东省深圳市南山区****"
    assert mask_address("1 Main Street") == "****"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("请回电13812341234，谢谢", "13812341234"),
        ("手机 138-1234-1234", "138-1234-1234"),
        ("手机１３８１２３４１２３４", "１３８１２３４１２３４"),
        ("电话一三八一二三四一二三四", "一三八一二三四一二三四"),
        ("证件110101 19900307 1234", "110101 19900307 1234"),
        ("证件号11010119900307123X。", "11010119900307123X"),
        ("卡号6222 0212 3456 7890 123", "6222 0212 3456 7890 123"),
        ("mail zhangsan@bank.cn now", "zhangsan@bank.cn"),
        ("mail ｚhang＠bank.cn now", "ｚhang＠bank.cn"),
        ("座机010-62345621", "010-62345621"),
    ],
)
def test_free_text_hides_what_it_finds_and_keeps_the_rest(text: str, hidden: str) -> None:
    masked = mask_text(text)
    assert hidden not in masked
    assert "*" in masked
    before, _, after = text.partition(hidden)
    assert masked.startswith(before)
    assert masked.endswith(after)


@pytest.mark.parametrize("text", ["", "客户要求下周二回访", "order 12345", "2026-11-23 开户", "一共三件事，二选一"])
def test_harmless_text_stays(text: str) -> None:
    assert mask_text(text) == text


@given(st.text(max_size=60), st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True), st.text(max_size=60))
def test_a_mobile_number_with_clear_neighbours_never_survives(before: str, number: str, after: str) -> None:
    assert number not in mask_text(f"{before}。{number}。{after}")


def test_every_c2_field_of_the_shipped_schema_is_masked(schema: Schema) -> None:
    secret = "王小明 13812341234 zhangsan@bank.cn 110101199003071234"
    for entity in schema.entities.values():
        for field in entity.fields.values():
            if field.klass == "C2" and field.kind in (Kind.STRING, Kind.TEXT):
                masked = mask(field, secret)
                assert "13812341234" not in masked, field.name
                assert "110101199003071234" not in masked, field.name
            elif field.klass == "C2":
                assert mask(field, "1990-03-07") == HIDDEN, field.name
            else:
                assert mask(field, "B0101") == "B0101", field.name


def test_values_by_type() -> None:
    amount = Field("amount", Text("a", "a"), Kind.DECIMAL, "C2", "ask")
    coded = Field("tags", Text("t", "t"), Kind.LIST, "C1", "union")
    assert mask(amount, "12.50") == HIDDEN
    assert mask(amount, None) == ""
    assert mask(coded, ("a", "b")) == "a, b"
    assert mask_fields({"amount": amount}, {"amount": "1", "unknown": "x"}) == {"amount": HIDDEN, "unknown": HIDDEN}
