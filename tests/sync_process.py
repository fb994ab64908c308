"""Runs syncs as processes of their own that can be killed.

Run as a script, this file is a nursery: it has everything imported and forks one process per order, so that each sync
is a fresh process without paying for its imports. Seen from the hub it is what `crmhub sync` is: it opens the folder,
takes the lease, runs one cycle and ends.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
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

    def start(self, home: Path, failpoint: str | None = None, log_level: str = "INFO") -> int:
        """Starts a sync and returns its process id; its output goes to sync.log in the hub folder."""
        self._tell({"home": str(home), "failpoint": failpoint, "log_level": log_level})
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
    import hub.app
    import hub.sync.cycle  # noqa: F401 - imported before the first fork

    while line := sys.stdin.readline():
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _sync(order)
        print(json.dumps({"pid": pid}), flush=True)
        sys.stdin.readline()
        _, status = os.waitpid(pid, 0)
        print(json.dumps({"status": status}), flush=True)


def _sync(order: dict[str, Any]) -> None:
    from hub.app import open_installation
    from hub.kernel.clock import SystemClock
    from hub.sync.cycle import run_cycle
    from hub.telemetry import configure

    log = os.open(Path(order["home"]) / "sync.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if order["failpoint"]:
        os.environ["CRMHUB_FAILPOINT"] = order["failpoint"]
    code = 1
    try:
        configure(SystemClock(), level=order["log_level"])
        hub = open_installation(Path(order["home"]), channel="cli")
        with hub.run(ENTITY) as run:
            report = run_cycle(run)
        print(json.dumps({"outcome": report.outcome, "reasons": report.reasons, "counts": report.counts}), flush=True)
        hub.close()
        code = 0
    except Exception:  # noqa: BLE001 - written to the log as a crash of the program would be
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        sys.stderr.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    _serve()
