"""Runs a simulator over real HTTP, in this process or as a subprocess of its own."""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import uvicorn
from starlette.types import ASGIApp

MODULES = {"zoho_crm": "connectors.zoho_crm.simulator", "fxiaoke": "connectors.fxiaoke.simulator"}


@dataclass(frozen=True, slots=True)
class SimulatorOptions:
    """What a simulator is started with; the same for every vendor."""

    host: str = "127.0.0.1"
    port: int = 0
    records: int = 0
    logs: int = 0
    complaints: int = 0
    seed: int = 1
    load: str | None = None
    columns: str | None = None
    limits: str = "vendor"
    latency_ms: float = 0.0
    faults: str | None = None
    empty: bool = False
    settings: tuple[tuple[str, Any], ...] = ()
    exit_with_parent: bool = False


class _Server(uvicorn.Server):
    """A uvicorn server that says when it listens."""

    def __init__(self, config: uvicorn.Config, started_at: Callable[[], None]) -> None:
        super().__init__(config)
        self._say_ready = started_at

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._say_ready()


def serve(
    app: ASGIApp, host: str = "127.0.0.1", port: int = 0, ready: Callable[[int], None] = lambda port: None
) -> None:
    """Serves an application until it is told to stop; calls `ready(port)` once it listens."""
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        date_header=False,  # CallLayer writes the vendor's date
        server_header=False,
        timeout_keep_alive=120,
        timeout_graceful_shutdown=1,
    )
    # With the protocol named, asyncio sets TCP_NODELAY; without it, kept-alive calls wait 40 ms for an ACK.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(512)
    bound = int(listener.getsockname()[1])
    _Server(config, lambda: ready(bound)).run(sockets=[listener])


def parse_options(kind: str, arguments: list[str] | None = None) -> SimulatorOptions:
    """Reads the command line of `python -m connectors.<kind>.simulator`."""
    parser = argparse.ArgumentParser(prog=f"crmhub simulate {kind}")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--records", type=int, default=0)
    parser.add_argument("--logs", type=int, default=0, help="contact logs in both systems together")
    parser.add_argument("--complaints", type=int, default=0, help="complaints in both systems together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--load", metavar="FILE.csv")
    parser.add_argument("--columns", metavar="MAP")
    parser.add_argument("--limits", choices=("vendor", "fast"), default="vendor")
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--faults", metavar="FILE")
    parser.add_argument("--empty", action="store_true", help="make the people, for the truth, but no records")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=JSON", help="a switch")
    parser.add_argument("--exit-with-parent", action="store_true", help="stop when standard input closes")
    chosen = vars(parser.parse_args(arguments))
    pairs = [text.partition("=") for text in chosen.pop("set")]
    return SimulatorOptions(**chosen, settings=tuple((name, json.loads(value)) for name, _, value in pairs))


def announce(kind: str) -> Callable[[int], None]:
    """Returns the `ready` callback that prints the one JSON line a starter waits for."""

    def say(port: int) -> None:
        print(json.dumps({"ready": True, "port": port, "kind": kind}), flush=True)

    return say


def follow_parent() -> None:
    """Ends this process when its standard input closes, so that no simulator outlives its starter."""

    def wait() -> None:
        while sys.stdin.buffer.read(4096):
            pass
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


class Admin:
    """Speaks to the admin path of a running simulator; raises RuntimeError with its reason on a refusal."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def get(self, path: str) -> Any:
        """Returns the JSON answer of GET /__admin/{path}."""
        return self._call(urllib.request.Request(f"{self._base_url}/__admin/{path}"))  # noqa: S310

    def post(self, path: str, body: object = None) -> Any:
        """Returns the JSON answer of POST /__admin/{path}."""
        raw = json.dumps({} if body is None else body).encode()
        headers = {"Content-Type": "application/json"}
        url = f"{self._base_url}/__admin/{path}"
        return self._call(urllib.request.Request(url, data=raw, headers=headers, method="POST"))  # noqa: S310

    def _call(self, request: urllib.request.Request) -> Any:
        try:
            with self._opener.open(request, timeout=120) as answer:
                return orjson.loads(answer.read())
        except urllib.error.HTTPError as refused:
            raise RuntimeError(f"{request.selector}: {refused.read().decode()}") from None

    def calls(self) -> dict[str, Any]:
        """Returns the call ledger."""
        report: dict[str, Any] = self.get("calls")
        return report

    def reset(self) -> None:
        """Starts the simulator over, with the options it was started with."""
        self.post("reset")

    def reset_calls(self) -> None:
        """Empties the call ledger."""
        self.post("calls/reset")

    def advance(self, seconds: float) -> float:
        """Moves the vendor's clock forward and returns its new instant."""
        return float(self.post("clock", {"advance": seconds})["now"])

    def record(self, on: bool = True) -> None:
        """Has every call and its answer kept from now on, or no longer."""
        self.post("record", {"on": on})

    def exchanges(self) -> list[dict[str, Any]]:
        """Takes what was recorded since the last time."""
        taken: list[dict[str, Any]] = self.post("exchanges")
        return taken

    def faults(self, rules: list[dict[str, Any]]) -> None:
        """Replaces the fault rules."""
        self.post("faults", rules)

    def settings(self, **changes: object) -> dict[str, Any]:
        """Flips behaviour switches and returns them all."""
        every: dict[str, Any] = self.post("settings", changes)
        return every

    def records(self, object_name: str) -> list[dict[str, Any]]:
        """Returns every stored record of an object, deleted ones included."""
        rows: list[dict[str, Any]] = self.get(f"records?object={object_name}")
        return rows

    def truth(self) -> list[dict[str, Any]]:
        """Returns who is who."""
        rows: list[dict[str, Any]] = self.get("truth")
        return rows


@dataclass(slots=True)
class RunningSimulator:
    """A simulator running as a subprocess."""

    kind: str
    base_url: str
    admin: Admin
    process: subprocess.Popen[str]

    def stop(self) -> None:
        """Stops the subprocess and waits for its end."""
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream:
                stream.close()

    def __enter__(self) -> RunningSimulator:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def start_simulator(kind: str, **options: object) -> RunningSimulator:
    """Starts a simulator as a subprocess and waits until it listens.

    Options are those of SimulatorOptions by name; `settings` is a map.
    Raises RuntimeError when it does not start.
    """
    command = [sys.executable, "-m", MODULES[kind], "--exit-with-parent", *_arguments(options)]
    root = str(Path(__file__).resolve().parents[2])
    search_path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": search_path}
    # A session of its own: Ctrl-C at a terminal is for who started the simulator, who then stops it in order.
    process = subprocess.Popen(  # noqa: S603
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"the {kind} simulator ended with code {process.wait()} before it listened")
    base_url = f"http://{options.get('host', '127.0.0.1')}:{json.loads(line)['port']}"
    return RunningSimulator(kind, base_url, Admin(base_url), process)


def _arguments(options: dict[str, object]) -> list[str]:
    arguments: list[str] = []
    for name, value in options.items():
        if name == "settings" and isinstance(value, dict):
            for key, setting in value.items():
                arguments += ["--set", f"{key}={json.dumps(setting)}"]
        elif value is True:
            arguments.append("--" + name.replace("_", "-"))
        elif value not in (None, False):
            arguments += ["--" + name.replace("_", "-"), str(value)]
    return arguments
