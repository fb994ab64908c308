"""The part of COQL that a sync needs: select, where with brackets, order by, limit and offset."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.responses import Response

from connectors.zoho_crm.simulator.answers import Failure, answer, empty
from connectors.zoho_crm.simulator.records import ModuleStore, Org, Row

_TOKEN = re.compile(r"\s*(?:('(?:[^'\\]|\\.)*')|(-?\d+(?:\.\d+)?(?![\w-]))|([A-Za-z_$][\w.$]*)|(!=|>=|<=|[=<>(),]))")
_KEYWORDS = {"select", "from", "where", "and", "or", "not", "in", "like", "between", "is", "null", "order", "by",
             "limit", "offset", "asc", "desc", "true", "false"}  # fmt: skip
_OLD = ("v2", "v2.1", "v3")
MAX_IN = 50
MAX_COLUMNS = 50
MAX_CRITERIA = 25

Test = Callable[[Any], bool]


def _syntax(near: str) -> Failure:
    return Failure(400, "SYNTAX_ERROR", "error occured while parsing the query", {"near": near[:40]})


def _limit(details: Mapping[str, Any]) -> Failure:
    return Failure(400, "LIMIT_EXCEEDED", "the limit is exceeded", details)


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison of a column."""

    column: str
    operator: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Both:
    """Two conditions joined by `and` or `or`."""

    joint: str
    left: Condition | Both
    right: Condition | Both


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query."""

    columns: tuple[str, ...]
    module: str
    where: Condition | Both
    order: tuple[tuple[str, bool], ...]
    limit: int
    offset: int


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = _split(text)
        self._at = 0
        self.criteria = 0

    def peek(self) -> str:
        return self._tokens[self._at].lower() if self._at < len(self._tokens) else ""

    def next(self) -> str:
        if self._at >= len(self._tokens):
            raise _syntax("end of query")
        self._at += 1
        return self._tokens[self._at - 1]

    def expect(self, *words: str) -> None:
        for word in words:
            if (found := self.next()).lower() != word:
                raise _syntax(found)

    def accept(self, word: str) -> bool:
        if self.peek() != word:
            return False
        self._at += 1
        return True

    def query(self, most_rows: int, window: int) -> Query:
        self.expect("select")
        columns = self.names()
        self.expect("from")
        module = self.name()
        self.expect("where")
        where = self.joined()
        order = self.order() if self.peek() == "order" else ()
        limit, offset = self.limits()
        if self.peek():
            raise _syntax(self.peek())
        if limit > most_rows or limit + offset > window:
            raise _limit({"clause": "limit", "limit": most_rows if limit > most_rows else window})
        if len(columns) > MAX_COLUMNS or self.criteria > MAX_CRITERIA:
            raise _limit({"limit": MAX_COLUMNS if len(columns) > MAX_COLUMNS else MAX_CRITERIA})
        if len(set(columns)) < len(columns):
            raise Failure(400, "DUPLICATE_DATA", "duplicate columns in the select clause", {})
        return Query(tuple(columns), module, where, order, limit, offset)

    def name(self) -> str:
        found = self.next()
        if not re.fullmatch(r"[A-Za-z_$][\w.$]*", found) or found.lower() in _KEYWORDS:
            raise _syntax(found)
        return found

    def names(self) -> list[str]:
        names = [self.name()]
        while self.accept(","):
            names.append(self.name())
        return names

    def joined(self) -> Condition | Both:
        """Reads one condition or a pair; more than two must be bracketed pairwise."""
        left = self.term()
        if self.peek() not in ("and", "or"):
            return left
        joint = self.next().lower()
        made = Both(joint, left, self.term())
        if self.peek() in ("and", "or"):
            raise _syntax(self.peek())
        return made

    def term(self) -> Condition | Both:
        if self.accept("("):
            inner = self.joined()
            self.expect(")")
            return inner
        return self.condition()

    def condition(self) -> Condition:
        self.criteria += 1
        column = self.name()
        operator = self.next().lower()
        if operator == "is":
            negated = self.accept("not")
            self.expect("null")
            return Condition(column, "is not null" if negated else "is null", ())
        if operator == "not":
            operator = f"not {self.next().lower()}"
        if operator in ("in", "not in"):
            return Condition(column, operator, self.several())
        if operator in ("between", "not between"):
            low = self.value()
            self.expect("and")
            return Condition(column, operator, (low, self.value()))
        if operator not in ("=", "!=", ">", ">=", "<", "<=", "like", "not like"):
            raise _syntax(operator)
        return Condition(column, operator, (self.value(),))

    def several(self) -> tuple[Any, ...]:
        self.expect("(")
        values = [self.value()]
        while self.accept(","):
            values.append(self.value())
        self.expect(")")
        if len(values) > MAX_IN:
            raise _limit({"operator": "in", "limit": MAX_IN})
        return tuple(values)

    def value(self) -> Any:
        token = self.next()
        if token.startswith("'"):
            return re.sub(r"\\(.)", r"\1", token[1:-1])
        if token.lower() in ("true", "false"):
            return token.lower() == "true"
        if re.fullmatch(r"-?\d+(\.\d+)?", token):
            return float(token) if "." in token else int(token)
        raise _syntax(token)

    def order(self) -> tuple[tuple[str, bool], ...]:
        self.expect("order", "by")
        keys = []
        while True:
            name = self.name()
            descending = self.accept("desc")
            if not descending:
                self.accept("asc")
            keys.append((name, descending))
            if not self.accept(","):
                break
        if len(keys) > 10:
            raise _limit({"clause": "order by", "limit": 10})
        return tuple(keys)

    def limits(self) -> tuple[int, int]:
        if not self.accept("limit"):
            return 200, 0
        first = self._number()
        if self.accept(","):  # limit offset, count
            return self._number(), first
        return first, self._number() if self.accept("offset") else 0

    def _number(self) -> int:
        token = self.next()
        if not token.isdigit():
            raise _syntax(token)
        return int(token)


def _split(text: str) -> list[str]:
    tokens, position = [], 0
    text = text.strip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _syntax(text[position:])
        tokens.append(match.group().strip())
        position = match.end()
    return tokens


def run_query(org: Org, body: Any, version: str) -> tuple[Response, int, int]:
    """Answers POST /coql; returns the answer, its number of rows and the credits it costs."""
    text = body.get("select_query") if isinstance(body, dict) else None
    if not isinstance(text, str):
        raise Failure(400, "MANDATORY_NOT_FOUND", "required field not found", {"api_name": "select_query"})
    kept = org.settings
    old = version in _OLD
    walls = (kept.coql_rows_old, kept.coql_window_old) if old else (kept.coql_rows, kept.coql_window)
    query = _Parser(text).query(*walls)
    store = org.modules.get(query.module)
    if store is None:
        raise Failure(400, "INVALID_QUERY", "invalid query formed", {"reason": "invalid module name given"})
    _check_columns(org, store, query)
    credits_needed = 1 if query.limit <= 200 else (2 if query.limit <= 1000 else 3)
    rows = _ordered(store, query, _found(org, store, query))
    shown = rows[query.offset : query.offset + query.limit]
    if not shown:
        return empty(204), 0, credits_needed
    records = [_show(org, store, query.columns, row) for row in shown]
    notes = {"count": len(shown), "more_records": len(rows) > query.offset + query.limit}
    return answer({"data": records, "info": notes}), len(shown), credits_needed


def _check_columns(org: Org, store: ModuleStore, query: Query) -> None:
    def used(where: Condition | Both) -> list[str]:
        return [where.column] if isinstance(where, Condition) else used(where.left) + used(where.right)

    for column in (*query.columns, *used(query.where), *(name for name, _ in query.order)):
        head, _, tail = column.partition(".")
        spec = store.visible(head)
        target = org.modules.get(spec.lookup) if spec and spec.lookup else None
        if spec is None or (tail and tail != "id" and (target is None or tail not in target.spec.fields)):
            details = {"column_name": column, "reason": "column given seems to be invalid"}
            raise Failure(400, "INVALID_QUERY", "invalid query formed", details)


def _found(org: Org, store: ModuleStore, query: Query) -> list[Row]:
    test = _test(org, store, query.where)
    ids = _narrow(store, query.where)
    if ids is None:
        return [row for number in store.by_id if not (row := store.rows[str(number)]).hidden and test(row)]
    rows = (store.live(record_id) for record_id in sorted(ids, key=int))
    return [row for row in rows if row is not None and not row.hidden and test(row)]


def _narrow(store: ModuleStore, where: Condition | Both) -> set[str] | None:
    """Returns a superset of the matching ids where an index knows one; None means every record."""
    if isinstance(where, Both):
        left, right = _narrow(store, where.left), _narrow(store, where.right)
        if where.joint == "or":
            return None if left is None or right is None else left | right
        if left is None or right is None:
            return left if right is None else right
        return left & right
    if where.operator not in ("=", "in"):
        return None
    if where.column == "id":
        return {str(value) for value in where.values if str(value).isdigit()}
    if where.column in store.index:
        return set().union(*(store.holders(where.column, value) for value in where.values))
    return None


def _test(org: Org, store: ModuleStore, where: Condition | Both) -> Test:
    if isinstance(where, Both):
        left, right = _test(org, store, where.left), _test(org, store, where.right)
        if where.joint == "and":
            return lambda row: left(row) and right(row)
        return lambda row: left(row) or right(row)
    read = _reader(org, store, where.column)
    kind = _kind(org, store, where.column)
    values = tuple(_comparable(kind, value, where.column) for value in where.values)
    compare = _COMPARE[where.operator]
    return lambda row: compare(_normal(kind, read(row)), values)


def _kind(org: Org, store: ModuleStore, column: str) -> str:
    head, _, tail = column.partition(".")
    spec = store.spec.fields[head]
    if tail == "id" or head == "id" or (not tail and spec.data_type in ("lookup", "ownerlookup")):
        return "id"
    if tail:
        spec = org.modules[spec.lookup].spec.fields[tail]
    numbers = {"integer", "bigint", "double", "currency", "percent"}
    return "number" if spec.data_type in numbers else spec.data_type


def _reader(org: Org, store: ModuleStore, column: str) -> Callable[[Row], Any]:
    head, _, tail = column.partition(".")
    if tail and tail != "id":
        target = org.modules[store.spec.fields[head].lookup]

        def linked(row: Row) -> Any:
            other = target.live(row.fields[head]["id"]) if row.fields.get(head) else None
            return other.fields.get(tail) if other else None

        return linked
    return lambda row: row.fields.get(head)


def _comparable(kind: str, value: Any, column: str) -> Any:
    if kind in ("datetime", "date") and isinstance(value, str):
        try:
            datetime.fromisoformat(value)
        except ValueError:
            details = {"column_name": column, "reason": "invalid value given"}
            raise Failure(400, "INVALID_QUERY", "invalid query formed", details) from None
    return _normal(kind, value)


def _normal(kind: str, value: Any) -> Any:
    if value is None:
        return None
    if kind == "id":
        text = str(value["id"] if isinstance(value, dict) else value)
        return int(text) if text.isdigit() else -1
    if kind == "datetime":
        return datetime.fromisoformat(value).timestamp()
    if kind == "number":
        return float(value)
    return value if isinstance(value, bool) else str(value).casefold()


def _like(value: Any, values: tuple[Any, ...]) -> bool:
    pattern = "".join(".*" if part == "%" else re.escape(part) for part in re.split("(%)", str(values[0])))
    return value is not None and re.fullmatch(pattern, str(value), re.DOTALL) is not None


_COMPARE: dict[str, Callable[[Any, tuple[Any, ...]], bool]] = {
    "=": lambda value, given: value == given[0],
    "!=": lambda value, given: value is not None and value != given[0],
    ">": lambda value, given: value is not None and value > given[0],
    ">=": lambda value, given: value is not None and value >= given[0],
    "<": lambda value, given: value is not None and value < given[0],
    "<=": lambda value, given: value is not None and value <= given[0],
    "in": lambda value, given: value in given,
    "not in": lambda value, given: value is not None and value not in given,
    "between": lambda value, given: value is not None and given[0] <= value <= given[1],
    "not between": lambda value, given: value is not None and not given[0] <= value <= given[1],
    "like": _like,
    "not like": lambda value, given: value is not None and not _like(value, given),
    "is null": lambda value, given: value is None,
    "is not null": lambda value, given: value is not None,
}


def _ordered(store: ModuleStore, query: Query, rows: list[Row]) -> list[Row]:
    for name, descending in reversed(query.order):
        spec = store.spec.fields[name.partition(".")[0]]
        kind = "id" if name == "id" else ("datetime" if spec.data_type == "datetime" else "text")

        def key(row: Row, name: str = name, kind: str = kind) -> tuple[bool, Any]:
            value = _normal(kind, row.fields.get(name))
            return value is not None, value if value is not None else 0

        rows.sort(key=key, reverse=descending)
    return rows


def _show(org: Org, store: ModuleStore, columns: tuple[str, ...], row: Row) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for column in columns:
        value = _reader(org, store, column)(row)
        if isinstance(value, dict) and "id" in value:
            value = value["id"] if column.endswith(".id") else {"id": value["id"]}
        shown[column] = value
    return {**shown, "id": row.record_id}
