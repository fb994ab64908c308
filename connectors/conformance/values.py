"""Clauses about values."""

from __future__ import annotations

from typing import Any

from connectors.conformance.kit import Kit, demand, same_value
from connectors.conformance.registration import clause
from connectors.conformance.world import NotOffered


def _survives(kit: Kit, name: str, value: Any, what: str) -> None:
    by_us = kit.stored({name: value})
    demand(same_value(kit.world.records()[by_us].get(name), value), f"{what} did not survive writing")
    by_people = kit.people_create({name: value})
    for native_id in (by_us, by_people):
        demand(same_value(kit.live(native_id).fields.get(name), value), f"{what} did not survive reading")


def _texts(kit: Kit, what: str, *texts: str) -> None:
    for text in texts:
        by_us = kit.stored({kit.subject.text: text})
        demand(kit.world.records()[by_us].get(kit.subject.text) == text, f"{what} did not survive writing")
        by_people = kit.people_create({kit.subject.text: text})
        for native_id in (by_us, by_people):
            demand(kit.live(native_id).fields.get(kit.subject.text) == text, f"{what} did not survive reading")


@clause("VAL-01")
def chinese(kit: Kit) -> None:
    _texts(kit, "Chinese text", "中国农业银行股份有限公司·朝阳支行", "欧阳锋(先生)", "㐂〇々「」《》、。")


@clause("VAL-02")
def four_bytes(kit: Kit) -> None:
    _texts(kit, "a four-byte character", "𠮷野家 𡈽田", "客户很满意😀👍🏽", "👨‍👩‍👧 家庭")


@clause("VAL-03")
def leading_zeros(kit: Kit) -> None:
    _texts(kit, "a leading zero or sign", "007700", "+8613800000000", "1e5", "0x1F", "00010-20")


@clause("VAL-04")
def markup(kit: Kit) -> None:
    _texts(kit, "a special character", 'O\'Neil "双引号" \\反斜杠', "<b>&amp;</b> %20 {{x}}", "a,b;c|d/e:f=(g)")


@clause("VAL-05")
def full_length(kit: Kit) -> None:
    length = kit.connector.describe(kit.object).fields[kit.subject.text].length
    if length is None:
        raise NotOffered("describe gives no length for the text field")
    _texts(kit, "a text of the full length", "满" * length)


@clause("VAL-06")
def typed_values(kit: Kit) -> None:
    if not kit.subject.round_trip:
        raise NotOffered("the subject names no typed values")
    for kind, (name, values) in kit.subject.round_trip.items():
        for value in values:
            _survives(kit, name, value, f"a value of kind {kind}")
