"""Finds by their labels the fields and options that a mapping file names, and writes their names in the system.

A draft may name an object, a field or an option as people do. A technical name that the system does not know is looked
for under the label of its canonical field or value; a label that it does not know is a mistake. Only what is beyond
doubt is taken, nothing is guessed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Protocol

from hub.canonical.schema import Field, Schema
from hub.kernel.errors import Problem, Text
from hub.mapping.describe import FieldShape
from hub.mapping.lenses import LENSES
from hub.mapping.needs import own_label
from hub.mapping.splicing import Path, Word, splice, words_of

_NAME = re.compile(r"[A-Za-z0-9_.-]+")
MISSING, AMBIGUOUS = "HUB-MAP-038", "HUB-MAP-039"
HUB_ID_LABELS = ("统一编号", "Hub id")
_OPTIONS: Mapping[str, tuple[tuple[str, int], ...]] = {
    "enum": (("values", 0),),
    "option_list": (("values", 0),),
    "consent_opt_out": (("values", 0),),
    "call_outcome": (("types", 0), ("values", 2)),
    "constant": (("value", 0),),
}
"""Per lens: the parameters that hold options, and which of the pair's native fields they belong to."""


class LabelledField(FieldShape, Protocol):
    """Is a field with what people read over it."""

    @property
    def label(self) -> str: ...


class LabelledObject(Protocol):
    """Is an object with labelled fields."""

    @property
    def fields(self) -> Mapping[str, LabelledField]: ...


Describe = Callable[[str], LabelledObject | None]


@dataclass(frozen=True, slots=True)
class Change:
    """Is one word of a mapping file that is written anew: of what, at which line, before and after."""

    line: int
    place: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Resolution:
    """Is a mapping file with its labels resolved as far as they could be."""

    text: str = field(repr=False)
    changes: tuple[Change, ...]
    problems: tuple[Problem, ...]


def resolve(
    file: str,
    text: str,
    describe: Describe,
    objects: Mapping[str, str],
    schema: Schema,
    hub_id_field: Callable[[str], str | None],
) -> Resolution:
    """Resolves the labels of one mapping file, which was read as YAML before.

    `objects` are the system's objects as name -> label; `hub_id_field` names the fields that the connection knows.
    """
    run = _Run(file, words_of(text), describe, objects, schema, hub_id_field)
    run.all()
    replaced = [(word, value) for word, value, _ in run.replaced]
    changes = tuple(Change(word.line, place, word.value, value) for word, value, place in run.replaced)
    return Resolution(splice(text, replaced), changes, tuple(run.problems))


@dataclass(slots=True)
class _Run:
    file: str
    words: Mapping[Path, Word]
    describe: Describe
    objects: Mapping[str, str]
    schema: Schema
    hub_id_field: Callable[[str], str | None]
    replaced: list[tuple[Word, str, str]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)

    def all(self) -> None:
        entity = self.words.get(("entity",))
        known = self.schema.entities.get(entity.value) if entity else None
        keys: dict[str, str] = {}
        for number in self._places(("routes",)):
            route: Path = ("routes", number)
            word = self.words.get((*route, "object"))
            name = None if word is None else self._object(word)
            shape = None if name is None else self.describe(name)
            if name is None or shape is None:
                continue
            self._key(name, route, shape, keys)
            pairs = self._places((*route, "fields"))
            natives = {word.value for place in pairs for word in self._many((*route, "fields", place, "native"))}
            self.taken = natives & shape.fields.keys()
            for place in pairs:
                self._pair(name, shape, (*route, "fields", place), known.fields if known else {})
        self._shared_key(keys)

    def _places(self, path: Path) -> list[int]:
        depth = len(path)
        found = {each[depth] for each in self.words if len(each) > depth and each[:depth] == path}
        return sorted(place for place in found if isinstance(place, int))

    # --- objects and the hub id ----------------------------------------------------------------------------------

    def _object(self, word: Word) -> str | None:
        if not self.objects or word.value in self.objects:
            return word.value
        found = _labelled(word.value, self.objects)
        return self._take(word, found, Text("object", "对象"), word.value, self.objects.values())

    def _key(self, object_: str, route: Path, shape: LabelledObject, keys: dict[str, str]) -> None:
        """Finds the hub id field of one object, unless the connection names it."""
        if (named := self.hub_id_field(object_)) is not None and named in shape.fields:
            return
        own = self.words.get((*route, "hub_id_field"))
        word = own or self.words.get(("hub_id_field",))
        if word is None or word.value in shape.fields:
            return
        labels = {name: each.label for name, each in shape.fields.items() if each.unique}
        spoken = (word.value, *(HUB_ID_LABELS if _NAME.fullmatch(word.value) else ()))
        found = next((names for label in spoken if (names := _labelled(label, labels))), [])
        if own is not None:
            self._take(own, found, Text("hub id field", "统一编号字段"), f"{object_}.{own.value}", labels.values())
        elif len(found) == 1:
            keys[object_] = found[0]
        else:
            self._fail(word, found, Text("hub id field", "统一编号字段"), f"{object_}.{word.value}", labels.values())

    def _shared_key(self, keys: Mapping[str, str]) -> None:
        """Writes the name that all routes share, or tells how the connection names one for each object."""
        word = self.words.get(("hub_id_field",))
        if word is None or not keys:
            return
        if len(self._places(("routes",))) == len(keys) == 1:
            (found,) = keys.values()
            self.replaced.append((word, found, "hub_id_field"))
            return
        listed = ", ".join(f"{name}: {found}" for name, found in keys.items())
        en = f"`{word.value}` has another name in each object; write into the connection: external_keys: {{{listed}}}"
        zh = f"`{word.value}` 在各对象中的名称不同；请写入连接配置：external_keys: {{{listed}}}"
        self.problems.append(Problem(self.file, word.line, AMBIGUOUS, en, zh))

    # --- fields and options --------------------------------------------------------------------------------------

    def _pair(self, object_: str, shape: LabelledObject, path: Path, canonical: Mapping[str, Field]) -> None:
        lens = self.words.get((*path, "lens"))
        named = self._many((*path, "canonical"))
        canonicals = [canonical[word.value] for word in named if word.value in canonical]
        natives = self._many((*path, "native"))
        resolved: list[LabelledField | None] = []
        for place, word in enumerate(natives):
            fallback = own_label(lens.value if lens else "", canonicals, place, len(natives))
            name = self._field(object_, word, shape, fallback, lens.value if lens else "")
            resolved.append(shape.fields.get(name) if name is not None else None)
        for parameter, place in _OPTIONS.get(lens.value, ()) if lens else ():
            found = resolved[place] if place < len(resolved) else None
            if found is not None and found.options:
                self._options(object_, found, (*path, parameter), canonicals)

    def _many(self, path: Path) -> list[Word]:
        single = self.words.get(path)
        return [single] if single else [self.words[(*path, place)] for place in self._places(path)]

    def _field(self, object_: str, word: Word, shape: LabelledObject, fallback: Text | None, lens: str) -> str | None:
        name = word.value
        if name.startswith("$") or name in shape.fields:
            return name
        labels = {each.api_name: each.label for each in shape.fields.values()}
        found = _labelled(name, labels)
        if not found and fallback is not None and _NAME.fullmatch(name):
            free = {each: label for each, label in labels.items() if each not in self.taken}
            found = _labelled(fallback.zh, free) or _labelled(fallback.en, free)
        families = LENSES[lens].families if lens in LENSES else frozenset()
        fitting = [each for each in found if shape.fields[each].kind in families]
        chosen = fitting if len(found) > 1 and fitting else found
        return self._take(word, chosen, Text("field", "字段"), f"{object_}.{name}", labels.values())

    def _options(self, object_: str, found: LabelledField, path: Path, canonicals: Iterable[Field]) -> None:
        options = found.options or {}
        enum = next((each.enum for each in canonicals if each.enum), None)
        names = self.schema.enums.get(enum, {}) if enum else {}
        depth = len(path)
        for each, word in self.words.items():
            if each[:depth] != path or len(each) > depth + 1 or word.value in options:
                continue
            key = str(each[depth]) if len(each) > depth else ""
            label = names.get(key)
            spoken = (label.zh, label.en) if label else (key,)
            called = [word.value, *(spoken if _NAME.fullmatch(word.value) else ())]
            matches = next((m for text in called if text and (m := _labelled(text, options))), [])
            place = f"{object_}.{found.api_name}" + (f" {key}" if key else "")
            self._take(word, matches, Text("option", "选项"), f"{place} = {word.value}", options.values())

    # --- outcome -------------------------------------------------------------------------------------------------

    def _take(self, word: Word, found: list[str], what: Text, place: str, labels: Iterable[str]) -> str | None:
        if len(found) != 1:
            self._fail(word, found, what, place, labels)
            return None
        self.replaced.append((word, found[0], place))
        return found[0]

    def _fail(self, word: Word, found: list[str], what: Text, place: str, labels: Iterable[str]) -> None:
        if found:
            listed = ", ".join(sorted(found))
            en = f"{place}: {len(found)} {what.en}s bear that label: {listed}; write the name of the right one"
            zh = f"{place}：有 {len(found)} 个{what.zh}使用该标签：{listed}；请填写正确的名称"
            self.problems.append(Problem(self.file, word.line, AMBIGUOUS, en, zh))
            return
        near = get_close_matches(word.value, [label for label in labels if label], 3, 0.5)
        hint = (f"; near: {', '.join(near)}", f"；相近：{'、'.join(near)}") if near else ("", "")
        en = f"{place}: the system has no {what.en} of that name or label{hint[0]}; create it, or correct the label"
        zh = f"{place}：系统中没有该名称或标签的{what.zh}{hint[1]}；请新建，或更正标签"
        self.problems.append(Problem(self.file, word.line, MISSING, en, zh))


def _labelled(text: str, labels: Mapping[str, str]) -> list[str]:
    """Returns the names that bear a label, whatever its case, width of letters and space around it."""
    wanted = _plain(text)
    return [name for name, label in labels.items() if label and _plain(label) == wanted]


def _plain(text: str) -> str:
    return "".join(_letters(text)).casefold()


def _letters(text: str) -> Iterator[str]:
    yield from (letter for letter in unicodedata.normalize("NFKC", text) if not letter.isspace())
