"""Loads Zoho's Python SDK (zcrmsdk 3.1.0, API v2) and tames it; the only file that imports it.

The SDK keeps its tenant, its flags and its log in process-wide state. So it is loaded when it is first needed and runs
on one thread of its own under one lock; each connection puts its own Initializer in place before each of its calls.
Its modules' `requests` is our transport, its token store is ours, its metadata files lie in a private folder under a
made-up user name, and its log lines lose everything but the place that they come from.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
import threading
import types
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from connectors.zoho_crm.sdk_transport import Line, Requests
from connectors.zoho_crm.sdk_values import Makers

T = TypeVar("T")

_USER = "crmhub@crmhub.invalid"
_NEVER = str(1 << 53)

_worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="zcrmsdk")
_turn = threading.RLock()
_here = threading.local()
_requests = Requests()


@dataclass(frozen=True, slots=True)
class Sdk:
    """Holds the parts of the SDK that are used; what it raises is `failed`."""

    initializer: Any
    utility: Any
    failed: type[Exception]
    record: Any
    fields: Any
    modules: Any
    org: Any
    query: Any
    parameters: Any
    headers: Any
    makers: Makers
    start: Callable[[str, str, str, Any], Any]
    """Makes the Initializer of a connection: API origin, sign-in address, metadata folder, token store."""
    store: Callable[[Callable[[], str | None], Callable[[str], None]], Any]
    """Makes a token store of what gives the token to sign with and what takes a new one."""


def on_worker(job: Callable[[], T]) -> T:
    """Runs a job on the SDK's thread; a job that is there already goes on."""
    if getattr(_here, "running", False):
        return job()

    def take_turn() -> T:
        with _turn:
            _here.running = True
            return job()

    return _worker.submit(take_turn).result()


def put_in_place(sdk: Sdk, mine: Any, line: Line) -> None:
    """Makes a connection the one that the SDK's next call is for."""
    sdk.initializer.initializer = mine
    _requests.line = line


@contextmanager
def _mysql_at_hand() -> Iterator[None]:
    """Gives the empty `mysql.connector` that the SDK imports and does not declare, for as long as it is loaded."""
    if importlib.util.find_spec("mysql") is not None:
        yield
        return
    package, connector = types.ModuleType("mysql"), types.ModuleType("mysql.connector")
    connector.Error = Exception  # type: ignore[attr-defined]
    package.connector = connector  # type: ignore[attr-defined]
    lent = {"mysql": package, "mysql.connector": connector}
    sys.modules.update(lent)
    try:
        yield
    finally:
        for name in lent:
            sys.modules.pop(name, None)


def _mute(record: logging.LogRecord) -> bool:
    """Leaves of a log line of the SDK the place it comes from: its texts quote answers and values."""
    record.msg, record.args = f"zcrmsdk reports an error in {record.module}.{record.funcName}", ()
    record.exc_info = record.exc_text = record.stack_info = None
    return True


@cache
def load() -> Sdk:
    """Loads the SDK, which takes half a second, and binds our transport into it."""
    with _mysql_at_hand():
        from zcrmsdk.src.com.zoho.api.authenticator import oauth_token
        from zcrmsdk.src.com.zoho.api.authenticator.store.token_store import TokenStore
        from zcrmsdk.src.com.zoho.api.logger import Logger
        from zcrmsdk.src.com.zoho.crm.api import fields, modules, org, query, record, tags, users
        from zcrmsdk.src.com.zoho.crm.api.dc.data_center import DataCenter
        from zcrmsdk.src.com.zoho.crm.api.exception import SDKException
        from zcrmsdk.src.com.zoho.crm.api.header_map import HeaderMap
        from zcrmsdk.src.com.zoho.crm.api.initializer import Initializer
        from zcrmsdk.src.com.zoho.crm.api.parameter_map import ParameterMap
        from zcrmsdk.src.com.zoho.crm.api.sdk_config import SDKConfig
        from zcrmsdk.src.com.zoho.crm.api.user_signature import UserSignature
        from zcrmsdk.src.com.zoho.crm.api.util import api_http_connector
        from zcrmsdk.src.com.zoho.crm.api.util.choice import Choice
        from zcrmsdk.src.com.zoho.crm.api.util.utility import Utility
    oauth_token.requests = api_http_connector.requests = _requests
    log = logging.getLogger("SDKLogger")
    log.addFilter(_mute)

    class SealedStore(TokenStore):  # type: ignore[misc]
        """Hands the SDK the connection's sealed token, and nothing when it is to ask for a new one."""

        def __init__(self, current: Callable[[], str | None], keep: Callable[[str], None]) -> None:
            self._current, self._keep = current, keep

        def get_token(self, user: Any, token: Any) -> Any:
            held = self._current()
            if held is None:
                return None
            # Whether it is due is judged by the connection's clock, not by the SDK.
            token.access_token, token.expires_in = held, _NEVER
            return token

        def save_token(self, user: Any, token: Any) -> None:
            self._keep(token.access_token)

        def delete_token(self, token: Any) -> None:
            """Does nothing: tokens end by themselves."""

        def get_tokens(self) -> list[Any]:
            return []

        def delete_tokens(self) -> None:
            """Does nothing: tokens end by themselves."""

    def start(origin: str, sign_in_url: str, folder: str, store: Any) -> Any:
        Initializer.initialize(
            user=UserSignature(_USER),
            environment=DataCenter.Environment(origin, sign_in_url, origin),
            # Credentials are lent for each sign-in and taken back.
            token=oauth_token.OAuthToken("", "", "", oauth_token.TokenType.REFRESH),
            store=store,
            sdk_config=SDKConfig(auto_refresh_fields=False, pick_list_validation=False),
            resource_path=folder,
            logger=Logger.get_instance(Logger.Levels.ERROR, os.devnull),
        )
        # Each start adds a log file; lines go to the program's own log instead.
        for handler in log.handlers[:]:
            log.removeHandler(handler)
            handler.close()
        return Initializer.initializer

    return Sdk(
        initializer=Initializer,
        utility=Utility,
        failed=SDKException,
        record=record,
        fields=fields,
        modules=modules,
        org=org,
        query=query,
        parameters=ParameterMap,
        headers=HeaderMap,
        makers=Makers(record.Record, users.User, tags.Tag, Choice),
        start=start,
        store=SealedStore,
    )
