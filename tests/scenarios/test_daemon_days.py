"""Days of daemon time with an injected clock: stops, pauses, jumps and refusals, and nothing is lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from daemon_lab import ENTITY, Lab, local

from hub.kernel.errors import Declined
from hub.operations import cycles, pausing, rotating, scheduling
from hub.operations.guards import release_guard
from hub.store.schedules import Schedule
from hub.sync.cycle import FIRST_SYNC

HOUR, DAY = 3600.0, 86_400.0


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path / "hub")


def row(lab: Lab, act: str = "sync", system: str = "") -> Schedule:
    with lab.hub() as hub:
        found = scheduling.read_board(hub).schedules
    return next(item for item in found if (item.act, item.system) == (act, system))


def test_a_change_is_on_the_other_side_after_the_next_cycle(lab: Lab) -> None:
    lab.create("alpha", "Ann")
    with lab.daemon() as daemon:
        daemon.tick()
        assert lab.names("gamma") == ["Ann"], "an interval that never ran starts at once"
        lab.create("gamma", "Bob")
        lab.pass_(daemon, 280)
        assert lab.names("alpha") == ["Ann"]
        lab.pass_(daemon, 40)
        assert lab.names("alpha") == ["Ann", "Bob"]
    ended = lab.lines("cycle_ended")
    assert [line["outcome"] for line in ended] == ["converged", "converged"]
    assert all(line["run_id"] and line["counts"]["read"] for line in ended)
    assert [line["run_id"] for line in lab.lines("run_started")] == [line["run_id"] for line in ended]
    assert "Ann" not in lab.log.getvalue()
    assert [item["act"] for item in lab.audited("daemon.start") + lab.audited("daemon.stop")] == [
        "daemon.start",
        "daemon.stop",
    ]


def test_a_stop_of_hours_is_followed_by_exactly_one_catch_up(lab: Lab) -> None:
    with lab.daemon() as daemon:
        daemon.tick()
    lab.create("alpha", "Ann")
    lab.time.pass_(3 * HOUR)
    with lab.daemon() as daemon:
        lab.pass_(daemon, 200)
        assert lab.names("gamma") == ["Ann"]
    [line] = lab.lines("schedule_catch_up")
    assert (line["schedule"], line["missed"]) == (f"sync:{ENTITY}:*", 35)
    [audited] = lab.audited("schedule.catch_up")
    assert audited["counts"]["missed"] == 35
    assert len(lab.lines("cycle_ended")) == 2
    assert row(lab).missed == 35


def test_a_missed_night_is_reconciled_once_in_slices_that_yield(lab: Lab) -> None:
    lab.create("alpha", "Ann")
    with lab.daemon() as daemon:
        daemon.tick()
    lab.time.pass_(2 * DAY)
    with lab.daemon() as daemon:
        lab.pass_(daemon, 10 * 60)
    ended = [(line["act"], line.get("system")) for line in lab.lines("cycle_ended")]
    assert ended[:4] == [("sync", None), ("sync", None), ("reconcile", "alpha"), ("reconcile", "gamma")]
    assert [act for act, _ in ended].count("reconcile") == 2
    assert row(lab, "reconcile").slices == ()
    caught = {line["schedule"] for line in lab.lines("schedule_catch_up")}
    assert caught == {f"sync:{ENTITY}:*", f"reconcile:{ENTITY}:*"}


def test_the_night_finds_what_the_streams_never_told(lab: Lab) -> None:
    lab.create("alpha", "Ann")
    with lab.daemon() as daemon:
        daemon.tick()
        system = lab.systems["alpha"]
        lost = system.create("Client", {"kind": "p", "name": "Lost"})
        # The hub's user may not see it until every cursor has passed it by.
        system.hide_record("Client", lost)
        lab.pass_(daemon, 1200)
        system.show_record("Client", lost)
        lab.pass_(daemon, 1200)
        assert lab.names("gamma") == ["Ann"]
        lab.pass_(daemon, local(2) + 900)
    assert lab.names("gamma") == ["Ann", "Lost"]


def test_nothing_starts_in_a_blackout_and_one_cycle_follows_it(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "hub", schedule='  sync: every 5m\n  reconcile: never\n  blackout: ["daily 00:00-06:00"]')
    with lab.daemon() as daemon:
        lab.pass_(daemon, local(0, 1), 60)
        before = len(lab.lines("cycle_ended"))
        lab.create("alpha", "Ann")
        lab.pass_(daemon, 5.9 * HOUR, 60)
        assert len(lab.lines("cycle_ended")) == before
        lab.pass_(daemon, 0.2 * HOUR, 60)
        assert lab.names("gamma") == ["Ann"]
    assert lab.lines("schedule_catch_up") == [], "what a window holds back is not late"


def test_a_pause_of_two_weeks_loses_nothing_and_calls_nobody(lab: Lab) -> None:
    lab.create("alpha", "Ann")
    with lab.daemon() as daemon:
        daemon.tick()
        with lab.hub() as hub:
            pausing.pause(hub, pausing.scope_of(hub, "gamma"), "maintenance, ticket 7")
        calls = lab.calls("gamma")
        gone = lab.create("gamma", "Gus")
        lab.create("alpha", "Ada")
        ann = next(i for i, fields in lab.systems["alpha"].records("Client").items() if fields["name"] == "Ann")
        lab.systems["alpha"].edit("Client", ann, {"city": "Kunming"})
        lab.pass_(daemon, 14 * DAY, HOUR)
        assert lab.calls("gamma") == calls, "a paused system is not called at all"
        assert lab.field("gamma", "Ann", "city") is None
        owed = scheduling.standing_of(daemon._hub(), ENTITY).owed["gamma"]
        assert owed["creates"] + owed["updates"] == 2
        with lab.hub() as hub:
            pausing.resume(hub, "system:gamma", "done")
        lab.pass_(daemon, 11 * 60)
        assert lab.names("alpha") == lab.names("gamma") == ["Ada", "Ann", "Gus"]
        assert lab.field("gamma", "Ann", "city") == "Kunming"
    assert gone in lab.systems["gamma"].records("Client")
    assert [item["code"] for item in lab.audited("pause")] == ["person"]
    assert [item["reason"] for item in lab.audited("resume")] == ["done"]


def test_a_paused_entity_waits_and_a_command_says_how_to_go_on(lab: Lab) -> None:
    with lab.daemon() as daemon:
        daemon.tick()
        with lab.hub() as hub:
            pausing.pause(hub, pausing.scope_of(hub, "client"), "quarter end")
            with pytest.raises(Declined, match="crmhub resume client"):
                cycles.sync(hub, ENTITY)
            with pytest.raises(Declined, match="reason"):
                pausing.pause(hub, "all", " ")
        before = len(lab.lines("cycle_ended"))
        lab.pass_(daemon, DAY, 600)
        assert len(lab.lines("cycle_ended")) == before
        assert daemon.health().reasons == ("all_paused",)
        with lab.hub() as hub:
            pausing.resume(hub, "entity:client")
        daemon.tick()
        assert daemon.health().ready
        syncs = [line for line in lab.lines("cycle_ended")[before:] if line["act"] == "sync"]
        assert len(syncs) == 1


def test_a_refused_secret_pauses_its_system_once_and_a_rotated_one_resumes_it(lab: Lab) -> None:
    lab.create("alpha", "Ann")
    with lab.daemon() as daemon:
        daemon.tick()
        lab.systems["gamma"].token = "rotated-secret"
        lab.systems["gamma"].expire_sessions()
        lab.create("alpha", "Ada")
        lab.pass_(daemon, 2 * HOUR, 60)
        [said] = lab.lines("system_paused")
        assert (said["system"], said["cause"], said["code"]) == ("gamma", "auth", "HUB-AUTH-001")
        calls = lab.calls("gamma")
        lab.pass_(daemon, 2 * HOUR, 60)
        assert lab.calls("gamma") == calls
        assert lab.names("gamma") == ["Ann"]
        lab.write_secret("gamma", "rotated-secret")
        lab.pass_(daemon, 6 * 60, 60)
        assert lab.names("gamma") == ["Ada", "Ann"]
    assert [item["code"] for item in lab.audited("pause") + lab.audited("resume")] == ["auth", "auth"]
    assert "rotated-secret" not in lab.log.getvalue()


def test_a_pause_by_a_person_outlives_a_rotated_secret(lab: Lab) -> None:
    with lab.daemon() as daemon:
        daemon.tick()
        with lab.hub() as hub:
            pausing.pause_refused(hub, "gamma", "HUB-AUTH-001")
            pausing.pause(hub, "system:gamma", "not yet")
        lab.write_secret("gamma", "another")
        daemon.tick()
        with lab.hub() as hub:
            assert [(item.scope, item.cause) for item in pausing.list_pauses(hub)] == [("system:gamma", "person")]


def test_a_key_file_that_is_away_makes_everything_wait_and_resumes_by_itself(lab: Lab) -> None:
    key = lab.home / "keys" / "hub.key"
    with lab.daemon() as daemon:
        daemon.tick()
        key.rename(key.with_suffix(".away"))
        lab.create("alpha", "Ann")
        lab.pass_(daemon, HOUR)
        assert daemon.health().reasons == ("keys",)
        assert lab.names("gamma") == []
        [said] = lab.lines("everything_waits")
        assert (said["cause"], said["code"]) == ("keys", "HUB-KEY-001")
        key.with_suffix(".away").rename(key)
        lab.pass_(daemon, 320)
        assert lab.names("gamma") == ["Ann"]
        assert daemon.health().ready
    [audited] = lab.audited("daemon.wait")
    assert (audited["reason"], audited["code"]) == ("keys", "HUB-KEY-001")


def test_the_daemon_goes_on_with_a_rotation_that_nobody_attends(lab: Lab) -> None:
    lab.create("alpha", "Ann")
    with lab.daemon() as daemon:
        lab.pass_(daemon, HOUR)
        with lab.hub() as hub:
            for purpose in rotating.ROTATED:
                rotating.begin_rotation(hub, purpose, "yearly")
        lab.pass_(daemon, 300)
        assert {act["code"] for act in lab.audited("key.reseal")} == set(rotating.ROTATED)
        assert len(lab.audited("key.promote")) == len(rotating.ROTATED)
        lab.create("alpha", "Bob")
        lab.pass_(daemon, HOUR)
        assert sorted(lab.names("gamma")) == ["Ann", "Bob"]
        assert daemon.health().ready


def test_a_store_that_is_away_makes_everything_wait_and_resumes_by_itself(lab: Lab) -> None:
    lab.create("alpha", "Ann")
    with lab.daemon() as daemon:
        daemon.tick()
        lab.create("alpha", "Ada")
    var = lab.home / "var"
    away = lab.home / "away"
    var.rename(away)
    var.write_text("not a folder")
    with lab.daemon() as daemon:
        lab.pass_(daemon, HOUR)
        assert daemon.health().reasons == ("store",)
        assert len(lab.lines("everything_waits")) == 1
        var.unlink()
        away.rename(var)
        lab.pass_(daemon, 320)
        assert lab.names("gamma") == ["Ada", "Ann"]


def test_an_entity_without_records_is_released_once_it_was_planned(lab: Lab) -> None:
    file = lab.home / "config" / "hub.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("needs_release: false", "needs_release: true"), encoding="utf-8")
    with lab.hub() as hub:
        with pytest.raises(Declined, match="crmhub plan"):
            release_guard(hub, ENTITY, FIRST_SYNC, reason="too early")
        cycles.plan(hub, ENTITY)
        made = release_guard(hub, ENTITY, FIRST_SYNC, reason="nothing there yet")
        assert [(item.system, item.allowed) for item in made] == [("alpha", 0), ("gamma", 0)]
        lab.create("alpha", "Ann")
        assert cycles.sync(hub, ENTITY).outcome == "converged"
    assert lab.names("gamma") == ["Ann"]


def test_a_schedule_changes_while_it_runs_and_an_edit_of_the_settings_is_taken_over(lab: Lab) -> None:
    with lab.daemon() as daemon:
        daemon.tick()
        with lab.hub() as hub:
            scheduling.set_schedule(hub, ENTITY, "every 1h", reason="fewer calls")
            with pytest.raises(Declined):
                scheduling.set_schedule(hub, ENTITY, "hourly", reason="x")
        before = len(lab.lines("cycle_ended"))
        lab.pass_(daemon, 59 * 60)
        assert len(lab.lines("cycle_ended")) == before
        lab.pass_(daemon, 2 * 60)
        assert len(lab.lines("cycle_ended")) == before + 1
        # What a person set stays, whatever the file says; taken back, the file counts again.
        lab.schedule = "  sync: every 10m\n  reconcile: never"
        lab.write()
        os.utime(lab.home / "config" / "hub.yaml", (1, 1))
        lab.pass_(daemon, 60)
        assert (row(lab).timing, row(lab).origin) == ("every 1h", "person")
        assert row(lab, "reconcile").timing == "never"
        with lab.hub() as hub:
            scheduling.set_schedule(hub, ENTITY, None, reason="as before")
        lab.pass_(daemon, 60)
        assert (row(lab).timing, row(lab).origin) == ("every 10m", "settings")
    assert len(lab.audited("schedule.set")) == 2


def test_settings_edited_while_the_daemon_is_away_lose_no_catch_up(lab: Lab) -> None:
    with lab.daemon() as daemon:
        daemon.tick()
    lab.time.pass_(2 * DAY)
    lab.schedule = "  sync: every 10m\n  reconcile: daily 03:00\n  blackout: []"
    lab.write()
    with lab.daemon() as daemon:
        lab.pass_(daemon, 200)
        assert row(lab).timing == "every 10m"
        assert sorted(item["obj"]["id"] for item in lab.audited("schedule.catch_up")) == [
            f"reconcile:{ENTITY}:*",
            f"sync:{ENTITY}:*",
        ]
    lab.time.pass_(2 * DAY)
    lab.schedule = "  sync: every 10m\n  reconcile: never"
    lab.write()
    before = len(lab.lines("cycle_ended"))
    with lab.daemon() as daemon:
        lab.pass_(daemon, 200)
    # What shall never run any more is not caught up on either.
    assert [line["act"] for line in lab.lines("cycle_ended")[before:]] == ["sync"]


def test_settings_that_do_not_hold_are_refused_and_the_old_ones_go_on(lab: Lab) -> None:
    with lab.daemon() as daemon:
        daemon.tick()
        lab.schedule = "  sync: every now and then"
        lab.write()
        os.utime(lab.home / "config" / "hub.yaml", (1, 1))
        lab.create("alpha", "Ann")
        lab.pass_(daemon, HOUR)
        assert lab.names("gamma") == ["Ann"]
        [said] = lab.lines("settings_refused")
        assert "schedule.sync" in said["message"]


def test_a_slower_system_rests_between_its_own_times(lab: Lab) -> None:
    lab.schedule = "  sync: every 5m\n  reconcile: never\n  by_entity: {client: {systems: {gamma: every 1h}}}"
    lab.write()
    lab.create("alpha", "Ann")
    with lab.daemon() as daemon:
        daemon.tick()
        assert lab.names("gamma") == ["Ann"], "the first cycle is with all of them"
        lab.create("alpha", "Ada")
        calls = lab.calls("gamma")
        lab.pass_(daemon, 50 * 60)
        assert (lab.names("gamma"), lab.calls("gamma")) == (["Ann"], calls)
        lab.pass_(daemon, 11 * 60)
        assert lab.names("gamma") == ["Ada", "Ann"]


def test_clocks_that_jump_overlap_nothing_and_lose_nothing(lab: Lab) -> None:
    with lab.daemon() as daemon:
        daemon.tick()
        lab.clock.skew -= 5 * HOUR
        daemon.tick()
        lab.create("alpha", "Ann")
        lab.pass_(daemon, 6 * 60)
        assert lab.names("gamma") == ["Ann"], "a clock set back by hours stops nothing for hours"
        lab.clock.skew += 9 * HOUR
        daemon.tick()
        lab.create("alpha", "Ada")
        lab.pass_(daemon, 6 * 60)
        assert lab.names("gamma") == ["Ada", "Ann"]
    assert [line["seconds"] for line in lab.lines("clock_jumped")] == [-5 * HOUR, 9 * HOUR]


def test_a_busy_entity_is_tried_again_and_a_cycle_that_fails_is_counted(lab: Lab) -> None:
    with lab.daemon() as daemon:
        with lab.hub() as hub, hub.run(ENTITY):
            daemon.tick()
            assert lab.lines("cycle_waits")[0]["code"] == "HUB-LEASE-001"
        lab.create("alpha", "Ann")
        lab.pass_(daemon, 30, 5)
        assert lab.names("gamma") == ["Ann"]
        page = daemon.meters.page().decode()
    assert f'crmhub_cycles_total{{act="sync",entity="{ENTITY}",outcome="converged"}} 1.0' in page
    assert f'crmhub_cycles_total{{act="sync",entity="{ENTITY}",outcome="failed"}} 1.0' in page
    assert f'crmhub_records_total{{act="written",entity="{ENTITY}",system="gamma"}} 1.0' in page
    assert "Ann" not in page
