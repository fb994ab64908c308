"""A running `crmhub run` with what it logs, what it tells systemd, and its management address."""

from __future__ import annotations

import json
import random
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hub.app import open_installation
from hub.operations import scheduling
from hub.operations.installation import Installation
from hub.store import schedules


def free_port() -> int:
    """Returns a port for a process that is yet to start: none that the system gives to others until then."""
    while True:
        port = random.SystemRandom().randrange(15_000, 32_000)  # below what Linux and others choose from
        with socket.socket() as found, suppress(OSError):
            found.bind(("127.0.0.1", port))
            return port


def hurry(hub: Installation) -> None:
    """Makes every sync due now, as if its interval had passed; a daemon over the same store soon sees it."""
    with hub.store.read() as conn:
        due = [row.schedule_id for row in schedules.load(conn) if row.act == "sync"]
    scheduling.move(hub, dict.fromkeys(due, hub.clock.now()))


def hasten(home: Path) -> None:
    """Makes every sync of a hub folder due now."""
    hub = open_installation(home)
    try:
        hurry(hub)
    finally:
        hub.close()


class Process:
    """Is a daemon in a process of its own. Its log comes through a pipe, so that it needs no disk."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], port: int, folder: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._log: list[str] = []
        self._systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        address = str(folder / "notify")
        self._systemd.bind(address)
        self._systemd.setblocking(False)
        self._words: list[str] = []
        self.process = subprocess.Popen(
            command,
            env={**environ, "CRMHUB_LOG": "INFO", "NOTIFY_SOCKET": address},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self._log.extend(self.process.stdout)  # line by line, until the process ends

    @property
    def log(self) -> str:
        return "".join(list(self._log))

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def reasons(self) -> list[str]:
        """Returns why the daemon is not ready; nothing where it is."""
        answer = self.get("/readyz")[1]
        found: list[str] = json.loads(answer)["reasons"] if answer else ["away"]
        return found

    def lines(self, event: str) -> list[dict[str, Any]]:
        found = [line for line in list(self._log) if line.startswith("{")]
        return [item for item in map(json.loads, found) if item["event"] == event]

    def told(self) -> list[str]:
        """Returns all that systemd was told so far; called often, because its queue is short."""
        while True:
            try:
                self._words += self._systemd.recv(4096).decode().splitlines()
            except BlockingIOError:
                return self._words

    def until(self, holds: Callable[[], object], seconds: float = 180.0) -> None:
        """Waits for something; the limit only ends what hangs, so it is far from what a slow machine needs."""
        for _ in range(int(seconds / 0.1)):
            self.told()
            if holds():
                return
            assert self.process.poll() is None, self.log
            time.sleep(0.1)
        raise AssertionError(self.log[-4000:])

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(180)
        self._reader.join(60)
        return code

    def kill(self) -> int:
        """Kills it as `kill -9` does."""
        self.process.kill()
        code = self.process.wait(60)
        self._reader.join(60)
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.kill()
        self._systemd.close()
