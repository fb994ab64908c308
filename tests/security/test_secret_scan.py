"""Secrets in files that people write or hand over: found in every form, named by file and line, never shown."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from hub.app import initialise, open_installation
from hub.kernel.secret_forms import find_secrets
from hub.operations import secret_scan
from hub.operations.configuration import check_configuration
from hub.operations.health import examine

# Made up, and put together here so that no scanner takes this file for a leak.
HEX = "9f86d081884c7d65" + "9a2feaa0c55ad015"
PLANTED = {
    "pem": "-----BEGIN EC PRIVATE" + " KEY-----",
    "jwt": "eyJhbGciOi" + "JIUzI1NiJ9.eyJzdWIiOiIxMjM0.SflKxwRJSMeKKF2QT4fwpM",
    "vendor": f"1000.{HEX}.{HEX}",
    "oauth": f"Zoho-oauthtoken {HEX}",
    "aws": "AKIA" + "IOSFODNN7EXAMPLE",
    "aliyun": "LTAI" + "5tFq8ZkXw9aBcDeFgH",
    "github": "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8",
    "vault": "hvs." + "CAESIJ1vAbCdEfGhIjKlMnOpQrSt",
    "url": "postgresql://hub:" + "hunter2@db.bank.example/crm",
    "bearer": "Authorization: Bearer " + "abcdefgh12345678",
    "pair": "client_secret: " + "Hunter-2!",
    "env": "export ZOHO_CLIENT_SECRET=" + "Hunter-2!",
    "json": '{"refresh_token": "' + 'Hunter-2!"}',
    "zh": "数据库口令：" + "Hunter-2!",
    "random": "kQ7vT2xW9pL4mN8rB3zY6cF1",
    "hex": HEX,
}
INNOCENT = (
    "client_secret: env:ZOHO_CLIENT_SECRET", "password: file:/run/secrets/db", "refresh_token: stored", "token: null",
    "# secrets by env: or file:, never here", "secret: <your secret>", "password: ${DB_PASSWORD}",
    "password_field: birthday",
    "url: postgresql+psycopg://crmhub@db.example.com:5432/crmhub?sslmode=verify-full", "app_id: FSAID_your_app",
    "hub_id: 0192f0c1-5d2a-7c3e-8f10-9a1b2c3d4e5f", "native_id: 5843104000000301001", "StartLimitIntervalSec=0",
    "path: mappings/zoho_crm/customer.core.yaml", "lens: complaint_status_of_fxiaoke_v2", "token: 密钥见保险柜",
    "https://www.zohoapis.com.cn/crm/v8/settings/fields?module=Contacts",
)  # fmt: skip


@pytest.mark.parametrize("kind", PLANTED)
@pytest.mark.parametrize("digests", [False, True])
def test_every_form_is_found(kind: str, digests: bool) -> None:
    found = list(find_secrets([(7, f"  x: {PLANTED[kind]}")], digests=digests))
    if kind == "hex" and digests:
        assert found == []  # a digest of an export has this very form
        return
    assert [leak.line for leak in found] == [7]
    assert "unter" not in str(found)


@pytest.mark.parametrize("line", INNOCENT)
def test_references_ids_and_names_are_none(line: str) -> None:
    assert list(find_secrets([(1, line)])) == []


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return initialise(tmp_path_factory.mktemp("scan") / "hub")


def test_what_ships_is_clean(home: Path) -> None:
    assert list(secret_scan.scan(home)) == []


def test_configuration_mappings_and_exports_are_refused_by_file_and_line(home: Path) -> None:
    places = {
        "config/notes.txt": "line\n" * 2 + PLANTED["pair"],
        "mappings/tables/staff.csv": PLANTED["url"],
        "exports/2026/audit.jsonl": f'{{"leaf": "{HEX * 2}"}}\n{{"reason": "{PLANTED["vendor"]}"}}',
        "exports/wide.csv": "x" * 65_530 + " " + PLANTED["jwt"],
    }
    for name, text in places.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text, encoding="utf-8")
    (home / "exports/utf16.csv").write_text(f"a;b\n{PLANTED['pair']};c", encoding="utf-16-le")
    with zipfile.ZipFile(home / "exports/audit.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/sharedStrings.xml", f"<t>{PLANTED['aws']}</t>")
    (home / "exports/passwords").symlink_to("/etc/hostname")
    expected = {
        "config/notes.txt:3", "mappings/tables/staff.csv:1", "exports/2026/audit.jsonl:2", "exports/wide.csv:1",
        "exports/utf16.csv:2", "exports/audit.xlsx!xl/sharedStrings.xml:1", "exports/passwords",
    }  # fmt: skip
    found = list(secret_scan.scan(home))
    assert {item.place() for item in found} == expected
    checked = [item for item in check_configuration(home) if item.code == secret_scan.CODE]
    assert {item.place() for item in checked} == expected
    examined = [item for item in examine(home, lambda: open_installation(home)) if item.name == "secrets"]
    assert {item.en.split()[0] for item in examined} == expected
    assert {item.exit_code for item in examined} == {2}
    assert not any(value in str([checked, examined]) for value in PLANTED.values())
    more = home.parent / "elsewhere.txt"
    more.write_text(PLANTED["vendor"], encoding="utf-8")
    assert "elsewhere.txt:1" in {item.place() for item in secret_scan.scan(home, [more])}


@pytest.mark.parametrize(("packing", "head"), [(zipfile.ZIP_DEFLATED, 0), (zipfile.ZIP_LZMA, 4)])
def test_a_damaged_archive_is_named(tmp_path: Path, packing: int, head: int) -> None:
    file = tmp_path / "exports" / "damaged.zip"
    file.parent.mkdir()
    with zipfile.ZipFile(file, "w", packing) as archive:
        archive.writestr("a", "row\n" * 1000)
        begins = 30 + len("a") + head
    octets = bytearray(file.read_bytes())
    octets[begins : begins + 12] = b"\xff" * 12
    file.write_bytes(octets)
    (found,) = secret_scan.scan(tmp_path)
    assert (found.place(), "cannot be read" in found.en) == ("exports/damaged.zip", True)


def test_a_place_that_was_mistyped_is_not_taken_for_clean(tmp_path: Path) -> None:
    (found,) = secret_scan.scan(tmp_path, [tmp_path / "exprots.zip"])
    assert (found.place(), "does not exist" in found.en) == ("exprots.zip", True)


def test_a_file_beyond_the_limit_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_scan, "SIZE_LIMIT", 1000)
    file = tmp_path / "exports" / "large.csv"
    file.parent.mkdir()
    file.write_text("row\n" * 1000, encoding="utf-8")
    (found,) = secret_scan.scan(tmp_path)
    assert (found.place(), "not read" in found.en) == ("exports/large.csv", True)
