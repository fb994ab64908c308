"""The section `audit` of the settings: who signs the log's checkpoints, how often, and where they are kept besides."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from hub.kernel.settings_forms import Reference, Section, said

_HOST = re.compile(r"([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:]{2,45}\]):([0-9]{1,5})")
NEEDS: Mapping[str, str] = {"file": "path", "syslog": "address", "https": "url", "siem": "address"}
"""Kind of a sink -> the key that says where it is."""


def _address(text: str) -> str:
    found = _HOST.fullmatch(text)
    if found is None or not 0 < int(found[2]) <= 65535:
        raise said(
            "does not have the form HOST:PORT, such as log.bank.example:6514",
            "格式应为 主机:端口，如 log.bank.example:6514",
        )
    return text


class Sink(Section):
    """Is one place outside the database: a file, a syslog server or an https address for checkpoints; `siem` for rows.

    `path` is relative to the hub's folder. Syslog goes over TLS unless `tls` is false, which the lab profile admits.
    """

    kind: Literal["file", "syslog", "https", "siem"]
    path: str | None = None
    address: Annotated[str, AfterValidator(_address)] | None = None
    tls: bool = True
    ca_bundle: str | None = None
    url: str | None = Field(default=None, pattern=r"^https?://[!-~]{1,400}$")
    token: Reference | None = Field(default=None, repr=False)

    @model_validator(mode="after")
    def _placed(self) -> Sink:
        place = NEEDS[self.kind]
        if getattr(self, place) is None:
            raise said(f"a sink of kind {self.kind} needs `{place}`", f"{self.kind} 类存证点须填写 `{place}`")
        return self


class Audit(Section):
    """Says how the audit log is signed and where its checkpoints go; `org` begins the origin of every checkpoint.

    `hash` is that of a log created from now on: an existing one keeps its own until a new epoch begins.
    """

    org: str = Field(default="bank", pattern=r"^[a-z0-9][a-z0-9.-]{0,62}$")
    hash: Literal["sha256", "sm3"] = "sha256"
    signing_key: str = "keys/audit.key"
    checkpoint_seconds: float = Field(default=60.0, ge=1, le=3600)
    idle_seconds: float = Field(default=3600.0, ge=60, le=86_400)
    sinks: Mapping[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")], Sink] = Field(default_factory=dict)
