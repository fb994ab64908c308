"""The rules of the house: who may import whom, who may ask for the time, and how long a file may be.

The order of the rooms stands in pyproject.toml (`[tool.importlinter]`); the rest is read from the syntax trees here.
Rooms that do not exist yet are picked up when they appear.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAX_LINES = 400
# What runs without the hub at a stranger's: one file by design, with its own cryptography; nothing here imports it.
ALONE = ROOT / "hub" / "audit" / "standalone"

SIMULATORS = ("connectors/simulation/*", "connectors/*/simulator/*", "connectors/memory/faults.py")
COMMAND_LINE = ("hub/cli/*", "hub/__main__.py", *SIMULATORS)
# The conformance kit brings the context, and with it the clock, of the connectors it tests.
RANDOM = ("hub/kernel/*", "hub/crypto/*", "connectors/conformance/context.py", *SIMULATORS)

# An external package -> the only files that may import it. Simulators play the vendor and may check signatures.
HOMES = {
    "sqlalchemy": ("hub/store/*",),
    "alembic": ("hub/store/*",),
    "psycopg": ("hub/store/*",),
    "sqlite3": ("hub/store/*",),
    "cryptography": ("hub/crypto/*", "connectors/*/callbacks.py", *SIMULATORS),
    "joserfc": ("hub/crypto/*",),
    "requests": ("connectors/http.py", "connectors/wire.py", "connectors/simulation/*", "connectors/zoho_crm/sdk.py"),
    "urllib3": ("connectors/http.py", "connectors/wire.py"),
    "httpx": (),
    "zcrmsdk": ("connectors/zoho_crm/sdk.py",),
    "apscheduler": ("hub/schedule/*",),
    "prometheus_client": ("hub/schedule/*",),
    "sdnotify": ("hub/schedule/*",),
    "chinese_calendar": ("hub/kernel/workdays.py",),
    "procrastinate": ("hub/schedule/*",),
    "typer": ("hub/cli/*", "hub/__main__.py"),
    "rich": ("hub/cli/*",),
    "fastapi": ("hub/web/*",),
    "pickle": (),
    "random": RANDOM,
    "secrets": RANDOM,
    "uuid": RANDOM,
    "time": RANDOM,
}
# The hub reaches a system through the contract; only outbound.py knows how a connector is made and sends.
_PARTS = (
    "base",
    "errors",
    "admission",
    "allowance",
    "channels",
    "directory",
    "listing",
    "preparing",
    "pricing",
    "regions",
    "settling",
)
CONTRACT = tuple(f"connectors.{name}" for name in _PARTS)
DOORS = {
    "hub/outbound.py": (
        "connectors.addresses",
        "connectors.http",
        "connectors.wire",
        "connectors.registry",
        "connectors.machine",
    ),
    "hub/cli/demo_lab.py": ("connectors.simulation",),
}
NOW = re.compile(r"(datetime|date)\.(now|utcnow|today)|os\.urandom|time\.(time|time_ns|monotonic|sleep)")
VENDORS = re.compile(r"zoho|fxiaoke|sharecrm|纷享", re.IGNORECASE)


@dataclass(frozen=True)
class Source:
    """Is one file: its path from the root, its text and its tree."""

    path: str
    text: str
    tree: ast.Module

    def within(self, patterns: tuple[str, ...]) -> bool:
        return any(fnmatch(self.path, pattern) for pattern in patterns)


@cache
def sources(*folders: str) -> tuple[Source, ...]:
    found = []
    for folder in folders:
        for file in sorted((ROOT / folder).rglob("*.py")):
            if ALONE in file.parents:
                continue
            text = file.read_text(encoding="utf-8")
            found.append(Source(file.relative_to(ROOT).as_posix(), text, ast.parse(text)))
    return tuple(found)


def imports(source: Source) -> Iterator[str]:
    """Yields the dotted names that a file imports, those inside functions included."""
    package = source.path.removesuffix(".py").removesuffix("/__init__").split("/")
    if not source.path.endswith("/__init__.py"):
        package = package[:-1]
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module or "") if part)
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def reaches(name: str, module: str) -> bool:
    return name == module or name.startswith(module + ".")


def calls(source: Source) -> Iterator[tuple[str, int]]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node.lineno


def code_of(source: Source) -> str:
    """Returns the code without comments and without strings that stand alone."""
    tree = ast.parse(source.text)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [s for s in body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]  # type: ignore[attr-defined]
            node.body = node.body or [ast.Pass()]  # type: ignore[attr-defined]
    return ast.unparse(tree)


def offenders(holds: Callable[[Source], Iterator[str]], *folders: str) -> list[str]:
    return [f"{source.path}: {finding}" for source in sources(*folders) for finding in holds(source)]


@pytest.mark.parametrize("package", HOMES)
def test_external_package_stays_in_its_home(package: str) -> None:
    def strays(source: Source) -> Iterator[str]:
        if not source.within(HOMES[package]) and any(reaches(name, package) for name in imports(source)):
            yield f"imports {package}"

    assert offenders(strays, "hub", "connectors") == []


def test_connectors_import_nothing_from_the_hub() -> None:
    assert offenders(lambda s: (n for n in imports(s) if reaches(n, "hub")), "connectors") == []


def test_hub_knows_connectors_by_their_contract_only() -> None:
    def strays(source: Source) -> Iterator[str]:
        allowed = CONTRACT + DOORS.get(source.path, ())
        for name in imports(source):
            if reaches(name, "connectors") and not any(reaches(name, module) for module in allowed):
                yield f"imports {name}"

    assert offenders(strays, "hub") == []


def test_hub_names_no_vendor() -> None:
    """Comments and docstrings may give an example; the demo is about the two systems that ship."""

    def named(source: Source) -> Iterator[str]:
        if not source.within(("hub/cli/demo*",)):
            yield from (line.strip() for line in code_of(source).splitlines() if VENDORS.search(line))

    assert offenders(named, "hub") == []


def test_time_and_randomness_come_from_the_kernel_or_the_context() -> None:
    def asked(source: Source) -> Iterator[str]:
        if not source.within(RANDOM):
            yield from (f"line {line} calls {name}" for name, line in calls(source) if NOW.fullmatch(name))

    assert offenders(asked, "hub", "connectors") == []


def test_nobody_evaluates_text() -> None:
    def evaluated(source: Source) -> Iterator[str]:
        yield from (f"line {line} calls {name}" for name, line in calls(source) if name in ("eval", "exec", "compile"))

    assert offenders(evaluated, "hub", "connectors") == []


def test_only_the_command_line_prints() -> None:
    def printed(source: Source) -> Iterator[str]:
        if not source.within(COMMAND_LINE):
            yield from (f"line {line} prints" for name, line in calls(source) if name in ("print", "pprint"))

    assert offenders(printed, "hub", "connectors") == []


def test_core_is_pure() -> None:
    impure = ("logging", "structlog", "os", "io", "socket", "pathlib", "threading", "subprocess", "connectors")

    def strays(source: Source) -> Iterator[str]:
        for name in imports(source):
            if any(reaches(name, module) for module in impure):
                yield f"imports {name}"

    assert offenders(strays, "hub/core") == []


def test_no_file_is_too_long() -> None:
    found = sources("hub", "connectors")
    assert [s.path for s in found if s.text.count("\n") > MAX_LINES] == []


def test_every_module_says_what_it_is() -> None:
    silent = [s.path for s in sources("hub", "connectors") if s.text.strip() and ast.get_docstring(s.tree) is None]
    assert silent == []


def test_rooms_are_in_order() -> None:
    program = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("from hub.store import tables", "hub.store"),
        ("import sqlalchemy.orm as orm", "sqlalchemy.orm"),
        ("from ..store import tables", "hub.store"),
        ("from . import leaf", "hub.audit.leaf"),
        ("def late():\n    from requests import get", "requests"),
    ],
)
def test_the_reader_of_imports_sees_every_form(line: str, found: str) -> None:
    assert found in imports(Source("hub/audit/tree.py", line, ast.parse(line)))
