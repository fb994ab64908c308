"""The scan itself finds every form, wherever the value stands in its neighbourhood."""

from __future__ import annotations

import base64

import pytest
from leak_scan import forms, scan

VALUES = ("13987651234", "栽培试", "1000.ab.cd")


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("before", [b"", b"x", b"xy", b"xyz"])
@pytest.mark.parametrize("after", [b"", b"!", b"?!"])
def test_base64_is_found_at_every_alignment(value: str, before: bytes, after: bytes) -> None:
    for encoding in ("utf-8", "utf-16-le"):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            hits = scan([value], {"place": encode(before + value.encode(encoding) + after)})
            assert any("base64" in hit.form for hit in hits)


@pytest.mark.parametrize("value", VALUES)
def test_every_form_is_found_and_a_text_without_it_is_clean(value: str) -> None:
    for form, needle in forms(value):
        assert form in {hit.form for hit in scan([value], {"place": b"before " + needle + b" after"})}
    assert scan([value], {"place": b"139****1234 is shown masked"}) == []
