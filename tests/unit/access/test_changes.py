"""How a value changed, said without showing it."""

from __future__ import annotations

import pytest

from hub.access.changes import how_changed
from hub.canonical.values import Value


@pytest.mark.parametrize(
    ("before", "after", "en", "zh"),
    [
        ("a", "a", "unchanged", "未变"),
        (None, "a", "filled", "新填"),
        ("a", None, "cleared", "清空"),
        (("a",), ("b",), "another value", "值不同"),
        ("138 1234 1234", "13812341234", "space removed", "去除空格"),
        ("13812341234", "+8613812341234", "+86 added", "增加 +86"),
        ("008613812341234", "13812341234", "+86 removed", "去除 +86"),
        ("１３８", "138", "full-width made plain", "全角改半角"),
        ("138", "１３８", "plain made full-width", "半角改全角"),
        ("010-62345621", "01062345621", "punctuation removed", "去除标点"),
        ("138 1234 1234", "+8613812341234", "space removed; +86 added", "去除空格；增加 +86"),
        ("A@b.cn", "a@b.cn", "letter case changed", "大小写改变"),
        ("13812341234", "13812341235", "another value, 1 of 11 places", "值不同，11 位中 1 位"),
        ("王明", "王小明", "another value, 1 longer", "值不同，长 1 位"),
        ("a b c", "ab c", "spelled otherwise", "写法不同"),
    ],
)
def test_how(before: Value, after: Value, en: str, zh: str) -> None:
    found = how_changed(before, after)
    assert (found.en, found.zh) == (en, zh)
    assert not any(isinstance(v, str) and len(v) > 2 and v in found.en for v in (before, after))
