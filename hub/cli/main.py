"""Runs one command: parses, calls, and turns every error into one message and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import typer
from typer._click.exceptions import NoArgsIsHelpError

from hub.cli.commands import build
from hub.cli.desk import default_home, is_lab
from hub.cli.failures import failure_of, report
from hub.kernel.clock import SystemClock
from hub.kernel.i18n import Language, choose_language
from hub.telemetry import configure

MODULES = (
    "setup",
    "supporting",
    "systems",
    "tables",
    "connecting",
    "resolving",
    "settling",
    "cycles",
    "daemon",
    "channels",
    "records",
    "finding",
    "revealing",
    "questions",
    "matching",
    "stops",
    "complaints",
    "erasing",
    "egress",
    "backups",
    "keys",
    "audit",
    "audit_export",
    "audit_proof",
    "signin",
    "tokens",
    "users",
    "approvals",
    "simulators",
)
DEMO = "hub.cli.demo"
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


def run(arguments: Sequence[str]) -> int:
    """Runs the command line and returns its exit code; never raises."""
    lang = choose_language(_option(arguments, "--lang"))
    # Logs go to standard error, so by default only what nobody else reports is written there.
    level = os.environ.get("CRMHUB_LOG", "").upper()
    configure(SystemClock(), level=level if level in LEVELS else "CRITICAL")
    try:
        code = _parser(lang, arguments)(list(arguments), standalone_mode=False, prog_name="crmhub")
        sys.stdout.flush()
        return int(code or 0)
    except NoArgsIsHelpError as asked:
        print(asked.format_message())
        return 0
    except (BrokenPipeError, SystemExit):
        # Who reads the answer has gone (rich and typer exit then); nothing is left to say, nor to flush at the end.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the one place where every error ends in a message
        home = Path(_option(arguments, "--home") or default_home())
        return report(failure_of(error), lang, "--json" in arguments, lab=is_lab(home))


def _parser(lang: Language, arguments: Sequence[str]) -> typer.Typer:
    for name in MODULES:
        import_module(f"hub.cli.{name}")
    # The demo brings much along; only who asks for it, or for the list of commands, waits for that.
    if not arguments or arguments[0] in ("demo", "--help"):
        import_module(DEMO)
    return build(lang)


def _option(arguments: Sequence[str], name: str) -> str | None:
    for place, word in enumerate(arguments):
        if word == name and place + 1 < len(arguments):
            return arguments[place + 1]
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
    return None
