"""Collects what is written to one record: values, defaults, stand-ins, and why a value cannot be written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub.canonical.refusal import ValueRefused, too_long
from hub.canonical.values import Value
from hub.kernel.errors import Text
from hub.mapping.compiling import Writer
from hub.mapping.lenses.base import NOT_IN_TABLE, NOT_READABLE, Joint

Fields = Mapping[str, Value]
NOT_AN_OPTION = Text("is not among the options of the system's field", "不在系统字段的可选项中")
UNREADABLE = (ValueError, LookupError, TypeError, AttributeError)
"""What a lens may raise for a value that it cannot carry."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Says why one value cannot be translated; never the value."""

    field: str
    native_field: str
    reason: Text


def reason_of(error: Exception) -> Text:
    """Returns why a lens could not carry a value."""
    return NOT_IN_TABLE if isinstance(error, LookupError) else NOT_READABLE


@dataclass(slots=True)
class Writing:
    """Collects one patch."""

    patch: dict[str, Any]
    refusals: list[Refusal]
    kept: list[str]
    defaulted: list[str]
    stood_in: list[str]

    def put_one(self, name: str, value: Value, writer: Writer, create: bool) -> None:
        """Adds the value of a pair of one canonical field."""
        made, key = writer.made, writer.natives[0]
        assert not isinstance(made, Joint)
        if value is None:
            value = self._default(name, writer, create)
        if value is None:
            self._empty(name, writer, {key: made.cleared}, create)
            return
        try:
            native = made.put(value)
        except UNREADABLE as error:
            self._refuse(name, key, error)
            return
        self._accept(name, {key: native}, writer)

    def put_joint(self, writer: Writer, wanted: dict[str, Value], known: Fields, create: bool) -> None:
        """Adds the values of a pair of several canonical fields, completed from what the system holds."""
        made, name = writer.made, next(iter(wanted))
        assert isinstance(made, Joint)
        wanted = {
            each: self._default(each, writer, create) if value is None else value for each, value in wanted.items()
        }
        may_not = [each for each, value in wanted.items() if value is None and each not in writer.clearable]
        if may_not:
            if not create:
                self.kept.extend(may_not)
            wanted = {each: value for each, value in wanted.items() if each not in may_not}
        if not wanted:
            return
        try:
            natives = made.put(wanted, known)
        except UNREADABLE as error:
            self._refuse(name, writer.natives[0], error)
            return
        if made.stands_in is not None and made.stands_in(wanted):
            self.stood_in.append(name)
        if create:
            natives = {key: value for key, value in natives.items() if value is not None}
        self._accept(name, natives, writer)

    def _default(self, name: str, writer: Writer, create: bool) -> Value:
        """Returns the declared default of an empty field, where leaving it alone is not possible."""
        if writer.default is None or not (create or name in writer.clearable):
            return None
        self.defaulted.append(name)
        return writer.default

    def _empty(self, name: str, writer: Writer, cleared: dict[str, Any], create: bool) -> None:
        if create:
            return
        if name in writer.clearable:
            self.patch.update(cleared)
        else:
            self.kept.append(name)

    def _refuse(self, name: str, key: str, error: Exception) -> None:
        text = error.reason if isinstance(error, ValueRefused) else reason_of(error)
        self.refusals.append(Refusal(name, key, text))

    def _accept(self, name: str, natives: dict[str, Any], writer: Writer) -> None:
        for key, value in natives.items():
            limit = writer.limits.get(key)
            if limit is None or not isinstance(value, str | list):
                continue
            if isinstance(value, str) and limit.length is not None and len(value) > limit.length:
                self.refusals.append(Refusal(name, key, too_long(limit.length)))
                return
            chosen = [value] if isinstance(value, str) else [item for item in value if isinstance(item, str)]
            if limit.options is not None and not limit.options.issuperset(chosen):
                self.refusals.append(Refusal(name, key, NOT_AN_OPTION))
                return
        self.patch.update(natives)
