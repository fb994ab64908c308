"""An `Http` that waits briefly for a silent vendor, and only for the calls that a fault meets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from connectors.base import Http, Response


class BrieflyAt:
    """Sends what a rule of the simulator matches with little patience and everything else with much.

    A vendor that does answer is waited for: a slow machine is no fault.
    """

    def __init__(self, match: Mapping[str, str], brief: Http, patient: Http) -> None:
        self._method, self._path = match["method"], re.compile(match["path_regex"])
        self._brief, self._patient = brief, patient

    def send(self, method: str, url: str, **more: Any) -> Response:
        met = method == self._method and self._path.search(urlsplit(url).path)
        return (self._brief if met else self._patient).send(method, url, **more)
