"""The reference connector and the in-memory system behind it."""

from __future__ import annotations

from connectors.memory.connector import MemoryConnector
from connectors.memory.faults import Fault, FaultKind, Faults, Killed
from connectors.memory.system import FULL, Commit, MemorySystem, worlds

__all__ = ["FULL", "Commit", "Fault", "FaultKind", "Faults", "Killed", "MemoryConnector", "MemorySystem", "worlds"]
