"""Where a system keeps what is sent to it, told from the host alone: nobody types it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

MAINLAND: Final = "cn"
"""Mainland China; Hong Kong is not it."""
LAB: Final = "lab"
"""This machine: a simulator."""
UNKNOWN: Final = "unknown"


def region_of(urls: Iterable[str], known: Mapping[str, str]) -> str:
    """Returns the one region of all hosts; UNKNOWN where one is not known or where they differ."""
    found = {_region(url, known) for url in urls}
    return found.pop() if len(found) == 1 else UNKNOWN


def _region(url: str, known: Mapping[str, str]) -> str:
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        # An address that is none is refused where the connection is opened, which names the setting.
        return UNKNOWN
    try:
        loopback = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        loopback = False
    return LAB if loopback else known.get(host, UNKNOWN)
