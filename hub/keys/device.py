"""The key provider for a device behind PKCS#11 (HSM, 密码机 with such a library): the key is made and stays in it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from importlib import import_module
from typing import Any

from hub.crypto.errors import WrongKey
from hub.crypto.provider import ProviderCapabilities, ProviderStatus
from hub.crypto.suites import Suite
from hub.crypto.wrapping import KEY, new_key, new_nonce
from hub.kernel.errors import KeyUnusable, Text
from hub.kernel.settings import KeySource
from hub.keys.plugin import DEVICE, Around, needs, take_secret

_NONCE, _TAG = 12, 16
_WRAPPED = _NONCE + KEY + _TAG


class _Library:
    """Is a PKCS#11 library: one for the whole process, with one session a token, used by one caller at a time.

    Starting it again ends every session, and handles of before may then name other keys: whoever keeps one keeps the
    `generation` with it and finds its key again in a later one.
    """

    def __init__(self, path: str) -> None:
        self.path, self.guard = path, threading.RLock()
        self.generation = 0
        self._process, self._stale = os.getpid(), False
        self._sessions: dict[str, Any] = {}

    def session(self, device: str, pin: Callable[[], str], *, write: bool) -> Any:
        """Returns the session of a token, logged in; raises what the library raises."""
        if device not in self._sessions:
            pkcs11 = _pkcs11()
            library = pkcs11.lib(self.path)
            if self._stale:
                library.reinitialize()
                self._stale = False
            self._sessions[device] = library.get_token(token_label=device).open(rw=write, user_pin=pin())
        return self._sessions[device]

    def drop(self) -> None:
        """Gives up every session and handle, since the device was away or this process was forked."""
        self.generation += 1
        self._process, self._stale = os.getpid(), True
        self._sessions.clear()

    def current(self) -> int:
        """Returns the generation in which handles of now are valid."""
        if self._process != os.getpid():
            self.drop()
        return self.generation


_libraries: dict[str, _Library] = {}


class DeviceKeyProvider:
    """Wraps keys by AES-256-GCM inside the device, under a key that is found by its label and never leaves it.

    A device that was away is found again by the next call. A refused PIN is not tried again before a restart, since
    devices lock themselves after a few.
    """

    def __init__(self, source: KeySource, pin: Callable[[], str], *, create: bool = False) -> None:
        """Finds the key; `create` makes a missing one in the device. Raises KeyUnusable with the remedy."""
        for name, en, zh in _NEEDED:
            if getattr(source, name) is None:
                raise needs(name, en, zh)
        self._device, self._label = str(source.device), str(source.key)
        self._pin, self._pin_refused = pin, False
        self._pkcs11 = _pkcs11()
        self._library = _libraries.setdefault(str(source.module), _Library(str(source.module)))
        self._key: Any = None
        self._generation, self._kek_id = -1, ""
        with self._library.guard:
            if create:
                # Only a session that may write makes a key, and a token has one session here.
                self._library.drop()
            self._find(create=create)

    def kek_id(self) -> str:
        """Returns `pkcs11:LABEL:ID`; a copy of the key in a second device has the same name."""
        return self._kek_id

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """Returns nonce, ciphertext and tag; raises KeyUnusable when the device does not do it."""
        return self._call(lambda: self._encrypt(key, context))

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Returns the key; raises WrongKey, and KeyUnusable when the device is away."""
        if len(wrapped) != _WRAPPED:
            raise WrongKey
        return self._call(lambda: self._decrypt(wrapped, context))

    def health(self) -> ProviderStatus:
        """Says whether the device wraps and unwraps now; finds it again if it was away."""
        try:
            self.unwrap(self.wrap(bytes(KEY), b"csh1/health"), b"csh1/health")
        except KeyUnusable as error:
            return ProviderStatus(False, Text(error.en, error.zh))
        return ProviderStatus(True, Text("the device answers", "加密设备可用"))

    def capabilities(self) -> ProviderCapabilities:
        return ProviderCapabilities(suites=frozenset({Suite.XAES_256_GCM}), hsm=True, exportable=False, sign=False)

    def __repr__(self) -> str:
        return f"DeviceKeyProvider({self._kek_id})"

    def _call(self, act: Callable[[], bytes]) -> bytes:
        with self._library.guard:
            self._find()
            try:
                return act()
            except self._pkcs11.PKCS11Error:
                # The session may be of before the device was away: once more with a new one.
                self._library.drop()
            self._find()
            try:
                return act()
            except self._pkcs11.PKCS11Error as error:
                raise self._away(error) from None

    def _encrypt(self, key: bytes, context: bytes) -> bytes:
        nonce = new_nonce()
        return nonce + bytes(self._cipher(self._key.encrypt, key, nonce, context))

    def _decrypt(self, wrapped: bytes, context: bytes) -> bytes:
        nonce, body = wrapped[:_NONCE], wrapped[_NONCE:]
        try:
            return bytes(self._cipher(self._key.decrypt, body, nonce, context))
        except self._pkcs11.PKCS11Error:
            # Devices name a failed tag differently, some as a general error. One that still encrypts is not away.
            self._encrypt(bytes(KEY), b"csh1/health")
        raise WrongKey

    def _cipher(self, act: Any, octets: bytes, nonce: bytes, context: bytes) -> Any:
        parameters = self._pkcs11.GCMParams(nonce, context, _TAG * 8)
        return act(octets, mechanism=self._pkcs11.Mechanism.AES_GCM, mechanism_param=parameters)

    def _find(self, *, create: bool = False) -> None:
        """Finds the key again where the handle is of an earlier session. Raises KeyUnusable."""
        if self._generation == self._library.current():
            return
        if self._pin_refused:
            raise self._refused(
                "refused the PIN; it is not tried again, so that the device does not lock itself: correct keys.secret "
                "and restart",
                "拒绝了 PIN；为免设备锁定不再重试，请更正 keys.secret 并重启",
            )
        try:
            self._key = self._named(self._library.session(self._device, self._pin, write=create), create)
            kek_id = f"pkcs11:{self._label}:{bytes(self._key.id).hex()}"
        except (self._pkcs11.PKCS11Error, RuntimeError, OSError) as error:
            raise self._away(error) from None
        if self._kek_id not in ("", kek_id):
            raise self._refused(
                "holds another key of that label now; bring the old one back", "中该标签已是另一密钥；请恢复"
            )
        self._kek_id, self._generation = kek_id, self._library.generation

    def _named(self, session: Any, create: bool) -> Any:
        attribute = self._pkcs11.Attribute
        named = {attribute.CLASS: self._pkcs11.ObjectClass.SECRET_KEY, attribute.LABEL: self._label}
        found = list(session.get_objects(named))
        if not found and create:
            never_out = {attribute.SENSITIVE: True, attribute.EXTRACTABLE: False}
            made = {"id": new_key()[:8], "label": self._label, "store": True, "template": never_out}
            return session.generate_key(self._pkcs11.KeyType.AES, KEY * 8, **made)
        if len(found) != 1:
            self._library.drop()  # a token that was pulled out may look like an empty one
            raise self._refused(
                f"holds {len(found)} keys of that label, not one; make it with a new label, or `crmhub init` makes it "
                "for a new installation",
                f"中该标签的密钥有 {len(found)} 个，应为一个；请用新标签建立，新安装可由 `crmhub init` 建立",
            )
        return found[0]

    def _is_about_pin(self, error: Exception) -> bool:
        kinds = self._pkcs11
        return isinstance(error, kinds.PinIncorrect | kinds.PinLocked | kinds.PinInvalid | kinds.PinLenRange)

    def _away(self, error: Exception) -> KeyUnusable:
        reason = type(error).__name__
        self._library.drop()
        if self._is_about_pin(error):
            self._pin_refused = True
            return self._refused(
                f"refused the PIN ({reason}); it is not tried again: correct keys.secret and restart",
                f"拒绝了 PIN（{reason}）；不再重试，请更正 keys.secret 并重启",
            )
        return self._refused(
            f"does not answer ({reason}); see its state and keys.module, and all goes on by itself",
            f"无响应（{reason}）；请检查设备状态与 keys.module，恢复后自动继续",
        )

    def _refused(self, en: str, zh: str) -> KeyUnusable:
        place = f"device {self._device} (key {self._label})"
        return KeyUnusable(f"{place} {en}", f"加密设备 {self._device}（密钥 {self._label}）{zh}", code=DEVICE)


_NEEDED = (
    ("module", "the path of the device's PKCS#11 library", "设备的 PKCS#11 库路径"),
    ("device", "the label of the token", "令牌标签"),
    ("key", "the label of the key", "密钥标签"),
)


def open_device(source: KeySource, around: Around, create: bool) -> DeviceKeyProvider:
    """Opens the key in the device; `create` makes a missing one there. Raises KeyUnusable."""
    if source.secret is None:
        raise needs("secret", "the PIN: file:PATH or env:NAME", "PIN：file:路径 或 env:变量名")
    return DeviceKeyProvider(source, lambda: take_secret(source.secret, around.home), create=create)


def _pkcs11() -> Any:
    try:
        return import_module("pkcs11")
    except ImportError:
        raise KeyUnusable(
            "key provider pkcs11 needs its library; install crmhub with the extra `pkcs11`",
            "密钥来源 pkcs11 缺少程序库；请安装 crmhub 的 pkcs11 附加组件",
            code=DEVICE,
        ) from None
