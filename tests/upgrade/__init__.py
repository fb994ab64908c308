"""Stores written by earlier releases, and the proof that this one opens, migrates and syncs them."""
