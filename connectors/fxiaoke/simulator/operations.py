"""Every interface of the API: its path, and what it does with an authenticated call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.fxiaoke.simulator import directory, lifecycle, pools
from connectors.fxiaoke.simulator.auth import Caller
from connectors.fxiaoke.simulator.describe import describe_object, list_objects, list_regions
from connectors.fxiaoke.simulator.query import read_search, run_search
from connectors.fxiaoke.simulator.refusal import Refusal, bad_parameter, null_pointer
from connectors.fxiaoke.simulator.schema import ObjectType
from connectors.fxiaoke.simulator.showing import Showcase
from connectors.fxiaoke.simulator.tenant import Tenant
from connectors.fxiaoke.simulator.writing import Writer

PRESET = "/cgi/crm/v2/data/"
CUSTOM = "/cgi/crm/custom/v2/data/"
BATCH_INVALID = "/cgi/crm/custom/data/invalid"


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated call."""

    tenant: Tenant
    caller: Caller
    path: str
    body: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What an operation adds to the envelope, and what the ledger notes of it."""

    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)
    object_name: str = ""
    rows: int = 0


Operation = Callable[[Call], Answer]


def _inner(call: Call) -> Mapping[str, Any]:
    found = call.body.get("data")
    if not isinstance(found, dict):
        raise bad_parameter("data")
    return found


def _object(call: Call, inner: Mapping[str, Any], writes: bool = False, either_path: bool = False) -> ObjectType:
    kind = call.tenant.kind(inner.get("dataObjectApiName") or inner.get("apiName"))
    wrong_path = kind.custom is not call.path.startswith(CUSTOM)
    if wrong_path and call.tenant.settings.strict_paths and not either_path:
        raise Refusal(call.tenant.settings.business_code, f"对象[{kind.api_name}]不支持该接口")
    call.tenant.check_permission(kind.api_name)
    call.tenant.check_function(kind.api_name, _function(call), _ids(inner))
    if writes and kind.readable_only:
        raise Refusal(call.tenant.settings.business_code, "没有新建或编辑权限")
    return kind


def _function(call: Call) -> str:
    """Returns the function that a call needs, as roles grant it."""
    name = PATHS[call.path][0]
    return {"findSimple": "query", "batchInvalid": "invalid"}.get(name, name)


def _ids(inner: Mapping[str, Any]) -> list[str]:
    """Returns the records that a call names, wherever its body has them."""
    one = [inner.get(name) for name in ("objectDataId", "object_data_id", "_id")]
    listed = inner.get("idList")
    owners = inner.get("Data")
    more = [item.get("objectDataId") for item in owners if isinstance(item, dict)] if isinstance(owners, list) else []
    return [item for item in [*one, *(listed if isinstance(listed, list) else []), *more] if isinstance(item, str)]


def _nulls(call: Call) -> bool:
    return call.body.get("includeNull") is True and call.tenant.settings.include_null == "honoured"


def query(call: Call, either_path: bool = False) -> Answer:
    """Answers query and findSimple from the search index."""
    inner = _inner(call)
    tenant = call.tenant
    kind = _object(call, inner, either_path=either_path)

    def to_user(value: Any) -> str:
        return tenant.directory.to_user(value, call.caller.converted, tenant.settings.accept_both_user_ids)

    search = read_search(inner, kind, tenant.settings, to_user)
    table = tenant.tables[kind.api_name]
    ties = tenant.mixer if tenant.settings.unstable_ties else None
    page, total = run_search(search, table.view(tenant.replica_turn()), table.hidden, ties)
    if tenant.is_unshared(kind.api_name):
        page, total = [], 0
    showcase = Showcase(tenant, kind, call.caller.converted, _nulls(call), search.projection)
    rows = [showcase.show(record) for record in page]
    found = {"dataList": rows, "total": total, "offset": search.offset, "limit": search.limit}
    return Answer({"data": found}, kind.api_name, len(rows))


def find_simple(call: Call) -> Answer:
    """Answers findSimple, which takes preset objects on the custom path."""
    return query(call, either_path=True)


def get(call: Call) -> Answer:
    """Answers get from the committed records, without the index lag."""
    inner = _inner(call)
    tenant = call.tenant
    kind = _object(call, inner)
    record = tenant.find(kind.api_name, inner.get("objectDataId"), "objectDataId")
    if record.get("is_deleted") and not tenant.settings.get_invalid:
        raise Refusal(tenant.settings.not_found_code, tenant.settings.not_found_text)
    showcase = Showcase(tenant, kind, call.caller.converted, _nulls(call))
    return Answer({"data": showcase.show(record)}, kind.api_name, 1)


def _sent(inner: Mapping[str, Any]) -> dict[str, Any]:
    sent = inner.get("object_data")
    if not isinstance(sent, dict):
        raise null_pointer("object_data")
    return sent


def create(call: Call) -> Answer:
    """Answers create."""
    inner = _inner(call)
    sent = _sent(inner)
    kind = _object(call, {**inner, **sent}, writes=True)
    if kind.api_name in call.tenant.settings.uncreatable_objects:
        raise Refusal(call.tenant.settings.business_code, "没有新建权限")
    record_id = Writer(call.tenant, kind, call.caller, call.body).create(sent)
    named = not kind.custom or call.tenant.settings.custom_create_returns_id
    return Answer({"dataId": record_id} if named else {}, kind.api_name, 1)


def update(call: Call) -> Answer:
    """Answers update."""
    inner = _inner(call)
    sent = _sent(inner)
    kind = _object(call, {**inner, **sent}, writes=True)
    Writer(call.tenant, kind, call.caller, call.body).update(sent)
    return Answer({}, kind.api_name, 1)


def change_owner(call: Call) -> Answer:
    """Answers changeOwner, whose list is named `Data` with a capital letter."""
    inner = _inner(call)
    kind = _object(call, inner, writes=True)
    Writer(call.tenant, kind, call.caller, call.body).change_owner(inner.get("Data"))
    return Answer({}, kind.api_name, len(inner["Data"]))


def choose(call: Call) -> Answer:
    """Answers choose, which names the object `apiName` and exists for preset objects alone."""
    inner = _inner(call)
    if not inner.get("apiName"):
        raise bad_parameter("apiName")
    kind = _object(call, {"apiName": inner["apiName"]}, writes=True)
    ids = lifecycle.read_ids(call.tenant, inner.get("objectIds"), "objectIds")
    pools.choose(call.tenant, kind.api_name, ids, call.caller.user_id)
    return Answer({}, kind.api_name, len(ids))


def invalid(call: Call) -> Answer:
    """Answers invalid for one record."""
    inner = _inner(call)
    kind = _object(call, inner, writes=True)
    record_id = inner.get("object_data_id")
    if not isinstance(record_id, str) or not record_id:
        raise bad_parameter("object_data_id")
    lifecycle.invalidate(call.tenant, kind.api_name, [record_id], call.caller.user_id)
    return Answer({}, kind.api_name, 1)


def batch_invalid(call: Call) -> Answer:
    """Answers the batch form of invalid, which stands under the custom path for every object."""
    inner = _inner(call)
    kind = _object(call, inner, writes=True, either_path=True)
    ids = lifecycle.read_ids(call.tenant, inner.get("idList"), "idList")
    lifecycle.invalidate(call.tenant, kind.api_name, ids, call.caller.user_id)
    return Answer({}, kind.api_name, len(ids))


def recover(call: Call) -> Answer:
    """Answers recover."""
    inner = _inner(call)
    kind = _object(call, inner, writes=True)
    ids = lifecycle.read_ids(call.tenant, inner.get("idList"), "idList")
    lifecycle.recover(call.tenant, kind.api_name, ids, call.caller.user_id)
    return Answer({}, kind.api_name, len(ids))


def delete(call: Call) -> Answer:
    """Answers delete."""
    inner = _inner(call)
    kind = _object(call, inner, writes=True)
    ids = lifecycle.read_ids(call.tenant, inner.get("idList"), "idList")
    lifecycle.delete(call.tenant, kind.api_name, ids, call.caller.user_id)
    return Answer({}, kind.api_name, len(ids))


def _locking(closed: bool) -> Operation:
    def change(call: Call) -> Answer:
        inner = _inner(call)
        kind = _object(call, inner, writes=True, either_path=True)
        ids = lifecycle.read_ids(call.tenant, inner.get("dataIds"), "dataIds")
        lifecycle.set_lock(call.tenant, kind.api_name, ids, closed, call.caller.user_id)
        return Answer({}, kind.api_name, len(ids))

    return change


DATA_OPERATIONS: dict[str, Operation] = {
    "query": query,
    "get": get,
    "create": create,
    "update": update,
    "changeOwner": change_owner,
    "invalid": invalid,
    "recover": recover,
    "delete": delete,
}


def _directory(answer: Callable[[directory.Desk], dict[str, Any]]) -> Operation:
    def look_up(call: Call) -> Answer:
        return Answer(answer(directory.Desk(call.tenant, call.body, converted=call.caller.converted)))

    return look_up


PATHS: dict[str, tuple[str, Operation]] = {
    **{root + name: (name, run) for root in (PRESET, CUSTOM) for name, run in DATA_OPERATIONS.items()},
    PRESET + "choose": ("choose", choose),
    CUSTOM + "findSimple": ("findSimple", find_simple),
    BATCH_INVALID: ("batchInvalid", batch_invalid),
    "/cgi/crm/v2/object/list": ("list", lambda call: Answer({"data": list_objects(call.tenant)})),
    "/cgi/crm/v2/object/describe": (
        "describe",
        lambda call: Answer({"data": describe_object(call.tenant, call.body)}),
    ),
    "/cgi/crm/v2/object/lock": ("lock", _locking(True)),
    "/cgi/crm/v2/object/unlock": ("unlock", _locking(False)),
    "/cgi/crm/countryAreaOptions/get": ("regions", lambda call: Answer({"data": list_regions(call.tenant)})),
    **{path: (name, _directory(answer)) for path, (name, answer) in directory.PATHS.items()},
}
