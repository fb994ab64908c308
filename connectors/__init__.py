"""Connectors know vendors; they know nothing of the hub, SQL or the canonical schema."""
