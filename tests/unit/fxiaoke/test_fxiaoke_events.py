"""Event callbacks: the vector of the vendor's own algorithm, whom the connector believes, and what it takes."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
from fxiaoke_tenant import Context

from connectors.channels import Hint, Told
from connectors.errors import SettingsInvalid
from connectors.fxiaoke.callbacks import Events, Key, make_key, read_key
from connectors.fxiaoke.connector import FxiaokeConnector
from connectors.fxiaoke.settings import read_settings
from connectors.fxiaoke.simulator import events as vendor_side
from connectors.simulation.server import RunningSimulator

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
OTHER = make_key(bytes(range(32, 64)))
CONTENT = (
    "t4hwgMsvTLocxVVsXbCpCn1XgjYC7sCRivT4+HHcdqKJe04dEW9TpCcsFael6oTM74kxx0DhEqeeWpCVp4QJlni9HyQC+JGniPvYINzt3rT9DFAf"
    "wmVQVFl8buHWwv79fanaDsgq+K8CYYo/9BG+ITMELwHy/NbzF3w+pzZhK5M71knKMMOfNfjA0Iz5XqZ1i5njgwY1MPzJuzqAquiEVQ=="
)
PLAIN: dict[str, Any] = {
    "tenantId": 700001,
    "eventType": "update",
    "apiName": "AccountObj",
    "dataId": "65f0000000000000000000a1",
    "timestamp": 1760000000000,
    "messageId": "M0001",
}
VECTOR: dict[str, Any] = {
    "timestamp": 1760000000123,
    "nonce": "Nonce00000000001",
    "messageId": "M0001",
    "enterpriseAccount": "demo_ea",
    "encryptedContent": CONTENT,
}
SIGNED_AGAIN, SIGNED = "c8ace829d6e3932cda6e414006899eac356a5c28", "ede727e63118a20a9c5cc2d52f4dcb722e4aa8c7"
FIRST = {**VECTOR, "signature": SIGNED}
AGAIN = {**VECTOR, "retryTimes": 1, "signature": SIGNED_AGAIN}
SENT_AT = 1760000000.123


class Still:
    """Is a clock that stands where a test puts it."""

    at = SENT_AT + 1

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


@pytest.fixture
def context() -> Iterator[Context]:
    made = Context()
    made.clock = Still()  # type: ignore[assignment]
    made.secrets["event_key"] = KEY
    yield made
    made.client.close()


def events_of(context: Context, **changes: Any) -> Events:
    own = {"enterprise_account": "demo_ea", "tenant_id": 700001, **changes}
    settings = {"app_id": "FSAID_x", "operator_id": "1000", "events": own}
    return Events(read_settings(settings, "fxiaoke"), context)


@pytest.fixture
def events(context: Context) -> Events:
    return events_of(context)


def told(events: Events, body: object) -> Told | None:
    return events.receive(body if isinstance(body, bytes) else orjson.dumps(body))


def signed(key: str = KEY, plain: object = None, **changes: Any) -> dict[str, Any]:
    """Returns a call as the vendor makes one, by the code of its simulator."""
    content = vendor_side.encrypt(key, orjson.dumps(PLAIN if plain is None else plain))
    body = {**VECTOR, "encryptedContent": content, **changes}
    order = ("timestamp", "nonce", "messageId", "retryTimes", "enterpriseAccount", "encryptedContent")
    return {**body, "signature": vendor_side.sign(key, *(body[name] for name in order if name in body))}


@pytest.mark.parametrize("call", [FIRST, AGAIN], ids=["first", "again"])
def test_the_vendors_vector_is_believed_with_and_without_the_number_of_retries(
    events: Events, call: dict[str, Any]
) -> None:
    found = told(events, call)
    assert found is not None
    assert found.message_id == "M0001"
    assert found.hint == Hint("AccountObj", ("65f0000000000000000000a1",), SENT_AT)
    assert vendor_side.answers_success(KEY, found.answer)
    assert KEY not in repr(found) + repr(events.key())


def test_the_vector_holds_word_by_word_on_both_sides() -> None:
    key = read_key(KEY, "fxiaoke")
    parts = ("1760000000123", "Nonce00000000001", "M0001", "demo_ea", CONTENT)
    again = (*parts[:3], "1", *parts[3:])
    plain = orjson.dumps(PLAIN)
    assert (key.sign(*parts), key.sign(*again)) == (SIGNED, SIGNED_AGAIN)
    assert (vendor_side.sign(KEY, *parts), vendor_side.sign(KEY, *again)) == (SIGNED, SIGNED_AGAIN)
    assert (key.seal(plain), key.open(CONTENT)) == (CONTENT, plain)
    assert (vendor_side.encrypt(KEY, plain), vendor_side.decrypt(KEY, CONTENT)) == (CONTENT, plain)
    result = "ArsKAyhvk7QKghXe0zdCeQ=="
    assert (key.seal(b"success"), vendor_side.encrypt(KEY, b"success")) == (result, result)
    assert key.sign("1760000000123", "Nonce00000000001", result) == "dadd3e7781a4423889006a8fcd8c7ef804522147"


Wrong = Callable[[], object]
REFUSED: dict[str, Wrong] = {
    "another signature": lambda: {**FIRST, "signature": "0" * 40},
    "no signature": lambda: VECTOR,
    "an upper-case signature": lambda: {**FIRST, "signature": SIGNED.upper()},
    "a signature with another letter": lambda: {**FIRST, "signature": SIGNED[:-1] + "é"},
    "the signature of a repetition": lambda: {**FIRST, "signature": SIGNED_AGAIN},
    "a number of retries that was not signed": lambda: {**FIRST, "retryTimes": 1},
    "another time": lambda: {**FIRST, "timestamp": VECTOR["timestamp"] + 1},
    "another message": lambda: {**FIRST, "messageId": "M0002"},
    "content cut short": lambda: {**FIRST, "encryptedContent": CONTENT[:-4]},
    "another key": lambda: signed(OTHER),
    "content of another key": lambda: signed(encryptedContent=vendor_side.encrypt(OTHER, orjson.dumps(PLAIN))),
    "another enterprise": lambda: signed(enterpriseAccount="other_ea"),
    "another tenant inside": lambda: signed(plain={**PLAIN, "tenantId": 700002}),
    "a time as text": lambda: signed(timestamp="1760000000123"),
    "a nonce that is none": lambda: signed(nonce="a b"),
    "an endless message id": lambda: signed(messageId="M" * 129),
    "a list": lambda: [FIRST],
    "no JSON": lambda: b"\x00" * 64,
    "nothing": lambda: b"",
    "deep nonsense": lambda: b"[" * 100_000,
}


@pytest.mark.parametrize("how", REFUSED)
def test_a_call_that_is_not_genuine_or_not_ours_is_nobodys(events: Events, how: str) -> None:
    assert told(events, REFUSED[how]()) is None


def test_letters_moved_between_the_parts_of_a_signed_call_gain_nothing(events: Events) -> None:
    """The signature joins its parts without marks: all of these carry the valid one of the first call."""
    moved = [
        {**FIRST, "messageId": "M000", "retryTimes": 1},
        {**FIRST, "nonce": "Nonce0000000000", "messageId": "1M0001"},
        {**FIRST, "nonce": "Nonce00000000001M", "messageId": "0001"},
        {**FIRST, "messageId": "M0001d", "enterpriseAccount": "emo_ea"},
    ]
    key = read_key(KEY, "fxiaoke")
    for call in moved:
        tries = [str(call["retryTimes"])] if "retryTimes" in call else []
        words = [str(call["timestamp"]), call["nonce"], call["messageId"], *tries, call["enterpriseAccount"], CONTENT]
        assert key.sign(*words) == SIGNED, "the premise: the vendor's signature does hold"
        assert told(events, call) is None


@pytest.mark.parametrize(
    ("call", "seconds", "believed"),
    [
        (FIRST, -599.0, True),
        (FIRST, -601.0, False),
        (FIRST, 599.0, True),
        (FIRST, 600.0, False),
        (AGAIN, 601.0, True),
        (AGAIN, 86_399.0, True),
        (AGAIN, 86_400.0, False),
        (AGAIN, -601.0, False),
    ],
)
def test_a_call_is_believed_for_ten_minutes_and_a_repetition_for_a_day(
    context: Context, call: dict[str, Any], seconds: float, believed: bool
) -> None:
    context.clock.at = SENT_AT + seconds  # type: ignore[attr-defined]
    found = told(events_of(context), call)
    assert (found is not None) is believed
    if found is not None:
        assert found.until == SENT_AT + 86_400.0, "until then its id must be remembered"


@pytest.mark.parametrize("kind", ["create", "invalid", "recover", "delete", "data_merge_v9", "", 7, None])
def test_whatever_an_event_is_called_its_record_is_read_again(events: Events, kind: object) -> None:
    found = told(events, signed(plain={**PLAIN, "eventType": kind}))
    assert found is not None
    assert found.hint == Hint("AccountObj", ("65f0000000000000000000a1",), SENT_AT)


@pytest.mark.parametrize(
    "plain",
    [
        {"tenantId": 700001, "eventType": "test", "messageId": "M0001"},
        {**PLAIN, "dataId": "../../etc"},
        {**PLAIN, "dataId": ["65f0000000000000000000a1"]},
        {**PLAIN, "apiName": "Account Obj"},
        "test",
        [],
    ],
)
def test_a_signed_call_about_no_record_is_answered_and_hints_at_nothing(events: Events, plain: object) -> None:
    found = told(events, signed(plain=plain))
    assert found is not None
    assert found.hint is None
    assert vendor_side.answers_success(KEY, found.answer)


def test_without_a_tenant_id_the_account_alone_decides(context: Context) -> None:
    events = events_of(context, tenant_id=None)
    assert told(events, signed(plain={**PLAIN, "tenantId": 700002})) is not None
    assert told(events, signed(enterpriseAccount="other_ea")) is None


UNUSABLE = {
    "empty": "",
    "too short": KEY[:-4],
    "hexadecimal": bytes(range(32)).hex(),
    "24 bytes": base64.b64encode(bytes(24)).decode(),
    "another alphabet": base64.urlsafe_b64encode(b"\xff" * 32).decode(),
    "stray bits at the end": KEY[:-2] + "9=",
    "a blank at the end": KEY + " ",
    "no padding": KEY.rstrip("="),
}


@pytest.mark.parametrize("how", UNUSABLE)
def test_a_key_that_the_vendor_might_not_decode_is_refused_and_never_shown(context: Context, how: str) -> None:
    context.secrets["event_key"] = text = UNUSABLE[how]
    with pytest.raises(SettingsInvalid) as caught:
        events_of(context).key()
    for said in (caught.value.en, caught.value.zh):
        assert "event_key" in said
        assert "44" in said
        assert "--new-key" in said
        assert not text or text not in said


def test_a_made_key_is_one_that_is_taken() -> None:
    made = make_key(b"\xfb" * 32)
    assert len(made) == 44
    assert read_key(made, "fxiaoke") == Key(made, b"\xfb" * 32)


def test_nobody_is_heard_where_events_are_off(context: Context) -> None:
    off = Events(read_settings({"app_id": "FSAID_x", "operator_id": "1000"}, "fxiaoke"), context)
    assert not off.hears()
    assert told(off, FIRST) is None


# --- the whole connection -----------------------------------------------------------------------------------------


def lines_of(
    vendor: RunningSimulator, style: str = "bearer", key: str = KEY, **own: Any
) -> dict[str, tuple[bool, str]]:
    context = Context()
    context.secrets["event_key"] = key
    settings = {
        "base_url": vendor.base_url,
        "auth_style": style,
        "app_id": "FSAID_simulated",
        "operator_id": {"bearer": "1000", "legacy": "FSUID_simulated"}[style],
        "events": {"enterprise_account": "simulated", **own},
    }
    connector = FxiaokeConnector(settings, context)
    lines = connector.check()
    connector.close()
    context.client.close()
    return {line.name: (line.ok, line.en + line.zh) for line in lines if line.name.startswith("events")}


def test_check_proves_key_account_and_tenant(vendor: RunningSimulator) -> None:
    vendor.admin.post("create", {"object": "AccountObj", "fields": {"name": "任一客户"}})
    vendor.admin.advance(5)
    good = lines_of(vendor, tenant_id=700001)
    assert {name: ok for name, (ok, _) in good.items()} == dict.fromkeys(
        ("events key", "events account", "events tenant"), True
    )
    assert {name: ok for name, (ok, _) in lines_of(vendor, "legacy", tenant_id=700001).items()} == dict.fromkeys(
        ("events key", "events tenant"), True
    )
    wrong = lines_of(vendor, key="x" * 44, enterprise_account="other_ea", tenant_id=700002)
    assert [ok for ok, _ in wrong.values()] == [False, False, False]
    assert "simulated" in wrong["events account"][1]
    assert "700001" in wrong["events tenant"][1]
    unset = lines_of(vendor)["events tenant"]
    assert unset[0]
    assert "events.tenant_id: '700001'" in unset[1]
