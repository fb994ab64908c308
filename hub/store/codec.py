"""How fields and bases stand inside a sealed blob."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.canonical.values import Value
from hub.core.state import UNSET, Base, BaseField, Maybe


def value_in(raw: Any) -> Value:
    """Returns a canonical value from its JSON form: lists come back as tuples."""
    return tuple(raw) if type(raw) is list else raw


def fields_in(raw: Mapping[str, Any]) -> dict[str, Value]:
    return {name: tuple(item) if type(item) is list else item for name, item in raw.items()}


def base_out(base: Base) -> dict[str, object]:
    """Returns a base as JSON: `[agreed]` when it was sent as it is, else `[agreed, sent, seen, rule]`; {} is UNSET."""
    shaped: dict[str, object] = {}
    for name, item in base.items():
        if item.sent is not UNSET and item.sent == item.agreed and item.seen is UNSET and item.rule == "plain":
            shaped[name] = [item.agreed]
        else:
            shaped[name] = [_out(item.agreed), _out(item.sent), _out(item.seen), item.rule]
    return shaped


def base_in(raw: Mapping[str, Any]) -> dict[str, BaseField]:
    base: dict[str, BaseField] = {}
    for name, item in raw.items():
        if len(item) == 1:
            value = value_in(item[0])
            base[name] = BaseField(value, value)
        else:
            base[name] = BaseField(_in(item[0]), _in(item[1]), _in(item[2]), item[3])
    return base


def _out(value: Maybe) -> object:
    return {} if value is UNSET else value


def _in(raw: Any) -> Maybe:
    return UNSET if raw == {} and isinstance(raw, dict) else value_in(raw)
