"""Settings: hosts, styles, and problems listed without their values."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from connectors.addresses import Egress
from connectors.errors import SettingsInvalid
from connectors.fxiaoke.settings import HOSTS, read_settings

GOOD: dict[str, Any] = {"app_id": "FSAID_x", "operator_id": "1000"}


@pytest.mark.parametrize("host", HOSTS)
def test_every_public_cloud_is_admitted(host: str) -> None:
    assert read_settings({**GOOD, "base_url": f"https://{host}/"}, "fxiaoke").base_url == f"https://{host}"


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_url": "https://www.fxiaoke.com"},
        {"base_url": "http://open.fxiaoke.com"},
        {"base_url": "https://open.fxiaoke.com/cgi"},
        {"base_url": "https://open.fxiaoke.com.example.net"},
        {"operator_id": "FSUID_1"},
        {"auth_style": "legacy"},
        {"auth_style": "basic"},
        {"page_limit": 101},
        {"app_secret": "hunter2hunter2"},
    ],
)
def test_what_cannot_work_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        read_settings({**GOOD, **wrong}, "fxiaoke")
    assert next(iter(wrong)) in caught.value.en or "operator_id" in caught.value.en
    assert "hunter2" not in str(caught.value) + caught.value.zh


def test_a_dedicated_cloud_is_admitted_by_name() -> None:
    settings = read_settings({**GOOD, "base_url": "https://open-bank.cn", "extra_hosts": ["open-bank.cn"]}, "fxiaoke")
    assert settings.base_url == "https://open-bank.cn"


def test_every_problem_is_listed_at_once() -> None:
    with pytest.raises(SettingsInvalid) as caught:
        read_settings({"page_limit": 0, "workers": 0}, "fxiaoke")
    for name in ("app_id", "operator_id", "page_limit", "workers"):
        assert name in caught.value.en
        assert name in caught.value.zh


@pytest.mark.parametrize(
    ("url", "profile", "approved", "admitted"),
    [
        ("https://open-hwcloud.fxiaoke.com", "production", (), True),
        ("https://127.0.0.1:8443", "production", (), False),
        ("http://127.0.0.1:8443", "production", (), False),
        ("http://127.0.0.1:8443", "lab", (), True),
        ("https://open-bank.cn", "production", (), False),
        ("https://open-bank.cn", "production", ("open-bank.cn",), True),
    ],
)
def test_calls_leave_for_the_clouds_and_for_declared_hosts_only(
    url: str, profile: Literal["production", "lab"], approved: tuple[str, ...], admitted: bool
) -> None:
    """The settings take this machine for the lab's sake; the way out of a production hub does not."""
    base_url = read_settings({**GOOD, "base_url": url, "extra_hosts": ["open-bank.cn"]}, "fxiaoke").base_url
    way_out = Egress((*HOSTS, *approved), profile=profile)
    if admitted:
        assert way_out.admit(base_url).hostname
    else:
        with pytest.raises(SettingsInvalid):
            way_out.admit(base_url)
