"""Sets an organisation up: lists the fields and options that the hub needs, and makes them through the fields API.

Source: Zoho API create-custom-field and update-custom-fields (v7, v8), fields-meta, and the published fields document.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.base import WriteUnclear
from connectors.preparing import FieldNeed, Finding, State, Step
from connectors.zoho_crm import prepare_steps as steps
from connectors.zoho_crm.answers import PERMISSION, SERVER_FAILED, Answer, field_of, refusal
from connectors.zoho_crm.calls import Api
from connectors.zoho_crm.fields import Entry, body_of, judge, option_rows, values_of

FIELDS_PER_CALL = 5
_CREATE, _UPDATE = "CREATE", "UPDATE"
_TO_DO = (State.MISSING, State.LACKS_OPTIONS)


class Preparer:
    """Surveys and prepares the modules of one organisation; never changes a field that is there but by options."""

    def __init__(self, api: Api) -> None:
        self._api, self._settings = api, api.settings

    def survey(self, object: str, needs: Sequence[FieldNeed]) -> list[Finding]:
        """Says how every need stands, by two or three reads."""
        return self._look(object, needs)[1]

    def _look(self, object: str, needs: Sequence[FieldNeed]) -> tuple[Mapping[str, Entry] | None, list[Finding]]:
        entries = self._entries(object)
        if entries is None:
            return None, [Finding("", State.MANUAL, *steps.no_module(object), steps=steps.make_module(object))]
        unused = self._unused(object) if any(need.api_name not in entries for need in needs) else {}
        return entries, [self._stands(object, need, entries.get(need.api_name), unused) for need in needs]

    def prepare(self, object: str, needs: Sequence[FieldNeed]) -> list[Finding]:
        """Makes what `survey` calls missing, the hub id first, and reads it back."""
        with self._api.context.lock("prepare"):
            entries, before = self._look(object, needs)
            if entries is None or not any(found.state in _TO_DO for found in before):
                return before
            run = _Run(self._api, object, entries)
            run.make([n for n, f in zip(needs, before, strict=True) if f.state is State.MISSING])
            run.extend([n for n, f in zip(needs, before, strict=True) if f.state is State.LACKS_OPTIONS])
            return self._read_back(object, needs, before, run)

    def _stands(self, object: str, need: FieldNeed, entry: Entry | None, unused: Mapping[str, Entry]) -> Finding:
        if entry is not None:
            found = judge(object, need, entry)
            if found.state is not State.LACKS_OPTIONS or (obstacle := self._obstacle(_UPDATE)) is None:
                return found
            by_hand = steps.add_options(object, need, found.options)
            return Finding(need.api_name, State.MANUAL, *obstacle, found.options, by_hand)
        if need.api_name in unused:
            found_unused = steps.is_unused(object, need)
            return Finding(need.api_name, State.WRONG, *found_unused, steps=steps.use(object, need))
        obstacle = steps.not_makeable(need) or steps.bad_name(need) or self._obstacle(_CREATE)
        if obstacle is not None:
            return Finding(need.api_name, State.MANUAL, *obstacle, need.options, steps.make_field(object, need))
        return Finding(need.api_name, State.MISSING, options=need.options)

    def _obstacle(self, operation: str) -> tuple[str, str] | None:
        """Returns why the API cannot do it here, as far as the token's scopes tell."""
        granted = {scope.lower() for scope in self._api.tokens.current().scopes}
        area = "zohocrm.settings"
        enough = {f"{area}.fields.{operation.lower()}", f"{area}.fields.all", f"{area}.all", f"{area}.fields.write"}
        return None if not granted or granted & enough else steps.no_scope(operation)

    def _entries(self, object: str) -> dict[str, Entry] | None:
        """Returns the module's fields by name, None where there is no such module."""
        modules = self._list("/settings/modules", "modules", object, {})
        found = next((module for module in modules if module.get("api_name") == object), None)
        if found is None or found.get("api_supported") is False:
            return None
        return {str(entry["api_name"]): entry for entry in self._fields(object, {})}

    def _unused(self, object: str) -> dict[str, Entry]:
        return {str(entry["api_name"]): entry for entry in self._fields(object, {"type": "unused"})}

    def _fields(self, object: str, more: Mapping[str, str]) -> Sequence[Entry]:
        return self._list("/settings/fields", "fields", object, {"module": object, **more})

    def _list(self, path: str, key: str, object: str, params: Mapping[str, str]) -> Sequence[Entry]:
        answer = self._api.get(path, f"prepare {key}", params)
        if not answer.ok:
            raise refusal(answer, self._api.system, object, f"read {key}")
        listed = answer.content.get(key) if isinstance(answer.content, Mapping) else []
        return [entry for entry in listed if isinstance(entry, Mapping)] if isinstance(listed, list) else []

    def _read_back(
        self, object: str, needs: Sequence[FieldNeed], before: Sequence[Finding], run: _Run
    ) -> list[Finding]:
        """Waits until what was made is described, and judges it as it is; what was not made says why."""
        entries = self._entries(object) or {}
        wait, left = 0.5, self._settings.field_wait
        while left > 0 and not all(run.shows(name, entries) for name in run.made):
            self._api.context.clock.sleep(min(wait, left))
            left, wait = left - wait, wait * 2
            entries = self._entries(object) or {}
        return [run.outcome(need, found, entries.get(need.api_name)) for need, found in zip(needs, before, strict=True)]


class _Run:
    """Is one preparation of one module: what was asked for, what was refused and why."""

    def __init__(self, api: Api, object: str, entries: Mapping[str, Entry]) -> None:
        self._api, self._object, self._entries = api, object, entries
        self.made: dict[str, FieldNeed] = {}
        self._refused: dict[str, Finding] = {}
        self._spoilt: dict[str, str] = {}  # what part of a refused field was at fault
        self._obstacle: tuple[str, str] | None = None
        self._unclear = False

    def make(self, needs: Sequence[FieldNeed]) -> None:
        """Creates fields, the hub id by itself and before all others, so that no other field can spoil it."""
        keys = [need for need in needs if need.key]
        others = [need for need in needs if not need.key]
        batches = [[key] for key in keys]
        batches += [others[place : place + FIELDS_PER_CALL] for place in range(0, len(others), FIELDS_PER_CALL)]
        for batch in batches:
            self._create(batch, self._profiles() if batch[0].key else ())

    def extend(self, needs: Sequence[FieldNeed]) -> None:
        """Adds options. Every call lists all options of the field, so that none is lost whatever a call replaces."""
        for need in needs:
            if self._obstacle is None and not self._unclear:
                entry = self._entries[need.api_name]
                self._send("PATCH", [need], [{"id": entry["id"], "pick_list_values": option_rows(entry, need)}])

    def shows(self, name: str, entries: Mapping[str, Entry]) -> bool:
        """Tells whether the metadata show what was made."""
        entry = entries.get(name)
        return entry is not None and judge(self._object, self.made[name], entry).state is not State.LACKS_OPTIONS

    def outcome(self, need: FieldNeed, before: Finding, entry: Entry | None) -> Finding:
        """Returns what became of a need."""
        name = need.api_name
        if before.state not in _TO_DO:
            return before
        refused = self._refused.get(name)
        if refused is not None and (entry is None or before.state is State.LACKS_OPTIONS):
            return refused
        if name not in self.made and self._obstacle is not None:
            return self._by_hand(need, self._obstacle)
        if entry is None:
            return Finding(name, State.WAITING, *steps.not_seen(name in self.made))
        if lost := set(values_of(self._entries.get(name, {}))) - set(values_of(entry)):
            return Finding(name, State.WRONG, *steps.options_lost(sorted(lost)), tuple(sorted(lost)))
        found = judge(self._object, need, entry)
        if found.state is State.LACKS_OPTIONS:
            return Finding(name, State.WAITING, *steps.not_seen(name in self.made), found.options)
        if found.state is not State.READY:
            return found
        if before.state is State.LACKS_OPTIONS:
            return Finding(name, State.EXTENDED, options=before.options)
        if not need.key:
            return Finding(name, State.CREATED, options=need.options)
        if any(profile.get("permission_type") == "hidden" for profile in entry.get("profiles") or ()):
            return Finding(name, State.CREATED, *steps.hidden_key())
        return Finding(name, State.CREATED, *steps.plain_key(), steps=steps.hide(self._object, need))

    def _profiles(self) -> tuple[Mapping[str, str], ...]:
        """Returns what keeps the hub id out of people's way: hidden from every profile but that of the hub's user.

        A field that a profile does not see is on no layout of its users; they can neither clone nor import it.
        """
        if not self._api.settings.hide_hub_id:
            return ()
        described = (entry["profiles"] for entry in self._entries.values() if entry.get("profiles"))
        known: Sequence[Any] = next(described, ())
        answer = self._api.get("/users", "prepare users", {"type": "CurrentUser"})
        users = answer.content.get("users") if answer.ok and isinstance(answer.content, Mapping) else None
        own = str(((users or [{}])[0].get("profile") or {}).get("id", ""))
        ids = [str(profile["id"]) for profile in known if isinstance(profile, Mapping) and "id" in profile]
        if own not in ids:
            return ()
        return tuple({"id": one, "permission_type": "read_write" if one == own else "hidden"} for one in ids)

    def _create(self, batch: Sequence[FieldNeed], profiles: Sequence[Mapping[str, str]] = ()) -> None:
        if self._obstacle is not None or self._unclear or not batch:
            return
        bodies = [body_of(self._object, need) for need in batch]
        if profiles:
            bodies[0]["profiles"] = list(profiles)
        self._send("POST", batch, bodies)
        if profiles and self._spoilt.pop(batch[0].api_name, "") in ("profiles", "permission_type"):
            # The field matters more than who sees it; a person hides it then.
            del self._refused[batch[0].api_name]
            self._create(batch)

    def _send(self, method: str, batch: Sequence[FieldNeed], bodies: Sequence[Mapping[str, Any]]) -> None:
        operation = "create fields" if method == "POST" else "add options"
        params, body = {"module": self._object}, {"fields": list(bodies)}
        try:
            answer = self._api.call(method, "/settings/fields", operation, read=False, params=params, body=body)
        except WriteUnclear:
            # A label is unique in its module, so what was made after all is found by the next run, never doubled.
            self._unclear = True
            return
        rows = _rows(answer)
        if answer.status >= 500 or (rows is None and _error(answer).get("code") in SERVER_FAILED):
            self._unclear = True
        elif rows is not None and len(rows) == len(batch):
            for need, row in zip(batch, rows, strict=True):
                self._take(need, row)
        elif rows is None and (answer.status in (401, 403) or _error(answer).get("code") in PERMISSION):
            self._obstacle = steps.not_permitted(str(_error(answer).get("code") or answer.status), method)
        elif len(batch) == 1:
            self._take(batch[0], (rows or [_error(answer)])[0])
        else:
            # The call was refused as a whole for one field: halves find the field.
            middle = len(batch) // 2
            self._send(method, batch[:middle], bodies[:middle])
            self._send(method, batch[middle:], bodies[middle:])

    def _take(self, need: FieldNeed, row: Mapping[str, Any]) -> None:
        if row.get("status") == "success" or row.get("code") == "SUCCESS":
            self.made[need.api_name] = need
            return
        details = row.get("details")
        details = details if isinstance(details, Mapping) else {}
        part = self._spoilt[need.api_name] = _part(details)
        reason = steps.refused(str(row.get("code") or "?"), part, details.get("limit"))
        self._refused[need.api_name] = self._by_hand(need, reason)

    def _by_hand(self, need: FieldNeed, reason: tuple[str, str]) -> Finding:
        entry = self._entries.get(need.api_name)
        if entry is None:
            return Finding(need.api_name, State.MANUAL, *reason, need.options, steps.make_field(self._object, need))
        lacking = tuple(value for value in need.options if value not in values_of(entry))
        by_hand: tuple[Step, ...] = steps.add_options(self._object, need, lacking)
        return Finding(need.api_name, State.MANUAL, *reason, lacking, by_hand)


def _rows(answer: Answer) -> Sequence[Mapping[str, Any]] | None:
    """Returns the results by field, None where the request was refused as a whole."""
    rows = answer.content.get("fields") if isinstance(answer.content, Mapping) else None
    return rows if isinstance(rows, list) and rows and all(isinstance(row, Mapping) for row in rows) else None


def _error(answer: Answer) -> Mapping[str, Any]:
    return answer.error or (answer.content if isinstance(answer.content, Mapping) else {})


def _part(details: Mapping[str, Any]) -> str:
    """Returns what part of a field's description an error speaks of."""
    due = details.get("limit_due_to")
    if isinstance(due, list) and due and isinstance(due[0], Mapping):
        return str(due[0].get("api_name", ""))
    return field_of(details) or ""
