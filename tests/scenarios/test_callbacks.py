"""Callbacks make changes arrive early and decide nothing: whatever is lost, repeated or forged, the poll is right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hook_lab import DAY, HOUR, HookLab

from connectors.zoho_crm.watch import SCOPE
from hub.core.state import BindingState
from hub.kernel.errors import Declined
from hub.operations import channels, pausing
from hub.operations.choice import record_of
from hub.operations.connections import check_systems
from hub.schedule.daemon import Daemon
from hub.store import callbacks, records
from hub.store.callbacks import ChannelState
from hub.sync.hints import CROWD
from hub.web.hooks.receiver import MOST_BODY
from tests.laboratory import Simulators

POLL = 6 * HOUR


@pytest.fixture(scope="module")
def simulators() -> Iterator[Simulators]:
    started = Simulators.start()
    yield started
    started.stop()


@pytest.fixture
def lab(tmp_path: Path, simulators: Simulators) -> Iterator[HookLab]:
    made = HookLab(tmp_path / "hub", simulators)
    yield made
    made.close()


@pytest.fixture
def daemon(lab: HookLab) -> Iterator[Daemon]:
    """A daemon that leads, with its channel open and its first sync behind it."""
    with lab.daemon() as running:
        running.tick()
        assert len(lab.channels()) == 1
        yield running


def poll(lab: HookLab, daemon: Daemon) -> None:
    """Lets time go by until the next scheduled cycle has run."""
    lab.pass_(daemon, POLL + 1, POLL + 1)
    lab.pass_(daemon, 5)


def test_a_change_arrives_long_before_the_next_poll(lab: HookLab, daemon: Daemon) -> None:
    made = lab.create("zoho", "早到的人")
    lab.told(1)
    lab.pass_(daemon, 4)
    assert lab.names("fxiaoke") == ["早到的人"]
    assert lab.hints() == {}
    # The next one waits until the pause between two early cycles is over, however often it is edited.
    for text in ("一", "二", "三"):
        lab.edit(made, text)
    lab.told(4)
    lab.pass_(daemon, 10)
    assert lab.remarks() == [""]
    lab.pass_(daemon, 25)
    assert lab.remarks() == ["三"]
    assert lab.cycles() == 3, "the first sync and two early ones"
    # The fifth is our own write of the hub id, which comes back and starts nothing.
    lab.told(5)
    lab.pass_(daemon, 60, 5)
    assert lab.cycles() == 3
    row = lab.row()
    assert (row.received, row.late, row.forged) == (5, 0, 0)
    assert b'crmhub_callbacks_total{outcome="received",system="zoho"} 5.0' in daemon.meters.page()


def test_our_own_writes_come_back_as_callbacks_and_start_nothing(lab: HookLab, daemon: Daemon) -> None:
    lab.create("fxiaoke", "纷享来客")
    poll(lab, daemon)
    assert len(lab.names("zoho")) == 1
    lab.told(1)
    cycles = lab.cycles()
    lab.pass_(daemon, 120, 5)
    assert lab.cycles() == cycles
    assert lab.hints() == {}
    assert lab.row().received >= 1


def state_of(lab: HookLab, native_id: str) -> BindingState:
    with lab.hub() as hub:
        hub_id = record_of(hub, f"zoho:{native_id}")
        with hub.store.read() as conn:
            found = records.load(conn, hub.store.ring, [hub_id])[hub_id].bindings
    return next(item.state for item in found if item.system == "zoho")


def forge(lab: HookLab, **changes: Any) -> tuple[str, dict[str, Any]]:
    """Returns what the vendor would call with, as whoever read its mail could send it."""
    (channel,) = lab.channels()
    body = {
        "server_time": int(lab.clock.now() * 1000),
        "module": "Contacts",
        "ids": [],
        "operation": "update",
        "channel_id": channel["channel_id"],
        "token": channel["token"],
    }
    return channel["notify_url"], body | changes


def test_a_delete_is_believed_where_it_is_proven_and_nowhere_else(lab: HookLab, daemon: Daemon) -> None:
    kept, gone = lab.create("zoho", "还在"), lab.create("zoho", "走了")
    lab.told(2)
    lab.pass_(daemon, 4)
    url, body = forge(lab, ids=[kept, "5843104000999999999"], operation="delete")
    assert lab.call(url, body) == 200
    lab.pass_(daemon, 90, 5)
    assert lab.hints() == {}
    assert state_of(lab, kept) is BindingState.ACTIVE
    assert lab.names("fxiaoke") == sorted(["还在", "走了"])
    told = len(lab.sent())
    lab.zoho.post("delete", {"object": "Contacts", "id": gone})
    lab.told(told + 1)
    lab.pass_(daemon, 40, 5)
    assert state_of(lab, gone) is BindingState.DETACHED
    assert state_of(lab, kept) is BindingState.ACTIVE


Forger = Callable[[str, dict[str, Any]], tuple[str, object, str]]
FORGED: dict[str, tuple[Forger, int]] = {
    "wrong token": (lambda url, body: (url, body | {"token": "x" * 40}, "POST"), 200),
    "no token": (lambda url, body: (url, {k: v for k, v in body.items() if k != "token"}, "POST"), 200),
    "wrong channel": (lambda url, body: (url, body | {"channel_id": "90000000000000"}, "POST"), 200),
    "wrong path": (lambda url, body: (f"{url}x", body, "POST"), 200),
    "no path": (lambda url, body: (url.rpartition("/")[0], body, "POST"), 200),
    "no json": (lambda url, body: (url, b"\x00" * 64, "POST"), 200),
    "huge": (lambda url, body: (url, b" " * (MOST_BODY + 1), "POST"), 413),
    "wrong method": (lambda url, body: (url, body, "GET"), 404),
}


def test_a_forged_call_changes_nothing_and_learns_nothing(lab: HookLab, daemon: Daemon) -> None:
    made = lab.create("zoho", "真人")
    lab.told(1)
    lab.pass_(daemon, 60, 10)
    cycles, calls, received = lab.cycles(), lab.zoho.calls()["calls"], lab.row().received
    for how, (alter, status) in FORGED.items():
        url, body, method = alter(*forge(lab, ids=[made], operation="delete"))
        assert lab.call(url, body, method) == status, how
        lab.pass_(daemon, 60, 30)
        assert (lab.cycles(), lab.hints(), lab.zoho.calls()["calls"]) == (cycles, {}, calls), how
    assert state_of(lab, made) is BindingState.ACTIVE
    assert (lab.row().received, lab.row().forged) == (received, 4), "four of them at least had the path"
    assert "callbacks_refused" in lab.log.getvalue()


def test_a_replayed_call_costs_one_read_and_changes_nothing(lab: HookLab, daemon: Daemon) -> None:
    made = lab.create("zoho", "重放")
    (first,) = lab.told(1)
    lab.pass_(daemon, 4)
    before = dict(lab.simulators.rows("fxiaoke", "AccountObj")[0])
    lab.pass_(daemon, 2000, 100)
    for _ in range(3):
        assert lab.call(first["url"], first["body"]) == 200
    lab.pass_(daemon, 40)
    assert lab.hints() == {}
    assert lab.simulators.rows("fxiaoke", "AccountObj") == [before]
    assert state_of(lab, made) is BindingState.ACTIVE
    assert lab.row().late == 3


def test_a_crowd_of_hints_is_left_to_the_poll(lab: HookLab, daemon: Daemon) -> None:
    lab.zoho.reset_calls()
    lab.pass_(daemon, POLL + 1, POLL + 1)
    plain = Counter(lab.zoho.calls()["calls"])
    with lab.hub() as hub, hub.store.begin() as work:
        callbacks.add_hints(work, [("zoho", "Contacts", str(10**17 + n)) for n in range(CROWD + 1)])
    lab.zoho.reset_calls()
    lab.pass_(daemon, 40, 2)
    assert lab.hints() == {}
    early = Counter(lab.zoho.calls()["calls"])
    assert early["list Contacts"] == plain["list Contacts"] == 1
    assert early["get Contacts"] == 0
    with lab.hub() as hub, hub.store.begin() as work:
        callbacks.add_hints(work, [("zoho", "Contacts", str(10**17 + n)) for n in range(150)])
    lab.zoho.reset_calls()
    lab.pass_(daemon, 40, 2)
    assert lab.hints() == {}
    assert lab.zoho.calls()["calls"]["list Contacts"] == 1 + 2, "the poll, and two reads of a hundred ids at most"


UNRELIABLE = {
    "lost": {"watch_loses_every": 1},
    "repeated": {"watch_repeats_every": 1},
    "reversed": {"watch_reverses": True},
    "some lost, some repeated": {"watch_loses_every": 2, "watch_repeats_every": 3, "watch_reverses": True},
    "silenced": {"watch_silenced_by_trigger": True},
    "retried": {"watch_retries": 2},
}


@pytest.mark.parametrize("how", UNRELIABLE)
def test_records_are_right_after_the_next_poll_whatever_became_of_the_calls(
    lab: HookLab, daemon: Daemon, how: str
) -> None:
    lab.zoho.settings(**UNRELIABLE[how])
    made = [lab.create("zoho", f"客户{n}") for n in range(4)]
    lab.edit(made[0], "改过一次")
    lab.told(5)
    lab.pass_(daemon, 60, 5)
    lab.edit(made[0], "又改一次")
    lab.create("fxiaoke", "对面来的")
    poll(lab, daemon)
    assert "又改一次" in lab.remarks()
    # What Fxiaoke adds itself to a record that is new there shows at the poll after.
    poll(lab, daemon)
    with lab.hub() as hub:
        lab.bank.check_equal(hub)
    assert len(lab.names("zoho")) == len(lab.names("fxiaoke")) == 5


def test_a_dropped_channel_is_noticed_and_opened_anew(lab: HookLab, daemon: Daemon) -> None:
    old = lab.row()
    lab.zoho.post("watch", {"drop": old.channel_id})
    made = lab.create("zoho", "没人听见")
    lab.pass_(daemon, 60, 5)
    assert lab.names("fxiaoke") == []
    lab.pass_(daemon, HOUR, 60)
    new = lab.row()
    assert new.channel_id != old.channel_id
    assert new.state is ChannelState.OPEN
    assert "channel_lost" in lab.log.getvalue()
    assert lab.audited("channel") == ["channel.open", "channel.lost", "channel.open"]
    lab.edit(made, "这次听见了")
    lab.told(1)
    lab.pass_(daemon, 5)
    assert lab.remarks() == ["这次听见了"], "and the early poll brought what was missed"


def test_a_channel_is_renewed_before_it_ends_with_another_token(lab: HookLab, daemon: Daemon) -> None:
    old = lab.channels()[0]
    lab.pass_(daemon, 4.7 * DAY, 3 * HOUR)
    assert lab.channels()[0]["token"] == old["token"]
    for _ in range(4):
        if lab.channels()[0]["token"] == old["token"]:
            lab.pass_(daemon, HOUR, HOUR)
    (new,) = lab.channels()
    assert (new["channel_id"], new["notify_url"]) == (old["channel_id"], old["notify_url"])
    assert new["token"] != old["token"]
    assert new["expires"] - old["expires"] > 4.5 * DAY
    # What was under way with the token before is still believed, until the next look.
    assert len(lab.row().tokens) == 2
    lab.pass_(daemon, HOUR, 600)
    assert lab.row().tokens == (new["token"],)
    lab.pass_(daemon, 5 * DAY, 3 * HOUR)
    assert lab.audited("channel") == ["channel.open", "channel.renew", "channel.renew"]
    lab.create("zoho", "十天之后")
    lab.told(1)
    lab.pass_(daemon, 5)
    assert lab.names("fxiaoke") == ["十天之后"]


def test_a_renewal_that_nobody_knows_the_end_of_loses_no_call(lab: HookLab, daemon: Daemon) -> None:
    rule = {"match": {"method": "PUT", "path_regex": "/actions/watch"}, "action": "http_500", "after_commit": True}
    lab.zoho.faults([rule])
    old = lab.channels()[0]["token"]
    lab.pass_(daemon, 4.9 * DAY, 3 * HOUR)
    assert lab.row().state is ChannelState.RENEWING
    assert lab.row().code == "HUB-NET-001"
    assert lab.channels()[0]["token"] != old
    lab.create("zoho", "半路来电")
    lab.told(1)
    lab.pass_(daemon, 5)
    assert lab.names("fxiaoke") == ["半路来电"]
    lab.zoho.faults([])
    lab.pass_(daemon, 120, 10)
    assert lab.row().state is ChannelState.OPEN
    assert lab.row().forged == 0


def test_an_opening_that_nobody_knows_the_end_of_leaves_one_channel(lab: HookLab) -> None:
    lab.zoho.faults([{"match": {"method": "POST", "path_regex": "/actions/watch"}, "action": "reset_after_commit"}])
    with lab.daemon() as daemon:
        daemon.tick()
        assert lab.row().state is ChannelState.OPENING
        lab.zoho.faults([])
        lab.pass_(daemon, 120, 10)
        (channel,) = lab.channels()
        assert lab.row().state is ChannelState.OPEN
        assert lab.row().channel_id == channel["channel_id"]
        lab.create("zoho", "只有一条")
        lab.told(1)
        lab.pass_(daemon, 5)
        assert lab.names("fxiaoke") == ["只有一条"]


def test_callbacks_that_are_refused_hold_up_nothing(lab: HookLab) -> None:
    error = {"code": "OAUTH_SCOPE_MISMATCH", "details": {}, "message": "m", "status": "error"}
    rule = {"match": {"path_regex": "/actions/watch"}, "action": "vendor_error", "status": 401, "body": error}
    lab.zoho.faults([rule])
    with lab.daemon() as daemon:
        daemon.tick()
        lab.create("zoho", "照样同步")
        poll(lab, daemon)
        assert lab.names("fxiaoke") == ["照样同步"]
        assert lab.row().code == "HUB-AUTH-001"
        assert "ZohoCRM.notifications.ALL" in lab.log.getvalue()
        with lab.hub() as hub:
            assert pausing.list_pauses(hub) == [], "a missing scope for channels pauses no system"


def test_switched_off_channels_are_closed_and_a_persons_close_stays(lab: HookLab) -> None:
    with lab.daemon() as daemon:
        daemon.tick()
        with lab.hub() as hub:
            with pytest.raises(Declined):
                channels.close_channel(hub, "zoho", " ")
            channels.close_channel(hub, "zoho", "drill, ticket 7")
            with pytest.raises(Declined):
                channels.renew_channel(hub, "zoho")
        lab.pass_(daemon, 2 * HOUR, 600)
        assert lab.channels() == []
        assert lab.row().state is ChannelState.CLOSED
        with lab.hub() as hub:
            channels.open_channel(hub, "zoho")
            channels.renew_channel(hub, "zoho")
        assert len(lab.channels()) == 1
    lab.write(on=False)
    with lab.daemon(hears=False) as daemon:
        lab.pass_(daemon, 60, 10)
        assert lab.channels() == []
        with lab.hub() as hub:
            assert channels.list_channels(hub) == []
            with pytest.raises(Declined):
                channels.open_channel(hub, "zoho")


@pytest.mark.parametrize("on", [True, False])
def test_check_proves_channels_where_callbacks_are_set_up(lab: HookLab, on: bool) -> None:
    lab.write(on=on)
    with lab.hub() as hub:
        (proof,) = check_systems(hub, "zoho")
    assert [line.name for line in proof.lines if "notifications" in line.name and line.ok] == [SCOPE] * on


def test_a_paused_system_is_not_called_and_its_hints_wait(lab: HookLab, daemon: Daemon) -> None:
    with lab.hub() as hub:
        pausing.pause(hub, "system:zoho", "maintenance")
    lab.create("zoho", "暂停期间")
    lab.told(1)
    calls = lab.zoho.calls()["calls"]
    lab.pass_(daemon, 3 * HOUR, 600)
    assert lab.zoho.calls()["calls"] == calls
    assert sum(lab.hints().values()) == 1
    with lab.hub() as hub:
        pausing.resume(hub, "system:zoho")
    lab.pass_(daemon, 5)
    assert lab.names("fxiaoke") == ["暂停期间"]


def test_who_stands_by_hears_and_who_leads_acts(lab: HookLab) -> None:
    with lab.daemon(hears=False) as leader:
        leader.tick()
        assert leader.leading
        with lab.daemon() as other:
            other.tick()
            assert not other.leading
            lab.create("zoho", "旁听转达")
            lab.told(1)
            other.tick()
            assert sum(lab.hints().values()) == 1
            lab.pass_(other, 120, 20)
            assert lab.names("fxiaoke") == []
            assert lab.audited("channel") == ["channel.open"], "who stands by keeps no channels"
            lab.pass_(leader, 4)
            assert lab.names("fxiaoke") == ["旁听转达"]


def test_no_token_and_no_path_is_ever_shown(lab: HookLab, daemon: Daemon) -> None:
    made = lab.create("zoho", "保密")
    lab.told(1)
    (channel,) = lab.channels()
    secrets = [channel["token"], channel["notify_url"].rpartition("/")[2]]
    lab.call(channel["notify_url"], forge(lab)[1] | {"token": "y" * 40})
    lab.zoho.faults([{"match": {"path_regex": "/actions/watch"}, "action": "http_500"}])
    lab.pass_(daemon, 2 * HOUR, 600)
    lab.zoho.faults([])
    lab.edit(made, "再来")
    lab.pass_(daemon, 60, 5)
    with lab.hub() as hub:
        shown = str([channels.shown(row) for row in channels.list_channels(hub)]) + repr(channels.list_channels(hub))
    files = b"".join(file.read_bytes() for file in (lab.home / "var").rglob("*") if file.is_file())
    text = lab.log.getvalue() + shown + daemon.meters.page().decode()
    for secret in secrets:
        assert len(secret) == 40
        assert secret not in text
        assert secret.encode() not in files
    assert "zoho" in text
