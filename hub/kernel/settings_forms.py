"""The forms of single settings: names, references to secrets, addresses; each says what is wrong in both languages."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from hub.kernel.secrets import check_reference
from hub.kernel.timetable import Malformed

_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:]{2,45}\]")
_PUBLIC = re.compile(
    r"(?=.{1,180}\Z)https?://([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:]{2,45}\])(:\d{1,5})?"
    r"(/[A-Za-z0-9._~-]+)*/?"
)


def said(en: str, zh: str) -> PydanticCustomError:
    """Makes a finding that carries its own two texts."""
    return PydanticCustomError("said", "{en}", {"en": en, "zh": zh})


def _reference(text: str) -> str:
    if (fault := check_reference(text)) is not None:
        raise said(fault.en, fault.zh)
    return text


def _credential(text: str) -> str:
    if (fault := check_reference(text, stored=True)) is not None:
        raise said(fault.en, fault.zh)
    return text


def _address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not _HOST.fullmatch(host) or not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise said("does not have the form HOST:PORT, such as 127.0.0.1:9464", "格式应为 主机:端口，如 127.0.0.1:9464")
    return text


def _public_url(url: str) -> str:
    if not _PUBLIC.fullmatch(url):
        raise said(
            "must be https://HOST[:PORT][/PATH] of at most 180 characters, without user, query and fragment",
            "应为 https://主机[:端口][/路径]，不超过 180 个字符，且不含用户、查询参数和片段",
        )
    return url.rstrip("/")


def form(parse: Callable[[str], object]) -> Callable[[str], str]:
    """Returns a check that a text can be read; the text itself is kept, for the table of schedules."""

    def check(text: str) -> str:
        try:
            parse(text)
        except Malformed as fault:
            raise said(fault.en, fault.zh) from None
        return " ".join(text.split())

    return check


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Reference = Annotated[str, AfterValidator(_reference)]
Credential = Annotated[str, AfterValidator(_credential)]
Percent = Annotated[float, Field(ge=0, le=100)]
Address = Annotated[str, AfterValidator(_address)]
PublicUrl = Annotated[str, AfterValidator(_public_url)]


class Section(BaseModel):
    """Is strict and frozen: no unknown key, no guessed type; inputs never appear in a message."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)
