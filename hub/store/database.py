"""Opens the database: SQLite embedded, PostgreSQL for service; the same SQL on both."""

from __future__ import annotations

import errno
import sqlite3
from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.exc import DBAPIError, MultipleResultsFound, NoResultFound, OperationalError
from sqlalchemy.pool import StaticPool
from sqlalchemy.sql.compiler import SQLCompiler

from hub.kernel.errors import StoreUnavailable

WRITE = "crmhub_write"

KEPT_ALIVE = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""A server that vanished is noticed within half a minute. Source: PostgreSQL documentation, libpq keywords."""

Connection = sa.Connection
Engine = sa.Engine
"""What rooms above the store may hold, without speaking SQL themselves."""


def open_engine(url: str) -> sa.Engine:
    """Returns an engine for `sqlite:///FILE`, `sqlite://` (memory) or `postgresql+psycopg://…`."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed)
    return sa.create_engine(
        parsed, pool_pre_ping=True, pool_size=5, max_overflow=20, hide_parameters=True, connect_args=KEPT_ALIVE
    )


def _sqlite(url: sa.URL) -> sa.Engine:
    # The driver keeps 128 statements compiled by default; a cycle runs through more than twice as many.
    connect_args = {"check_same_thread": False, "timeout": 30, "cached_statements": 512}
    options: dict[str, Any] = {"hide_parameters": True, "connect_args": connect_args}
    if url.database in (None, "", ":memory:"):
        options["poolclass"] = StaticPool
    elif not str(url.database).startswith("file:"):
        Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(url.set(drivername="sqlite+crmhub"), **options)

    @sa.event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, record: object) -> None:
        # The dialect begins transactions itself; the driver must not.
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
            connection.execute(f"PRAGMA {pragma}")

    return engine


class SqliteDialect(SQLiteDialect_pysqlite):
    """Begins every transaction itself; one that is going to write takes the database's only write lock at once.

    A listener for `begin` would do, but an engine with listeners asks them about every statement.
    """

    supports_statement_cache = True

    def set_connection_execution_options(self, connection: sa.Connection, opts: Mapping[str, Any]) -> None:
        super().set_connection_execution_options(connection, opts)
        if opts.get(WRITE):
            connection.info[WRITE] = True

    def do_begin(self, dbapi_connection: Any) -> None:
        writing = dbapi_connection.info.pop(WRITE, False)
        dbapi_connection.driver_connection.execute("BEGIN IMMEDIATE" if writing else "BEGIN")


registry.register("sqlite.crmhub", __name__, "SqliteDialect")


@lru_cache(maxsize=64)
def _insert_text(table: sa.Table, columns: tuple[str, ...], mark: str) -> str:
    marks = ", ".join([mark] * len(columns))
    return f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - names of our own tables


def bulk_insert(conn: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Inserts rows that all have the same columns in the same order.

    The driver takes them as they are: no per-row parameter processing, which costs more than the insert itself.
    """
    if rows:
        mark = "?" if conn.dialect.paramstyle == "qmark" else "%s"
        text = _insert_text(table, tuple(rows[0]), mark)
        conn.exec_driver_sql(text, [tuple(row.values()) for row in rows])


def insert_rows(
    conn: sa.Connection, table: sa.Table, columns: tuple[str, ...], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Inserts rows that are tuples of these columns already."""
    mark = "?" if conn.dialect.paramstyle == "qmark" else "%s"
    conn.exec_driver_sql(_insert_text(table, columns, mark), list(rows))


@lru_cache(maxsize=256)
def _select_text(
    table: sa.Table, columns: tuple[str, ...], fixed: tuple[str, ...], key: str, ids: int, mark: str
) -> str:
    here = " AND ".join(f"{name} = {mark}" for name in fixed)
    marks = ", ".join([mark] * ids)
    return f"SELECT {', '.join(columns)} FROM {table.name} WHERE {here} AND {key} IN ({marks})"  # noqa: S608


def select_by_ids(
    conn: sa.Connection,
    table: sa.Table,
    columns: tuple[str, ...],
    fixed: Mapping[str, str],
    key: str,
    ids: Sequence[str],
) -> Sequence[Any]:
    """Reads columns as the driver returns them, by a list of ids: the look-up made for every page of every stream.

    Names are those of our own tables; values are bound.
    """
    if not ids:
        return ()
    mark = "?" if conn.dialect.paramstyle == "qmark" else "%s"
    text = _select_text(table, columns, tuple(fixed), key, len(ids), mark)
    return conn.exec_driver_sql(text, (*fixed.values(), *ids)).all()


class Rows(list[Any]):
    """Is what a prepared statement found, as named tuples; `rowcount` is how many rows it found or changed."""

    __slots__ = ("rowcount",)
    rowcount: int

    def one(self) -> Any:
        """Returns the only row. Raises NoResultFound or MultipleResultsFound."""
        row = self.one_or_none()
        if row is None:
            raise NoResultFound("no row was found where one was required")
        return row

    def one_or_none(self) -> Any:
        """Returns the only row, or None. Raises MultipleResultsFound."""
        if len(self) > 1:
            raise MultipleResultsFound("several rows were found where one at most was expected")
        return self[0] if self else None

    def scalar(self) -> Any:
        """Returns the first column of the only row, or None where there is no row. Raises MultipleResultsFound."""
        row = self.one_or_none()
        return None if row is None else row[0]

    def scalars(self) -> list[Any]:
        """Returns the first column of each row."""
        return [row[0] for row in self]


class Prepared:
    """Is a statement that is compiled once: building one and finding it again costs more than running it.

    Values go to the driver as they are and rows come as it returns them: for texts, numbers and bytes, not for JSON,
    and truth comes as a number from SQLite. One parameter may be `expanding`, that is a list of ids. All rows are
    read at once, so a statement that may find many has a limit.
    """

    __slots__ = ("_row", "_statement", "_texts")

    def __init__(self, statement: sa.ClauseElement) -> None:
        self._statement = statement
        self._row: Callable[[Iterable[Any]], Any] | None = None
        self._texts: dict[tuple[str, int], tuple[str, tuple[str, ...] | None, dict[str, Any]]] = {}

    def run(self, conn: sa.Connection, values: Mapping[str, Any] | None = None) -> Rows:
        """Executes the statement with values for its named parameters, in the transaction of the connection."""
        size = 0
        if values is not None and (many := values.get(MANY)) is not None:
            size = _room(len(many))
            values = {**values, **_spread(many, size)}
        text, names, fixed = self._texts.get((conn.dialect.name, size)) or self._compile(conn, size)
        given = {**fixed, **values} if values else fixed
        return self._execute(conn, text, given if names is None else tuple([given[name] for name in names]))

    def run_each(self, conn: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Executes a statement that changes rows, once for each of these values; none of them may be a list."""
        text, names, fixed = self._texts.get((conn.dialect.name, 0)) or self._compile(conn, 0)
        given = [{**fixed, **row} for row in rows]
        if given:
            each = given if names is None else [tuple([row[name] for name in names]) for row in given]
            self._execute(conn, text, each, each=True)

    def _execute(self, conn: sa.Connection, text: str, given: Any, *, each: bool = False) -> Rows:
        """Asks the driver itself: the result that SQLAlchemy makes of an answer costs ten times the answer."""
        if not conn.in_transaction():
            conn.begin()
        cursor = conn.connection.cursor()
        try:
            (cursor.executemany if each else cursor.execute)(text, given)
            described = cursor.description
            rows = Rows(map(self._row_of(described), cursor.fetchall()) if described else ())
            rows.rowcount = cursor.rowcount
            return rows
        except conn.dialect.loaded_dbapi.Error as error:
            raise _as_wrapped(conn, cursor, error) from error
        finally:
            cursor.close()

    def _row_of(self, described: Sequence[Any]) -> Callable[[Iterable[Any]], Any]:
        if self._row is None:
            made: Any = namedtuple("Row", [column[0] for column in described], rename=True)  # type: ignore[misc]
            self._row = made._make
        return self._row

    def _compile(self, conn: sa.Connection, size: int) -> tuple[str, tuple[str, ...] | None, dict[str, Any]]:
        made = self._statement.compile(dialect=conn.dialect)
        assert isinstance(made, SQLCompiler)
        expanded = made.construct_expanded_state({**made.params, **({MANY: [""] * size} if size else {})})
        names = tuple(expanded.positiontup or ()) if made.positional else None
        found = self._texts[conn.dialect.name, size] = (expanded.statement, names, dict(expanded.parameters))
        return found


def _as_wrapped(conn: sa.Connection, cursor: Any, error: Exception) -> BaseException:
    """Returns a driver's error as SQLAlchemy raises it; the connection goes where the server has gone."""
    lost = conn.dialect.is_disconnect(error, conn.connection.driver_connection, cursor)  # type: ignore[arg-type]
    if lost:
        conn.invalidate(error)
    family = conn.dialect.loaded_dbapi.Error
    return DBAPIError.instance(
        None, None, error, family, hide_parameters=True, connection_invalidated=lost, dialect=conn.dialect
    )


MANY = "ids"
"""Names the parameter of a prepared statement that is a list."""


def _room(number: int) -> int:
    """Returns the next power of two, so that a statement has a dozen texts and not one for each number of ids."""
    return 1 << max(number - 1, 0).bit_length() if number <= 4096 else number


def _spread(many: Sequence[str], size: int) -> dict[str, str | None]:
    """Returns a value for each place; the last one is repeated, which changes nothing. NULL equals no id."""
    padded = [*many, *[many[-1] if many else None] * (size - len(many))]
    return {f"{MANY}_{place}": value for place, value in enumerate(padded, 1)}


@contextmanager
def store_errors() -> Iterator[None]:
    """Turns failures of the database itself into StoreUnavailable, with the remedy and without any value."""
    try:
        yield
    except OperationalError as error:
        raise _unavailable(error) from None
    except DBAPIError as error:
        # PostgreSQL reports a read-only database as an internal error.
        if error.connection_invalidated or "read-only transaction" in str(error.orig):
            raise _unavailable(error) from None
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
            raise _unavailable(error) from None
        raise


def _unavailable(error: Exception) -> StoreUnavailable:
    cause = str(getattr(error, "orig", error)).splitlines()[0].lower()
    for mark, en, zh in (
        ("readonly", "the database is read-only; make its file and folder writable", "数据库只读；请使文件及目录可写"),
        (
            "read-only",
            "the database server is read-only, perhaps a standby; point store.url at its primary",
            "数据库服务器只读，可能为备机；请将 store.url 指向主库",
        ),
        ("full", "the disk of the database is full; free space and start again", "数据库所在磁盘已满；请清理后重试"),
        (
            "no space",
            "the disk of the database is full; free space and start again",
            "数据库所在磁盘已满；请清理后重试",
        ),
        (
            "quota",
            "the disk quota of the database is used up; raise it or free space, and start again",
            "数据库所在磁盘的配额已用完；请提高配额或清理空间后重试",
        ),
        (
            "disk i/o error",
            "the disk of the database cannot be written: it is full or failing; free space or replace it",
            "数据库所在磁盘无法写入：已满或有故障；请清理空间或更换磁盘",
        ),
        ("locked", "the database is locked by another program; close it", "数据库被其他程序锁定；请先关闭该程序"),
        ("malformed", "the database file is damaged; restore a backup", "数据库文件已损坏；请从备份恢复"),
        (
            "not a database",
            "the file is not a crmhub database; check store.url",
            "该文件不是 crmhub 数据库；请检查 store.url",
        ),
        (
            "unable to open",
            "the database file cannot be opened; check store.url",
            "无法打开数据库文件；请检查 store.url",
        ),
        (
            "certificate",
            "the certificate of the database server does not hold; check the host name, sslrootcert and its dates",
            "数据库服务器证书无效；请检查主机名、sslrootcert 与有效期",
        ),
        (
            "does not support ssl",
            "the database server offers no TLS; switch it on there (ssl = on)",
            "数据库服务器未启用 TLS；请在服务器上设置 ssl = on",
        ),
        ("password", "the database refuses the user or password", "数据库拒绝该用户名或口令"),
    ):
        if mark in cause:
            return StoreUnavailable(en, zh)
    return StoreUnavailable(
        "the database cannot be reached; check that it runs and store.url is right. Nothing was lost.",
        "无法连接数据库；请确认其正在运行且 store.url 正确。数据未丢失。",
    )


def as_bytes(value: Any) -> bytes:
    """Returns a column of bytes as it stands, even where somebody put a text or a number there by hand."""
    return bytes(value) if isinstance(value, bytes | bytearray | memoryview) else str(value).encode()
