"""Peak memory of a first load, in a process of its own, at all records against a tenth of them."""

from __future__ import annotations

import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import orjson

from connectors.simulation.server import RunningSimulator

from .lab import Lab, count, opened, read_in, start_zoho
from .measure import Result

_ROOT = Path(__file__).resolve().parents[2]


def peak() -> int:
    """Returns the highest resident memory of this process so far, in bytes."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
    # Not ru_maxrss: Linux counts in it what the parent held when it started this process.
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


def results(lab: Lab) -> list[Result]:
    """Compares the two peaks."""
    with start_zoho(lab.customers // 10) as small:
        few, low = _measure(lab, small)
    many, high = _measure(lab, lab.zoho)
    note = f"at {many:,} : {few:,} records; ours = the larger load"
    return [Result("peak memory", 1.3, high / low, high / 2**20, low / 2**20, "MiB", many, at_most=True, note=note)]


def _measure(lab: Lab, zoho: RunningSimulator) -> tuple[int, int]:
    home = lab.home(zoho)
    command = [sys.executable, "-m", "tests.benchmarks.memory", str(home)]
    answer = subprocess.run(command, cwd=_ROOT, stdout=subprocess.PIPE, check=True)
    shutil.rmtree(home)
    found = orjson.loads(answer.stdout)
    return found["records"], found["peak"]


def main(home: str) -> None:
    """Loads into a prepared hub and prints how many records it holds and the peak."""
    with opened(Path(home)) as hub:
        read_in(hub)
        records = count(hub, "golden")
    print(orjson.dumps({"records": records, "peak": peak()}).decode())


if __name__ == "__main__":
    main(sys.argv[1])
