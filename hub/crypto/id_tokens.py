"""ID tokens of an identity provider (OpenID Connect Core 1.0, §3.1.3.7): signature, then every claim that must hold."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import extract_compact

ALGORITHMS = ("RS256", "PS256", "ES256")
"""What a provider may sign with: never `none`, never a secret that the hub shares with it."""
LEEWAY, OLDEST = 60, 600
"""Seconds by which two clocks may differ, and the age of a token beyond which it was not made for this sign-in."""
LONGEST = 16 * 1024
_KINDS = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC"}


class TokenForged(Exception):
    """Is raised for an ID token that is not believed; `why` is a code for the audit log, not for who brought it."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class KeyUnknown(TokenForged):
    """Is raised when the token names a key that is not in the set: the provider may have changed its keys."""


@dataclass(frozen=True, slots=True)
class Expected:
    """Is what an ID token of one sign-in must say."""

    issuer: str
    client_id: str
    nonce: str
    algorithms: tuple[str, ...] = ALGORITHMS


def verify_id_token(token: str, keys: Mapping[str, Any], expected: Expected, now: float) -> dict[str, Any]:
    """Returns the claims of an ID token. `keys` is the provider's JWK set, `now` epoch seconds. Raises TokenForged."""
    if len(token) > LONGEST or not token.isascii():
        raise TokenForged("malformed")
    claims = _signed(token, keys, expected.algorithms)
    _check(claims, expected, now)
    return claims


def _signed(token: str, keys: Mapping[str, Any], algorithms: Collection[str]) -> dict[str, Any]:
    try:
        header = extract_compact(token.encode()).protected
    except (JoseError, ValueError):
        raise TokenForged("malformed") from None
    alg, kid = header.get("alg"), header.get("kid")
    if alg not in algorithms or alg not in _KINDS:
        raise TokenForged("algorithm")
    if "crit" in header or "b64" in header:
        raise TokenForged("malformed")
    fitting = [each for each in _listed(keys) if _fits(each, alg, kid)]
    # Without a kid one key must be meant; keys are never tried in turn.
    if len(fitting) != 1:
        raise KeyUnknown("key")
    try:
        key = KeySet.import_key_set({"keys": fitting}).keys[0]
        return jwt.decode(token, key, algorithms=[alg]).claims
    except (JoseError, ValueError, TypeError):
        raise TokenForged("signature") from None


def _listed(keys: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = keys.get("keys")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _fits(key: Mapping[str, Any], alg: str, kid: object) -> bool:
    if key.get("kty") != _KINDS[alg] or key.get("use", "sig") != "sig" or key.get("alg", alg) != alg:
        return False
    return kid is None or key.get("kid") == kid


def _check(claims: Mapping[str, Any], expected: Expected, now: float) -> None:
    named = claims.get("aud")
    audience = named if isinstance(named, list) else [named]
    if claims.get("iss") != expected.issuer:
        raise TokenForged("issuer")
    if expected.client_id not in audience:
        raise TokenForged("audience")
    azp = claims.get("azp")
    if (azp is not None or len(audience) > 1) and azp != expected.client_id:
        raise TokenForged("audience")
    if not _number(claims.get("exp")) or claims["exp"] + LEEWAY <= now:
        raise TokenForged("expired")
    if not _number(claims.get("iat")) or not now - OLDEST <= claims["iat"] <= now + LEEWAY:
        raise TokenForged("expired")
    if "nbf" in claims and (not _number(claims["nbf"]) or claims["nbf"] > now + LEEWAY):
        raise TokenForged("expired")
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), expected.nonce.encode()):
        raise TokenForged("nonce")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255:
        raise TokenForged("subject")


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
