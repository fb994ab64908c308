"""Every column of bytes is known to the rotation of keys: sealed, digested, or neither and why."""

from __future__ import annotations

import sqlalchemy as sa

from hub.store import allowance_tables, callback_tables, key_tables, schedule_tables, share_tables  # noqa: F401
from hub.store.backup import known_tables
from hub.store.digested import DIGESTS, Indexes
from hub.store.review_tables import metadata
from hub.store.sealed import FIELD, SEALED

NEITHER = {
    "crypto_key.wrapped": "wrapped by the provider: `crmhub key rotate kek`",
    "intent.payload_digest": "compared with nothing once its write is settled; a refusal copies it to quarantine",
    "pause.secret_digest": "lifts the pause one try early when its key is gone",
    "audit_entry.body": "public",
    "audit_entry.leaf": "public",
    "audit_entry.chain": "public",
    "approval.digest": "SHA-256 of the change, which stands sealed beside it",
    "api_token.digest": "under the pepper, which is a sealed secret and stays what it is",
    "oidc_identity.identity": "under the pepper",
    "oidc_identity.seal": "under the pepper",
    "session.digest": "SHA-256 of a random token",
    "sign_in_source.source": "forgotten after minutes",
    "stop_list.digest": "of nobody who is left: it serves as long as the index key that made it",
}


def test_every_column_of_bytes_is_rotated_or_says_why_not() -> None:
    known_tables()
    columns = {
        f"{table.name}.{column.name}"
        for table in metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, sa.LargeBinary)
    }
    places = [*DIGESTS, Indexes(lambda entity, fields, golden: {}), *(p for found in SEALED.values() for p in found)]
    rotated = {place.name.removesuffix(" (field)") for place in places}
    assert columns == rotated | NEITHER.keys()
    assert rotated.isdisjoint(NEITHER)


def test_what_may_stand_without_a_subject_is_rotated_with_the_field_key() -> None:
    nullable = {
        f"{table.name}.blob"
        for table in metadata.tables.values()
        if "blob" in table.c and "subject_id" in table.c and table.c.subject_id.nullable
    }
    subjectless = {"users.seal", "approval.blob", "credential.blob", "session.blob", "oidc_flow.blob"}
    assert {place.name.removesuffix(" (field)") for place in FIELD} == nullable | subjectless
