"""Says whether and how a value changed, without showing either. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from hub.canonical.values import Value
from hub.kernel.errors import Text

_SPACE = re.compile(r"[\s\u200b\ufeff]+")
_MARKS = re.compile(r"[-\u2010-\u2015\u2212()\uff08\uff09.\u00b7/]+")
_COUNTRY = re.compile(r"^(?:\+86|0086|86(?=1[3-9]\d{9}$))")


def _wide(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


# How a text may be spelled otherwise: what folds it, and what to say where the fold went, or came.
_SPELLINGS: tuple[tuple[Callable[[str], str], Text, Text], ...] = (
    (_wide, Text("full-width made plain", "全角改半角"), Text("plain made full-width", "半角改全角")),
    (lambda text: _SPACE.sub("", text), Text("space removed", "去除空格"), Text("space added", "增加空格")),
    (lambda text: _MARKS.sub("", text), Text("punctuation removed", "去除标点"), Text("punctuation added", "增加标点")),
    (lambda text: _COUNTRY.sub("", text), Text("+86 removed", "去除 +86"), Text("+86 added", "增加 +86")),
)
_CASE = Text("letter case changed", "大小写改变")


def how_changed(before: Value, after: Value) -> Text:
    """Returns what was done to a value: filled, cleared, spelled otherwise (and how), or replaced by another one."""
    if before == after:
        return Text("unchanged", "未变")
    if before in (None, "", ()):
        return Text("filled", "新填")
    if after in (None, "", ()):
        return Text("cleared", "清空")
    if not isinstance(before, str) or not isinstance(after, str):
        return Text("another value", "值不同")
    notes: list[Text] = []
    for fold, removed, added in _SPELLINGS:
        one, other = fold(before), fold(after)
        # Either side may be spelled so; only where one of them is has the spelling changed.
        if (one != before) != (other != after):
            notes.append(removed if one != before else added)
        before, after = one, other
    if before != after and before.casefold() == after.casefold():
        notes.append(_CASE)
    elif before != after:
        return _replaced(before, after)
    return Text("; ".join(n.en for n in notes), "；".join(n.zh for n in notes)) if notes else _REARRANGED


_REARRANGED = Text("spelled otherwise", "写法不同")


def _replaced(before: str, after: str) -> Text:
    size = len(after) - len(before)
    if size:
        en, zh = ("longer", "长") if size > 0 else ("shorter", "短")
        return Text(f"another value, {abs(size)} {en}", f"值不同，{zh} {abs(size)} 位")
    places = sum(a != b for a, b in zip(before, after, strict=True))
    return Text(f"another value, {places} of {len(after)} places", f"值不同，{len(after)} 位中 {places} 位")
