"""Starts the simulator: `python -m connectors.fxiaoke.simulator --port N`."""

from __future__ import annotations

from connectors.fxiaoke.simulator.app import KIND, run
from connectors.simulation.server import parse_options


def main(arguments: list[str] | None = None) -> None:
    """Runs the simulator from the command line; a wrong option or file ends in one line."""
    try:
        run(parse_options(KIND, arguments))
    except (ValueError, OSError) as wrong:
        raise SystemExit(f"{KIND} simulator: {wrong}") from None


if __name__ == "__main__":
    main()
