"""The file provider: the contract, and the matrix of files it refuses."""

from __future__ import annotations

import os
import stat
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from provider_contract import ProviderContract

from hub.crypto.provider import KeyProvider
from hub.kernel.errors import KeyUnusable
from hub.keys.file import FileKeyProvider


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "hub.key"


@pytest.fixture
def provider(path: Path) -> FileKeyProvider:
    return FileKeyProvider.create(path)


class TestContract(ProviderContract):
    @pytest.fixture
    def other(self, tmp_path: Path) -> FileKeyProvider:
        return FileKeyProvider.create(tmp_path / "other.key")

    def take_away(self, provider: KeyProvider) -> None:
        assert isinstance(provider, FileKeyProvider)
        provider._path.rename(provider._path.with_suffix(".away"))

    def bring_back(self, provider: KeyProvider) -> None:
        assert isinstance(provider, FileKeyProvider)
        provider._path.with_suffix(".away").rename(provider._path)


def _refused(code: str, act: Callable[[], object]) -> KeyUnusable:
    with pytest.raises(KeyUnusable) as raised:
        act()
    error = raised.value
    assert error.code == f"HUB-KEY-{code}"
    assert error.exit_code == 4
    assert ";" in error.en
    assert "；" in error.zh
    return error


def test_a_new_file_is_ours_alone_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        FileKeyProvider.create(path)
    finally:
        os.umask(before)
    status = path.stat()
    assert stat.S_IMODE(status.st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert status.st_uid == os.geteuid()
    assert len(b64decode(path.read_bytes())) == 32


def test_reading_again_gives_the_same_key(path: Path, provider: FileKeyProvider) -> None:
    again = FileKeyProvider(path)
    assert again.kek_id() == provider.kek_id()
    assert again.unwrap(provider.wrap(b"k" * 32, b"c"), b"c") == b"k" * 32


def test_an_existing_file_is_never_replaced(path: Path, provider: FileKeyProvider) -> None:
    before = path.read_bytes()
    _refused("005", lambda: FileKeyProvider.create(path))
    assert path.read_bytes() == before


def test_a_dangling_link_is_not_written_through(tmp_path: Path) -> None:
    link = tmp_path / "link.key"
    link.symlink_to(tmp_path / "target")
    _refused("005", lambda: FileKeyProvider.create(link))
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_modes_that_keep_others_out_pass(path: Path, provider: FileKeyProvider, mode: int) -> None:
    path.chmod(mode)
    assert FileKeyProvider(path).kek_id() == provider.kek_id()


@pytest.mark.parametrize("bit", [0o040, 0o020, 0o010, 0o004, 0o002, 0o001])
def test_any_access_of_others_is_refused(path: Path, provider: FileKeyProvider, bit: int) -> None:
    path.chmod(0o600 | bit)
    error = _refused("002", lambda: FileKeyProvider(path))
    assert f"chmod 600 {path}" in error.en
    assert f"chmod 600 {path}" in error.zh
    assert not provider.health().ok


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(path: Path, provider: FileKeyProvider) -> None:
    os.chown(path, 12345, -1)
    assert "12345" in _refused("002", lambda: FileKeyProvider(path)).en


def test_a_link_is_refused(tmp_path: Path, path: Path, provider: FileKeyProvider) -> None:
    link = tmp_path / "link.key"
    link.symlink_to(path)
    assert "symbolic link" in _refused("002", lambda: FileKeyProvider(link)).en


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    _refused("002", lambda: FileKeyProvider(pipe))
    _refused("002", lambda: FileKeyProvider(tmp_path))


def test_a_missing_file_names_the_remedy(path: Path) -> None:
    assert "crmhub init" in _refused("001", lambda: FileKeyProvider(path)).en


def test_a_place_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    _refused("001", lambda: FileKeyProvider.create(tmp_path / "file" / "hub.key"))


@pytest.mark.parametrize(
    "place", ["data/hub.key", "data/deep/hub.key", "backup/hub.key", "x/../data/hub.key", "alias/hub.key"]
)
def test_inside_data_or_backup_is_refused(tmp_path: Path, place: str) -> None:
    forbidden = [tmp_path / "data", tmp_path / "backup"]
    for directory in forbidden:
        directory.mkdir()
    (tmp_path / "x").mkdir()
    (tmp_path / "alias").symlink_to(tmp_path / "data")
    _refused("003", lambda: FileKeyProvider.create(tmp_path / place, forbidden))
    assert not (tmp_path / place).exists()
    FileKeyProvider.create(tmp_path / place)
    _refused("003", lambda: FileKeyProvider(tmp_path / place, forbidden))


def test_beside_a_directory_of_like_name_is_fine(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    assert FileKeyProvider.create(tmp_path / "data-keys" / "hub.key", [tmp_path / "data"]).health().ok


@pytest.mark.parametrize(
    "text",
    [b"", b"\n", b"not base64!", b64encode(b"x" * 31), b64encode(b"x" * 33), b"x" * 32, b64encode(b"x" * 32) * 9],
)
def test_what_is_no_key_is_refused_without_showing_it(path: Path, text: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(text)
    path.chmod(0o600)
    error = _refused("004", lambda: FileKeyProvider(path))
    assert not text.strip() or text.decode() not in str(error)


def test_health_notices_another_key(tmp_path: Path, path: Path, provider: FileKeyProvider) -> None:
    FileKeyProvider.create(tmp_path / "new.key")
    (tmp_path / "new.key").replace(path)
    assert "another key" in provider.health().reason.en


def test_nothing_shows_the_key(path: Path, provider: FileKeyProvider) -> None:
    key = path.read_text().strip()
    for text in (repr(provider), str(provider.health()), provider.kek_id()):
        assert key not in text
        assert b64decode(key).hex()[:16] not in text
