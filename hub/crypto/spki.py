"""Fingerprints of public keys, for connections that are pinned to a server's own key."""

from __future__ import annotations

from hashlib import sha256


def spki_sha256(certificate: bytes) -> bytes:
    """Returns the SHA-256 of the public key (SubjectPublicKeyInfo) of a certificate in DER. Raises ValueError.

    Source: RFC 7469 §2.4.
    """
    # Who pins nothing does not wait for the reader of certificates with every command.
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    from cryptography.x509 import load_der_x509_certificate

    key = load_der_x509_certificate(certificate).public_key()
    return sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
