"""`crmhub run` as a process of its own that both vendors call: changes arrive though the next poll is an hour away."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from urllib.error import HTTPError

import pytest
from daemon_process import Process, free_port

from tests.acceptance.cli_lab import Lab, make_lab

MORE = """
schedule: {{sync: every 1h, reconcile: never}}
daemon: {{management: "127.0.0.1:{port}", stop_within_seconds: 20}}
callbacks: {{listen: "127.0.0.1:{hooks}", public_url: "http://127.0.0.1:{hooks}/hooks", pause_seconds: 1}}
"""


EVENTS = """overlap: 2, events: {enterprise_account: simulated, tenant_id: 700001}}
    credentials: {event_key: "file:keys/event.key", app_secret"""


def posted(url: str, body: object) -> int:
    request = urllib.request.Request(url, data=json.dumps(body).encode(), method="POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except HTTPError as refused:
        return refused.code


@pytest.mark.slow
def test_a_change_arrives_while_the_next_poll_is_an_hour_away(tmp_path: Path) -> None:
    lab: Lab = make_lab(tmp_path / "hub")
    port, hooks = free_port(), free_port()
    lab.change("overlap: 2}\n    credentials: {app_secret", EVENTS)
    lab.write(lab.file.read_text(encoding="utf-8") + MORE.format(port=port, hooks=hooks))
    setup = lab.ask("channel", "setup", "fxiaoke", "--new-key", "keys/event.key")
    key = (lab.home / "keys" / "event.key").read_text(encoding="utf-8").strip()
    lab.fxiaoke.admin.post("events", {"url": setup["url"], "key": key})
    assert lab.here("plan").code == 0
    assert lab.here("guard", "release", "first_sync", "--reason", "seen").code == 0
    daemon = Process(lab.command("run"), lab.environ(), port, tmp_path)
    try:
        daemon.until(lambda: daemon.lines("channel_open") and daemon.lines("cycle_ended"))
        fields = {"Last_Name": "王", "First_Name": "小明", "Customer_Kind": "个人"}
        made = lab.zoho.admin.post("create", {"object": "Contacts", "fields": fields})["id"]
        daemon.until(lambda: lab.fxiaoke.admin.records("AccountObj"))
        made_there = lab.fxiaoke.admin.post(
            "create", {"object": "AccountObj", "fields": {"name": "纷享新客", "account_type": "1"}}
        )["id"]
        daemon.until(lambda: len(lab.zoho.admin.records("Contacts")) == 2)

        def accepted() -> bool:
            sent = lab.fxiaoke.admin.post("events")["sent"]
            return any(call["accepted"] for call in sent if call["plain"]["dataId"] == made_there)

        # What a call brings about may be seen before its answer is noted there.
        daemon.until(accepted)
        (channel,) = lab.zoho.admin.post("watch")["channels"]
        forged = {"channel_id": channel["channel_id"], "module": "Contacts", "ids": [made], "operation": "delete"}
        assert posted(channel["notify_url"], forged | {"token": "x" * 40}) == 200
        assert posted(f"http://127.0.0.1:{hooks}/metrics", {}) == 200, "every path is answered alike"
        daemon.until(lambda: 'outcome="forged",system=""' in daemon.get("/metrics")[1])
        signed, shown = lab.ask("channel", "list")["channels"]
        assert (shown["state"], shown["forged"]) == ("open", 1)
        assert (signed["system"], signed["state"], signed["forged"]) == ("fxiaoke", "open", 0)
        assert signed["received"] >= 1
        assert "callbacks: zoho open" in lab.here("status").out
        assert lab.here("channel", "renew", "zoho").code == 0
        assert lab.here("channel", "close", "zoho", "--reason", "drill").code == 0
        assert lab.zoho.admin.post("watch")["channels"] == []
        assert daemon.stop() == 0
    finally:
        daemon.close()
        lab.zoho.stop()
        lab.fxiaoke.stop()
    for secret in (channel["token"], channel["notify_url"].rpartition("/")[2], key):
        assert secret not in daemon.log
        assert secret not in lab.here("channel", "list", "--json").out
