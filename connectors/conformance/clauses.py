"""Every clause of the kit, one line each; DESIGN's contract in words that a test can fail."""

from __future__ import annotations

from collections.abc import Mapping

CLAUSES: Mapping[str, str] = {
    # reading
    "READ-01": "a complete listing delivers every visible record, in pages of at most the limit",
    "READ-02": "an edit after a listing is delivered by a later poll, with its new values",
    "READ-03": "records that share one instant are all delivered, however small the page",
    "READ-04": "a change in the very instant of a poll, or shown late by the index, is delivered later",
    "READ-05": "a cursor is plain JSON, and another connector instance continues from it",
    "READ-06": "a foreign cursor is refused with CursorExpired",
    "READ-07": "every requested field that holds a value is delivered with that value",
    "READ-08": "an empty field is None where returns_nulls is declared and absent elsewhere, never an empty text",
    "READ-09": "a field hidden by permissions is absent, never None",
    "READ-10": "fetch shows a committed edit at once",
    "READ-11": "fetch answers for every id asked, and NotVisible for one that never was",
    "READ-12": "list_ids enumerates every visible record and then says complete",
    "READ-13": "versions tell an edit apart, and grow where ordered_versions is declared",
    "READ-14": "an unknown object ends in SchemaDrift, and describe names the fields of a known one",
    "READ-15": "modified_by is shown where shows_actor is declared and None elsewhere",
    "READ-16": "a record edited or created between two pages of a run is not lost",
    "READ-17": "modified_at is the vendor's instant of the edit, to the declared resolution",
    "READ-18": "a listing with a bound leaves out only what is filled and earlier, and later changes are delivered",
    "READ-19": "what is counted before a listing is what the listing delivers",
    "READ-20": "where records of one sort are selected, listings hold no others, and later changes are delivered",
    # writing
    "WRITE-01": "a create stores exactly its fields and returns the record's id",
    "WRITE-02": "an update changes its own fields and no other",
    "WRITE-03": "a batch gives one result per request, in the order of the requests",
    "WRITE-04": "a refused row is Refused with its field, changes nothing and leaves its neighbours alone",
    "WRITE-05": "a stale expected_version is Stale, overwrites nothing and shows the record as it is now",
    "WRITE-06": "an update without expected_version is accepted",
    "WRITE-07": "where versions are ordered, the version of a write is newer than before and not newer than after",
    "WRITE-08": "None clears a field, or is Refused where can_clear is not declared",
    "WRITE-09": "a text longer than the field is Refused, never cut",
    "WRITE-10": "a batch above batch_size, or of two ops, is Unsupported and changes nothing",
    "WRITE-11": "an op declared absent is Unsupported and changes nothing",
    "WRITE-12": "an update of a record that is not there is not Written and creates nothing",
    "WRITE-13": "what a write says it has seen is what fetch then shows",
    # identity
    "ID-01": "a hub id given at creation finds its record once the index has settled",
    "ID-02": "a second record with one hub id is Refused where uniqueness is declared, else find returns both",
    "ID-03": "find by hub id sees a create at once where strong_read_by_key is declared",
    "ID-04": "find for several values returns each one's record and nothing for an unknown value",
    "ID-05": "find by hub id is Unsupported where there is no external key field",
    "ID-06": "a create that may exist already makes no twin where the key is unique; with upsert it names the first",
    # deletes
    "DEL-01": "the delete feed shows a deleted record, and is Unsupported where it is not declared",
    "DEL-02": "the change stream flags a delete where FLAG is declared and shows none elsewhere",
    "DEL-03": "fetch answers Gone for a deleted record; NotVisible is enough where no deletes are declared",
    "DEL-04": "a hidden record is NotVisible, never gone",
    "DEL-05": "a merged record names its survivor where merge_feed is declared, else nobody",
    "DEL-06": "a restored record is fetched and delivered as live",
    "DEL-07": "a remote delete deletes, where it is declared",
    # values
    "VAL-01": "Chinese text survives both ways",
    "VAL-02": "emoji and four-byte characters survive both ways",
    "VAL-03": "leading zeros and plus signs survive both ways",
    "VAL-04": "quotes, markup, backslashes and separators survive both ways",
    "VAL-05": "a text of exactly the field's length survives",
    "VAL-06": "each typed value of the subject survives both ways: instants, zones, clock changes, decimals",
    # failures
    "FAIL-01": "a rate limit on a read is RateLimited or QuotaExhausted, and the same cursor then continues",
    "FAIL-02": "lasting server errors on a read are RetryLater, and the same cursor then continues",
    "FAIL-03": "a write that broke off before the vendor acted is Unknown and is not sent again",
    "FAIL-04": "a write that broke off after the vendor acted is Unknown and took effect once",
    "FAIL-05": "a server error on a write is Unknown and is not sent again",
    "FAIL-06": "an HTML page instead of records is RetryLater or ProtocolViolation, never an empty page",
    "FAIL-07": "truncated JSON instead of records is RetryLater or ProtocolViolation, never an empty page",
    "FAIL-08": "an unreadable answer to a write is Unknown and took effect once",
    "FAIL-09": "a token that expires in the middle of a listing does not end it",
    "FAIL-10": "rejected credentials are AuthRejected and name what is missing",
    "FAIL-11": "a rate limit on a write is RateLimited or a Refused to retry later, and changes nothing",
    # hygiene
    "HYG-01": "no secret appears in a repr, an error with all its causes, a log line or a check",
    "HYG-02": "no value of a record appears in an error, a refusal, a repr or a log line",
    "HYG-03": "check proves in both languages and writes nothing",
    "HYG-04": "the connector has the whole contract and states its kind",
    "HYG-05": "close can be called twice",
}
"""Clause id to what it demands."""
