"""Access tokens that zcrmsdk asks for: its request goes out by our rules, and what it is given is sealed as ever."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from connectors.base import ConnectorContext
from connectors.errors import ConnectorError
from connectors.zoho_crm.accounts import Accounts
from connectors.zoho_crm.auth import Token, Tokens
from connectors.zoho_crm.sdk import on_worker
from connectors.zoho_crm.settings import ZohoSettings


class SdkAccounts(Accounts):
    """Asks the accounts server through the SDK; `ask_sdk` has it sign in with the credentials that it is lent."""

    def __init__(
        self, settings: ZohoSettings, context: ConnectorContext, ask_sdk: Callable[[Mapping[str, str]], None]
    ) -> None:
        super().__init__(settings, context)
        self._ask_sdk = ask_sdk
        self._answer: Mapping[str, Any] | None = None
        self._failure: ConnectorError | None = None
        self._saved: str | None = None

    def ask(self, form: Mapping[str, str]) -> Mapping[str, Any]:
        """Has the SDK ask, and returns the answer that it was given."""
        self._answer = self._failure = self._saved = None
        self._ask_sdk(form)
        return self._outcome()

    def _outcome(self) -> Mapping[str, Any]:
        if self._failure is not None:
            raise self._failure
        if self._answer is None or self._answer.get("access_token") != self._saved:
            raise self.violation()
        return self._answer

    def exchange(self, form: Mapping[str, str]) -> Mapping[str, Any] | None:
        """Sends the SDK's sign-in and returns as much of the answer as it needs, None where it was refused.

        The address that Zoho names for the API is checked against the data centre and never handed on.
        """
        try:
            self._answer = super().ask(form)
        except ConnectorError as refused:
            self._failure = refused
            return None
        return {"access_token": self._answer.get("access_token"), "expires_in": 3600}

    def keep(self, value: str) -> None:
        """Takes the token that the SDK saves; it is sealed where it is the one of the answer."""
        self._saved = value


class SdkTokens(Tokens):
    """Hands out the connection's token, asked for by the SDK."""

    def __init__(
        self, settings: ZohoSettings, context: ConnectorContext, ask_sdk: Callable[[Mapping[str, str]], None]
    ) -> None:
        super().__init__(settings, context)
        self.accounts = self._accounts = SdkAccounts(settings, context, ask_sdk)

    def held(self) -> str | None:
        """Returns the token that calls are signed with, as long as there is one."""
        return self._held.value if self._held else None

    def current(self, rejected: str | None = None) -> Token:
        """Returns a usable token, asked for on the SDK's thread and nowhere else.

        A call there whose token was refused asks too: were the lock taken elsewhere, each would wait for the other.
        """
        return on_worker(partial(super().current, rejected))
