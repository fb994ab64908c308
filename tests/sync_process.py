"""Runs `crmhub sync`, and other commands, as processes of their own that can be killed.

Run as a script, this file is a nursery: it has everything imported and forks one process per order, so that each
command is a fresh process without paying for its imports.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ENTITY = "customer"
ROOT = Path(__file__).resolve().parents[1]


class Nursery:
    """Starts syncs, one at a time."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def start(
        self,
        home: Path,
        failpoint: str | None = None,
        log_level: str = "WARNING",
        command: Sequence[str] = ("sync", ENTITY, "--json"),
        log: str = "sync.log",
        file_limit: int | None = None,
        user: int | None = None,
    ) -> int:
        """Starts a command and returns its process id; what it says and logs goes into a file of the hub folder.

        `file_limit` is the size in bytes beyond which no file may grow, `user` the user that it runs as.
        """
        arguments = [*command, "--home", str(home), "--lang", "en"]
        order = {"arguments": arguments, "failpoint": failpoint, "log_level": log_level, "log": str(home / log)}
        self._tell({**order, "file_limit": file_limit, "user": user})
        return int(self._answer()["pid"])

    def wait(self) -> int:
        """Waits for the sync to end; returns its exit code, or minus the signal that ended it."""
        self._tell("wait")
        return os.waitstatus_to_exitcode(int(self._answer()["status"]))

    def kill(self, pid: int) -> int:
        """Kills the sync as `kill -9` does and returns what it ended with."""
        os.kill(pid, signal.SIGKILL)  # one that ended stays a zombie until it is waited for: the id is still its own
        return self.wait()

    def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)

    def _tell(self, order: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the nursery died"
        return json.loads(line)


def _serve() -> None:
    """Forks one sync per order and waits for it when it is told to."""
    from hub.cli.main import run

    with contextlib.redirect_stdout(io.StringIO()):
        run(["sync", "--help"])  # imports every command before the first fork
    while line := sys.stdin.readline():
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become(order)
        print(json.dumps({"pid": pid}), flush=True)
        sys.stdin.readline()
        _, status = os.waitpid(pid, 0)
        print(json.dumps({"status": status}), flush=True)


def _become(order: dict[str, Any]) -> None:
    """Becomes the command."""
    from hub.cli.main import run

    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.environ["CRMHUB_LOG"] = order["log_level"]
    if order["failpoint"]:
        os.environ["CRMHUB_FAILPOINT"] = order["failpoint"]
    if order["file_limit"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["file_limit"], order["file_limit"]))
    if order["user"]:
        with contextlib.redirect_stdout(io.StringIO()):
            run(["status", *order["arguments"][-4:]])  # loads what this user may not be able to read
        os.setgid(order["user"])
        os.setuid(order["user"])
    code = 70
    try:
        code = run(order["arguments"])
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    _serve()
