"""Loads the canonical schema and keeps one canonical form per type."""
