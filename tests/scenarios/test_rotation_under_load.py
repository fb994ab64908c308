"""Writers and readers go on while keys are rotated, and the process that rotates is killed again and again.

CRMHUB_ROTATION_SECONDS says how long at least, with more records; by default it is short.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hub.keys.rows import Purpose
from hub.operations import keys, rotating
from tests.scenarios.key_lab import KeyLab, acts, everything, fill, make_lab, rotate

SECONDS = float(os.environ.get("CRMHUB_ROTATION_SECONDS", "0"))
RECORDS, KILLS = (12, 2) if not SECONDS else (1500, 10)


def _start(lab: KeyLab, role: str, seed: int, dies_at: str = "") -> subprocess.Popen[str]:
    line = [sys.executable, "-m", "tests.scenarios.key_process", str(lab.home), role, str(seed)]
    environ = {**os.environ, "CRMHUB_FAILPOINT": dies_at}
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ)


@contextmanager
def _others(lab: KeyLab) -> Iterator[list[subprocess.Popen[str]]]:
    started = [_start(lab, role, seed) for seed, role in enumerate(("writer", "reader"))]
    try:
        yield started
    finally:
        (lab.home / "stop").touch()
        for process in started:
            if process.poll() is None:
                process.wait(60)


def _turned(lab: KeyLab) -> bool:
    return all((lab.home / f"turned-{role}").exists() for role in ("writer", "reader"))


def test_nothing_fails_and_nothing_stays_under_an_old_key(tmp_path: Path, database_url: str) -> None:
    lab, chance = make_lab(tmp_path, database_url), random.Random(5)
    hub = lab.open()
    ids = fill(hub, RECORDS)
    (lab.home / "ids").write_text("\n".join(ids))
    hub.close()
    kills, until = 0, time.monotonic() + SECONDS
    with _others(lab) as others:
        while kills < KILLS or time.monotonic() < until or not _turned(lab):
            # Killed without any clean-up, at one or the other side of some commit of a rotation.
            place = f"{chance.choice(('before', 'after'))}_commit:{chance.randrange(4, 15)}"
            rotator = _start(lab, "rotator", 9, dies_at=place)
            assert rotator.wait(60) == -signal.SIGKILL, rotator.communicate()[1]
            rotator.communicate()
            kills += 1
    hub = lab.open()
    for process in others:
        out, err = process.communicate()
        assert process.returncode == 0, err
        assert json.loads(out)["turns"] > 0
    # What the killed one left is taken up where it stopped.
    for purpose in rotating.ROTATED:
        rotate(hub, purpose)
        assert set(rotating.rows_left(hub, purpose).values()) == {0}, purpose
        for old in [row for row in keys.list_keys(hub).keys if (row.purpose, row.state) == (purpose, "active")]:
            keys.retire_key(hub, old.id, "nothing is under it")
    fresh = lab.open()
    assert len(everything(fresh, ids)) == len(everything(hub, ids)) == len(ids) + 5
    assert {row.state for row in keys.list_keys(fresh).keys} == {"primary", "disabled"}
    added = [act for act in acts(fresh) if (act["act"], act["stage"]) == ("key.add", "result")]
    assert len(added) == len(keys.list_keys(fresh).keys) - len(rotating.ROTATED)
    assert Purpose.CANARY not in {row.purpose for row in keys.list_keys(fresh).keys}
    lab.close()
