"""Compares what the mappings need of an object with the tenant's description of it; an administrator makes the rest.

Fxiaoke publishes no interface that makes objects, fields or options, so every need that is not met is told by steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from connectors.fxiaoke import survey_steps as steps
from connectors.fxiaoke.attributes import options_of
from connectors.fxiaoke.descriptions import Descriptions, is_writable
from connectors.fxiaoke.links import LOG, LOOKUP, RELATED
from connectors.fxiaoke.settings import FxiaokeSettings
from connectors.preparing import FieldNeed, Finding, State

Spec = Mapping[str, Any]
_BORN_WITH = frozenset(
    {"name", "owner", "record_type", "create_time", "last_modified_time", "life_status", "data_own_department"}
)
"""What every new custom object has from the start. Source: Fxiaoke field configuration notes."""
_JUDGED = frozenset(
    {"text", "long_text", "phone_number", "email", "url", "html_rich_text", "number", "currency", "percentile", "date",
     "date_time", "true_or_false", "select_one", "select_many", "record_type", "object_reference", "employee",
     "department", "country", "province", "city", "district", "auto_number"}
)  # fmt: skip
"""Types that are judged; one that the vendor adds later is taken as it is."""


class Surveyor:
    """Surveys the objects of one tenant; only reads."""

    def __init__(self, descriptions: Descriptions, settings: FxiaokeSettings, system: str) -> None:
        self._descriptions, self._settings, self._system = descriptions, settings, system

    def survey(self, object: str, needs: Sequence[FieldNeed]) -> list[Finding]:
        """Says how every need stands, by one read of the object and, where it is not described, one of the list."""
        described = self._descriptions.raw(object)
        if described is None or described.get("is_active") is False:
            return self._absent(object, needs)
        label, fields = str(described.get("display_name") or object), described["fields"]
        place = steps.Place(object, label, self._system)
        found = [self._stands(place, need, fields) for need in needs]
        return [*found, *_uncovered(place, needs, fields)]

    def _absent(self, object: str, needs: Sequence[FieldNeed]) -> list[Finding]:
        """Tells how to make or enable an object, and all that it must have, so that one visit does."""
        listed = self._descriptions.listed().get(object)
        label = str(listed.get("describeDisplayName")) if listed else steps.named(object)
        place = steps.Place(object, label, self._system)
        if listed is not None:
            return [Finding("", State.WRONG, *steps.is_disabled(place), steps=steps.enable(place))]
        if not object.endswith("__c"):
            return [Finding("", State.MANUAL, *steps.no_preset(place), steps=steps.open_preset(place))]
        whole = Finding("", State.MANUAL, *steps.no_object(place), steps=steps.make_object(place))
        return [whole, *(_missing(place, need) for need in needs if need.api_name not in _BORN_WITH)]

    def _stands(self, place: steps.Place, need: FieldNeed, fields: Mapping[str, Any]) -> Finding:
        spec = fields.get(need.api_name)
        if place.object == LOG and need.api_name in (LOOKUP, RELATED) and self._carries(fields):
            return Finding(need.api_name, State.READY)
        if not isinstance(spec, Mapping):
            return _unlisted(place, need)
        if spec.get("is_active") is False:
            return Finding(need.api_name, State.WRONG, *steps.switched_off(), steps=steps.switch_on(place, need))
        wrong = _wrong(need, spec)
        if wrong is not None:
            return Finding(need.api_name, State.WRONG, *wrong, steps=steps.put_right(place, need, wrong))
        return self._options(place, need, spec)

    def _carries(self, fields: Mapping[str, Any]) -> bool:
        """Tells whether another field, or a setting, carries what a contact log is about."""
        shown = {name for name, spec in fields.items() if spec.get("is_active") is not False}
        return self._settings.log_links != "described" or bool({LOOKUP, RELATED} & shown)

    def _options(self, place: steps.Place, need: FieldNeed, spec: Spec) -> Finding:
        mark = self._settings.retired_option_mark
        known = options_of(spec, mark)
        lacking = tuple(value for value in need.options if known is not None and value not in known)
        if known is None or not need.written or not lacking:
            return Finding(need.api_name, State.READY)
        retired = options_of(spec, mark, retired=True) or {}
        by_label = {label: value for value, label in known.items()}
        renamed = {value: by_label[need.spoken(value)] for value in lacking if need.spoken(value) in by_label}
        reason = steps.options_missing(need, renamed, [value for value in lacking if value in retired])
        return Finding(
            need.api_name, State.MANUAL, *reason, lacking, steps.add_options(place, need, lacking, renamed, retired)
        )


def _unlisted(place: steps.Place, need: FieldNeed) -> Finding:
    if "__c" in (need.api_name[-3:], place.object[-3:]):
        return _missing(place, need)
    return Finding(need.api_name, State.MANUAL, *steps.no_field(place), steps=steps.map_another(place, need))


def _missing(place: steps.Place, need: FieldNeed) -> Finding:
    return Finding(need.api_name, State.MANUAL, *steps.missing(), need.options, steps.make_field(place, need))


def _wrong(need: FieldNeed, spec: Spec) -> steps.Words | None:
    kind, length = str(spec.get("type")), spec.get("max_length")
    wanted = frozenset({"text"}) if need.key else need.kinds
    if wanted and kind in _JUDGED and kind not in wanted:
        return steps.wrong_kind(kind, sorted(wanted & _JUDGED))
    if need.key and spec.get("is_unique") is not True:
        return steps.NOT_UNIQUE
    if need.written and not is_writable(need.api_name, spec):
        return steps.READ_ONLY
    if spec.get("is_show_mask") is True:
        return steps.MASKED
    if need.written and need.length and isinstance(length, int) and 0 < length < need.length:
        return steps.too_short(length, need.length)
    target = spec.get("target_api_name")
    if need.target and target and target != need.target:
        return steps.wrong_target(str(target), need.target)
    return None


def _uncovered(place: steps.Place, needs: Iterable[FieldNeed], fields: Mapping[str, Any]) -> list[Finding]:
    """Finds fields without which Fxiaoke takes no record and which no mapping fills."""
    filled = {need.api_name for need in needs if need.written or need.once}
    required = [
        name
        for name, spec in fields.items()
        if isinstance(spec, Mapping)
        and spec.get("is_required") is True
        and spec.get("is_active") is not False
        and is_writable(name, spec)
        and name not in filled
    ]
    return [
        Finding(name, State.WRONG, *steps.uncovered(name, fields[name]), steps=steps.cover(place, name))
        for name in required
    ]
