"""What every command works at: the hub's folder, the language, and where its answer goes."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from hub.app import open_installation
from hub.cli.terms import HEADINGS, WORDED, WORDS
from hub.kernel.errors import Text
from hub.kernel.i18n import Bilingual, Language
from hub.kernel.redaction import escape
from hub.kernel.settings import FILE
from hub.operations.installation import Installation

_LAB = re.compile(r"(?m)^\s*[\"']?profile[\"']?\s*:\s*[\"']?lab\b")
WIDTH = 180
"""Columns of a table that goes into a file or a pipe."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Is what a command came to: one JSON object, the way to say it to a person, and the exit code."""

    payload: Mapping[str, Any] = field(repr=False)
    show: Callable[[], None]
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class Desk:
    """Is where one command is served. Nothing but the answer goes to standard output."""

    home: Path
    json: bool
    lang: Language

    @contextmanager
    def hub(self, *, signed_in: bool = True) -> Iterator[Installation]:
        """Opens the installation for who is signed in. Raises what `open_installation` raises."""
        opened = open_installation(self.home, lang=self.lang, signed_in=signed_in)
        try:
            yield opened
        finally:
            opened.close()

    def word(self, en: str, zh: str) -> str:
        """Returns the words of the language asked for; names alone are given once and stand in both."""
        return (zh or en) if self.lang == "zh" else en

    def term(self, name: str) -> str:
        """Returns what a state or an act is called in the language asked for."""
        return self.word(name, WORDS.get(name, name))

    def text(self, message: Bilingual) -> str:
        return message.zh if self.lang == "zh" else message.en

    def say(self, en: str = "", zh: str = "") -> None:
        """Prints one line of the answer."""
        _console().print(escape(self.word(en, zh)), soft_wrap=True)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Prints rows under headings of `HEADINGS`."""
        made = Table(box=None, pad_edge=False, header_style="bold")
        for name in columns:
            made.add_column(self.word(name, HEADINGS[name]), overflow="fold")
        worded = [name in WORDED for name in columns]
        for row in rows:
            cells = ("" if cell is None else str(cell) for cell in row)
            made.add_row(
                *(escape(self.term(cell) if known else cell) for cell, known in zip(cells, worded, strict=True))
            )
        _console().print(made)

    def answer(self, answer: Answer) -> int:
        """Gives the answer in the form asked for and returns its exit code."""
        lab = is_lab(self.home)
        if self.json:
            print_json({"ok": answer.exit_code == 0, **({"profile": "lab"} if lab else {}), **answer.payload})
        else:
            if lab:
                self.say("[lab: training, not production]", "【lab：培训环境，非生产】")
            answer.show()
        return answer.exit_code


def is_lab(home: Path) -> bool:
    """Tells whether a folder's settings choose the profile for training, also where they hold mistakes."""
    try:
        return _LAB.search((home / FILE).read_text(encoding="utf-8")) is not None
    except (OSError, UnicodeDecodeError):
        return False


def _console() -> Console:
    wide = None if sys.stdout.isatty() else WIDTH
    return Console(file=sys.stdout, markup=False, highlight=False, emoji=False, width=wide)


def print_json(body: Mapping[str, Any]) -> None:
    """Writes one JSON object to standard output."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS | orjson.OPT_APPEND_NEWLINE
    sys.stdout.flush()
    sys.stdout.buffer.write(orjson.dumps(body, option=options, default=_plain))
    sys.stdout.buffer.flush()


def _plain(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(type(value).__name__)


def words(text: Text) -> dict[str, str]:
    """Returns a text in both languages, for JSON."""
    return {"en": text.en, "zh": text.zh}


def default_home() -> Path:
    """Returns the hub's folder of this shell: CRMHUB_HOME, else the current one."""
    return Path(os.environ.get("CRMHUB_HOME") or ".").absolute()


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """Yields an event that the first SIGINT or SIGTERM sets; a second one interrupts at once."""
    event = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
