"""Starts the simulator: `python -m connectors.zoho_crm.simulator --port N`."""

import sys

from connectors.simulation.admin import AdminRefused
from connectors.simulation.server import parse_options
from connectors.zoho_crm.simulator.app import run

if __name__ == "__main__":
    try:
        run(parse_options("zoho_crm"))
    except (ValueError, OSError, AdminRefused) as refused:
        print(refused, file=sys.stderr)
        sys.exit(2)
