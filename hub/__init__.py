"""The hub: everything between two connectors."""
