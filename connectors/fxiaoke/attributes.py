"""What the tenant's description says of one field, beyond its name and type.

Source: Fxiaoke object describe and field configuration notes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Spec = Mapping[str, Any]
Cascade = Mapping[str, tuple[str, ...]]
NUMBERS = frozenset({"number", "currency", "percentile"})
_MEMBERS = (
    "area_country", "area_province", "area_city", "area_district", "area_detail_address", "area_location",
    "start_time_field", "end_time_field", "id_field", "api_name_field",
)  # fmt: skip


def options_of(spec: Spec, mark: str, *, retired: bool = False) -> dict[str, str] | None:
    """Returns the options in use, or those retired, as stored value -> label; None where the field has no options.

    Which `mark` describe puts on a retired option is unverified.
    """
    listed = spec.get("options")
    if not isinstance(listed, list):
        return None
    chosen = [option for option in listed if isinstance(option, Mapping) and (option.get(mark) is True) is retired]
    return {str(option.get("value")): str(option.get("label", "")) for option in chosen}


def cascades_of(fields: Mapping[str, Any]) -> dict[str, dict[str, tuple[str, ...]]]:
    """Returns, for each field whose options depend on another's, what each value of that one admits."""
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for spec in fields.values():
        for value, child, admitted in _children(spec):
            found.setdefault(child, {})[value] = admitted
    return found


def _children(spec: Any) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    listed = spec.get("options") if isinstance(spec, Mapping) else None
    for option in listed if isinstance(listed, list) else ():
        entries = option.get("child_options") if isinstance(option, Mapping) else None
        for entry in entries if isinstance(entries, list) else ():
            for child, values in entry.items() if isinstance(entry, Mapping) else ():
                if isinstance(values, list):
                    yield str(option.get("value")), str(child), tuple(map(str, values))


def members_of(spec: Spec) -> tuple[str, ...]:
    """Returns the fields that a group points at."""
    if spec.get("type") != "group":
        return ()
    return tuple(str(spec[name]) for name in _MEMBERS if spec.get(name))


def decimals_of(spec: Spec) -> int | None:
    """Returns how many places a number keeps behind the point."""
    places = spec.get("decimal_places")
    known = spec.get("type") in NUMBERS and isinstance(places, int) and not isinstance(places, bool)
    return places if known else None
