"""What config/deploy promises an operator: a unit that systemd takes, a compose file, and alerts on metrics we have."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import Counter, Histogram
from ruamel.yaml import YAML

from hub.cli.failures import CONFIGURATION
from hub.kernel.audit_settings import Audit
from hub.kernel.settings import Daemon
from hub.schedule.metrics import Meters

DEPLOY = Path(__file__).parents[2] / "config" / "deploy"
UNIT = (DEPLOY / "crmhub.service").read_text(encoding="utf-8")
ADDED = {Counter: ("_total",), Histogram: ("_bucket", "_sum", "_count")}
FOREIGN = {"up": {"job"}}
"""What Prometheus says itself of who it asks."""


SIGNER = Path(Audit().signing_key).parent
"""Where the daemon notes, beside its key, what it signed last."""


def read(name: str) -> Any:
    return YAML(typ="safe", pure=True).load((DEPLOY / name).read_text(encoding="utf-8"))


def options(section: str) -> dict[str, str]:
    """Returns the options of a section of the unit; of one that is given twice the last."""
    body = re.search(rf"^\[{section}\]\n(.*?)(?=^\[|\Z)", UNIT, re.MULTILINE | re.DOTALL)
    assert body is not None
    lines = [line for line in body[1].splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def labels_of_metrics() -> dict[str, set[str]]:
    found = {}
    for collector in {id(each): each for each in Meters().registry._names_to_collectors.values()}.values():
        assert isinstance(collector, Counter | Histogram) or hasattr(collector, "set")
        for ending in ADDED.get(type(collector), ("",)):
            found[f"{collector._name}{ending}"] = set(collector._labelnames)  # type: ignore[attr-defined]
    return found


METRICS = labels_of_metrics() | FOREIGN
RULES = [rule for group in read("alerts.yaml")["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_alert_names_metrics_and_labels_that_the_daemon_has(rule: dict[str, Any]) -> None:
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"Crmhub[A-Za-z]+", rule["alert"])
    assert re.fullmatch(r"\d+[smhd]", rule.get("for", "0s"))
    assert rule["labels"]["severity"] in {"page", "ticket"}
    plain = re.sub(r'"[^"]*"', '""', rule["expr"])
    named = re.findall(r"\b(crmhub_[a-z_]+|up)\b", plain)
    assert named
    assert set(named) <= METRICS.keys(), set(named) - METRICS.keys()
    known: set[str] = set().union(*(METRICS[name] for name in named))
    selected = {label for inside in re.findall(r"\{([^}]*)\}", plain) for label in re.findall(r"(\w+)\s*=", inside)}
    assert selected <= known, selected - known
    shown = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
    kept = re.search(r"by \(([^)]*)\)", plain)
    assert shown <= (set(kept[1].replace(" ", "").split(",")) if kept else known), shown


def test_alerts_are_one_group_with_unique_names() -> None:
    assert [group["name"] for group in read("alerts.yaml")["groups"]] == ["crmhub"]
    names = [rule["alert"] for rule in RULES]
    assert len(set(names)) == len(names) > 8


def test_unit_gives_the_daemon_the_time_it_asks_for() -> None:
    service, bounds = options("Service"), Daemon()
    assert (service["Type"], service["NotifyAccess"]) == ("notify", "main")
    assert float(service["TimeoutStopSec"]) > bounds.stop_within_seconds
    # One look in thirty seconds holds up a locked store; a watchdog below that would kill a daemon that is well.
    assert float(service["WatchdogSec"]) > 60
    assert service["RestartPreventExitStatus"] == str(CONFIGURATION)
    assert (service["Restart"], service["KillSignal"]) == ("always", "SIGTERM")
    assert service["ExecReload"].startswith("/bin/kill -HUP")


def test_unit_lets_the_daemon_write_the_store_and_beside_the_key_of_the_audit_log_only() -> None:
    service = options("Service")
    assert service["ProtectSystem"] == "strict"
    assert set(service["ReadWritePaths"].split()) == {"/srv/crmhub/var", f"/srv/crmhub/{SIGNER}"}
    assert service["ReadOnlyPaths"] == "-/srv/crmhub/keys/hub.key"


def test_only_a_host_that_leads_is_blamed_for_an_old_signature() -> None:
    [rule] = [each for each in RULES if "crmhub_audit_signed_timestamp_seconds" in each["expr"]]
    assert rule["expr"].endswith(" and crmhub_leading == 1")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="this machine has no systemd-analyze")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    program = tmp_path / "crmhub"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    unit = tmp_path / "crmhub.service"
    unit.write_text(UNIT.replace("/opt/crmhub/bin/crmhub", str(program)), encoding="utf-8")
    ran = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    ours = [line for line in ran.stderr.splitlines() if "crmhub.service" in line]
    assert (ran.returncode, ours) == (0, []), ran.stderr


def test_compose_runs_the_image_as_it_is_built() -> None:
    found = read("compose.yaml")
    assert set(found) == {"services", "volumes"}
    service = found["services"]["crmhub"]
    docker = (DEPLOY.parents[1] / "Dockerfile").read_text(encoding="utf-8")
    [volumes] = re.findall(r"^VOLUME \[(.*)\]$", docker, re.MULTILINE)
    mounted = {text.split(":")[1]: text.split(":")[2:] for text in service["volumes"]}
    assert set(mounted) == set(re.findall(r'"([^"]+)"', volumes))
    written = {place for place, flags in mounted.items() if flags != ["ro"]}
    assert written == {"/hub/var", f"/hub/{SIGNER}"}, "the store, and what the signer of the audit log signed last"
    assert 'ENTRYPOINT ["crmhub"]' in docker
    assert service["command"] == ["run"]
    assert float(service["stop_grace_period"].removesuffix("s")) > Daemon().stop_within_seconds
    assert f"http://{Daemon().management}/healthz" in service["healthcheck"]["test"][-1]
    assert set(found["volumes"]) == {text.split(":")[0] for text in service["volumes"] if not text.startswith(".")}
