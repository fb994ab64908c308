"""Settings: what ships loads; every mistake is named with file and line; a secret is never shown and never accepted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hub.kernel.errors import ConfigInvalid, Problem
from hub.kernel.secrets import SecretMissing, looks_secret, resolve_secret
from hub.kernel.settings import load_settings

SHIPPED = Path(__file__).parents[3] / "config" / "hub.yaml"
PLANTED = "Tr0ub4dor-and-3-longer-secrets-00"


def written(folder: Path, text: str) -> Path:
    (folder / "config").mkdir()
    (folder / "config" / "hub.yaml").write_text(text, encoding="utf-8")
    return folder


def problems_of(folder: Path, text: str) -> list[Problem]:
    with pytest.raises(ConfigInvalid) as refused:
        load_settings(written(folder, text))
    assert PLANTED not in str(refused.value) + repr(refused.value) + repr(refused.value.__cause__)
    assert all(found.en and found.zh for found in refused.value.problems)
    return list(refused.value.problems)


def edited(old: str, new: str) -> str:
    text = SHIPPED.read_text(encoding="utf-8")
    assert old in text
    return text.replace(old, new, 1)


def line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


def test_shipped_file_is_a_production_hub_over_both_systems(tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, SHIPPED.read_text(encoding="utf-8")))
    assert settings.profile == "production"
    assert settings.store.url == "sqlite:///var/hub.db"
    kinds = {name: system.kind for name, system in settings.systems.items()}
    assert kinds == {"zoho": "zoho_crm", "fxiaoke": "fxiaoke"}
    customer = settings.entities["customer"]
    assert customer.systems == customer.prefer == ("zoho", "fxiaoke")
    assert sorted(settings.entities) == ["complaint", "contact_log", "customer"]
    for entity in settings.entities.values():
        assert (entity.systems, entity.guards) == (customer.systems, customer.guards)
        assert (entity.on_delete, entity.guards.first_sync_needs_release) == ("detach", True)
    assert settings.path("keys/hub.key") == tmp_path / "keys" / "hub.key"
    assert settings.digest.startswith("sha256:")


def test_repr_shows_no_credential_reference(tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, SHIPPED.read_text(encoding="utf-8")))
    assert "ZOHO_CLIENT_SECRET" not in repr(settings)


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("language: zh", "langauge: zh", "langauge"),
        ("profile: production", "profile: prod", "profile"),
        ("  id: my-bank", "  id: My Bank", "installation.id"),
        ("    deletions_every_seconds: 3600", "    deletions_every_seconds: hourly", "deletions_every_seconds"),
        ("on_delete: detach", "on_delete: remove", "on_delete"),
        ("first_sync_needs_release: true", "first_sync_needs_release: 'yes'", "first_sync_needs_release"),
        ("{count: 20, percent: 5.0}", "{count: 20, percent: 500}", "max_deletes.percent"),
        ("    systems: [zoho, fxiaoke]", "    systems: [zoho, erp]", "entities.customer.systems"),
        ("    prefer: [zoho, fxiaoke]", "    prefer: [zoho, zoho]", "entities.customer.prefer"),
        ("https://open.fxiaoke.com", "http://open.fxiaoke.com", "base_url"),
        ("  url: sqlite:///var/hub.db", "  url: mysql://db/crm", "store.url"),
        ("  url: sqlite:///var/hub.db", "  url: postgresql+psycopg://crm@db.example/crm", "store.url"),
        ("  url: sqlite:///var/hub.db", f"  url: postgresql+psycopg://u:{PLANTED}@localhost/crm", "store.url"),
        ("client_secret: env:ZOHO_CLIENT_SECRET", f"client_secret: {PLANTED}", "credentials.client_secret"),
        ("app_id: FSAID_your_app", f"app_id: {PLANTED}x", "settings.app_id"),
        ("app_id: FSAID_your_app", "app_secret: open-sesame", "settings.app_secret"),
        ("  fxiaoke:\n", "  Fxiaoke CRM:\n", "systems"),
    ],
)
def test_mistake_is_named_with_its_line(tmp_path: Path, old: str, new: str, key: str) -> None:
    text = edited(old, new)
    found = [p for p in problems_of(tmp_path, text) if key in p.en]
    assert found
    assert found[0].line == line_of(text, new.strip())
    assert found[0].file.endswith("config/hub.yaml")


def test_all_mistakes_are_listed_at_once(tmp_path: Path) -> None:
    text = edited("language: zh", "langauge: zh").replace("    prefer: [zoho, fxiaoke]", "    prefer: [erp]", 1)
    found = problems_of(tmp_path, text.replace("  id: my-bank\n", ""))
    assert [p.line for p in found] == sorted(p.line or 0 for p in found)
    assert len(found) == 3


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("profile: [", "HUB-YAML-001"),
        ("profile: lab\nprofile: lab\n", "HUB-YAML-001"),
        ("- a\n", "HUB-YAML-003"),
        ("store: &s {url: a}\nkeys: *s\n", "HUB-YAML-004"),
        ("name: " + "x" * 300_000, "HUB-YAML-002"),
    ],
)
def test_file_that_is_not_plain_yaml_is_refused(tmp_path: Path, text: str, code: str) -> None:
    assert [p.code for p in problems_of(tmp_path, text)] == [code]


def test_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="crmhub init"):
        load_settings(tmp_path)


def test_store_address_is_absolute_and_carries_the_resolved_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRMHUB_TEST_SECRET", "p@ss/word")
    text = SHIPPED.read_text(encoding="utf-8")
    settings = load_settings(written(tmp_path, text))
    assert settings.store_url() == f"sqlite:///{tmp_path}/var/hub.db"
    text = edited(
        "  url: sqlite:///var/hub.db",
        "  url: postgresql+psycopg://crm@db.example:5432/crm?sslmode=verify-full\n  password: env:CRMHUB_TEST_SECRET",
    )
    (tmp_path / "config" / "hub.yaml").write_text(text, encoding="utf-8")
    settings = load_settings(tmp_path)
    assert settings.store_url() == "postgresql+psycopg://crm:p%40ss%2Fword@db.example:5432/crm?sslmode=verify-full"
    assert "p@ss" not in repr(settings)


def test_lab_admits_http_on_this_machine(tmp_path: Path) -> None:
    text = edited("https://open.fxiaoke.com", "http://127.0.0.1:8080").replace("profile: production", "profile: lab")
    assert load_settings(written(tmp_path, text)).profile == "lab"


@pytest.mark.parametrize("value", ["FSUID_0123456789abcdef0123456789ABCDEF", "Accounts", "https://crm.example/v8", ""])
def test_ids_and_addresses_are_not_taken_for_secrets(value: str) -> None:
    assert not looks_secret(value)


@pytest.mark.parametrize("value", ["1000.0123456789abcdef0123456789abcdef.fedcba98", "a1" * 20, "-----BEGIN KEY"])
def test_tokens_and_keys_look_secret(value: str) -> None:
    assert looks_secret(value)


def test_secret_comes_from_variable_or_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRMHUB_TEST_SECRET", "from-env")
    place = tmp_path / "keys" / "token"
    place.parent.mkdir()
    place.write_text("from-file\n")
    place.chmod(0o600)
    assert resolve_secret("env:CRMHUB_TEST_SECRET", tmp_path) == "from-env"
    assert resolve_secret("file:keys/token", tmp_path) == "from-file"
    assert resolve_secret(f"file:{place}", tmp_path) == "from-file"


def test_absent_empty_or_open_secret_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CRMHUB_TEST_SECRET", raising=False)
    with pytest.raises(SecretMissing, match="CRMHUB_TEST_SECRET"):
        resolve_secret("env:CRMHUB_TEST_SECRET", tmp_path)
    with pytest.raises(SecretMissing, match="cannot be read"):
        resolve_secret("file:absent", tmp_path)
    place = tmp_path / "open"
    place.write_text(PLANTED)
    place.chmod(0o644)
    with pytest.raises(SecretMissing, match="chmod") as refused:
        resolve_secret("file:open", tmp_path)
    assert PLANTED not in str(refused.value)
    os.truncate(place, 0)
    place.chmod(0o600)
    with pytest.raises(SecretMissing, match="empty"):
        resolve_secret("file:open", tmp_path)
    with pytest.raises(SecretMissing) as refused:
        resolve_secret(PLANTED, tmp_path)
    assert PLANTED not in str(refused.value)


def test_the_store_keeps_credentials_of_systems(tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, SHIPPED.read_text(encoding="utf-8")))
    assert settings.systems["zoho"].credentials["refresh_token"] == "stored"
    with pytest.raises(SecretMissing):
        resolve_secret("stored", tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "key", "said"),
    [
        ("  url: sqlite:///var/hub.db", "  url: sqlite:///var/hub.db\n  password: stored", "store.password", False),
        ("refresh_token: stored", "refresh_token: Stored", "credentials.refresh_token", True),
    ],
)
def test_the_store_keeps_not_its_own_password(tmp_path: Path, old: str, new: str, key: str, said: bool) -> None:
    [found] = problems_of(tmp_path, edited(old, new))
    assert key in found.en
    assert ("or stored" in found.en) is said
