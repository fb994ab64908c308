"""Translates Fxiaoke's customers by a function written for exactly that mapping; see `byhand`."""

from __future__ import annotations

from typing import Any

from .byhand import (
    _MOST,
    ByHand,
    Canonical,
    Native,
    _back,
    _chains,
    _day_ms,
    _email,
    _instant_ms,
    _line,
    _mobile,
    _name,
    _phone,
    _prose,
    _rows,
    _whole,
)
