"""create, update and changeOwner. Source: Fxiaoke data/create, data/update, data/changeOwner pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.fxiaoke.simulator.auth import Caller
from connectors.fxiaoke.simulator.changes import locked, merged, touched
from connectors.fxiaoke.simulator.objects import LOG
from connectors.fxiaoke.simulator.pools import check_owned
from connectors.fxiaoke.simulator.records import Record
from connectors.fxiaoke.simulator.refusal import Refusal, bad_parameter, class_cast, null_pointer
from connectors.fxiaoke.simulator.related import note_log, settle_links
from connectors.fxiaoke.simulator.schema import ObjectType
from connectors.fxiaoke.simulator.staff import SYSTEM_USER
from connectors.fxiaoke.simulator.tenant import Tenant

_SERVICE_KEYS = frozenset({"dataObjectApiName", "object_describe_api_name", "_id"})
_SPECIFIED = {"create_time": "hasSpecifyTime", "created_by": "hasSpecifyCreatedBy"}


class Writer:
    """Writes records of one object for one call."""

    def __init__(self, tenant: Tenant, kind: ObjectType, caller: Caller, body: Mapping[str, Any]) -> None:
        self.tenant = tenant
        self.kind = kind
        self.caller = caller
        self.body = body
        self.table = tenant.tables[kind.api_name]
        found = body["data"].get("optionInfo")
        self.options: Mapping[str, Any] = found if isinstance(found, dict) else {}

    def create(self, sent: Mapping[str, Any]) -> str:
        """Writes a new record and returns its id; raises Refusal and writes nothing when a check fails."""
        tenant = self.tenant
        values = self._linked({}, self._stored(sent, creating=True))
        record_type = self._record_type(values)
        record = tenant.born(tenant.new_id(), tenant.now_ms(), self.caller.user_id, record_type)
        record |= self._specified(sent)
        record |= self._ownership(values) | {name: value for name, value in values.items() if value is not None}
        record |= self._numbers()
        self._check(record, set(self.kind.fields))
        if self._flow():
            record |= {"life_status": "under_review", "lock_status": "1"}
        self.table.put(record)
        if self.kind.api_name == LOG:
            note_log(tenant, record, self.caller.user_id)
        self._automate(record["_id"])
        return str(record["_id"])

    def update(self, sent: Mapping[str, Any]) -> None:
        """Changes the fields sent and leaves the others; the last writer wins."""
        tenant = self.tenant
        present = tenant.find(self.kind.api_name, sent.get("_id"), "_id")
        if present.get("is_deleted"):
            raise Refusal(tenant.settings.not_found_code, tenant.settings.not_found_text)
        self._admit_edit(present)
        if not tenant.settings.pool_editable:
            check_owned(tenant, present)
        skipped = self.kind.custom and self.body["data"].get("skipDataStatusValidate") is True
        if present["lock_status"] == "1" and not skipped:
            raise locked("编辑")
        if "owner" in sent and tenant.settings.owner_in_update == "reject":
            raise self._refuse("owner", "不能通过编辑修改")
        values = self._linked(present, self._stored(sent, creating=False))
        values.pop("owner", None)
        self._check(merged(present, values), set(values))
        if self._flow():
            tenant.pending_changes[self.kind.api_name, present["_id"]] = values
            values = {"life_status": "in_change", "lock_status": "1"}
        self.table.put(touched(tenant, present, values, self.caller.user_id))
        self._automate(present["_id"])

    def change_owner(self, changes: Any) -> None:
        """Gives records new owners, all or none."""
        if not isinstance(changes, list) or not changes:
            raise null_pointer("Data")
        if self.kind.api_name == LOG and not self.tenant.settings.log_owner_changeable:
            raise Refusal(self.tenant.settings.business_code, "没有更换负责人的操作权限")
        new: list[Record] = []
        for change in changes:
            if not isinstance(change, dict):
                raise class_cast("Data", change, "java.util.Map")
            present = self.tenant.find(self.kind.api_name, change.get("objectDataId"), "objectDataId")
            if present.get("is_deleted"):
                raise Refusal(self.tenant.settings.not_found_code, self.tenant.settings.not_found_text)
            if present["lock_status"] == "1":
                raise locked("更换负责人")
            check_owned(self.tenant, present)
            owner = change.get("ownerId")
            if not isinstance(owner, list) or len(owner) != 1:
                raise bad_parameter("ownerId")
            fields = self._owned_by(self._user(owner[0]))
            if self.tenant.settings.change_owner_moves_department:
                fields["data_own_department"] = [fields["owner_department_id"]]
            new.append(touched(self.tenant, present, fields, self.caller.user_id))
        for record in new:
            self.table.put(record)

    def _linked(self, record: Record, values: dict[str, Any]) -> dict[str, Any]:
        if self.kind.api_name != LOG:
            return values
        return settle_links(record, values, self.tenant.settings.log_links_mirrored)

    def _numbers(self) -> dict[str, str]:
        """Returns the automatic numbers of a new record."""
        numbered = (found for found in self.kind.fields.values() if found.type == "auto_number")
        return {found.api_name: self.tenant.next_number(str(found.extra.get("prefix", "N"))) for found in numbered}

    def _admit_edit(self, present: Record) -> None:
        """Refuses the edit of a 销售记录 where the tenant forbids it, or forbids it after a while [unverified]."""
        settings = self.tenant.settings
        if self.kind.api_name != LOG or settings.log_edit == "allowed":
            return
        age = self.tenant.now_ms() - present["create_time"]
        if settings.log_edit == "refused" or age > settings.log_edit_window_seconds * 1000:
            raise Refusal(settings.business_code, "无此操作的数据权限：销售记录不可编辑")

    def _stored(self, sent: Mapping[str, Any], creating: bool) -> dict[str, Any]:
        """Returns the stored form of what was sent, None for a field to clear."""
        settings = self.tenant.settings
        checks = self.tenant.checks()
        values: dict[str, Any] = {}
        for name, value in sent.items():
            if name in _SERVICE_KEYS or name in _SPECIFIED:
                continue
            found = self.kind.fields.get(name)
            if found is None and self._is_other_text(name, value):
                values[name] = value or None
                continue
            if found is None or not found.active:
                if settings.unknown_fields == "reject":
                    raise self._refuse(name, "字段不存在")
                continue
            if found.computed or (name == "data_own_department" and not settings.department_writable):
                if settings.readonly_fields == "reject":
                    raise self._refuse(name, "只读字段不能写入")
                continue
            if value is None or value in ("", []):
                if self._clears(name, value):
                    values[name] = None
                continue
            if name != "owner" or creating:
                values[name] = checks.store(found, value, self._user)
        return values

    def _is_other_text(self, name: str, value: Any) -> bool:
        """Tells whether a field is the writable free text beside a select's option 其他."""
        select = self.kind.fields.get(name.removesuffix("__o")) if name.endswith("__o") else None
        return select is not None and select.takes_other and (value is None or isinstance(value, str))

    def _clears(self, name: str, value: Any) -> bool:
        settings = self.tenant.settings
        mode = settings.clear_with_null if value is None else settings.clear_with_empty
        if mode == "reject":
            raise self._refuse(name, "值不能为空")
        return mode == "clear"

    def _check(self, record: Record, names: set[str]) -> None:
        """Refuses an unwritable record: required, unique, cascade, duplicate, validation rules, in that order."""
        for name in names & self.kind.fields.keys():
            found = self.kind.fields[name]
            empty = record.get(name) in (None, "") and name != "owner"
            if found.required and found.active and empty and not self.tenant.settings.lax_create:
                raise self._refuse(name, "为必填字段")
        written = {name: record.get(name) for name in names}
        self.tenant.checks().cascade(self.kind.fields, record, written)
        for name in self.kind.uniques():
            if name in names and record.get(name) is not None:
                self._check_unique(name, record)
        if self._duplicate_wanted():
            self._check_duplicate(record)
        if self.options.get("useValidationRule", self.tenant.settings.validation_rules_default):
            for rule in self.tenant.rules:
                if rule.refuse and rule.object_name == self.kind.api_name and rule.meets(record):
                    raise self._refuse(rule.field, rule.refuse)

    def _check_unique(self, name: str, record: Record) -> None:
        for other in self.table.with_value(name, record[name]):
            counts = self.tenant.settings.unique_counts_invalid or not other.get("is_deleted")
            if other["_id"] != record["_id"] and counts:
                raise self._refuse(name, "字段值重复，该字段要求唯一")

    def _duplicate_wanted(self) -> bool:
        default = self.tenant.settings.duplicate_check_default
        if self.kind.custom:
            return bool(self.body.get("checkDuplicateSearch", default))
        return bool(self.options.get("isDuplicateSearch", default))

    def _check_duplicate(self, record: Record) -> None:
        names = self.tenant.settings.duplicate_fields
        if not names or record.get(names[0]) is None:
            return
        found = [
            {"_id": other["_id"], **{name: other.get(name) for name in names}}
            for other in self.table.with_value(names[0], record[names[0]])
            if other["_id"] != record["_id"] and not other.get("is_deleted")
            if all(other.get(name) == record.get(name) for name in names)
        ]
        if found:
            settings = self.tenant.settings
            listed = {"dataList": found, "matchType": "PRECISE"} if settings.duplicate_listed else None
            raise Refusal(settings.business_code, "查重规则命中，存在重复数据", data=listed)

    def _record_type(self, values: dict[str, Any]) -> str:
        choices = [c for c in self.kind.fields["record_type"].choices if not c.disabled]
        sent = values.pop("record_type", None)
        if sent is None and len(choices) > 1:
            raise self._refuse("record_type", "为必填字段")
        return str(sent or choices[0].value)

    def _specified(self, sent: Mapping[str, Any]) -> dict[str, Any]:
        chosen: dict[str, Any] = {}
        for name, flag in _SPECIFIED.items():
            if self.body.get(flag) is True and sent.get(name):
                chosen[name] = self.tenant.checks().store(self.kind.fields[name], sent[name], self._user)
        return chosen

    def _ownership(self, values: dict[str, Any]) -> dict[str, Any]:
        owner = values.pop("owner", None)
        if not owner:
            settings = self.tenant.settings
            if settings.owner_required and self.kind.fields["owner"].required and not settings.lax_create:
                raise self._refuse("owner", "为必填字段")
            return {}
        owned = self._owned_by(owner[0])
        return owned | {"data_own_department": [owned["owner_department_id"]]}

    def _owned_by(self, user_id: str) -> dict[str, Any]:
        person = self.tenant.directory.employees.get(user_id)
        if self.tenant.settings.inactive_owner_refused and (person is None or not person.active):
            raise self._refuse("owner", "员工已停用")
        return self.tenant.owned(user_id)

    def _user(self, value: Any) -> str:
        return self.tenant.directory.to_user(value, self.caller.converted, self.tenant.settings.accept_both_user_ids)

    def _flow(self) -> bool:
        wanted = self.body.get("triggerApprovalFlow", True) is not False
        return wanted and self.kind.api_name in self.tenant.settings.approval_objects

    def _automate(self, record_id: str) -> None:
        """Runs the automations that fit; they write as the system, after the caller's own write."""
        workflow = self.body.get("triggerWorkFlow", True) is not False
        run_automations(self.tenant, self.kind.api_name, record_id, workflow)

    def _refuse(self, name: str, reason: str) -> Refusal:
        label = self.kind.fields[name].label if name in self.kind.fields else name
        return Refusal(self.tenant.settings.business_code, f"[{label}]({name}){reason}")


def run_automations(tenant: Tenant, object_name: str, record_id: str, workflow: bool) -> None:
    """Lets the tenant's automations rewrite a saved record."""
    table = tenant.tables[object_name]
    for rule in tenant.rules:
        record = table.get(record_id)
        if record is None or rule.object_name != object_name or not rule.assign:
            continue
        if not rule.meets(record):
            continue
        changes = dict(rule.assign)
        if (workflow or not rule.workflow_only) and any(record.get(k) != v for k, v in changes.items()):
            table.put(touched(tenant, record, changes, SYSTEM_USER))
