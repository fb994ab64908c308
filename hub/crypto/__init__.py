"""Sealing, digests and key wrapping: pure functions over bytes, the only room that imports `cryptography`."""
