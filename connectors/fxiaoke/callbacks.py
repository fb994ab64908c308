"""Event callbacks (事件回调): signed and encrypted with a key that both sides know; only the record's id is taken.

Source: the vendor's demonstration of 事件变更订阅 with its test vector; the current manual does not have it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Any

import orjson
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from connectors.base import CheckLine, ConnectorContext
from connectors.channels import Entry, Hint, Told
from connectors.errors import SettingsInvalid
from connectors.fxiaoke.client import Client
from connectors.fxiaoke.event_proof import prove_events
from connectors.fxiaoke.settings import FxiaokeSettings
from connectors.json_text import read_json

KEY = "event_key"
SUCCESS = b"success"
"""What an answer holds; anything else makes the vendor call again. Source: the vendor's demonstration."""
_BLOCK = 128
_WORD = re.compile(r"[\x21-\x7e]{1,128}")
_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")
_OBJECT = re.compile(r"[0-9A-Za-z_]{1,100}")
_SCREEN = "管理后台 → 系统对接管理 → 事件回调设置"


@dataclass(frozen=True, slots=True)
class Key:
    """Is the 解析密钥: its text signs, the 32 bytes behind it encrypt."""

    text: str = field(repr=False)
    secret: bytes = field(repr=False)

    def sign(self, *parts: str) -> str:
        """Returns the signature of parts joined as they are, the key's text last."""
        # SHA-1 is the vendor's choice; the key at its end keeps the length extension of a plain hash out.
        return hashlib.sha1("".join([*parts, self.text]).encode(), usedforsecurity=False).hexdigest()

    def seal(self, plain: bytes) -> str:
        """Encrypts with AES-256-CBC, PKCS#7, the key's first 16 bytes as the IV."""
        padder, sealer = PKCS7(_BLOCK).padder(), self._cipher().encryptor()
        padded = padder.update(plain) + padder.finalize()
        return base64.b64encode(sealer.update(padded) + sealer.finalize()).decode()

    def open(self, sealed: str) -> bytes | None:
        """Decrypts; None for what was not encrypted with this key."""
        opener, unpadder = self._cipher().decryptor(), PKCS7(_BLOCK).unpadder()
        try:
            padded = opener.update(base64.b64decode(sealed, validate=True)) + opener.finalize()
            return unpadder.update(padded) + unpadder.finalize()
        except ValueError:
            return None

    def _cipher(self) -> Cipher[modes.CBC]:
        return Cipher(algorithms.AES(self.secret), modes.CBC(self.secret[:16]))


def read_key(text: str, system: str) -> Key:
    """Reads a key. Raises SettingsInvalid, without showing it, unless it is the one Base64 form of 32 bytes."""
    try:
        secret = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    # A last character with stray bits decodes here and not in a strict decoder; the console makes such keys itself.
    if len(secret) == 32 and base64.b64encode(secret).decode() == text:
        return Key(text, secret)
    raise SettingsInvalid(
        f"{system}: credentials.{KEY}: the 解析密钥 is not 44 characters of Base64 for 32 bytes (it has {len(text)} "
        f"characters); make a good one: crmhub channel setup {system} --new-key FILE, and enter it in Fxiaoke too",
        f"{system}：credentials.{KEY}：解析密钥不是 32 字节对应的 44 位 Base64（现为 {len(text)} 位）；"
        f"请用 crmhub channel setup {system} --new-key 文件 生成，并同时填入纷享销客",
        system=system,
    )


class Events:
    """Understands the event callbacks of one connection; calls nobody."""

    def __init__(self, settings: FxiaokeSettings, context: ConnectorContext) -> None:
        self._settings, self._context = settings.events, context
        self._key: Key | None = None

    def hears(self) -> bool:
        """Tells whether the connection has `events`."""
        return self._settings is not None

    def key(self) -> Key:
        """Returns the key, read once. Raises SettingsInvalid."""
        if self._key is None:
            self._key = read_key(self._context.secret(KEY), self._context.system)
        return self._key

    def receive(self, body: bytes) -> Told | None:
        """Returns what a callback tells, None for one that is not genuine, not for this enterprise, or too old."""
        settings = self._settings
        outer = _table(body)
        if settings is None or outer is None or (said := _read(outer)) is None:
            return None
        key = self.key()
        if not compare_digest(said.signature.encode(), key.sign(*said.parts).encode()):
            return None
        # Who signs has the key; the rest tells our enterprise from another one that was given the same key.
        now, at = self._context.clock.now(), said.sent_at
        until = at + (settings.redelivery_window if said.again else settings.window)
        plain = key.open(said.content)
        if said.enterprise != settings.enterprise_account or not at - settings.window <= now < until or plain is None:
            return None
        inner = _table(plain) or {}
        if "tenantId" in inner and settings.tenant_id not in (None, str(inner["tenantId"])):
            return None
        # What is signed is joined without marks between, so letters could be moved from one part to the next: an old
        # call would get another id, or pass for a repetition. The id inside cannot be moved.
        if inner.get("messageId", said.message_id) != said.message_id:
            return None
        stamp, nonce = str(int(now * 1000)), self._context.new_id()[-16:]
        return Told(said.message_id, at + settings.redelivery_window, _answer(key, stamp, nonce), _hint(inner, at))


@dataclass(frozen=True, slots=True)
class _Said:
    """Is the envelope of a callback."""

    signature: str
    timestamp: int
    nonce: str
    message_id: str
    retries: int | None
    enterprise: str
    content: str = field(repr=False)

    @property
    def parts(self) -> tuple[str, ...]:
        """Returns what is signed, in the vendor's order; `retryTimes` only where it was sent."""
        tries = () if self.retries is None else (str(self.retries),)
        return (str(self.timestamp), self.nonce, self.message_id, *tries, self.enterprise, self.content)

    @property
    def again(self) -> bool:
        return bool(self.retries)

    @property
    def sent_at(self) -> float:
        return self.timestamp / 1000


def _read(outer: Mapping[str, Any]) -> _Said | None:
    """Reads the envelope; None where a part is missing or of another kind than the vendor sends."""
    names = ("signature", "nonce", "messageId", "enterpriseAccount")
    words = [word for name in names if isinstance(word := outer.get(name), str) and _WORD.fullmatch(word)]
    content, timestamp, retries = outer.get("encryptedContent"), _whole(outer.get("timestamp")), outer.get("retryTimes")
    if len(words) < len(names) or not isinstance(content, str) or timestamp is None:
        return None
    if retries is not None and _whole(retries) is None:
        return None
    signature, nonce, message_id, enterprise = words
    return _Said(signature, timestamp, nonce, message_id, _whole(retries), enterprise, content)


def _hint(inner: Mapping[str, Any], sent_at: float) -> Hint | None:
    """Returns the record to read again, whatever the event is called; a test from the console names none."""
    name, native_id = inner.get("apiName"), inner.get("dataId")
    if not isinstance(name, str) or not isinstance(native_id, str):
        return None
    if not _OBJECT.fullmatch(name) or not _ID.fullmatch(native_id):
        return None
    return Hint(name, (native_id,), sent_at)


def _answer(key: Key, timestamp: str, nonce: str) -> bytes:
    sealed = key.seal(SUCCESS)
    words = {"timestamp": int(timestamp), "nonce": nonce, "encryptedResult": sealed}
    return orjson.dumps({"signature": key.sign(timestamp, nonce, sealed), **words})


def _table(raw: bytes) -> Mapping[str, Any] | None:
    try:
        found = read_json(raw)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _whole(value: object) -> int | None:
    """Returns a whole number of the size of a time in milliseconds, None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**14:
        return value
    return None


def make_key(entropy: bytes) -> str:
    """Returns a key out of 32 random bytes. The console's own button may make one that does not decode [unverified]."""
    return base64.b64encode(entropy).decode()


def entries(url: str, objects: Sequence[str]) -> list[Entry]:
    """Returns what an administrator enters in 管理后台 → 系统对接管理 → 事件回调设置."""
    named = ", ".join(objects) or "-"
    return [
        Entry(f"open {_SCREEN} (as an administrator of the enterprise)", f"以企业管理员身份打开 {_SCREEN}"),
        Entry(f"callback address (回调地址): {url}", f"回调地址：{url}"),
        Entry(
            "解析密钥: the content of the file or variable behind credentials.event_key, 44 characters; do not let the "
            "console make one",
            "解析密钥：credentials.event_key 所指文件或变量的内容（44 位）；请勿使用页面自动生成的密钥",
        ),
        Entry(
            f"objects (对象): {named}; tick every event (新建, 编辑, 作废, 恢复, 删除 and whatever else is offered)",
            f"对象：{named}；事件全部勾选（新建、编辑、作废、恢复、删除及页面所列其他事件）",
        ),
    ]


class Hearing:
    """Is the part of the connector that hears events: `connectors.channels.Signed`."""

    key_name = KEY
    _events: Events

    def hear_events(self, settings: FxiaokeSettings, context: ConnectorContext) -> None:
        """Takes the settings of the connection."""
        self._events = Events(settings, context)

    def prove_events(self, client: Client, settings: FxiaokeSettings, *, signed_in: bool) -> list[CheckLine]:
        """Proves key and enterprise, where events are on."""
        return prove_events(self._events.key, client, settings, signed_in=signed_in)

    def hears(self) -> bool:
        """Tells whether event callbacks are switched on for the connection."""
        return self._events.hears()

    def check_key(self) -> None:
        """Raises SettingsInvalid unless the key of the callbacks is in order."""
        self._events.key()

    def make_key(self, entropy: bytes) -> str:
        """Returns a 解析密钥 that every decoder takes."""
        return make_key(entropy)

    def entries(self, url: str, objects: Sequence[str]) -> Sequence[Entry]:
        """Returns what an administrator enters in the screens of Fxiaoke."""
        return entries(url, objects)

    def receive_signed(self, body: bytes) -> Told | None:
        """Returns which record an event callback names."""
        return self._events.receive(body)
