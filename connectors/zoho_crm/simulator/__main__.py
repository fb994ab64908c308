"""Starts the simulator: `python -m connectors.zoho_crm.simulator --port N`."""

from connectors.simulation.server import parse_options
from connectors.zoho_crm.simulator.app import run

if __name__ == "__main__":
    run(parse_options("zoho_crm"))
