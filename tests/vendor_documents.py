"""Checks traffic against a vendor's OpenAPI documents, with patches of our own laid over them in memory.

Documents stay where they are handed out: nothing of them is kept here. A patch says what is wrong and how that is
known; one that finds nothing to patch is an error, so that none outlives its reason.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from openapi_core import Config, OpenAPI
from openapi_core.testing import MockRequest, MockResponse

HOST = "https://vendor.example"
UNREADABLE = frozenset({"http_502_html", "truncated_json"})
"""Faults that spoil an answer on its way: what arrives is no answer of the vendor's."""
Change = Callable[[Any, Any], Any]
"""Returns what takes a node's place, from the node (None where there is none) and the whole document."""
Segment = str | int


@dataclass(frozen=True, slots=True)
class Patch:
    """Is one correction: the nodes it is about (`*` any name, `**` any depth), the change, and how it is known."""

    document: str
    where: tuple[Segment, ...]
    change: Change
    reason: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Is one path of the vendor's and the document that describes it; `template` as the document spells it."""

    base: str
    template: str
    document: str


@dataclass(frozen=True, slots=True)
class Undocumented:
    """Is a path that no document describes, and what checks it instead."""

    pattern: str
    instead: str


@dataclass(frozen=True, slots=True)
class Violation:
    """Is something sent or answered that a document does not allow."""

    operation: str
    side: str
    what: str

    def __str__(self) -> str:
        return f"{self.operation} [{self.side}] {self.what}"


def put(value: Any) -> Change:
    """Sets a node to a value."""
    return lambda node, document: value


def more(*values: Any) -> Change:
    """Adds values to a list."""
    return lambda node, document: [*node, *(value for value in values if value not in node)]


def without(*values: Any) -> Change:
    """Takes values out of a list."""
    return lambda node, document: [value for value in node if value not in values]


def merged(**keys: Any) -> Change:
    """Adds keys to an object."""
    return lambda node, document: {**node, **keys}


def nullable(node: Any, document: Any) -> Any:
    """Lets a value be null too."""
    return {"anyOf": [node, {"type": "null"}]}


def any_of(node: Any, document: Any) -> Any:
    """Lets a value fit several of the alternatives."""
    return {("anyOf" if name == "oneOf" else name): part for name, part in node.items()}


def apply(document: Any, patch: Patch) -> int:
    """Changes every node a patch is about; returns how many there were."""
    places = list(_places(document, patch.where, missing="**" not in patch.where))
    for parent, key in places:
        node = parent[key] if isinstance(parent, list) else parent.get(key)
        parent[key] = patch.change(node, document)
    return len(places)


def _places(node: Any, where: Sequence[Segment], missing: bool) -> Iterator[tuple[Any, Any]]:
    """Yields (parent, key) of every node that is meant; with `missing` the last key may not be there yet."""
    head, rest = where[0], where[1:]
    if head == "**":
        yield from _places(node, rest, missing)
        for child in _children(node):
            yield from _places(child, where, missing)
        return
    for key in _keys(node, head, missing=missing and not rest):
        if rest:
            yield from _places(node[key], rest, missing)
        else:
            yield node, key


def _keys(node: Any, head: Segment, *, missing: bool) -> list[Any]:
    if isinstance(node, Mapping):
        return list(node) if head == "*" else [head] if head in node or missing else []
    if isinstance(node, list):
        return [place for place in range(len(node)) if head in ("*", place)]
    return []


def _children(node: Any) -> Iterator[Any]:
    if isinstance(node, Mapping):
        yield from node.values()
    elif isinstance(node, list):
        yield from node


def resolved(node: Any, document: Any) -> Any:
    """Follows a reference inside the document."""
    while isinstance(node, Mapping) and "$ref" in node:
        found = document
        for part in str(node["$ref"]).removeprefix("#/").split("/"):
            found = found[part.replace("~1", "/").replace("~0", "~")]
        node = found
    return node


@dataclass(slots=True)
class Documents:
    """Are the documents of one vendor, patched when they are first needed."""

    folder: Path
    endpoints: Sequence[Endpoint]
    patches: Sequence[Patch]
    undocumented: Sequence[Undocumented]
    segments: Mapping[str, str]
    """What a placeholder of a template stands for, as a pattern; `""` for any other."""
    checked: Counter[str] = field(default_factory=Counter)
    distinct: int = 0
    """How many of the checked ones differed in more than their digits: each of those was read against its document."""
    passed_over: Counter[str] = field(default_factory=Counter)
    idle: list[Patch] = field(default_factory=list)
    _seen: dict[int, list[Violation]] = field(default_factory=dict)
    _raw: dict[str, Any] = field(default_factory=dict)
    _specs: dict[tuple[str, str], OpenAPI] = field(default_factory=dict)

    def check(self, exchange: Mapping[str, Any]) -> list[Violation]:
        """Returns what a recorded exchange breaks."""
        path = str(exchange["path"])
        endpoint = self.endpoint_of(path)
        if endpoint is None:
            return self._without_document(exchange, path)
        operation = f"{exchange['method']} {endpoint.base}{endpoint.template}"
        self.checked[f"{operation} {exchange['status'] or 'cut off'}"] += 1
        likeness = _likeness(exchange)
        if likeness not in self._seen:
            self.distinct += 1
            self._seen[likeness] = self._judge(operation, endpoint, exchange)
        return self._seen[likeness]

    def _judge(self, operation: str, endpoint: Endpoint, exchange: Mapping[str, Any]) -> list[Violation]:
        spec = self._spec(endpoint)
        request = _request(exchange)
        found: list[Violation] = []
        if exchange["sent"] or exchange["method"] == "GET" or not exchange["fault"]:
            found += self._check_request(operation, endpoint, spec, exchange, request)
        if exchange["status"] and exchange["fault"] not in UNREADABLE:
            found += _check_answer(operation, spec, exchange, request)
        return found

    def endpoint_of(self, path: str) -> Endpoint | None:
        """Returns which table row a path belongs to."""
        return next((one for one in self.endpoints if self._pattern(one).fullmatch(path)), None)

    def _without_document(self, exchange: Mapping[str, Any], path: str) -> list[Violation]:
        for one in self.undocumented:
            if re.search(one.pattern, path):
                self.passed_over[f"{exchange['method']} {one.pattern} ({one.instead})"] += 1
                return []
        return [Violation(f"{exchange['method']} {path}", "path", "no table row names a document for this path")]

    def _check_request(
        self, operation: str, endpoint: Endpoint, spec: OpenAPI, exchange: Mapping[str, Any], request: MockRequest
    ) -> list[Violation]:
        found = [
            Violation(operation, "sent", text) for error in spec.iter_request_errors(request) for text in _texts(error)
        ]
        known = self._query_names(endpoint, str(exchange["method"]).lower())
        asked = {name for name, _ in parse_qsl(str(exchange["query"]), keep_blank_values=True)}
        return found + [
            Violation(operation, "sent", f"unknown query parameter {name}") for name in sorted(asked - known)
        ]

    def _query_names(self, endpoint: Endpoint, method: str) -> set[str]:
        document = self.document(endpoint.document)
        item = document["paths"][endpoint.template]
        listed = [*item.get("parameters", []), *item.get(method, {}).get("parameters", [])]
        named = [resolved(one, document) for one in listed]
        return {one["name"] for one in named if one["in"] == "query"}

    def _pattern(self, endpoint: Endpoint) -> re.Pattern[str]:
        return _compiled(endpoint.base, endpoint.template, tuple(self.segments.items()))

    def document(self, name: str) -> Any:
        """Returns a document with its patches."""
        if name not in self._raw:
            document = json.loads((self.folder / f"{name}.json").read_text("utf-8"))
            for patch in self.patches:
                if patch.document in ("*", name) and not apply(document, patch) and patch.document != "*":
                    self.idle.append(patch)
            self._raw[name] = document
        return self._raw[name]

    def _spec(self, endpoint: Endpoint) -> OpenAPI:
        key = (endpoint.document, endpoint.base)
        if key not in self._specs:
            document = {**self.document(endpoint.document), "servers": [{"url": HOST + endpoint.base}]}
            self._specs[key] = OpenAPI.from_dict(document, config=Config(spec_validator_cls=None))
        return self._specs[key]


_DIGITS = str.maketrans("123456789", "000000000")
_HEX = re.compile(r"[0-9a-f]{32,}")


def _likeness(exchange: Mapping[str, Any]) -> int:
    """Returns a number that exchanges share which differ in digits alone: the kit sends thousands of those."""
    headers = [
        exchange[side].get(name, "") for side, name in (("headers", "content-type"), ("answer_headers", "content-type"))
    ]
    parts = [exchange["method"], exchange["path"], exchange["query"], exchange["sent"], exchange["answer"], *headers]
    text = "\0".join("" if part is None else part for part in parts)
    return hash((exchange["status"], exchange["fault"], _HEX.sub("0", text).translate(_DIGITS)))


@cache
def _compiled(base: str, template: str, segments: tuple[tuple[str, str], ...]) -> re.Pattern[str]:
    known = dict(segments)
    parts = re.split(r"(\{\w+\})", template)
    text = "".join(known.get(part[1:-1], known[""]) if part.startswith("{") else re.escape(part) for part in parts)
    return re.compile(re.escape(base) + text)


def _request(exchange: Mapping[str, Any]) -> MockRequest:
    headers = dict(exchange["headers"])
    sent = exchange["sent"]
    return MockRequest(
        HOST,
        exchange["method"],
        exchange["path"],
        args=dict(parse_qsl(exchange["query"], keep_blank_values=True)),
        headers=headers,
        data=sent.encode() if sent else None,
        content_type=headers.get("content-type", "application/json").partition(";")[0],
    )


def _check_answer(
    operation: str, spec: OpenAPI, exchange: Mapping[str, Any], request: MockRequest
) -> Iterator[Violation]:
    status, body = exchange["status"], exchange["answer"] or ""
    told = f"answered {status}"
    if status in (204, 304):
        if body:
            yield Violation(operation, told, "a body where there must be none")
        return
    kind = exchange["answer_headers"].get("content-type", "").partition(";")[0]
    answer = MockResponse(body.encode(), status, content_type=kind)
    for error in spec.iter_response_errors(request, answer):
        for text in _texts(error):
            yield Violation(operation, told, text)


def _texts(error: BaseException) -> list[str]:
    """Says what is wrong and where, from the innermost errors of the schema."""
    schema_errors = getattr(error.__cause__, "schema_errors", None) or getattr(error, "schema_errors", None)
    if not schema_errors:
        cause = f": {error.__cause__}" if error.__cause__ else ""
        return [f"{type(error).__name__} {error}{cause}"[:400]]
    return [text for one in schema_errors for text in _spelled(one)]


def _spelled(error: Any, depth: int = 0) -> list[str]:
    place = error.json_path
    if error.context and depth < 3:
        # Of several ways that an alternative may be read, the one that comes nearest says most.
        branches: dict[Any, list[Any]] = {}
        for inner in error.context:
            branches.setdefault(inner.schema_path[0], []).append(inner)
        nearest = min(branches.values(), key=len)
        return [
            f"{place}: no alternative fits; nearest: {text}" for one in nearest for text in _spelled(one, depth + 1)
        ]
    return [f"{place}: {error.message[:200]}"]
