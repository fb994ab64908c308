"""Tags: those of a module, and those put on its records. Source: Zoho API v8 tags; v2 by the vendor's own SDK.

How many records one call may tag is from third parties, and what its answer says from the SDK's model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from connectors.zoho_crm.simulator.answers import Failure, RowRefused, answer, empty, invalid
from connectors.zoho_crm.simulator.metadata import store_named
from connectors.zoho_crm.simulator.records import ModuleStore, Org, Tag
from connectors.zoho_crm.simulator.schema import User
from connectors.zoho_crm.simulator.states import refuse_change
from connectors.zoho_crm.simulator.writing import write_fields

MOST_RECORDS = 500
_LENGTH = 25
_PARAM = "One of the expected parameter is missing"


def handle(org: Org, method: str, parts: list[str], params: Mapping[str, str], body: Any, user: User) -> Response:
    """Answers /settings/tags and /settings/tags/{id}; raises Failure."""
    if not parts:
        # The published document names this one `param`, where other calls say `param_name`.
        if not params.get("module"):
            raise Failure(400, "REQUIRED_PARAM_MISSING", _PARAM, {"param": "module"})
        owner = _owner(org.modules[store_named(org, params["module"])])
        if method == "GET":
            return _list(org, owner)
        if method == "POST":
            return _create(org, owner, body, user)
    elif len(parts) == 1 and method in ("PUT", "DELETE"):
        tag = next((one for one in org.tags.values() if one.shown["id"] == parts[0]), None)
        if tag is None:
            raise Failure(400, "INVALID_DATA", "tags not found", {"id": parts[0]})
        return _change(org, tag, body, user) if method == "PUT" else _delete(org, tag)
    elif len(parts) == 3 and parts[1:] == ["actions", "records_count"] and method == "GET":
        store = org.modules[store_named(org, params.get("module"))]
        return answer({"count": sum(_wears(row.fields, parts[0]) for row in store.rows.values() if not row.deleted)})
    raise Failure(400, "INVALID_REQUEST_METHOD", "The http request method type is not a valid one")


def put_on(
    org: Org, store: ModuleStore, action: str, ids: list[str], params: Mapping[str, str], body: Any, user: User
) -> Response:
    """Answers POST /{module}/actions/add_tags and remove_tags, and the same of one record; raises Failure.

    v8 names tags and records in the body, v2 in the query. A record that cannot be changed refuses its row.
    """
    sent = body if isinstance(body, dict) else {}
    named = [str(one.get("name", "")) for one in sent.get("tags", []) if isinstance(one, dict)]
    names = [name for name in (named or params.get("tag_names", "").split(",")) if name]
    ids = ids or [str(one) for one in sent.get("ids", [])] or [one for one in params.get("ids", "").split(",") if one]
    if not names or not ids:
        raise Failure(400, "REQUIRED_PARAM_MISSING", _PARAM, {"param_name": "ids" if names else "tag_names"})
    if len(ids) > MOST_RECORDS:
        raise Failure(400, "LIMIT_EXCEEDED", "Number of records exceeds the limit", {"limit": MOST_RECORDS})
    if any(len(name) > _LENGTH for name in names):
        raise invalid("invalid data", api_name="tags", maximum_length=_LENGTH)
    over = str(sent.get("over_write", params.get("over_write", "false"))).lower() == "true"
    results = []
    for record_id in dict.fromkeys(ids):
        try:
            results.append(_tag(org, store, action, record_id, names, over, user))
        except RowRefused as refused:
            results.append(refused.result())
    good = sum(one["status"] == "success" for one in results)
    status = 200 if good == len(results) else (207 if good else org.settings.all_failed_status)
    return answer({"data": results, "success_count": str(good)}, status)


def _tag(
    org: Org, store: ModuleStore, action: str, record_id: str, names: list[str], over: bool, user: User
) -> dict[str, Any]:
    row = store.live(record_id)
    if row is None or row.hidden:
        raise RowRefused("INVALID_DATA", "the id given seems to be invalid", {"id": record_id})
    refuse_change(row, {"Tag": None})
    present = [one["name"] for one in row.fields.get("Tag") or []]
    if action == "remove_tags":
        wanted = [name for name in present if name not in names]
    else:
        wanted = list(dict.fromkeys([*([] if over else present), *names]))
    if wanted != present:
        tags = [org.tag(_owner(store), name) for name in wanted]
        write_fields(org, store, row, {"Tag": tags}, user)
    details = {"id": record_id, "tags": wanted}
    return {"code": "SUCCESS", "details": details, "message": "tags updated successfully", "status": "success"}


def _owner(store: ModuleStore) -> str:
    if "Tag" not in store.spec.fields:
        raise Failure(400, "INVALID_MODULE", "the given module is not supported for this api", {})
    return store.spec.fields["Tag"].field_id


def _list(org: Org, owner: str) -> Response:
    shown = [_shown(org, tag) for tag in org.tags.values() if tag.owner == owner]
    allowed = org.settings.tags_per_module
    listed = {"tags": shown, "info": {"count": len(shown), "allowed_count": allowed}}
    return answer(listed) if shown else empty(204)


def _create(org: Org, owner: str, body: Any, user: User) -> Response:
    results = []
    for place, name, color in _read(body):
        if (owner, name) in org.tags:
            where = {"api_name": "name", "json_path": f"$.tags[{place}].name"}
            details = {**where, "id": org.tags[owner, name].shown["id"]}
            results.append(
                {"code": "DUPLICATE_DATA", "details": details, "message": "duplicate data", "status": "error"}
            )
            continue
        if sum(tag.owner == owner for tag in org.tags.values()) >= org.settings.tags_per_module:
            refused = {"code": "LICENSE_LIMIT_EXCEEDED", "details": {}, "message": "tags edition limit exceeded"}
            results.append({**refused, "status": "error"})
            continue
        org.tag(owner, name, user)["color_code"] = color
        results.append(_done(org, org.tags[owner, name], "tags created successfully"))
    good = sum(one["status"] == "success" for one in results)
    return answer({"tags": results}, 201 if good == len(results) else (207 if good else 400))


def _change(org: Org, tag: Tag, body: Any, user: User) -> Response:
    ((place, name, color),) = _read(body)[:1]
    other = org.tags.get((tag.owner, name))
    if other is not None and other is not tag:
        where = {"api_name": "name", "json_path": f"$.tags[{place}].name", "id": other.shown["id"]}
        refused = {"code": "DUPLICATE_DATA", "details": where, "message": "duplicate data", "status": "error"}
        return answer({"tags": [refused]}, 400)
    del org.tags[tag.owner, tag.shown["name"]]
    # Records share the map, as they show the one tag.
    tag.shown.update({"name": name} | ({"color_code": color} if color else {}))
    tag.modified, tag.modified_by = org.now(), user
    org.tags[tag.owner, name] = tag
    return answer({"tags": [_done(org, tag, "tags updated successfully")]})


def _delete(org: Org, tag: Tag) -> Response:
    tag_id = tag.shown["id"]
    del org.tags[tag.owner, tag.shown["name"]]
    for store in org.modules.values():
        for row in store.rows.values():
            if _wears(row.fields, tag_id):
                row.fields = {**row.fields, "Tag": [one for one in row.fields["Tag"] if one["id"] != tag_id]}
    details = {"id": tag_id}
    done = {"code": "SUCCESS", "details": details, "message": "tags deleted successfully", "status": "success"}
    return answer({"tags": [done]})


def _wears(fields: Mapping[str, Any], tag_id: str) -> bool:
    return any(one["id"] == tag_id for one in fields.get("Tag") or [])


def _read(body: Any) -> list[tuple[int, str, str | None]]:
    tags = body.get("tags") if isinstance(body, dict) else None
    if not isinstance(tags, list) or not tags:
        raise invalid("invalid data", api_name="tags", expected_data_type="jsonarray")
    found = []
    for place, one in enumerate(tags):
        where = {"api_name": "name", "json_path": f"$.tags[{place}].name"}
        name = one.get("name") if isinstance(one, dict) else None
        if not isinstance(name, str) or not name.strip():
            raise Failure(400, "MANDATORY_NOT_FOUND", "required field not found", where)
        if len(name) > _LENGTH:
            raise Failure(400, "INVALID_DATA", "invalid data", {"maximum_length": _LENGTH, **where})
        found.append((place, name.strip(), one.get("color_code")))
    return found


def _shown(org: Org, tag: Tag) -> dict[str, Any]:
    by, changer = (tag.created_by or org.api_user).short(), (tag.modified_by or org.api_user).short()
    times = {"created_time": org.iso(tag.created), "modified_time": org.iso(tag.modified)}
    return {**tag.shown, "created_by": by, "modified_by": changer, **times}


def _done(org: Org, tag: Tag, message: str) -> dict[str, Any]:
    return {"code": "SUCCESS", "details": _shown(org, tag), "message": message, "status": "success"}
