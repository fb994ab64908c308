"""The language of a command: asked for, or taken from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Literal, Protocol

Language = Literal["zh", "en"]

_VARIABLES = ("CRMHUB_LANG", "LC_ALL", "LC_MESSAGES", "LANG")


class Bilingual(Protocol):
    """Is anything that says itself in English and Chinese: a Text, a Problem, an error, a line of `check`."""

    @property
    def en(self) -> str: ...

    @property
    def zh(self) -> str: ...


def choose_language(
    asked: str | None = None, environ: Mapping[str, str] | None = None, default: Language = "en"
) -> Language:
    """Returns the language: the option, else the first of CRMHUB_LANG, LC_ALL, LC_MESSAGES and LANG that is set.

    `C`, `POSIX` and languages that are not spoken here give the default.
    """
    environ = os.environ if environ is None else environ
    wish = asked or next((environ[name] for name in _VARIABLES if environ.get(name)), "")
    spoken = wish.replace("-", "_").partition("_")[0].partition(".")[0].lower()
    if spoken == "zh":
        return "zh"
    return "en" if spoken == "en" else default


def say(message: Bilingual, language: str) -> str:
    """Returns the message in the language."""
    return message.zh if language == "zh" else message.en
