"""Reads what a person typed as a canonical value of a field."""

from __future__ import annotations

from hub.canonical.refusal import ValueRefused
from hub.canonical.schema import Field
from hub.canonical.values import Value, canonicalise
from hub.kernel.errors import Declined


def parse(field: Field, text: str) -> Value:
    """Returns the canonical value of what a person typed; empty text clears. Raises Declined without the value."""
    raw: object = text
    if field.kind.value == "list":
        raw = [part.strip() for part in text.split(",")]
    if field.maskable and "**" in text:
        raise Declined(
            f"{field.name}: a masked value cannot be taken; give the whole value",
            f"{field.name}：不能使用脱敏值，请填写完整值",
        )
    try:
        value = canonicalise(field, raw)
    except ValueRefused as refused:
        options = ": " + ", ".join(field.values) if field.values else ""
        raise Declined(
            f"{field.name} {refused.reason.en}{options}", f"{field.name} {refused.reason.zh}{options}"
        ) from None
    if value is None and field.required:
        raise Declined(f"{field.name} is required and cannot be cleared", f"{field.name} 为必填，不能清空")
    return value
