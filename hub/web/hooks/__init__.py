"""Callbacks of systems, at an address of their own: they may hint, and nothing else."""
