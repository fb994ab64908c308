"""Translates records between a system's own fields and the canonical schema, by versioned mapping files."""
