"""Turns zcrmsdk's objects into the rows that the API shows, and native values into what zcrmsdk accepts.

Nothing here imports the SDK: its objects are told apart by what they offer and made by the `Makers` that `sdk` gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

Details = Mapping[str, Mapping[str, Any]]
"""What the SDK knows: of its classes (`json_details.json`), or of a module's fields (its resource file)."""

_SCALARS = frozenset({"String", "Integer", "Long", "Double", "Float", "Boolean", "DateTime", "Date"})


@dataclass(frozen=True, slots=True)
class Makers:
    """Makes the SDK's own objects."""

    record: Callable[[], Any]
    user: Callable[[], Any]
    tag: Callable[[], Any]
    choice: Callable[[str], Any]


class Unfit(Exception):
    """Says that the SDK would not take the value of a field; `clears` where the value is an empty one."""

    def __init__(self, field: str, *, clears: bool = False) -> None:
        super().__init__(field)
        self.field, self.clears = field, clears


def plain(value: Any, classes: Details) -> Any:
    """Returns an object of the SDK as JSON: ids as text, instants in UTC (the SDK keeps no offset)."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list):
        return [plain(each, classes) for each in value]
    if hasattr(value, "get_value"):
        return plain(value.get_value(), classes)
    members = value if isinstance(value, Mapping) else _members(value, classes)
    return {name: _keyed(name, plain(each, classes)) for name, each in members.items()}


def _keyed(name: str, value: Any) -> Any:
    return str(value) if name == "id" and isinstance(value, int) else value


def _members(value: Any, classes: Details) -> Mapping[str, Any]:
    """Returns what an object of the SDK holds by the API's names: a record all its keys, a model those that are set."""
    if hasattr(value, "get_key_values"):
        kept: Mapping[str, Any] = value.get_key_values()
        return kept
    kind = type(value)
    described = classes[f"{kind.__module__.rpartition('.')[0]}.{kind.__name__}"]
    found = {detail["name"]: getattr(value, f"_{kind.__name__}__{name}", None) for name, detail in described.items()}
    return {name: each for name, each in found.items() if each is not None}


def record_of(row: Mapping[str, Any], fields: Details, make: Makers) -> Any:
    """Returns a row as a Record. Raises Unfit for the first value that the SDK would not take."""
    record = make.record()
    for name, value in row.items():
        if name == "id":
            record.set_id(_number(name, value))
        else:
            record.add_key_value(name, typed(name, value, fields.get(name, {}), make))
    return record


def typed(name: str, value: Any, detail: Mapping[str, Any], make: Makers) -> Any:
    """Returns a native value as the type that the SDK demands of the field. Raises Unfit.

    What its metadata do not describe passes as it is, `$se_module` among it.
    """
    if name == "Tag":
        return [_tag(name, each, make) for each in value or ()]
    kind = str(detail.get("type", "")).rpartition(".")[2]
    if kind == "List":
        inner = {"type": detail.get("structure_name", "")}
        return [typed(name, each, inner, make) for each in _listed(name, value)]
    if value is None:
        if kind in _SCALARS:
            raise Unfit(name, clears=True)
        return None
    reader = _READERS.get(kind)
    if reader is not None:
        return reader(name, value)
    if kind == "Choice":
        return make.choice(_text(name, value))
    if kind in ("Record", "User"):
        return _linked(name, value, make.record if kind == "Record" else make.user)
    return value


def clears(row: Mapping[str, Any], fields: Details) -> list[str]:
    """Returns the fields that a row would empty and the SDK cannot send empty."""
    return [name for name, value in row.items() if value is None and fields.get(name, {}).get("type") in _SCALARS]


def _listed(name: str, value: Any) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        raise Unfit(name)
    return list(value)


def _tag(name: str, value: Any, make: Makers) -> Any:
    tag = make.tag()
    tag.set_name(_text(name, value.get("name") if isinstance(value, Mapping) else value))
    return tag


def _linked(name: str, value: Any, make: Callable[[], Any]) -> Any:
    linked = make()
    linked.set_id(_number(name, value.get("id") if isinstance(value, Mapping) else None))
    return linked


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise Unfit(name)
    return value


def _number(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise Unfit(name)
    try:
        return int(value)
    except ValueError:
        raise Unfit(name) from None


def _fraction(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unfit(name)
    return float(value)


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise Unfit(name)
    return value


def _moment(name: str, value: Any) -> datetime:
    try:
        found = datetime.fromisoformat(_text(name, value))
    except ValueError:
        raise Unfit(name) from None
    if found.tzinfo is None:
        raise Unfit(name)
    return found


def _day(name: str, value: Any) -> date:
    try:
        return date.fromisoformat(_text(name, value))
    except ValueError:
        raise Unfit(name) from None


_READERS: Mapping[str, Callable[[str, Any], Any]] = {
    "String": _text,
    "Integer": _number,
    "Long": _number,
    "Double": _fraction,
    "Float": _fraction,
    "Boolean": _flag,
    "DateTime": _moment,
    "Date": _day,
}
