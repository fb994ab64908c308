"""The canonical form of an event is RFC 8785, holds no floats and cannot be used to forge lines or hide text."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.audit.event import Actor, Egress, Event, FieldNote, Origin, Source, encode, instant, stamp

ORIGIN = Origin(Actor("local", "ops"), Source("cli", host="hub-1", pid=7), "0.1.0", "sha256:abc")
PLACE = {"seq": 3, "epoch": 1, "id": "01900000-0000-7000-8000-000000000001", "at": 1_760_000_000.25, "origin": ORIGIN}


def jcs(value: object) -> str:
    """Is RFC 8785 written from its text, for strings, integers, booleans and null."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return "{" + ",".join(f"{jcs(key)}:{jcs(value[key])}" for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ",".join(jcs(item) for item in value) + "]"
    if isinstance(value, str):
        short = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
        return '"' + "".join(short.get(c) or (f"\\u{ord(c):04x}" if c < " " else c) for c in value) + '"'
    return json.dumps(value)


texts = st.text(max_size=40)
optional = st.none() | texts
notes = st.builds(FieldNote, name=texts, field_class=texts, before=optional, after=optional, shown=optional)
events = st.builds(
    Event,
    act=st.from_regex(r"[a-z][a-z0-9_.]{0,20}", fullmatch=True),
    obj_type=texts,
    obj_id=optional,
    outcome=st.sampled_from(["success", "denied", "error"]),
    code=optional,
    reason=optional,
    fields=st.lists(notes, max_size=3).map(tuple),
    counts=st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True), st.integers(-(2**53 - 1), 2**53 - 1), max_size=3
    ),
    connection=optional,
    ticket=optional,
    egress=st.none() | st.builds(Egress, region=texts, decision=texts, rule=optional),
    actor=st.none() | st.builds(Actor, type=texts, id=texts, roles=st.lists(texts, max_size=2).map(tuple)),
)


@given(event=events)
def test_bytes_are_rfc_8785(event: Event) -> None:
    body = encode(event, **PLACE)
    assert body.decode() == jcs(json.loads(body))
    assert body == json.dumps(json.loads(body), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def test_the_oracle_sorts_by_utf16_code_units() -> None:
    assert jcs({"\U0001f600": 1, "\ufb33": 2, "a": 3}) == '{"a":3,"\U0001f600":1,"\ufb33":2}'


@given(event=events)
def test_no_control_or_bidi_character_reaches_the_log(event: Event) -> None:
    body = encode(event, **PLACE).decode()
    assert not any(ord(c) < 0x20 or 0x7F <= ord(c) <= 0x9F or c in "\u202e\u2066\u200f\u2028" for c in body)
    for value in json.loads(body)["obj"].values():
        assert len(value) <= 512


def test_hostile_text_is_escaped_and_cut() -> None:
    record = json.loads(encode(Event("sync.refuse", "customer", reason="a\r\nb\x1b[31m\u202ec" + "长" * 600), **PLACE))
    assert record["reason"].startswith("a\\u000d\\u000ab\\u001b[31m\\u202ec长")
    assert len(record["reason"]) == 512


def test_reason_is_redacted_but_ids_stay() -> None:
    event = Event("record.update", "customer", "01900000-0000-7000-8000-000000000001", reason="call 13800138000 now")
    record = json.loads(encode(event, **PLACE))
    assert record["reason"] == "call [phone] now"
    assert record["obj"]["id"] == "01900000-0000-7000-8000-000000000001"


def test_row_carries_the_members_of_the_format() -> None:
    event = Event(
        "record.update", "customer", "h1", fields=(FieldNote("tier", "C1", "d1", "d2", "贵宾"),), connection="zoho"
    )
    assert json.loads(encode(event, **PLACE)) == {
        "v": 1,
        "id": PLACE["id"],
        "ts": "2025-10-09T08:53:20.250000Z",
        "seq": 3,
        "epoch": 1,
        "stage": "single",
        "act": "record.update",
        "outcome": "success",
        "actor": {"type": "local", "id": "ops"},
        "src": {"channel": "cli", "host": "hub-1", "pid": 7},
        "obj": {"type": "customer", "id": "h1", "connection": "zoho"},
        "fields": [{"name": "tier", "class": "C1", "before": "d1", "after": "d2", "shown": "贵宾"}],
        "app_version": "0.1.0",
        "config_digest": "sha256:abc",
    }


@pytest.mark.parametrize("number", [1.5, 2**53, True])
def test_floats_large_integers_and_disguised_booleans_are_refused(number: object) -> None:
    with pytest.raises(ValueError, match="integers"):
        encode(Event("run.end", "run", counts={"rows": number}), **PLACE)  # type: ignore[dict-item]


@pytest.mark.parametrize("act", ["", "Record.Update", "记录", "a b"])
def test_act_is_a_plain_name(act: str) -> None:
    with pytest.raises(ValueError, match="audit name"):
        encode(replace(Event("x", "run"), act=act), **PLACE)


@given(at=st.floats(0, 4e9))
def test_time_survives_the_row_to_the_microsecond(at: float) -> None:
    assert abs(instant(stamp(at)) - at) < 2e-6
