"""Replaces single words of a YAML text and leaves every other character, comments and layout, as it stands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

Path = tuple[str | int, ...]
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
"""Words that some reader of YAML takes for something else than text."""


@dataclass(frozen=True, slots=True)
class Word:
    """Is one word of a YAML text: what it says, its line, and where it stands."""

    value: str
    line: int
    start: int = field(repr=False)
    end: int = field(repr=False)


def words_of(text: str) -> dict[Path, Word]:
    """Returns every single value of a YAML text by its path of keys and places. The text was read before."""
    return dict(_walk(YAML(typ="rt").compose(text), ()))


def _walk(node: Node | None, path: Path) -> Iterator[tuple[Path, Word]]:
    if isinstance(node, ScalarNode):
        yield path, Word(str(node.value), node.start_mark.line + 1, node.start_mark.index, node.end_mark.index)
    elif isinstance(node, MappingNode):
        for key, value in node.value:
            yield from _walk(value, (*path, str(key.value)))
    elif isinstance(node, SequenceNode):
        for place, item in enumerate(node.value):
            yield from _walk(item, (*path, place))


def splice(text: str, replaced: Iterable[tuple[Word, str]]) -> str:
    """Returns a text with some of its words replaced."""
    for word, value in sorted(replaced, key=lambda pair: pair[0].start, reverse=True):
        text = text[: word.start] + _quoted(value) + text[word.end :]
    return text


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)
