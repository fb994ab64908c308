"""Says what a mapping needs to know of a system's own description of its objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class FieldShape(Protocol):
    """Is one field as a system describes it; `options` maps stored value to label."""

    @property
    def api_name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def length(self) -> int | None: ...
    @property
    def required(self) -> bool: ...
    @property
    def writable(self) -> bool: ...
    @property
    def unique(self) -> bool: ...
    @property
    def options(self) -> Mapping[str, str] | None: ...


class ObjectShape(Protocol):
    """Is one object as a system describes it."""

    @property
    def fields(self) -> Mapping[str, FieldShape]: ...


Description = Mapping[str, ObjectShape]
