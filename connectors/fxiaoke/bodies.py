"""The request bodies of writes; each says whether approvals and workflows start, since the vendor's default is yes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.base import ObjectDescription
from connectors.fxiaoke.descriptions import CREATED_AT, CREATED_BY, LIST_TYPES
from connectors.fxiaoke.settings import FxiaokeSettings

Body = dict[str, Any]


def flags(settings: FxiaokeSettings) -> Body:
    """Builds what starts approvals and workflows, both true where left out. Source: Fxiaoke data/create."""
    return {"triggerApprovalFlow": settings.trigger_approvals, "triggerWorkFlow": settings.trigger_workflows}


def create(object: str, fields: Mapping[str, Any], settings: FxiaokeSettings) -> Body:
    """Builds a create; a given time or creator counts by its flag. Source: Fxiaoke AccountObj/add, CustomObj/add."""
    record = {"dataObjectApiName": object, **fields}
    body = {
        **flags(settings),
        "hasSpecifyTime": CREATED_AT in fields,
        "hasSpecifyCreatedBy": CREATED_BY in fields,
        "data": {"object_data": record, "details": {}, "optionInfo": _options(settings)},
    }
    if object.endswith("__c"):
        body["checkDuplicateSearch"] = settings.duplicate_search
    return body


def update(object: str, fields: Mapping[str, Any], settings: FxiaokeSettings) -> Body:
    """Builds an update of the fields given, `_id` among them. Source: Fxiaoke AccountObj/update."""
    wrapper: Body = {"object_data": {"dataObjectApiName": object, **fields}, "optionInfo": _options(settings)}
    if object.endswith("__c") and settings.write_status_locked:
        wrapper["skipDataStatusValidate"] = True
    body: Body = {**flags(settings), "data": wrapper}
    if object.endswith("__c"):
        body["checkDuplicateSearch"] = settings.duplicate_search
    return body


def change_owner(object: str, native_id: str, owner: Any, settings: FxiaokeSettings) -> Body:
    """Builds a change of owner; the capital D is the vendor's. Source: Fxiaoke data/changeOwner."""
    data = {"dataObjectApiName": object, "Data": [{"objectDataId": native_id, "ownerId": owner}]}
    return {**flags(settings), "data": data}


def choose(object: str, native_id: str, settings: FxiaokeSettings) -> Body:
    """Builds the claim of a record out of its pool; its name for the object is its own. Source: Fxiaoke data/choose."""
    return {**flags(settings), "data": {"apiName": object, "objectIds": [native_id]}}


def invalid(object: str, native_id: str, settings: FxiaokeSettings) -> Body:
    """Builds the invalidation of one record. Source: Fxiaoke data/invalid."""
    return {**flags(settings), "data": {"dataObjectApiName": object, "object_data_id": native_id}}


def recover(object: str, native_id: str, settings: FxiaokeSettings) -> Body:
    """Builds the recovery of one invalid record. Source: Fxiaoke data/recover."""
    return {**flags(settings), "data": {"dataObjectApiName": object, "idList": [native_id]}}


def created_id(payload: Mapping[str, Any]) -> str | None:
    """Returns the id of a created record; the custom object's page does not show where it stands."""
    nested = payload.get("data")
    found = payload.get("dataId") or (
        nested.get("dataId") or nested.get("_id") if isinstance(nested, Mapping) else None
    )
    return found if isinstance(found, str) else None


def with_empties(fields: Mapping[str, Any], description: ObjectDescription) -> Body:
    """Returns the fields with each None as "" or [], whichever its type takes."""
    lists = {name for name, field in description.fields.items() if field.kind in LIST_TYPES}
    return {name: ([] if name in lists else "") if value is None else value for name, value in fields.items()}


def _options(settings: FxiaokeSettings) -> Body:
    return {
        "isDuplicateSearch": settings.duplicate_search,
        "skipFuncValidate": settings.skip_function_validation,
        "useValidationRule": settings.use_validation_rules,
    }
