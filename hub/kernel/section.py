"""What every section of the settings has in common: strict, frozen, and errors in two languages."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

from hub.kernel.secrets import check_reference


def said(en: str, zh: str) -> PydanticCustomError:
    """Makes a finding that carries its own two texts."""
    return PydanticCustomError("said", "{en}", {"en": en, "zh": zh})


def _reference(text: str) -> str:
    if (fault := check_reference(text)) is not None:
        raise said(fault.en, fault.zh)
    return text


Reference = Annotated[str, AfterValidator(_reference)]


class Section(BaseModel):
    """Is strict and frozen: no unknown key, no guessed type; inputs never appear in a message."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)
