"""Lenses between the lookups of a system and native references; the engine turns these into hub ids and back."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field as Rule

from hub.canonical.refusal import ValueRefused
from hub.canonical.schema import Kind
from hub.canonical.values import Value
from hub.kernel.errors import Text
from hub.mapping.lenses.base import ABSENT, NOT_READABLE, BadLens, Fields, Joint, Lens, NoParams, Setting, Simple
from hub.mapping.references import native_ref, parse_ref

UNRESOLVED = Text("is not a reference to a record of this system", "不是对该系统记录的引用")
FOREIGN = Text(
    "points at a record of an object that this field of the system cannot hold; correct the link, or the mapping",
    "所指记录属于该系统字段不能关联的对象，请更正关联或修改映射",
)
Shape = Literal["id", "id_object"]


def _id_of(raw: Any, shape: Shape, name: str) -> str | None:
    """Returns the native id in a lookup, None for an empty one."""
    if shape == "id_object" and raw is not None:
        if not isinstance(raw, dict):
            raise ValueRefused(name, NOT_READABLE)
        raw = raw.get("id")
    if raw is None or raw == "":
        return None
    if not isinstance(raw, str):
        raise ValueRefused(name, NOT_READABLE)
    return raw


def _target(value: Value, objects: Collection[str], name: str) -> tuple[str, str]:
    """Returns object and native id of a reference; raises ValueRefused for one to any other object."""
    try:
        object_, native_id = parse_ref(value)
    except ValueError:
        raise ValueRefused(name, UNRESOLVED) from None
    if object_ not in objects:
        raise ValueRefused(name, FOREIGN)
    return object_, native_id


def _wrapper(shape: Shape) -> Callable[[str], Any]:
    return (lambda native_id: {"id": native_id}) if shape == "id_object" else (lambda native_id: native_id)


class ReferenceParams(NoParams):
    """`object` is what the lookup points at; `shape` says whether it is an id or an object with an id."""

    object: str
    shape: Shape = "id"


def _reference(setting: Setting, params: ReferenceParams) -> Simple:
    name, object_, shape, wrap = setting.field.name, params.object, params.shape, _wrapper(params.shape)

    def get(raw: Any) -> Value:
        found = _id_of(raw, shape, name)
        return None if found is None else native_ref(object_, found)

    return Simple(get, lambda value: wrap(_target(value, (object_,), name)[1]))


class EitherParams(NoParams):
    """`objects` are what the native lookups point at, in their order."""

    objects: list[str]
    shape: Shape = "id"


def _reference_either(setting: Setting, params: EitherParams) -> Joint:
    name, natives, shape, wrap = setting.field.name, setting.natives, params.shape, _wrapper(params.shape)
    if len(params.objects) != len(natives) or len(set(params.objects)) < len(natives):
        raise BadLens("`objects` must name one object per native field, each once", "objects 须与系统字段一一对应")
    places = dict(zip(params.objects, natives, strict=True))

    def get(raws: tuple[Any, ...]) -> tuple[Value, ...]:
        for object_, raw in zip(places, raws, strict=True):
            found = _id_of(raw, shape, name)
            if found is not None:
                return (native_ref(object_, found),)
        return (None,)

    def put(fields: Fields, _: Fields) -> dict[str, Any]:
        patch: dict[str, Any] = dict.fromkeys(natives)
        if fields[name] is not None:
            object_, native_id = _target(fields[name], places, name)
            patch[places[object_]] = wrap(native_id)
        return patch

    return Joint(get, put)


class ActivityParams(NoParams):
    """`persons` are in the first lookup; `organizations` and `complaints` share the second, named in the third."""

    persons: str
    organizations: str
    complaints: str


@dataclass(frozen=True, slots=True)
class _Activity:
    """Is the lens of an activity that points at one person and at one other thing.

    `natives` are the person, the other thing, its object, and perhaps a lookup of our own for the complaint.
    Source: Zoho API v8, Who_Id, What_Id and $se_module of Calls, Events and Tasks.
    """

    natives: tuple[str, ...]
    customer: str
    complaint: str
    objects: ActivityParams

    def get(self, raws: tuple[Any, ...]) -> tuple[Value, ...]:
        who, what = _id_of(raws[0], "id_object", self.customer), _id_of(raws[1], "id_object", self.customer)
        module, objects = raws[2], self.objects
        person = None if who is None else native_ref(objects.persons, who)
        if what is not None and not isinstance(module, str):
            return person or ABSENT, ABSENT
        about = None if what is None else native_ref(module, what)
        customer = about if person is None and module == objects.organizations else person
        if about is not None and module == objects.complaints:
            return customer, about
        return customer, self._own_lookup(raws, customer)

    def _own_lookup(self, raws: tuple[Any, ...], customer: str | None) -> Any:
        """Returns the complaint of our own lookup; without one an organization's activity does not show it."""
        if len(raws) == 3:
            return None if self._is_person(customer) else ABSENT
        if raws[3] is ABSENT:
            return ABSENT
        found = _id_of(raws[3], "id_object", self.complaint)
        return None if found is None else native_ref(self.objects.complaints, found)

    def _is_person(self, customer: Value) -> bool:
        return not (isinstance(customer, str) and customer.startswith(native_ref(self.objects.organizations, "")))

    def put(self, fields: Fields, current: Fields) -> dict[str, Any]:
        objects = self.objects
        customer, complaint = (fields.get(name, current.get(name)) for name in (self.customer, self.complaint))
        owner = None if customer is None else _target(customer, (objects.persons, objects.organizations), self.customer)
        case = None if complaint is None else {"id": _target(complaint, (objects.complaints,), self.complaint)[1]}
        moved = self.customer in fields and (self.customer not in current or current[self.customer] != customer)
        who, what, module, *own = self.natives
        kept = own if self.complaint in fields or self.complaint in current else []
        if owner is not None and owner[0] == objects.organizations:
            patch: dict[str, Any] = {who: None, what: {"id": owner[1]}, module: owner[0]} if moved else {}
            return patch | dict.fromkeys(kept, case)
        patch = {who: None if owner is None else {"id": owner[1]}} if moved else {}
        return patch | dict.fromkeys(kept) | self._about(case, current)

    def _about(self, case: dict[str, str] | None, current: Fields) -> dict[str, Any]:
        """Returns what a person's activity is about."""
        _, what, module, *_ = self.natives
        if case is not None:
            return {what: case, module: self.objects.complaints}
        # What others put there (a deal) stays; what the hub is known to have put there goes.
        ours = current.get(self.complaint) is not None or not self._is_person(current.get(self.customer))
        return {what: None} if ours else {}


def _two_references(setting: Setting) -> tuple[str, str]:
    if [each.name for each in setting.fields] != ["customer_id", "complaint_id"]:
        raise BadLens("needs canonical: [customer_id, complaint_id]", "canonical 应为 [customer_id, complaint_id]")
    return setting.fields[0].name, setting.fields[1].name


def _activity_links(setting: Setting, params: ActivityParams) -> Joint:
    made = _Activity(setting.natives, *_two_references(setting), params)
    return Joint(made.get, made.put, needed=2)


class RelatedParams(NoParams):
    """`customers` and `complaints` are the objects of the links that are ours; others in the list are not read."""

    customers: str
    complaints: str
    kind_key: str = Rule(default="describe_api_name", description="the key of an entry that names its object")


def _related_objects(setting: Setting, params: RelatedParams) -> Joint:
    """Makes the lens of a list of links, with or without a lookup that repeats the customer among them.

    Source: Fxiaoke ActiveRecordObj, account_id and related_object_data.
    """
    customer_id, complaint_id = _two_references(setting)
    natives, key = setting.natives, params.kind_key
    listed = natives[-1]
    objects = {customer_id: params.customers, complaint_id: params.complaints}

    def first(entries: Any, name: str) -> Value:
        for entry in entries or ():
            if entry[key] == objects[name] and (found := _id_of(entry["id"], "id", name)) is not None:
                return native_ref(objects[name], found)
        return None

    def get(raws: tuple[Any, ...]) -> tuple[Value, ...]:
        looked_up = _id_of(raws[0], "id", customer_id) if len(raws) == 2 else None
        customer = first(raws[-1], customer_id) if looked_up is None else native_ref(params.customers, looked_up)
        return customer, first(raws[-1], complaint_id)

    def put(fields: Fields, current: Fields) -> dict[str, Any]:
        wanted = {name: fields.get(name, current.get(name)) for name in objects}
        ids = {name: None if v is None else _target(v, (objects[name],), name)[1] for name, v in wanted.items()}
        entries = [{key: objects[name], "id": found} for name, found in ids.items() if found is not None]
        patch: dict[str, Any] = {listed: entries}
        return patch if len(natives) == 1 else {natives[0]: ids[customer_id]} | patch

    return Joint(get, put)


_REFS = frozenset({Kind.REF})
_LOOKUPS = frozenset({"lookup", "multi_module_lookup", "object_reference", "object_reference_many"})
LINKED = (
    Lens("reference", Text("Lookup of one record", "查找关联"), ReferenceParams, _REFS, _reference, _LOOKUPS),
    Lens(
        "reference_either",
        Text("One record by several lookups, one per object", "多个查找字段关联同一业务记录"),
        EitherParams,
        _REFS,
        _reference_either,
        _LOOKUPS,
        parts=(2, 4),
    ),
    Lens(
        "activity_links",
        Text("Customer and complaint of an activity", "活动关联的客户与投诉"),
        ActivityParams,
        _REFS,
        _activity_links,
        _LOOKUPS,
        parts=(3, 4),
        canonicals=(2, 2),
    ),
    Lens(
        "related_objects",
        Text("Customer and complaint in a list of links", "关联对象列表中的客户与投诉"),
        RelatedParams,
        _REFS,
        _related_objects,
        _LOOKUPS,
        parts=(1, 2),
        canonicals=(2, 2),
    ),
)
