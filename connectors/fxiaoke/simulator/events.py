"""事件回调: tells a subscriber which records changed, signed and encrypted, and calls again until it is answered.

Source: the vendor's demonstration of 事件变更订阅. When it repeats, how events are called and whether writes of the API
tell too are unverified, so each is a switch. The index lag stays: a `get` is right at once, a query is not.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_address
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

import orjson
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from connectors.fxiaoke.simulator.auth import EA
from connectors.fxiaoke.simulator.refusal import bad_parameter
from connectors.fxiaoke.simulator.settings import Settings

TENANT_ID = 700001
SUCCESS = b"success"
_KEPT = 2_000
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_BLOCK = 16


@dataclass(frozen=True, slots=True)
class Subscription:
    """Is what an administrator entered in 事件回调设置; no objects means every one."""

    url: str = field(repr=False)
    key: str = field(repr=False)
    objects: tuple[str, ...]

    @property
    def secret(self) -> bytes:
        return base64.b64decode(self.key)


@dataclass(frozen=True, slots=True)
class Event:
    """Is one event on its way."""

    plain: dict[str, Any]
    stamp: int
    lost: bool = False


def sign(key: str, *parts: object) -> str:
    """Returns the vendor's signature: the parts and the key joined as they are."""
    return hashlib.sha1(("".join(map(str, parts)) + key).encode(), usedforsecurity=False).hexdigest()


def encrypt(key: str, plain: bytes) -> str:
    """Encrypts as the vendor does."""
    missing = _BLOCK - len(plain) % _BLOCK
    sealer = _cipher(key).encryptor()
    return base64.b64encode(sealer.update(plain + bytes([missing]) * missing) + sealer.finalize()).decode()


def decrypt(key: str, sealed: str) -> bytes:
    """Decrypts as the vendor does; raises ValueError."""
    opener = _cipher(key).decryptor()
    padded = opener.update(base64.b64decode(sealed, validate=True)) + opener.finalize()
    if not padded or not 0 < padded[-1] <= _BLOCK:
        raise ValueError("no padding")
    return padded[: -padded[-1]]


def _cipher(key: str) -> Cipher[modes.CBC]:
    secret = base64.b64decode(key)
    return Cipher(algorithms.AES(secret), modes.CBC(secret[:_BLOCK]))


class Events:
    """Collects what a request changed and calls the subscriber about it."""

    def __init__(self, settings: Settings, now: Callable[[], float]) -> None:
        self.subscription: Subscription | None = None
        self.sent: list[dict[str, Any]] = []
        self._settings, self._now = settings, now
        self._silent = False
        self._changed: dict[tuple[str, str], str] = {}
        self._held: list[Event] = []
        self._number = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def listener(self, object_name: str) -> Callable[[str, str], None]:
        """Returns what a table tells its changes to: record id and kind of change."""
        return partial(self._note, object_name)

    def act(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Sets 事件回调 up (`url` or null, `key`, `objects`), makes the console's test call (`test`), tells of all."""
        if "url" in request and request["url"] is None:
            self.subscription = None
        elif "url" in request:
            self.subscribe(str(request["url"]), str(request["key"]), tuple(request.get("objects", ())))
        if request.get("test"):
            self.test()
        return self.report()

    def subscribe(self, url: str, key: str, objects: tuple[str, ...]) -> None:
        """Enters the address, the 解析密钥 and the objects; raises Refusal. A simulator calls this machine only."""
        try:
            ours = ip_address(urlsplit(url).hostname or "").is_loopback
            fits = len(key) == 44 and len(base64.b64decode(key)) == 32
        except ValueError:
            ours = fits = False
        if not ours or not fits:
            raise bad_parameter("callbackUrl" if not ours else "key")
        self.subscription = Subscription(url, key, objects)

    def report(self) -> dict[str, Any]:
        """Returns what is set up and every call that was made, the plain text beside it."""
        at = self.subscription
        shown = None if at is None else {"url": at.url, "objects": list(at.objects)}
        return {"subscription": shown, "sent": self.sent}

    @contextmanager
    def by_api(self) -> Iterator[None]:
        """Keeps quiet about a write of the API where the switch says that such a write tells nobody."""
        before, self._silent = self._silent, not self._settings.event_api_writes
        try:
            yield
        finally:
            self._silent = before

    def _note(self, object_name: str, record_id: str, kind: str) -> None:
        at = self.subscription
        if at is None or self._silent or kind not in self._settings.event_kinds:
            return
        if at.objects and object_name not in at.objects:
            return
        if not self._changed:
            asyncio.get_running_loop().call_soon(self._tell)
        # What is created and changed by one request is told as created.
        self._changed.setdefault((object_name, record_id), kind)

    def _tell(self) -> None:
        changed, self._changed = self._changed, {}
        for (object_name, record_id), kind in changed.items():
            names = {"update": "update", "named": kind, "unknown": f"data_{kind}_v9"}
            self._put(
                {
                    "tenantId": TENANT_ID,
                    "eventType": names[self._settings.event_types],
                    "apiName": object_name,
                    "dataId": record_id,
                }
            )

    def test(self) -> None:
        """Calls as the console's test button might [unverified]: signed as ever, and about no record."""
        self._put({"tenantId": TENANT_ID, "eventType": "test"})

    def _put(self, plain: dict[str, Any]) -> None:
        settings = self._settings
        self._number += 1
        stamp = int(self._now() * 1000)
        plain |= {"timestamp": stamp, "messageId": secrets.token_hex(12)}
        lost = bool(settings.event_loses_every and self._number % settings.event_loses_every == 0)
        self._held.append(Event(plain, stamp, lost))
        if settings.event_repeats_every and self._number % settings.event_repeats_every == 0:
            self._held.append(Event(plain, stamp))
        if settings.event_reverses:
            # Those of the last half second arrive in the wrong order.
            asyncio.get_running_loop().call_later(0.5, self._release)
        else:
            self._release()

    def _release(self) -> None:
        held, self._held = self._held, []
        for event in reversed(held) if self._settings.event_reverses else held:
            task = asyncio.get_running_loop().create_task(self._deliver(event))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _deliver(self, event: Event) -> None:
        at, settings = self.subscription, self._settings
        if at is None or event.lost:
            self._keep({"plain": event.plain, "status": 0, "accepted": False, "lost": event.lost})
            return
        for number, wait in enumerate([settings.event_delay_seconds, *settings.event_retry_seconds]):
            await asyncio.sleep(wait)
            body = self._body(at, event, number)
            status, answer = await asyncio.to_thread(
                post_event, at.url, orjson.dumps(body), settings.event_timeout_seconds
            )
            accepted = status == 200 and answers_success(at.key, answer)
            self._keep({"plain": event.plain, "body": body, "status": status, "accepted": accepted})
            if accepted:
                return

    def _keep(self, call: dict[str, Any]) -> None:
        self.sent = [*self.sent[-_KEPT:], call]

    def _body(self, at: Subscription, event: Event, number: int) -> dict[str, Any]:
        """Builds the call with the number of its repetition; the first one may leave it out."""
        settings = self._settings
        fresh = number > 0 and settings.event_retry_timestamp == "fresh"
        body: dict[str, Any] = {
            "timestamp": int(self._now() * 1000) if fresh else event.stamp,
            "nonce": secrets.token_urlsafe(12),
            "messageId": event.plain["messageId"],
        }
        if number or settings.event_first_retry_times == "zero":
            body["retryTimes"] = number
        body |= {"enterpriseAccount": EA, "encryptedContent": encrypt(at.key, orjson.dumps(event.plain))}
        signature = sign(at.key, *body.values())
        return {"signature": signature if settings.event_signature == "right" else "0" * 40, **body}


def answers_success(key: str, raw: bytes) -> bool:
    """Tells whether an answer is signed and holds the word that ends the repetitions."""
    try:
        answer = orjson.loads(raw)
        timestamp, nonce, sealed = (answer[name] for name in ("timestamp", "nonce", "encryptedResult"))
        signed = answer["signature"] == sign(key, timestamp, nonce, sealed)
        return bool(signed and decrypt(key, sealed) == SUCCESS)
    except (ValueError, KeyError, TypeError):
        return False


def post_event(url: str, raw: bytes, timeout: float) -> tuple[int, bytes]:
    """Posts one call and returns status and answer, 0 where nobody answered in time."""
    request = urllib.request.Request(url, data=raw, headers={"Content-Type": "application/json"}, method="POST")  # noqa: S310
    try:
        with _OPENER.open(request, timeout=timeout) as told:
            return int(told.status), told.read(65_536)
    except HTTPError as refused:
        return refused.code, b""
    except OSError:
        return 0, b""
