"""The only place where the hub asks for an id: UUIDv7, so that ids sort by creation and are known before INSERT."""

from __future__ import annotations

import base64
import os
import threading
from collections.abc import Callable

from hub.kernel.clock import Clock

NewId = Callable[[], str]


def id_at(instant: float) -> str:
    """Returns what sorts after every id made before an instant (epoch seconds) and before those made later."""
    text = f"{max(0, int(instant * 1000)):012x}"
    return f"{text[:8]}-{text[8:]}"


class Uuid7:
    """Makes UUIDv7 strings that never go backwards within the process (RFC 9562, method 1: a counter in rand_a)."""

    def __init__(self, clock: Clock, entropy: Callable[[int], bytes] = os.urandom) -> None:
        self._clock = clock
        self._entropy = entropy
        self._lock = threading.Lock()
        self._last = 0
        self._pool = b""

    def __call__(self) -> str:
        with self._lock:
            stamp = max(int(self._clock.now() * 1000) << 12, self._last + 1)
            self._last = stamp
            if len(self._pool) < 8:
                self._pool = self._entropy(1024)
            tail, self._pool = self._pool[:8], self._pool[8:]
        value = (stamp >> 12) << 80 | 0x7 << 76 | (stamp & 0xFFF) << 64
        value |= 0x2 << 62 | int.from_bytes(tail, "big") >> 2
        text = f"{value:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def secret_text(entropy: Callable[[int], bytes] = os.urandom) -> str:
    """Returns 40 characters that nobody can guess (240 bits) and that an address may hold."""
    return base64.urlsafe_b64encode(entropy(30)).decode()


def secret_bytes(entropy: Callable[[int], bytes] = os.urandom) -> bytes:
    """Returns 32 bytes that nobody can guess."""
    return entropy(32)
