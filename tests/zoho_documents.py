"""Zoho's OpenAPI documents: which describes which path, and what is wrong in them, row by row with the reason.

"§" is a section of the hand-out reference/zoho-crm.md. Add an endpoint to ENDPOINTS when the connector comes to use it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.vendor_documents import (
    Change,
    Documents,
    Endpoint,
    Patch,
    Undocumented,
    any_of,
    merged,
    more,
    nullable,
    put,
    resolved,
    without,
)

V8, BULK = "/crm/v8", "/crm/bulk/v8"
_ROWS = """
    coql                    /coql
    org                     /org
    users                   /users                                      /users/{user}
    modules                 /settings/modules                           /settings/modules/{moduleIdentifier}
    fields                  /settings/fields                            /settings/fields/{fieldId}
    pick-list-values        /settings/fields/{fieldId}/pick_list_values
    layouts                 /settings/layouts                           /settings/layouts/{id}
    recycle-bin             /settings/recycle_bin                       /settings/recycle_bin/actions/restore
    recycle-bin             /settings/recycle_bin/{recordId}            /settings/recycle_bin/{recordId}/actions/restore
    tags                    /settings/tags                              /settings/tags/{id}
    duplicate-check-preference  /settings/duplicate_check_preference
    notifications           /actions/watch
    composite-requests      /__composite_requests
    files                   /files
    upload                  /upload
    notes                   /Notes                                      /Notes/{id}
    record-count            /{moduleApiName}/actions/count
    module-search           /{module}/search
    find-and-merge          /{module}/{masterRecordId}/actions/merge
    record                  /{module}/upsert                            /{module}/deleted
    record                  /{module}                                   /{module}/{recordID}
    related-records         /{parentRecordModule}/{parentRecord}/{relatedList}
    related-records         /{parentRecordModule}/{parentRecord}/{relatedList}/{record}
"""
ENDPOINTS = (
    *(Endpoint(V8, template, row.split()[0]) for row in _ROWS.strip().splitlines() for template in row.split()[1:]),
    Endpoint(BULK, "/read", "bulk-read"),
    Endpoint(BULK, "/read/{jobId}", "bulk-read"),
    Endpoint(BULK, "/read/{jobId}/result", "bulk-read"),
    Endpoint(BULK, "/write", "bulk-write"),
    Endpoint(BULK, "/write/{jobId}", "bulk-write"),
)
"""The first that fits a path counts."""

UNDOCUMENTED = (
    Undocumented("^/oauth/", "tests of sign-in"),
    Undocumented(r"^/crm/v8/\w+/\d+/actions/fetch_full_data$", "tests of rich texts"),
    Undocumented(r"^/crm/v2(\.1)?/", "zcrmsdk itself"),
)

_RECORD_ID = r"(?!deleted$|upsert$|search$)[^/]+"
_MODULE = r"(?!(?:settings|users|org|coql|actions|Notes|files|upload)(?:/|$))[A-Za-z]\w*"
SEGMENTS = {
    "": r"[^/]+",
    "module": _MODULE,
    "moduleApiName": _MODULE,
    "parentRecordModule": _MODULE,
    "recordID": _RECORD_ID,
    "parentRecord": r"\d+",
    "relatedList": r"(?!actions(?:/|$))\w+",
}

REFUSED = ("INVALID_TOKEN", "AUTHENTICATION_FAILURE", "OAUTH_SCOPE_MISMATCH")
THROTTLED = ("TOO_MANY_REQUESTS", "RATE_LIMIT_EXCEEDED")
ROW_CODES = ("NO_PERMISSION", "NOT_APPROVED", "RECORD_IN_BLUEPRINT", "ALREADY_MODIFIED", "NOT_SUPPORTED")
_ERROR_KEYS = {"code", "message", "status"}


def _details(schema: Any) -> Any:
    """Lets an error carry details, and lets those of an error name something else than a place in the path."""
    properties = schema.get("properties", {})
    if not set(properties) >= _ERROR_KEYS:
        return schema
    details = dict(properties.get("details", {"type": "object"}))
    if details.get("required") == ["resource_path_index"]:
        del details["required"]
    return {**schema, "properties": {**properties, "details": details}}


def _errors_of(schema: Any, document: Any) -> list[Any]:
    """Returns the schemas of single errors in that of an error answer, however it wraps them."""
    schema = resolved(schema, document)
    for joint in ("oneOf", "anyOf"):
        if joint in schema:
            return [one for part in schema[joint] for one in _errors_of(part, document)]
    wrapped = schema.get("properties", {}).get("data")
    if wrapped is not None and "items" in wrapped:
        return _errors_of(wrapped["items"], document)
    return [_details(schema)]


def _either(schema: Any, document: Any) -> Any:
    """Lets an error stand at the top as well as inside data[]."""
    errors = _errors_of(schema, document)
    rows = {"type": "array", "minItems": 1, "items": {"anyOf": errors}}
    wrapped = {"type": "object", "additionalProperties": False, "required": ["data"], "properties": {"data": rows}}
    return {"anyOf": [*errors, wrapped]}


def _answer(schema: Any) -> dict[str, Any]:
    return {"description": "by a patch", "content": {"application/json": {"schema": schema}}}


def _also(*codes: str) -> Change:
    """Adds an error to an answer, whether it is described already or not."""
    words = {name: {"type": "string"} for name in ("code", "message", "status")}
    properties = {**words, "code": {"enum": list(codes)}, "status": {"const": "error"}, "details": {"type": "object"}}
    error = {
        "type": "object",
        "additionalProperties": False,
        "required": sorted(_ERROR_KEYS),
        "properties": properties,
    }

    def change(node: Any, document: Any) -> Any:
        old = [] if node is None or "content" not in node else [node["content"]["application/json"]["schema"]]
        return _answer({"anyOf": [*old, _either(error, document)]})

    return change


def _partial(node: Any, document: Any) -> Any:
    """Describes the answer of a batch of which some rows failed: each is a success, or an error as in 400."""
    schemas = document["components"]["schemas"]
    success = schemas["RecordSuccessResponse"]["properties"]["data"]["items"]
    rows = {
        "type": "array",
        "minItems": 1,
        "items": {"anyOf": [success, *_errors_of(schemas["RecordsErrorResponse"], document)]},
    }
    return _answer(
        {"type": "object", "additionalProperties": False, "required": ["data"], "properties": {"data": rows}}
    )


def _as_400(node: Any, document: Any) -> Any:
    errors = _errors_of(document["components"]["schemas"]["RecordsErrorResponse"], document)
    return _answer({"type": "object", "properties": {"data": {"type": "array", "items": {"anyOf": errors}}}})


def _readable(node: Any, document: Any) -> Any:
    return "" if isinstance(node, str) and "\\p{" in node else node


_JSON = ("content", "application/json", "schema")
_SCHEMAS = ("components", "schemas")
_LISTED = (*_SCHEMAS, "RecordGETSucessResponse", "properties")
_ROW = ("properties", "data", "items", "properties")
_WRITES = (("/{module}", "post"), ("/{module}", "put"), ("/{module}/upsert", "post"))
_READS = (("/{module}", "get"), ("/{module}/{recordID}", "get"), ("/{module}/deleted", "get"))
_DELETE = ("paths", "/{module}", "delete")
_ORDERED = ("paths", "/write", "post", "requestBody", *_JSON, "properties", "resource", "items")
_ANY = ("paths", "*", "*")
_WF_TRIGGER = {"name": "wf_trigger", "in": "query", "schema": {"type": "string", "enum": ["true", "false"]}}
_USER = {"email": {"type": "string"}}
_NOT_MODIFIED = {"description": "not modified"}

PATCHES: tuple[Patch, ...] = (
    # Every document.
    Patch("*", (*_ANY, "security"), put([]), "tokens and scopes are checked by the simulator and tests of their own"),
    Patch("*", ("**", "pattern"), _readable, r"\p{…} is no pattern of Python's, nor of JSON Schema without the u flag"),
    *(
        Patch("*", (*_ANY, "responses", status, *_JSON), _either, "§16: errors stand at the top or inside data[]")
        for status in ("400", "401", "403", "404", "412", "500")
    ),
    Patch("*", (*_ANY, "responses", "401"), _also(*REFUSED), "§12: a refused token answers 401, undescribed"),
    Patch("*", (*_ANY, "responses", "429"), _also(*THROTTLED), "§11.3: both limits answer 429, undescribed"),
    Patch("*", (*_ANY, "responses", "500"), _also("INTERNAL_ERROR"), "§12, undescribed at some operations"),
    # Records: lists.
    Patch("record", (*_LISTED, "data", "maxItems"), put(200), "§4.1, §16: a page holds up to 200"),
    *(
        Patch("record", (*_LISTED, "info", "properties", name), nullable, "§4.1, §16: null where no page follows")
        for name in ("next_page_token", "previous_page_token", "page_token_expiry")
    ),
    *(
        Patch(
            "record", (*_LISTED, "data", "items", "properties", name, "properties"), merged(**_USER), "§5.5: with email"
        )
        for name in ("Created_By", "Modified_By")
    ),
    *(
        Patch("record", ("components", "parameters", name, "schema", "maxLength"), put(most), reason)
        for name, most, reason in (
            ("Ids", 2_099, "§4.1, §5.1: a hundred ids of up to 20 digits"),
            ("Fields", 2_599, "§4.1: fifty API names"),
        )
    ),
    *(
        Patch("record", ("paths", path, method, "responses", "304"), put(_NOT_MODIFIED), "§4.1, §4.2, §4.4")
        for path, method in _READS
    ),
    # Records: writes.
    *(
        Patch("record", ("paths", path, method, "responses", "207"), _partial, "§5.1, §16: some rows failed")
        for path, method in _WRITES
    ),
    *(
        Patch("record", ("paths", path, method, "responses", "202"), _as_400, "§5.1: older releases, all rows failed")
        for path, method in (*_WRITES, ("/{module}", "delete"))
    ),
    Patch("record", (*_SCHEMAS, "RecordsErrorResponse", *_ROW, "code", "enum"), more(*ROW_CODES), "§5.2"),
    Patch(
        "record",
        (*_SCHEMAS, "RecordSuccessResponse", *_ROW),
        merged(action={"enum": ["insert", "update"]}, duplicate_field={"type": ["string", "null"]}),
        "§5.2: an upsert says what it did",
    ),
    Patch(
        "record",
        (*_SCHEMAS, "RecordSuccessResponse", *_ROW, "details", "required"),
        without("$approval_state"),
        "§16: not every module has it",
    ),
    Patch(
        "record",
        (*_SCHEMAS, "RecordsInputSchema", *_ROW, "$append_values"),
        put({"type": "object"}),
        "§5.5, §16: an object of field names",
    ),
    Patch("record", (*_DELETE, "parameters"), more(_WF_TRIGGER), "§5.1: switches automations off"),
    Patch(
        "record",
        (*_DELETE, "responses", "207", *_JSON, *_ROW[:-1], "oneOf", 1, "properties", "code", "enum"),
        more("NO_PERMISSION", "RECORD_LOCKED"),
        "§5.2",
    ),
    # Metadata.
    Patch(
        "modules",
        ("components", "parameters", "ModuleIdentifier", "schema"),
        any_of,
        "an API name is an id too by its schema, for no text has a format int64 to fail: both fit, and one alone may",
    ),
    Patch(
        "fields",
        ("components", "parameters", "Includes", "required"),
        put(False),
        "§7: the module alone is mandatory; no other document or client knows of more",
    ),
    Patch(
        "fields",
        (*_SCHEMAS, "ApiName", "pattern"),
        put(r"^\$?[A-Za-z][A-Za-z0-9_]*$"),
        "known-unknowns: whether metadata name $se_module; the simulator's switch shows it either way",
    ),
    # Bulk Read.
    Patch(
        "bulk-read",
        ("paths", "/read", "post", "requestBody", *_JSON, "properties", "query", "properties"),
        merged(page_token={"type": "string"}),
        "§8: a page is asked for by its number or by the token of the one before",
    ),
    Patch(
        "bulk-read",
        ("paths", "/read/{jobId}", "get", "responses", "200", *_JSON, *_ROW[:-1], "required"),
        without("Attachment_Source__s", "File_Id__s"),
        "§8: a job that reads records has no attachment",
    ),
    Patch(
        "bulk-read",
        ("paths", "/read/{jobId}/result", "get", "responses", "200"),
        put({"description": "a ZIP file"}),
        "§8: the answer is a file and no object; what is in it has tests of its own",
    ),
    # Bulk Write.
    Patch(
        "upload",
        ("paths", "/upload", "post", "requestBody", "required"),
        put(False),
        "§9: a file is sent; what is no text is not recorded, so that it is checked by tests of its own",
    ),
    Patch("bulk-write", (*_ORDERED, "required"), without("file_names", "find_by"), "§9: neither is mandatory"),
    Patch("bulk-write", (*_ORDERED, "properties", "find_by", "enum"), more("Hub_Id"), "§9: id or a unique field"),
    Patch(
        "bulk-write",
        ("paths", "/write/{jobId}", "get", "responses", "200", *_JSON, "properties", "callback"),
        put({"type": ["object", "null"]}),
        "§9: only where one was asked for, and at no address of the document's own",
    ),
    # Tags.
    Patch(
        "tags",
        ("components", "parameters", "ParamQueryModule", "schema", "enum"),
        more("Contacts"),
        "any module's name",
    ),
    Patch(
        "tags",
        ("components", "parameters", "ParamQueryId", "required"),
        put(False),
        "the id stands in the path; the one number that it may be is an example",
    ),
    # Queries.
    Patch("coql", (*_ANY, "responses", "200", *_JSON, *_ROW[:2], "maxItems"), put(2_000), "§4.5: limit up to 2000"),
)


def documents(folder: Path) -> Documents:
    """Returns Zoho's documents in a folder, patched."""
    return Documents(folder, ENDPOINTS, PATCHES, UNDOCUMENTED, SEGMENTS)
