"""Is the closed library of lenses: named pairs of pure functions between a native and a canonical form."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from hub.mapping.lenses.activity import ACTIVITY
from hub.mapping.lenses.base import BadLens, Constant, Joint, Lens, Made, Setting, Simple
from hub.mapping.lenses.coded import CODED
from hub.mapping.lenses.composite import COMPOSITE
from hub.mapping.lenses.linked import LINKED
from hub.mapping.lenses.moments import MOMENTS
from hub.mapping.lenses.plain import PLAIN

LENSES: Mapping[str, Lens] = MappingProxyType(
    {lens.name: lens for lens in (*PLAIN, *MOMENTS, *CODED, *COMPOSITE, *LINKED, *ACTIVITY)}
)

__all__ = ["LENSES", "BadLens", "Constant", "Joint", "Lens", "Made", "Setting", "Simple"]
