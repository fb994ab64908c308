"""Runs one command: parses, calls, and turns every error into one message and an exit code."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module

import typer
from typer._click.exceptions import NoArgsIsHelpError

from hub.cli.commands import build
from hub.cli.failures import failure_of, report
from hub.kernel.clock import SystemClock
from hub.kernel.i18n import Language, choose_language
from hub.telemetry import configure

MODULES = ("setup", "systems", "cycles", "records", "questions", "matching", "stops", "audit", "simulators")
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
    except BrokenPipeError:
        # Who reads the answer has gone; nothing is left to say, and the interpreter must not try at exit.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the one place where every error ends in a message
        return report(failure_of(error), lang, "--json" in arguments)


def _parser(lang: Language, arguments: Sequence[str]) -> typer.Typer:
    for name in MODULES:
        import_module(f"hub.cli.{name}")
    app = build(lang)
    # The demo brings much along; only who asks for it, or for the list of commands, waits for that.
    wanted = not arguments or arguments[0] in ("demo", "--help")
    if wanted and importlib.util.find_spec(DEMO) is not None:
        app.command("demo")(import_module(DEMO).demo)
    return app


def _option(arguments: Sequence[str], name: str) -> str | None:
    for place, word in enumerate(arguments):
        if word == name and place + 1 < len(arguments):
            return arguments[place + 1]
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
    return None
