"""A hub folder whose audit log is written to, signed, tampered with and verified, without any system."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hub.app import initialise, open_installation, prepare
from hub.audit.event import Event, FieldNote
from hub.operations.auditing import Report, examine
from hub.operations.checkpointing import make_checkpoint
from hub.operations.installation import Installation

START = 1_790_000_000.0
DATABASE = "var/hub.db"
SQLITE = f"sqlite:///{DATABASE}"


@dataclass
class HandClock:
    """Stands still until it is moved."""

    at: float = START

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


def make_home(home: Path, *, store: str = SQLITE, audit: str = "", profile: str = "lab") -> Path:
    """Makes a hub folder with an empty store; `audit` is the section of the settings."""
    initialise(home)
    set_up(home, store=store, audit=audit, profile=profile)
    prepare(home)
    return home


def set_up(home: Path, *, store: str = SQLITE, audit: str = "", profile: str = "lab") -> None:
    """Writes the settings of a hub folder."""
    file = home / "config" / "hub.yaml"
    text = file.read_text(encoding="utf-8").replace("profile: production", f"profile: {profile}")
    text = text.replace(f"url: {SQLITE}", f"url: {store}")
    file.write_text(text.partition("\naudit:")[0] + (f"\naudit: {audit}\n" if audit else ""), encoding="utf-8")


def copy(template: Path, home: Path) -> Path:
    """Copies a hub folder with all that lies in it."""
    shutil.copytree(template, home)
    return home


@contextmanager
def opened(home: Path, clock: HandClock | None = None) -> Iterator[Installation]:
    hub = open_installation(home, clock=clock)
    try:
        yield hub
    finally:
        hub.close()


def act(hub: Installation, number: int = 1, *, name: str = "record.edit", about: str = "h", **more: object) -> None:
    """Audits acts, one commit each, a second apart."""
    for each in range(number):
        with hub.store.begin() as work:
            fields = (FieldNote("customer_tier", "C1", "a" * 32, "b" * 32),)
            work.audit(Event(name, "customer", f"{about}{each}", fields=fields, **more))  # type: ignore[arg-type]
        hub.clock.sleep(1)


def signed_log(home: Path, rows: int = 12, every: int = 5) -> None:
    """Fills a log and signs it on the way; the last rows are not signed."""
    with opened(home, HandClock()) as hub:
        for _ in range(rows // every):
            act(hub, every)
            make_checkpoint(hub)
        act(hub, rows % every)


Tamper = Callable[[sqlite3.Connection], object]


def tamper(home: Path, change: Tamper) -> None:
    """Changes the database as one with all rights over it does."""
    with sqlite3.connect(home / DATABASE) as conn:
        for name in ("update", "delete"):
            conn.execute(f"DROP TRIGGER audit_entry_no_{name}")
        change(conn)
    conn.close()


def forget(home: Path) -> None:
    """Takes away everything that could prove what the log was: as an installation without any anchor."""
    tamper(home, lambda conn: conn.execute("DELETE FROM audit_checkpoint"))
    with sqlite3.connect(home / DATABASE) as conn:
        for verb in ("UPDATE", "DELETE"):
            conn.execute(
                f"CREATE TRIGGER audit_entry_no_{verb.lower()} BEFORE {verb} ON audit_entry "
                "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
            )
    conn.close()
    for suffix in ("signed", "verified"):
        (home / "keys" / f"audit.key.{suffix}").unlink(missing_ok=True)


def judged(home: Path, clock: HandClock | None = None, **how: object) -> Report:
    """Verifies the whole log."""
    with opened(home, clock or HandClock(START + 1000)) as hub:
        return examine(hub, **({"full": True} | how))  # type: ignore[arg-type]


def faults(report: Report) -> set[str]:
    return {str(item.fault) for item in report.findings}


def bodies(home: Path) -> Mapping[int, bytes]:
    with sqlite3.connect(home / DATABASE) as conn:
        return dict(conn.execute("SELECT seq, body FROM audit_entry ORDER BY epoch, seq"))
