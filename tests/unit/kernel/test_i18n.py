"""The language is the one asked for, then the environment's."""

from __future__ import annotations

import pytest

from hub.kernel.errors import Text
from hub.kernel.i18n import choose_language, say


@pytest.mark.parametrize(
    ("asked", "environ", "language"),
    [
        (None, {}, "en"),
        (None, {"LANG": "zh_CN.UTF-8"}, "zh"),
        (None, {"LANG": "zh_CN.UTF-8", "LC_ALL": "en_US.UTF-8"}, "en"),
        (None, {"LANG": "en_US.UTF-8", "CRMHUB_LANG": "zh"}, "zh"),
        (None, {"LANG": "C.UTF-8"}, "en"),
        (None, {"LANG": "fr_FR.UTF-8"}, "en"),
        ("zh-CN", {"CRMHUB_LANG": "en"}, "zh"),
        ("en", {"LANG": "zh_CN.UTF-8"}, "en"),
    ],
)
def test_first_wish_decides(asked: str | None, environ: dict[str, str], language: str) -> None:
    assert choose_language(asked, environ) == language


def test_default_stands_in_for_an_unspoken_language() -> None:
    assert choose_language(None, {"LANG": "C"}, default="zh") == "zh"


def test_message_is_said_in_the_language() -> None:
    assert (say(Text("held", "暂缓"), "zh"), say(Text("held", "暂缓"), "en")) == ("暂缓", "held")
