"""Every error a connector may raise, grouped by what the engine does next.

A connector raises one of these or returns a row result; nothing else may cross the contract. Messages name system,
object, record id and field and what to do, in Chinese and English; never a value, a token or a payload.
"""

from __future__ import annotations


class ConnectorError(Exception):
    """Carries a stable code and the same message in English and Chinese."""

    code = "HUB-CONN-000"
    retryable = False

    def __init__(self, en: str, zh: str, *, system: str = "", object: str = "") -> None:
        super().__init__(f"{self.code} {en}")
        self.en = en
        self.zh = zh
        self.system = system
        self.object = object


class RetryLater(ConnectorError):
    """Is raised for a network failure or a server error of a read that outlived its retries."""

    code = "HUB-NET-001"
    retryable = True


class RateLimited(RetryLater):
    """Is raised when the vendor asks to slow down; `after` is in seconds."""

    code = "HUB-NET-002"

    def __init__(self, en: str, zh: str, *, after: float, system: str = "", object: str = "") -> None:
        super().__init__(en, zh, system=system, object=object)
        self.after = after


class DiskUnusable(RetryLater):
    """Is raised when a file that the processes of a machine share cannot be written; no call left."""

    code = "HUB-DISK-001"


class QuotaExhausted(ConnectorError):
    """Is raised when the day's calls are used up; `resets_at` is epoch seconds, None when the vendor is silent."""

    code = "HUB-QUOTA-001"

    def __init__(self, en: str, zh: str, *, resets_at: float | None, system: str = "", object: str = "") -> None:
        super().__init__(en, zh, system=system, object=object)
        self.resets_at = resets_at


class AuthRejected(ConnectorError):
    """Is raised when credentials or permissions are refused; `missing` names the scope, value or permission."""

    code = "HUB-AUTH-001"

    def __init__(self, en: str, zh: str, *, missing: str, system: str = "", object: str = "") -> None:
        super().__init__(en, zh, system=system, object=object)
        self.missing = missing


class CursorExpired(ConnectorError):
    """Is raised when a stored cursor can no longer be continued; a full listing with deletes disabled follows."""

    code = "HUB-CURSOR-001"


class SchemaDrift(ConnectorError):
    """Is raised when an object or field that the mapping uses is gone or retyped."""

    code = "HUB-DRIFT-001"


class ProtocolViolation(ConnectorError):
    """Is raised when an answer does not follow the vendor's protocol; the engine never guesses what it meant."""

    code = "HUB-PROTO-001"


class PinMismatch(ProtocolViolation):
    """Is raised when a server shows a key that is not among the pins of its connection; no byte was sent to it."""

    code = "HUB-TLS-001"


class TooLarge(ProtocolViolation):
    """Is raised for an answer beyond the cap of its request; nothing of it was kept."""


class SettingsInvalid(ConnectorError):
    """Is raised when the connection's settings cannot work."""

    code = "HUB-CONF-002"


class Unsupported(ConnectorError):
    """Is raised when a capability declared absent is asked for."""

    code = "HUB-CONN-001"
