"""What strangers and tired people hand in never crashes a reader, hangs it or fills the memory.

A few examples each in every run; `CRMHUB_FUZZ_SECONDS=600 pytest tests/security/test_fuzz.py` goes on for ten minutes
each. Time is that of the processor in this thread, so that a loaded machine changes no verdict.
"""

from __future__ import annotations

import io
import json
import os
import resource
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from connectors.fxiaoke.callbacks import Events, make_key
from connectors.fxiaoke.settings import read_settings
from connectors.fxiaoke.simulator import events as vendor_side
from connectors.json_text import read_json
from connectors.zoho_crm.bulk.files import FileBounds, ResultFile
from connectors.zoho_crm.bulk.reasons import Damaged, Hostile
from connectors.zoho_crm.watch import receive
from hub.crypto.envelope import Aad, DataKey, open_, seal
from hub.crypto.errors import EnvelopeBroken
from hub.crypto.suites import Suite
from hub.kernel.errors import ConfigInvalid
from hub.kernel.settings import FILE, load_settings
from hub.kernel.yaml_file import load_yaml
from hub.mapping.loader import read_mapping
from hub.mapping.tables import load_tables
from tests.unit.fxiaoke.fxiaoke_tenant import Context

ROOT = Path(__file__).parents[2]
SECONDS = float(os.environ.get("CRMHUB_FUZZ_SECONDS", "0"))
EXAMPLES, HANG, MEMORY = 40, 1.0, 256 * 1024
"""Examples a run; seconds of processor time that one may take; kilobytes that the process may grow."""
MAPPING = (ROOT / "mappings" / "zoho_crm" / "customer.core.yaml").read_bytes()
SETTINGS = (ROOT / "config" / "hub.yaml").read_bytes()
TABLE = (ROOT / "mappings" / "tables" / "staff.csv").read_bytes()
PIECES = [
    b"[", b"{", b"- ", b"? ", b": ", b"&a ", b"*a", b"!!python/object/apply:os.system ", b"<<: ", b"|\n", b">-\n",
    b"%YAML 9.9\n", b"---\n", b"\t", b"\r", b"\0", b"\xff\xfe", "\u2028".encode(), b'"', b"'", b"#", b"0x", b"1e999",
    b"9" * 5000, b"2026-13-99", b".nan", b"=cmd|'/c calc'!A1", b",,,,", b'"\n', "𠮷‮".encode(), b"\x1b[2J", b"[" * 2000,
    b"{a: " * 500, b"- " * 2000, b"\n" * 50,
]  # fmt: skip


@st.composite
def mutants(draw: st.DrawFn, whole: bytes) -> bytes:
    """Draws a text with a few cuts, repetitions, foreign pieces and flipped bytes."""
    octets = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(octets)))
        end = min(len(octets), start + draw(st.integers(0, 40)))
        octets[start:end] = draw(
            st.sampled_from(PIECES) | st.binary(max_size=8) | st.just(bytes(octets[start:end]) * 3)
        )
    return bytes(octets)


def hold(strategy: st.SearchStrategy[Any], act: Callable[[Any], object]) -> None:
    """Runs an act over examples, each within its time, all within the memory; for minutes where that was asked for."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    slowest = 0.0

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        derandomize=not SECONDS,
    )
    @given(strategy)
    def run(example: Any) -> None:
        nonlocal slowest
        began = time.thread_time()
        act(example)
        slowest = max(slowest, time.thread_time() - began)

    until, round_ = time.monotonic() + SECONDS, 0
    while True:
        (seed(round_)(run) if SECONDS else run)()
        round_ += 1
        if time.monotonic() >= until:
            break
    assert slowest < HANG
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEMORY


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "config").mkdir()
    return tmp_path / "config" / "hub.yaml"


def test_a_mapping_is_read_or_refused_with_its_file(file: Path) -> None:
    def act(octets: bytes) -> None:
        file.write_bytes(octets[:20_000])
        problems: list[Any] = []
        found = read_mapping(file, problems)
        assert (found is None) == bool(problems)
        assert all(item.file == str(file) and item.en and item.zh for item in problems)

    hold(mutants(MAPPING[:6000]), act)


def test_settings_are_read_or_refused_with_their_file(file: Path) -> None:
    def act(octets: bytes) -> None:
        file.write_bytes(octets)
        with suppress(ConfigInvalid):
            load_settings(file.parent.parent)

    assert str(FILE) == "config/hub.yaml"
    hold(mutants(SETTINGS), act)


def test_any_yaml_is_read_or_refused(file: Path) -> None:
    def act(pieces: list[bytes]) -> None:
        file.write_bytes(b"".join(pieces))
        problems: list[Any] = []
        assert (load_yaml(file, problems) is None) == bool(problems)

    hold(st.lists(st.sampled_from(PIECES) | st.binary(max_size=6), max_size=30), act)


def test_a_table_is_read_or_refused(tmp_path: Path) -> None:
    def act(octets: bytes) -> None:
        (tmp_path / "staff.csv").write_bytes(octets)
        with suppress(ConfigInvalid):
            load_tables(tmp_path)

    hold(mutants(TABLE), act)


def zipped(content: bytes) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("77.csv", content)
    return body.getvalue()


def test_a_bulk_result_is_read_or_refused() -> None:
    csv = b"id,Last_Name\n" + b"".join(b'%d,"a""b"\n' % number for number in range(200))

    def act(octets: bytes) -> None:
        for body in (octets, zipped(octets[:2000])):
            with suppress(Damaged, Hostile):
                opened = ResultFile(body, FileBounds(unpacked=1 << 20, row=4096))
                while opened.take(50):
                    pass

    hold(mutants(zipped(csv)) | mutants(csv), act)


def test_an_envelope_opens_or_is_refused() -> None:
    key = DataKey(7, Suite.XAES_256_GCM, b"k" * 32)
    aad = Aad("t", "golden", "blob", "r", None, 1)
    sealed = seal(key, b"value", aad)

    def act(octets: bytes) -> None:
        try:
            assert (open_(key, octets, aad), octets) == (b"value", sealed)
        except EnvelopeBroken:
            assert octets != sealed

    hold(mutants(sealed), act)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
)
KEY = make_key(bytes(range(32)))
BODY = json.dumps({"channel_id": "1", "token": "t", "module": "Contacts", "operation": "edit", "ids": ["5"]}).encode()


@pytest.fixture
def events() -> Iterator[Events]:
    context = Context()
    context.secrets["event_key"] = KEY
    own = {"enterprise_account": "demo_ea", "tenant_id": 700001}
    yield Events(read_settings({"app_id": "FSAID_x", "operator_id": "1000", "events": own}, "fxiaoke"), context)
    context.client.close()


def signed(at: float) -> bytes:
    """Returns a call as the vendor makes one now, by the code of its simulator."""
    plain = {"tenantId": 700001, "apiName": "AccountObj", "dataId": "65f0000000000000000000a1", "messageId": "M1"}
    words = {"timestamp": int(at * 1000), "nonce": "Nonce1", "messageId": "M1", "enterpriseAccount": "demo_ea"}
    body = {**words, "encryptedContent": vendor_side.encrypt(KEY, json.dumps(plain).encode())}
    return json.dumps({**body, "signature": vendor_side.sign(KEY, *body.values())}).encode()


def test_a_callback_is_a_hint_or_nothing(events: Events) -> None:
    genuine = signed(time.time())
    assert events.receive(genuine) is not None

    def act(octets: bytes) -> None:
        assert receive(octets, "1", ["another"]) is None
        told = events.receive(octets)
        # Nothing but the signed letters themselves is believed; white space and order are the sender's.
        assert told is None or json.loads(octets) == json.loads(genuine)

    hold(mutants(BODY) | mutants(genuine) | JSON.map(lambda value: json.dumps(value).encode()), act)


@pytest.mark.parametrize(
    "octets",
    [
        b'{"a": 1, "a": 2}', b'{"a": {"b": 1, "b": 1}}', b"[" * 33 + b"]" * 33, b"[" * 2000 + b"]" * 2000,
        b'{"a":' * 33 + b"1" + b"}" * 33, b"NaN", b"Infinity", b'"\\ud800"', b'"\xff"', b"", b"{}{}",
        b"{'a': 1}", b"[1,]",
        b"\xef\xbb\xbf{}",
    ],
)  # fmt: skip
def test_json_that_readers_take_differently_is_refused(octets: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever the reason is called, the caller refuses alike
        read_json(octets)


def test_json_that_all_read_alike_is_read() -> None:
    assert read_json(b"[" * 32 + b"]" * 32)
    assert read_json('{"a": {"a": ["𠮷", 1.5, null]}}'.encode()) == {"a": {"a": ["𠮷", 1.5, None]}}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: " + "[" * 33 + "]" * 33, "HUB-YAML-005"), ("a: " + "[" * 100_000, "HUB-YAML-005"),
        ("- " * 50_000, "HUB-YAML-005"),
        ("---\n%YAML 9.9\n", "HUB-YAML-004"), ("%TAG ! x\n---\na: 1\n", "HUB-YAML-004"),
        ("a: &a [x]\nb: &b [*a,*a]\nc: [*b,*b]\n", "HUB-YAML-004"), ("a: 1\nb: {c: 1, c: 2}", "HUB-YAML-001"),
        ("a: !!python/object/apply:os.system [id]\n", None), ("x: " + "y" * 262_145, "HUB-YAML-002"),
    ],
)  # fmt: skip
def test_yaml_bombs_are_refused_by_name(tmp_path: Path, text: str, code: str | None) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(text, encoding="utf-8")
    problems: list[Any] = []
    tree = load_yaml(file, problems)
    if code is None:  # a tag names no constructor here: what stands under it stays text
        assert tree is not None
        assert not isinstance(tree["a"], int)
        return
    assert [item.code for item in problems] == [code]
    assert tree is None
