"""Takes out of anything what must not leave with it: secrets, personal values, and text that people wrote."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import orjson

from hub.kernel.redaction import escape, redact
from hub.kernel.secret_forms import find_secrets
from hub.kernel.secrets import names_secret

TEXT, SECRET, LINE = "[text]", "[secret]", "[a line that is no log line]"
_PLAIN = re.compile(r"[A-Za-z0-9_.:/{}\[\]()<>=,;'\"`*+%&|!?# @-]*")
_WORD = re.compile(r"[A-Za-z0-9_.:+-]{1,120}")
_SENTENCES = frozenset({"message", "error", "at", "en", "remedy"})
"""Keys of log lines under which the hub itself writes sentences; elsewhere only names and numbers stay."""
_DEPTH = 8


class Censor:
    """Cleans values that are about to leave; `known` are secrets that are in use here, whatever their form."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        # A short one is part of ordinary words; long ones first, so that none leaves its tail.
        self._known = sorted({value for value in known if len(value) >= 6}, key=len, reverse=True)

    def text(self, text: str) -> str:
        """Returns a text of the hub itself without what is secret, personal or in a script of people's own."""
        for value in self._known:
            text = text.replace(value, SECRET)
        if next(find_secrets([(1, text)], digests=True), None) is not None:
            return SECRET
        text = escape(redact(text))
        return text if _PLAIN.fullmatch(text) else "".join(_ascii(text))

    def tree(self, value: object, key: str = "", *, words_only: bool = False, depth: int = _DEPTH) -> object:
        """Returns a value of JSON cleaned at every leaf, keys included; `words_only` lets no sentence through."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if names_secret(key) and not isinstance(value, Mapping):
            return SECRET
        if isinstance(value, Mapping) and depth:
            return {
                self.text(str(k)): self.tree(
                    v, str(k), words_only=words_only and str(k) not in _SENTENCES, depth=depth - 1
                )
                for k, v in value.items()
            }
        if isinstance(value, Sequence) and not isinstance(value, str | bytes) and depth:
            return [self.tree(item, key, words_only=words_only, depth=depth - 1) for item in value]
        text = value if isinstance(value, str) else TEXT
        return TEXT if words_only and not _WORD.fullmatch(text) else self.text(text)

    def log(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """Yields log lines cleaned; one that is not JSON is none of the hub's and only its place is kept."""
        for line in lines:
            try:
                event = orjson.loads(line)
            except orjson.JSONDecodeError:
                event = None
            if isinstance(event, dict):
                yield orjson.dumps(self.tree(event, words_only=True)) + b"\n"
            elif line.strip():
                yield orjson.dumps(LINE) + b"\n"


def _ascii(text: str) -> Iterator[str]:
    for run in re.split(r"([^\x20-\x7e]+)", text):
        yield run if run.isascii() else TEXT
