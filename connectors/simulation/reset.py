"""Lets a tester start a simulator over without a new process."""

from __future__ import annotations

from collections.abc import Callable

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class Resettable:
    """An application that POST /__admin/reset builds anew: records, clock, tokens, settings, faults and counts."""

    def __init__(self, build: Callable[[], ASGIApp]) -> None:
        self._build = build
        self._app = build()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one call."""
        if scope["type"] == "http" and scope["path"] == "/__admin/reset" and scope["method"] == "POST":
            self._app = self._build()
            await JSONResponse({"ok": True})(scope, receive, send)
        else:
            await self._app(scope, receive, send)
