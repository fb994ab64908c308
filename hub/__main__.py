"""Starts the command line: `crmhub` or `python -m hub`."""

from __future__ import annotations

import gc
import sys

from hub.cli.main import run

COLLECT_EVERY = 100_000
"""Objects made before garbage is looked for: a page makes thousands, nearly all freed by count."""


def main() -> None:
    """Runs the command line and ends the process with its exit code."""
    gc.freeze()
    gc.set_threshold(COLLECT_EVERY, 50, 50)
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
