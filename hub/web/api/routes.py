"""The table of routes: each names what one must be permitted to do, or that it is a step of a sign-in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hub.access.roles import ACTIONS
from hub.kernel.errors import Text

PREFIX = "/api/v1"
OPEN: Final = "open"
"""Needs nobody signed in: the first step of a sign-in."""
STEP: Final = "step"
"""Needs a sign-in that has begun and is not complete; it shows and changes nothing else."""
SIGNED_IN: Final = "signed_in"
"""Needs a session of one's own, whatever its roles: leaving, and proving again."""
CHANGES = frozenset({"POST", "PUT", "PATCH", "DELETE"})

Handler = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Route:
    """Is one route. `fresh` asks for a proof of the last minutes, `by_token` admits API tokens."""

    method: str
    path: str
    permission: str
    help: Text
    handler: Handler
    fresh: bool = False
    by_token: bool = False
    status: int = 200

    @property
    def own_page(self) -> bool:
        """Tells whether a browser may send it from our own pages only."""
        return self.method in CHANGES


ROUTES: Final[dict[tuple[str, str], Route]] = {}


class Undeclared(TypeError):
    """Is raised at import, so that the build fails, for a route that declares no permission of the table."""


def route(
    method: str,
    path: str,
    permission: str,
    en: str,
    zh: str,
    *,
    fresh: bool = False,
    by_token: bool = False,
    status: int = 200,
) -> Callable[[Handler], Handler]:
    """Adds a route below the prefix. Raises Undeclared."""
    if permission not in (OPEN, STEP, SIGNED_IN) and permission not in ACTIONS:
        raise Undeclared(f"{method} {path} declares {permission!r}, which is no action of the table")
    if by_token and permission in (OPEN, STEP, SIGNED_IN):
        raise Undeclared(f"{method} {path} is for people only")

    def add(handler: Handler) -> Handler:
        made = Route(method, path, permission, Text(en, zh), handler, fresh, by_token, status)
        if (method, path) in ROUTES:
            raise Undeclared(f"{method} {path} stands twice")
        ROUTES[method, path] = made
        return handler

    return add


def described(found: Route) -> Mapping[str, Any]:
    """Returns what the API's own description says of a route beside its form."""
    return {"x-permission": found.permission, "x-fresh-proof": found.fresh, "x-api-token": found.by_token}
