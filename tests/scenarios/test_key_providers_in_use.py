"""An installation moves from its key file into Vault, outlives a sealed Vault, and starts from a passphrase."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from vault_server import Transit, serving_transit

from hub.app import initialise, open_installation, prepare
from hub.kernel.errors import KeyUnusable
from hub.kernel.settings import FILE
from hub.operations.health import examine
from hub.operations.installation import Installation
from hub.operations.keys import list_keys, rewrap_keys
from hub.store.key_rows import key_rows

FILE_KEY = "keys:\n  provider: file\n  path: keys/hub.key\n"


@pytest.fixture
def vault() -> Iterator[Transit]:
    with serving_transit() as server:
        yield server


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return initialise(tmp_path / "hub")


def configure(home: Path, keys: str) -> None:
    file = home / FILE
    before, _, after = file.read_text(encoding="utf-8").partition("keys:")
    rest = after[after.index("\n\n") :]
    text = before.replace("profile: production", "profile: lab") + keys.rstrip() + rest
    file.write_text(text, encoding="utf-8")


def opened(home: Path) -> Installation:
    return open_installation(home, threads=False)


def kek_ids(hub: Installation) -> set[str]:
    with hub.store.read() as conn:
        return {row.kek_id for row in key_rows(conn)}


def test_the_data_keys_move_from_the_key_file_into_vault_and_follow_its_rotation(home: Path, vault: Transit) -> None:
    configure(home, FILE_KEY)
    prepare(home)
    (home / "token").write_text("hvs.test\n")
    (home / "token").chmod(0o600)
    in_vault = f"keys:\n  provider: vault\n  url: {vault.url}\n  key: crmhub\n  secret: file:token\n"
    configure(home, in_vault + "  also: [{provider: file, path: keys/hub.key}]\n")
    hub = opened(home)
    try:
        assert rewrap_keys(hub, "into the vault") > 0
        assert kek_ids(hub) == {"vault:transit/crmhub:v1"}
        assert [item.ok for item in list_keys(hub).providers] == [True, True]
    finally:
        hub.close()
    configure(home, in_vault)
    (home / "keys" / "hub.key").unlink()
    hub = opened(home)
    try:
        vault.rotate("crmhub")
        rewrap_keys(hub, "rotated in the vault")
        assert kek_ids(hub) == {"vault:transit/crmhub:v2"}
        vault.sealed = True
        found = {item.name: item for item in examine(home, lambda: opened(home))}
        assert (found["store"].ok, found["store"].exit_code) == (False, 4)
        assert "HUB-KEY-013" in found["store"].en
        assert [item.ok for item in list_keys(hub).providers] == [False]
    finally:
        hub.close()
    with pytest.raises(KeyUnusable):
        opened(home)
    vault.sealed = False
    findings = examine(home, lambda: opened(home))
    assert [item for item in findings if item.exit_code] == []
    keys = [item for item in findings if item.name == "key"]
    assert [item.ok for item in keys] == [True, True]
    assert "vault:transit/crmhub:v2" in keys[1].en
    assert "hvs.test" not in _whole(home)


def test_a_hub_starts_from_a_passphrase_in_a_mounted_secret(home: Path) -> None:
    configure(home, "keys:\n  provider: passphrase\n  secret: file:phrase\n")
    (home / "phrase").write_text("five words nobody guesses\n")
    (home / "phrase").chmod(0o600)
    prepare(home)
    assert not (home / "keys" / "hub.key").exists()
    hub = opened(home)
    try:
        assert {item.partition(":")[0] for item in kek_ids(hub)} == {"passphrase"}
    finally:
        hub.close()
    (home / "keys" / "passphrase.json").unlink()
    # What made the store is gone: it is never made anew for a store that is there.
    with pytest.raises(KeyUnusable) as raised:
        prepare(home)
    assert raised.value.code == "HUB-KEY-012"


def _whole(home: Path) -> str:
    engine = sa.create_engine(f"sqlite:///{home / 'var' / 'hub.db'}")
    try:
        with engine.connect() as conn:
            names = sa.inspect(conn).get_table_names()
            return "".join(str(conn.execute(sa.text(f'select * from "{name}"')).all()) for name in names)
    finally:
        engine.dispose()
