"""The settings of a connection: bounds, certificates, pins, a proxy, and hosts and networks that were approved."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from hub.kernel.settings_forms import Reference, Section, form, said
from hub.kernel.timetable import Malformed
from hub.kernel.transport import check_pins, parse_host, parse_network, parse_pin, parse_proxy


def _pins(pins: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return check_pins(pins)
    except Malformed as fault:
        raise said(fault.en, fault.zh) from None


HostText = Annotated[str, AfterValidator(form(parse_host))]
NetworkText = Annotated[str, AfterValidator(form(parse_network))]
PinText = Annotated[str, AfterValidator(form(parse_pin))]


class Transport(Section):
    """Sets the bounds of a connection, in seconds; paths are relative to the hub's folder.

    `approved_hosts` adds hosts to those the kind declares, for a vendor's dedicated or self-hosted cloud; these, and
    the proxy, may lie in `approved_networks`. `max_body` bounds an answer in bytes once it is decompressed.
    """

    ca_bundle: str | None = None
    client_certificate: str | None = None
    minimum_tls: Literal["1.2", "1.3"] = "1.2"
    pins: Annotated[tuple[PinText, ...], AfterValidator(_pins)] = Field(default=(), strict=False)
    proxy: Annotated[str, AfterValidator(form(parse_proxy))] | None = None
    proxy_credentials: Reference | None = Field(default=None, repr=False)
    approved_hosts: tuple[HostText, ...] = Field(default=(), strict=False)
    approved_networks: tuple[NetworkText, ...] = Field(default=(), strict=False)
    connect_timeout: float = Field(default=5.0, gt=0, le=60)
    read_timeout: float = Field(default=30.0, gt=0, le=600)
    deadline: float = Field(default=120.0, gt=0, le=3600)
    max_body: int = Field(default=10 * 1024 * 1024, ge=64 * 1024, le=200 * 1024 * 1024)
