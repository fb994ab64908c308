"""Where checkpoints and entries go outside the database: a file that is only appended to, syslog over TLS, https."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

from connectors.base import WriteUnclear
from connectors.errors import ConnectorError
from hub.audit.syslog import cef, checkpoint_message, frame, line
from hub.audit.tree import RowTuple
from hub.kernel.audit_settings import Sink as SinkSettings
from hub.kernel.errors import HubError
from hub.kernel.secrets import resolve_secret
from hub.operations.installation import Installation
from hub.store.audit_log import Kept

CONNECT, ANSWER = 10.0, 15.0
"""Seconds until a server must have taken a connection, and until it must have taken in what was sent."""
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class SinkAway(HubError):
    """Is raised when a sink did not take what it was given; it is given again."""

    code = "HUB-AUDIT-004"
    exit_code = 5


class Sink(Protocol):
    """Takes checkpoints; returns once they are there. Raises SinkAway."""

    def take(self, kept: Sequence[Kept]) -> None: ...


@dataclass(frozen=True, slots=True)
class FileSink:
    """Appends notes to a file that may be `chattr +a`, on another disk or machine."""

    path: Path

    def take(self, kept: Sequence[Kept]) -> None:
        try:
            descriptor = os.open(self.path, _APPEND, 0o640)
            try:
                # A note that was cut off by a crash is ended, so that it does not swallow the next one.
                start = b"" if self._is_whole() else b"\n\n"
                text = start + "".join(f"{each.note}\n" for each in kept).encode()
                if os.write(descriptor, text) != len(text):
                    raise SinkAway(f"{self.path} is full", f"{self.path} 空间不足")
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise SinkAway(f"{self.path} cannot be appended to: {reason}", f"{self.path} 无法追加：{reason}") from None

    def _is_whole(self) -> bool:
        with self.path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 2))
            return file.read() in (b"", b"\n\n")


@dataclass(frozen=True, slots=True)
class SyslogSink:
    """Sends RFC 5424 messages over TCP, with TLS unless the lab says otherwise; sees the server take them in."""

    address: str
    tls: bool
    ca_bundle: Path | None
    host: str

    def take(self, kept: Sequence[Kept]) -> None:
        self.send([line(self.host, "CHECKPOINT", checkpoint_message(each.note, each.signed_at)) for each in kept])

    def forward(self, rows: Sequence[RowTuple]) -> None:
        """Sends entries as CEF. Raises SinkAway."""
        lines = []
        for row in rows:
            told, severity, at = cef(row, version("crmhub"))
            lines.append(line(self.host, "AUDIT", told, severity=severity, at=at))
        self.send(lines)

    def send(self, lines: Sequence[bytes]) -> None:
        """Sends messages on a connection of their own and waits until the server has read to its end.

        Syslog confirms nothing: that the server closes its side after ours is the only sign that all was read.
        """
        name, _, port = self.address.rpartition(":")
        name = name.strip("[]")
        try:
            with socket.create_connection((name, int(port)), timeout=CONNECT) as plain:
                plain.settimeout(ANSWER)
                with self._wrapped(plain, name) as wire:
                    wire.sendall(b"".join(map(frame, lines)))
                    self._finish(wire)
        except (OSError, ssl.SSLError) as error:
            reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
            raise SinkAway(
                f"{self.address} did not take the messages: {reason}", f"{self.address} 未接收消息：{reason}"
            ) from None

    def _wrapped(self, plain: socket.socket, name: str) -> socket.socket:
        if not self.tls:
            return plain
        context = ssl.create_default_context(cafile=str(self.ca_bundle) if self.ca_bundle else None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context.wrap_socket(plain, server_hostname=name)

    def _finish(self, wire: socket.socket) -> None:
        if isinstance(wire, ssl.SSLSocket):
            try:
                wire = wire.unwrap()
            except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
                return  # it read to the end and closed without taking leave
        wire.shutdown(socket.SHUT_WR)
        while wire.recv(4096):
            pass


@dataclass(frozen=True, slots=True)
class HttpsSink:
    """Posts each checkpoint as JSON through the hub's one door."""

    hub: Installation
    settings: SinkSettings

    def take(self, kept: Sequence[Kept]) -> None:
        url, reference = self.settings.url or "", self.settings.token
        token = None if reference is None else resolve_secret(reference, self.hub.settings.home)
        for each in kept:
            body = checkpoint_message(each.note, each.signed_at).encode()
            try:
                status = self.hub.post(url, body, token)
            except ConnectorError as error:
                raise SinkAway(error.en, error.zh) from None
            except WriteUnclear:
                raise SinkAway("the address broke off; it is sent again", "连接中断，将重新发送") from None
            if not 200 <= status < 300:
                raise SinkAway(f"the address answered {status}", f"该地址返回 {status}")


def open_sink(hub: Installation, settings: SinkSettings) -> Sink:
    """Returns the sink that the settings describe."""
    if settings.kind == "file":
        return FileSink(hub.settings.path(settings.path or ""))
    if settings.kind == "https":
        return HttpsSink(hub, settings)
    return open_syslog(hub, settings)


def open_syslog(hub: Installation, settings: SinkSettings) -> SyslogSink:
    """Returns the syslog connection that the settings describe."""
    bundle = None if settings.ca_bundle is None else hub.settings.path(settings.ca_bundle)
    return SyslogSink(settings.address or "", settings.tls, bundle, hub.settings.installation.id)
