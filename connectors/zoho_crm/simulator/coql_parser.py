"""Reads COQL: the part that a sync needs: select, where with brackets, order by, limit and offset."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors.zoho_crm.simulator.answers import Failure

_TOKEN = re.compile(r"\s*(?:('(?:[^'\\]|\\.)*')|(-?\d+(?:\.\d+)?(?![\w-]))|([A-Za-z_$][\w.$]*)|(!=|>=|<=|[=<>(),]))")
_KEYWORDS = {"select", "from", "where", "and", "or", "not", "in", "like", "between", "is", "null", "order", "by",
             "limit", "offset", "asc", "desc", "true", "false"}  # fmt: skip
MAX_IN = 50
MAX_COLUMNS = 50
MAX_CRITERIA = 25


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


def read_query(text: str, most_rows: int, window: int) -> Query:
    """Returns a parsed query. Raises Failure for one that the vendor refuses."""
    return _Parser(text).query(most_rows, window)


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
