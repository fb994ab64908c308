"""What the vendor tells about modules, fields, layouts, users and the org."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from connectors.zoho_crm.simulator.activity_fields import SE_MODULE
from connectors.zoho_crm.simulator.answers import Failure, answer, empty, invalid, whole_number
from connectors.zoho_crm.simulator.oauth import ORG_ID
from connectors.zoho_crm.simulator.records import ModuleStore, Org
from connectors.zoho_crm.simulator.schema import NOTE_PARENT, PROFILES, FieldSpec, ModuleSpec, User

_MADE_AT = 1_700_000_000
_PROFILE = PROFILES[0]
_JSON_TYPES = {"integer": "integer", "boolean": "boolean", "currency": "double", "lookup": "jsonobject",
               "ownerlookup": "jsonobject", "bigint": "string", "jsonarray": "jsonarray",
               "subform": "jsonarray", "multiselectlookup": "jsonarray", "multiuserlookup": "jsonarray",
               "event_reminder": "jsonobject", "ALARM": "jsonobject", "RRULE": "jsonobject"}  # fmt: skip
_OLD = ("v2", "v2.1")


def modules(org: Org, version: str, since: int | None) -> Response:
    """Answers GET /settings/modules; the modules do not change, so a later If-Modified-Since answers 304."""
    if since is not None and since > _MADE_AT:
        return empty(304)
    shown = [_module(org, order, store.spec) for order, store in enumerate(org.modules.values())]
    return answer({"modules": shown})


def module(org: Org, name: str) -> Response:
    """Answers GET /settings/modules/{api_name}."""
    store = store_named(org, name)
    return answer({"modules": [_module(org, list(org.modules).index(store), org.modules[store].spec)]})


def store_named(org: Org, name: str | None) -> str:
    """Returns the name of a module that is there; raises Failure 400."""
    if not name:
        raise Failure(
            400, "REQUIRED_PARAM_MISSING", "One of the expected parameter is missing", {"param_name": "module"}
        )
    if name not in org.modules:
        raise Failure(400, "INVALID_MODULE", "the module name given seems to be invalid", {})
    return name


def fields(org: Org, params: Mapping[str, str], version: str) -> Response:
    """Answers GET /settings/fields?module=."""
    store = org.modules[store_named(org, params.get("module"))]
    unused = params.get("type") == "unused"
    # The old versions do not describe the record id; zcrmsdk would refuse its own ids if they did.
    seen = [one for one in store.spec.fields.values() if _is_seen(store, one.api_name, unused)]
    shown = [one for one in seen if one.api_name != "id" or version not in _OLD]
    described = [_field(org, one, version, store) for one in shown]
    if not described:
        return empty(204)
    if not unused and "What_Id" in store.spec.fields and org.settings.se_module_described:
        described.append(_field(org, _module_of_link(store.spec), version, store))
    return answer({"fields": described})


def _is_seen(store: ModuleStore, name: str, unused: bool) -> bool:
    if name in store.unused_fields:
        return unused and name not in store.hidden_fields
    return not unused and store.visible(name) is not None


def _module_of_link(spec: ModuleSpec) -> FieldSpec:
    return FieldSpec("$se_module", "text", 120, field_id=_derived(spec.module_id, 30_000))


def field(org: Org, field_id: str, params: Mapping[str, str], version: str) -> Response:
    """Answers GET /settings/fields/{id}?module=."""
    store = org.modules[store_named(org, params.get("module"))]
    every = store.spec.fields.values()
    found = [_field(org, one, version, store) for one in every if one.field_id == field_id]
    if not found:
        raise invalid("the id given seems to be invalid", id=field_id)
    return answer({"fields": found})


def pick_list_values(org: Org, field_id: str, params: Mapping[str, str]) -> Response:
    """Answers GET /settings/fields/{id}/pick_list_values?module=; 204 for a field without options."""
    store = org.modules[store_named(org, params.get("module"))]
    spec = next((one for one in store.spec.fields.values() if one.field_id == field_id), None)
    if spec is None:
        raise invalid("the id given seems to be invalid", resource_path_index=2)
    more = {"colour_code": None, "layout_associations": [_layout_name(store.spec)]}
    values = [option | more for option in _pick_list(spec)]
    return answer({"pick_list_values": values}) if values else empty(204)


def _layout_name(spec: ModuleSpec) -> dict[str, str]:
    return {"api_name": "Standard", "name": "Standard", "id": _derived(spec.module_id, 20_000)}


def layouts(org: Org, params: Mapping[str, str], version: str) -> Response:
    """Answers GET /settings/layouts?module=; one layout holds every field in use."""
    name = store_named(org, params.get("module"))
    store, spec = org.modules[name], org.modules[name].spec
    used = [one for one in spec.fields.values() if one.api_name not in store.unused_fields]
    shown = [{**_field(org, one, version, store), "required": one.required} for one in used]
    allowed = dict.fromkeys(("edit", "rename", "clone", "downgrade", "delete", "deactivate"), False)
    section = {
        "isSubformSection": False,
        "display_label": f"{name} Information",
        "mode": "detail_view",
        "sequence_number": 1,
        "actions_allowed": {"edit": True, "rename": True, "delete": False},
        "tab_traversal": "left_to_right",
        "api_name": f"{name}_Information",
        "column_count": 2,
        "name": f"{name} Information",
        "generated_type": "default",
        "id": _derived(spec.module_id, 10_000),
        "fields": shown,
    }
    layout = {
        "has_more_profiles": False,
        "created_time": None,
        "visible": True,
        "created_for": None,
        "profiles": [{"default": True, **_PROFILE}],
        "source": "crm",
        "sections": [section],
        "display_label": "Standard",
        "show_business_card": True,
        "actions_allowed": {**allowed, "set_layout_permissions": False},
        "modified_time": None,
        "api_name": "Standard",
        "name": "Standard",
        "modified_by": None,
        "generated_type": "system",
        "id": _derived(spec.module_id, 20_000),
        "status": "active",
    }
    return answer({"layouts": [layout]})


def users(org: Org, params: Mapping[str, str], asking: User) -> Response:
    """Answers GET /users?type=."""
    kind = params.get("type", "AllUsers")
    chosen = {
        "AllUsers": list(org.users.values()),
        "ActiveUsers": [user for user in org.users.values() if user.active],
        "DeactiveUsers": [user for user in org.users.values() if not user.active],
        "CurrentUser": [asking],
        "AdminUsers": [user for user in org.users.values() if user.admin],
    }.get(kind)
    if chosen is None:
        raise invalid("invalid data", param_name="type")
    per_page, page = whole_number(params, "per_page", 200), max(1, whole_number(params, "page", 1))
    shown = chosen[(page - 1) * per_page : page * per_page]
    if not shown:
        return empty(204)
    notes = {"per_page": per_page, "count": len(shown), "page": page, "more_records": len(chosen) > page * per_page}
    return answer({"users": [_user(user) for user in shown], "info": notes})


def user(org: Org, user_id: str) -> Response:
    """Answers GET /users/{id}."""
    return answer({"users": [_user(org.users[user_id])]}) if user_id in org.users else empty(204)


def organization(org: Org) -> Response:
    """Answers GET /org."""
    details: dict[str, Any] = {
        "country": "China",
        "city": None,
        "type": "production",
        "created_time": org.iso(_MADE_AT),
        "domain_name": f"org{ORG_ID}",
        "currency": "CNY",
        "currency_symbol": "¥",
        "currency_locale": "zh_CN",
        "id": "5843104000000020005",
        "time_zone": "Asia/Shanghai",
        "zgid": ORG_ID,
        "country_code": "CN",
        "company_name": "模拟银行",
        "primary_email": "crm-api@bank.example",
    }
    if org.settings.org_shows_licence:
        licence = {"paid": org.settings.edition != "free", "paid_type": org.settings.edition, "trial_type": None}
        licence |= {"users_license_purchased": org.settings.users, "portal_users_license_purchased": 0}
        details["license_details"] = licence | {"paid_expiry": None, "trial_expiry": None}
    return answer({"org": [details]})


def _user(user: User) -> dict[str, Any]:
    return {
        "id": user.user_id,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "full_name": user.short()["name"],
        "email": user.email,
        "status": "active" if user.active else "inactive",
        "confirm": True,
        "locale": "zh_CN",
        "time_zone": "Asia/Shanghai",
        "profile": PROFILES[0 if user.admin else 1],
        "role": {"name": "CEO" if user.admin else "Manager", "id": "5843104000000026005"},
        "zuid": user.user_id[-9:],
    }


def _module(org: Org, order: int, spec: ModuleSpec) -> dict[str, Any]:
    yes = ("global_search_supported", "recycle_bin_on_delete", "lookupable", "deletable", "creatable", "editable",
           "viewable", "api_supported", "triggers_supported", "convertable", "filter_supported", "show_as_tab",
           "quick_create", "feeds_required", "scoring_supported", "webform_supported", "emailTemplate_support",
           "email_parser_supported", "isBlueprintSupported", "presence_sub_menu")  # fmt: skip
    no = ("public_fields_configured", "has_more_profiles", "sub_menu_available", "inventory_template_supported",
          "track_current_data")  # fmt: skip
    return {
        **dict.fromkeys(yes, True),
        **dict.fromkeys(no, False),
        "profile_count": 1,
        "description": None,
        "id": spec.module_id,
        "api_name": spec.api_name,
        "module_name": spec.api_name,
        "plural_label": spec.api_name,
        "singular_label": spec.api_name.removesuffix("s"),
        "generated_type": "default",
        "modified_time": org.iso(_MADE_AT),
        "modified_by": None,
        "profiles": [_PROFILE],
        "parent_module": {},
        "status": "visible",
        "sequence_number": order + 1,
        "visibility": 1,
        "business_card_field_limit": 5,
        "arguments": [],
        "web_link": None,
    }


def _derived(base: str, step: int) -> str:
    """Returns another 19-digit id that belongs to one."""
    return str(int(base) + step)


def _field(org: Org, spec: FieldSpec, version: str, store: ModuleStore) -> dict[str, Any]:
    writable = not spec.read_only
    described: dict[str, Any] = {
        "id": spec.field_id,
        "api_name": spec.api_name,
        "field_label": spec.shown_label,
        "display_label": spec.shown_label,
        "data_type": spec.data_type,
        "json_type": "jsonarray" if spec.api_name == "Tag" else _JSON_TYPES.get(spec.data_type, "string"),
        "length": spec.length,
        "system_mandatory": spec.required,
        "read_only": spec.read_only,
        "field_read_only": spec.read_only,
        "operation_type": dict.fromkeys(("web_update", "api_create", "web_create", "api_update"), writable),
        "visible": True,
        "custom_field": spec.custom,
        "unique": _unique(spec, version),
        "pick_list_values": _pick_list(spec),
        "lookup": _lookup(org, spec, version),
        "external": {"show": True, "type": "org"} if spec.api_name == org.settings.external_field else None,
        "decimal_place": 2 if spec.data_type == "currency" else None,
        "created_source": "default",
        "created_time": None,
        "modified_time": None,
    }
    if spec.data_type == "textarea" and org.settings.textarea_described:
        rich = spec.api_name in org.settings.rich_text_fields.split(",")
        described["textarea"] = {"type": "rich_text" if rich else "small" if spec.length <= 2000 else "large"}
    return described if version in _OLD else described | _rest(spec, store)


def _rest(spec: FieldSpec, store: ModuleStore) -> dict[str, Any]:
    """Returns the keys of a v8 field that say nothing a sync needs."""
    yes = ("filterable", "searchable", "sortable", "mass_update", "businesscard_supported")
    limits = store.profiles.get(spec.api_name, {})
    no = ("colour_code_enabled_by_system", "separator", "history_tracking_enabled", "enable_colour_code", "public",
          "virtual_field", "display_field", "pick_list_values_sorted_lexically",
          "hipaa_compliance_enabled")  # fmt: skip
    return {
        **dict.fromkeys(yes, True),
        **dict.fromkeys(no, False),
        "webhook": True,
        "type": "unused" if spec.api_name in store.unused_fields else "used",
        "association_details": None,
        "multi_module_lookup": {},
        "profiles": [{"permission_type": limits.get(one["id"], "read_write"), **one} for one in PROFILES],
        "view_type": {"view": True, "edit": True, "quick_create": False, "create": True},
        "range": None,
        "display_type": -1,
        "ui_type": 1,
        "email_parser": {"fields_update_supported": True, "record_operations_supported": True},
        "currency": {"rounding_option": "normal", "precision": 2} if spec.data_type == "currency" else {},
        "convert_mapping": {},
        "rollup_summary": {},
        "formula": {},
        "multiselectlookup": {},
        "auto_number": {},
    }


def _unique(spec: FieldSpec, version: str) -> dict[str, Any]:
    """Returns how a field is unique; v2 wrote the key in one word (zcrmsdk, fields.Unique)."""
    if not spec.unique:
        return {}
    return {"casesensitive": "false"} if version in _OLD else {"case_sensitive": False}


def _pick_list(spec: FieldSpec) -> list[dict[str, Any]]:
    values = ("-None-", *spec.picklist) if spec.picklist else ()
    labels = dict(spec.shown)
    return [
        {
            "display_value": labels.get(value, value),
            "actual_value": value,
            "reference_value": value,
            "sequence_number": order,
            "id": _derived(spec.field_id, 100_000 * order),
            "type": "used",
        }
        for order, value in enumerate(values, start=1)
    ]


def _lookup(org: Org, spec: FieldSpec, version: str) -> dict[str, Any]:
    if not spec.lookup:
        return {}
    if spec.lookup == NOTE_PARENT:
        return {"display_label": None, "api_name": None, "id": None, "module": {"api_name": "se_module", "id": None}}
    if spec.lookup == SE_MODULE:
        if version in _OLD:
            return {"display_label": None, "api_name": None, "id": None, "module": SE_MODULE}
        return {"module": {"api_name": SE_MODULE, "id": _derived(spec.field_id, 90_000_000), "crypt": False}}
    target = org.modules[spec.lookup].spec
    described = {"display_label": target.api_name, "api_name": spec.api_name, "id": _derived(spec.field_id, 90_000_000)}
    if version in _OLD:
        return {**described, "module": target.api_name}
    return {**described, "module": {"api_name": target.api_name, "id": target.module_id, "crypt": False}}
