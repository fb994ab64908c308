"""Fxiaoke's events make changes arrive early and decide nothing: whatever becomes of a call, the next poll is right."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from event_lab import ENV, KEY, EventLab
from hook_lab import HOUR

from connectors.fxiaoke.callbacks import make_key, read_key
from hub.cli.main import run
from hub.core.state import BindingState
from hub.kernel.errors import Declined, NotFound
from hub.operations import channels, signing
from hub.operations.choice import record_of
from hub.operations.configuration import check_configuration
from hub.schedule.daemon import Daemon
from hub.store import records
from hub.store.callbacks import ChannelState
from hub.web.hooks import receiver
from hub.web.hooks.receiver import MOST_BODY
from tests.catcher import wait_for
from tests.laboratory import Simulators

POLL = 6 * HOUR


@pytest.fixture(scope="module")
def simulators() -> Iterator[Simulators]:
    started = Simulators.start()
    yield started
    started.stop()


@pytest.fixture
def lab(tmp_path: Path, simulators: Simulators, monkeypatch: pytest.MonkeyPatch) -> Iterator[EventLab]:
    # How fast a call is judged is a matter of the machine; what happens when it is not has a test of its own.
    monkeypatch.setattr(receiver, "PATIENCE", 90.0)
    made = EventLab(tmp_path / "hub", simulators)
    yield made
    made.close()


@pytest.fixture
def daemon(lab: EventLab) -> Iterator[Daemon]:
    with lab.daemon() as running:
        running.tick()
        assert lab.row("fxiaoke").state is ChannelState.OPEN
        yield running


def poll(lab: EventLab, daemon: Daemon) -> None:
    lab.pass_(daemon, POLL + 1, POLL + 1)
    lab.pass_(daemon, 5)


def state_of(lab: EventLab, native_id: str) -> BindingState:
    with lab.hub() as hub:
        hub_id = record_of(hub, f"fxiaoke:{native_id}")
        with hub.store.read() as conn:
            found = records.load(conn, hub.store.ring, [hub_id])[hub_id].bindings
    return next(item.state for item in found if item.system == "fxiaoke")


def test_a_change_arrives_long_before_the_next_poll_though_queries_lag(lab: EventLab, daemon: Daemon) -> None:
    made = lab.create("fxiaoke", "早到的人")
    (first,) = lab.heard(1)
    assert (first["accepted"], first["status"]) == (True, 200), "answered at once, signed, without a second call"
    lab.pass_(daemon, 4)
    assert lab.arrived() == ["早到的人"]
    lab.pass_(daemon, 70, 10)
    # Our own write comes back as an event, and starts nothing.
    lab.edit(str(lab.simulators.rows("zoho", "Contacts")[0]["id"]), "从对面来")
    lab.pass_(daemon, 40, 5)
    assert lab.remarks() == ["从对面来"]
    lab.heard(2)
    cycles = lab.cycles()
    lab.pass_(daemon, 60, 5)
    assert (lab.cycles(), lab.hints()) == (cycles, {})
    # No query shows these edits for ten minutes; a read by id does.
    lab.fxiaoke.post("lag", {"seconds": 600.0})
    lab.change(made, "查询尚未显示")
    lab.heard(3)
    lab.pass_(daemon, 5)
    assert lab.texts() == ["查询尚未显示"]
    lab.pass_(daemon, 30, 5)
    lab.fxiaoke.post("delete", {"object": "AccountObj", "id": made})
    lab.heard(4)
    lab.pass_(daemon, 5)
    assert state_of(lab, made) is BindingState.DETACHED, "shown as invalid by a read, which is proof"
    row = lab.row("fxiaoke")
    assert (row.received, row.late, row.forged) == (4, 0, 0)
    assert all(call["accepted"] for call in lab.sent_events())
    assert b'crmhub_callbacks_total{outcome="received",system="fxiaoke"} 4.0' in daemon.meters.page()
    assert lab.audited("channel.")[:1] == ["channel.open"]


UNRELIABLE: dict[str, dict[str, Any]] = {
    "dropped": {"event_loses_every": 1},
    "duplicated": {"event_repeats_every": 1},
    "reordered": {"event_reverses": True},
    "dropped, duplicated, reordered": {"event_loses_every": 2, "event_repeats_every": 3, "event_reverses": True},
    "wrongly signed": {"event_signature": "wrong", "event_retry_seconds": [0.1]},
    "of unknown kinds": {"event_types": "unknown", "event_first_retry_times": "zero"},
    "silent about the API, and only edits": {"event_api_writes": False, "event_kinds": ["update"]},
}


def test_records_are_right_after_the_next_poll_whatever_became_of_the_calls(lab: EventLab, daemon: Daemon) -> None:
    defaults = lab.fxiaoke.settings()
    for number, (how, switches) in enumerate(UNRELIABLE.items()):
        lab.fxiaoke.settings(**{name: defaults[name] for name in defaults if name.startswith("event_")} | switches)
        before = len(lab.sent_events())
        made = lab.create("fxiaoke", f"客户{number}")
        lab.change(made, "改过一次")
        lab.heard(before + 1)
        lab.pass_(daemon, 40, 5)
        lab.change(made, f"又改一次 {how}")
        poll(lab, daemon)
        assert f"又改一次 {how}" in lab.texts(), how
        assert len(lab.arrived()) == len(lab.names("fxiaoke")) == number + 1, how
    # What Zoho adds itself to a record that is new there shows at the poll after.
    poll(lab, daemon)
    with lab.hub() as hub:
        lab.bank.check_equal(hub)
    row = lab.row("fxiaoke")
    assert row.forged >= 2
    assert b'crmhub_callbacks_total{outcome="repeated",system="fxiaoke"}' in daemon.meters.page()


Forger = Callable[[EventLab, str], tuple[str, object, int]]
OTHER = make_key(bytes(range(99, 131)))
FORGED: dict[str, Forger] = {
    "not signed": lambda lab, id_: (lab.address, {**lab.event(id_), "signature": "0" * 40}, 200),
    "another key": lambda lab, id_: (lab.address, lab.event(id_, OTHER), 200),
    "another enterprise": lambda lab, id_: (lab.address, lab.event(id_, enterpriseAccount="other"), 200),
    "another tenant": lambda lab, id_: (lab.address, lab.event(id_, inside={"tenantId": 700002}), 200),
    "too old": lambda lab, id_: (lab.address, lab.event(id_, timestamp=int((lab.clock.now() - 700) * 1000)), 200),
    "from the future": lambda lab, id_: (
        lab.address,
        lab.event(id_, timestamp=int((lab.clock.now() + 700) * 1000)),
        200,
    ),
    "malformed": lambda lab, id_: (lab.address, {**lab.event(id_), "nonce": 7}, 200),
    "no JSON": lambda lab, id_: (lab.address, b"\x00" * 64, 200),
    "huge": lambda lab, id_: (lab.address, b" " * (MOST_BODY + 1), 413),
    "at a system that does not listen": lambda lab, id_: (f"{lab.url}/hooks/signed/zoho", lab.event(id_), 200),
    "at no system": lambda lab, id_: (f"{lab.url}/hooks/signed/nobody", lab.event(id_), 200),
    "at no signed address": lambda lab, id_: (f"{lab.url}/hooks/fxiaoke", lab.event(id_), 200),
}


def test_a_forged_or_replayed_call_changes_nothing_and_says_nothing(lab: EventLab, daemon: Daemon) -> None:
    made = lab.create("fxiaoke", "真人")
    (first,) = lab.heard(1)
    lab.pass_(daemon, 90, 10)
    cycles, calls = lab.cycles(), lab.fxiaoke.calls()["calls"]
    # A copy is known, by another host or this one after a restart too; from ten minutes on it is not believed at all.
    for again in range(3):
        assert lab.call(lab.address, first["body"]) == 200
        if again == 1:
            daemon.reload()
            daemon.tick()
    lab.pass_(daemon, 600, 100)
    assert lab.call(lab.address, first["body"]) == 200
    row = lab.row("fxiaoke")
    assert (row.received, row.forged, lab.hints()) == (1 + 3, 1, {})
    contents = [made]
    for how, forge in FORGED.items():
        url, body, status = forge(lab, made)
        assert lab.call(url, body) == status, how
        contents += [str(body[name]) for name in ("encryptedContent", "signature")] if isinstance(body, dict) else []
        lab.pass_(daemon, 60, 30)
        assert (lab.cycles(), lab.hints(), lab.fxiaoke.calls()["calls"]) == (cycles, {}, calls), how
    row = lab.row("fxiaoke")
    assert (row.received, row.forged) == (1 + 3, 1 + 8), "those that had the address"
    assert "callbacks_refused" in lab.log.getvalue()
    page = daemon.meters.page().decode()
    assert 'crmhub_callbacks_total{outcome="forged",system=""} 2.0' in page, "two that had no address of ours"
    for text in [*contents, KEY]:
        assert text not in lab.log.getvalue() + page


def test_a_call_that_was_not_kept_is_not_answered_and_comes_again(
    lab: EventLab, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiver, "PATIENCE", 0.3)
    lab.fxiaoke.settings(event_retry_seconds=[0.1] * 99, event_retry_timestamp="fresh")
    with closing(sqlite3.connect(lab.home / "var" / "hub.db", isolation_level=None)) as busy:
        busy.execute("BEGIN IMMEDIATE")
        made = lab.create("fxiaoke", "第二次才到")
        assert lab.heard(1)[0]["status"] == 503, "a store that is held up: no answer, though the call is genuine"
    wait_for(lambda: lab.sent_events()[-1]["accepted"])
    last = lab.sent_events()[-1]
    assert last["body"]["retryTimes"] >= 1
    assert last["body"]["messageId"] == lab.sent_events()[0]["body"]["messageId"]
    lab.pass_(daemon, 5)
    assert lab.arrived() == ["第二次才到"]
    assert state_of(lab, made) is BindingState.ACTIVE
    # The console's test call is answered like any other, and is about no record.
    told = len(lab.sent_events())
    lab.fxiaoke.post("events", {"test": True})
    assert lab.heard(told + 1)[-1]["accepted"]


def test_people_close_and_open_it_and_an_unusable_key_is_said_once(
    lab: EventLab, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lab.hub() as hub:
        channels.close_channel(hub, "fxiaoke", "drill, ticket 7")
        with pytest.raises(Declined, match="channel setup"):
            channels.renew_channel(hub, "fxiaoke")
    lab.fxiaoke.settings(event_retry_seconds=[])
    lab.create("fxiaoke", "无人听见")
    assert not lab.heard(1)[0]["accepted"]
    lab.pass_(daemon, 120, 10)
    assert (lab.arrived(), lab.row("fxiaoke").state) == ([], ChannelState.CLOSED)
    with lab.hub() as hub:
        assert channels.open_channel(hub, "fxiaoke").step == "open"
    monkeypatch.setenv(ENV, "not a key")
    daemon.reload()
    lab.pass_(daemon, 2 * HOUR, 600)
    row = lab.row("fxiaoke")
    assert (row.state, row.code) == (ChannelState.OPEN, "HUB-CONF-002")
    assert 1 <= lab.log.getvalue().count('"channel_failed"') <= 5, "every half an hour"
    assert "not a key" not in lab.log.getvalue()
    monkeypatch.setenv(ENV, KEY)
    daemon.reload()
    lab.pass_(daemon, HOUR, 600)
    assert lab.row("fxiaoke").code is None
    lab.create("fxiaoke", "又听见了")
    assert lab.heard(2)[-1]["accepted"]
    lab.pass_(daemon, 35, 5)
    assert "又听见了" in lab.arrived()
    lab.write(on=False)
    daemon.reload()
    lab.pass_(daemon, 60, 10)
    with lab.hub() as hub:
        assert channels.list_channels(hub) == []


def test_an_administrator_is_told_what_to_enter_and_a_bad_key_is_found_before_it_is_used(
    lab: EventLab, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(*words: str) -> tuple[int, str]:
        code = run([*words, "--home", str(lab.home)])
        shown = capfd.readouterr()
        return code, shown.out + shown.err

    file = lab.home / "keys" / "event.key"
    for lang, words in (
        ("zh", ("回调地址", "解析密钥", "作废")),
        ("en", ("callback address", "解析密钥", "tick every event")),
    ):
        more = ["--new-key", str(file)] if lang == "zh" else []
        code, text = said("channel", "setup", "fxiaoke", "--lang", lang, *more)
        assert code == 0, text
        for word in (*words, lab.address, "管理后台 → 系统对接管理 → 事件回调设置", "AccountObj", "event_key"):
            assert word in text
    made = file.read_text(encoding="utf-8").strip()
    assert read_key(made, "fxiaoke").text == made
    assert file.stat().st_mode & 0o777 == 0o600
    assert made not in text
    assert lab.audited("channel.") == ["channel.key"]
    with lab.hub() as hub:
        with pytest.raises(Declined, match=r"event\.key"):
            signing.set_up(hub, "fxiaoke", file)
        with pytest.raises(NotFound, match="channel list"):
            signing.set_up(hub, "zoho")
    assert file.read_text(encoding="utf-8").strip() == made, "a key is never overwritten"
    assert not [each for each in check_configuration(lab.home) if "event_key" in each.en]
    monkeypatch.setenv(ENV, "A" * 44)
    (wrong,) = (each for each in check_configuration(lab.home) if "event_key" in each.en)
    assert (wrong.severity, "44" in wrong.zh, "A" * 44 in wrong.en) == ("error", True, False)
    assert wrong.line
    monkeypatch.delenv(ENV)
    (unset,) = (each for each in check_configuration(lab.home) if "event_key" in each.en)
    assert unset.severity == "warning", "the service may run under another environment"
    lab.file.write_text(
        lab.file.read_text(encoding="utf-8").replace("event_key: env:LAB_EVENT_KEY, ", ""), encoding="utf-8"
    )
    (unnamed,) = (each for each in check_configuration(lab.home) if "event_key" in each.en)
    assert unnamed.severity == "error"
