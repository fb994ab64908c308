"""Access tokens that zcrmsdk asks for: its request goes out by our rules, and what it is given is sealed as ever."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from connectors.base import ConnectorContext
from connectors.errors import ConnectorError
from connectors.zoho_crm.auth import Token, Tokens
from connectors.zoho_crm.sdk import on_worker
from connectors.zoho_crm.settings import ZohoSettings


class SdkTokens(Tokens):
    """Hands out the connection's token; `ask_sdk` has the SDK sign in with the credentials that it is lent."""

    def __init__(
        self, settings: ZohoSettings, context: ConnectorContext, ask_sdk: Callable[[Mapping[str, str]], None]
    ) -> None:
        super().__init__(settings, context)
        self._ask_sdk = ask_sdk
        self._given: Token | None = None
        self._kept: Token | None = None
        self._failure: ConnectorError | None = None

    def held(self) -> str | None:
        """Returns the token that calls are signed with, as long as there is one."""
        return self._held.value if self._held else None

    def current(self, rejected: str | None = None) -> Token:
        """Returns a usable token; a new one is asked for on the SDK's thread.

        A call there whose token was refused asks too: were the lock taken elsewhere, each would wait for the other.
        """
        return self._usable(self._held, rejected) or on_worker(partial(super().current, rejected))

    def _request(self) -> Token:
        self._check_pause()
        self._given = self._kept = self._failure = None
        self._ask_sdk(self._form())
        return self._outcome()

    def _outcome(self) -> Token:
        if self._failure is not None:
            raise self._failure
        if self._kept is None:
            raise self._violation()
        return self._kept

    def exchange(self, form: Mapping[str, str]) -> Mapping[str, Any] | None:
        """Sends the SDK's sign-in and returns as much of the answer as it needs, None where it was refused.

        The address that Zoho names for the API is checked against the data centre and never handed on.
        """
        try:
            self._given = self._token_of(self._ask(form))
        except ConnectorError as refused:
            self._failure = refused
            return None
        return {"access_token": self._given.value, "expires_in": 3600}

    def keep(self, value: str) -> None:
        """Seals the token that the SDK saves, if it is the one that was just given to it."""
        if self._given is not None and self._given.value == value:
            self._kept = self._keep(self._given)
