"""The key providers beside the file: each passes the one contract, and what is its own."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import tomllib
from base64 import b64encode
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from audit_lab import HandClock
from pkcs11 import Attribute
from pkcs11.exceptions import AttributeSensitive
from provider_contract import ProviderContract
from vault_server import Transit, serving_transit

from hub.app import initialise, key_service
from hub.crypto.errors import ProviderAway, WrongKey
from hub.crypto.provider import KeyProvider
from hub.crypto.suites import Suite
from hub.crypto.wrapping import new_key
from hub.kernel.errors import KeyUnusable
from hub.kernel.settings import FILE, KeySource, Settings, Transport, load_settings
from hub.keys.device import DeviceKeyProvider
from hub.keys.keyring import TTL, Keyring
from hub.keys.opening import SHIPPED, find, open_provider
from hub.keys.passphrase import PassphraseKeyProvider
from hub.keys.plugin import Around, Send
from hub.keys.secret import SecretKeyProvider
from hub.keys.vault import VaultKeyProvider

SOFTHSM = next(
    (
        place
        for place in map(Path, ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so"))
        if place.exists()
    ),
    None,
)


def _nowhere(source: KeySource) -> Send:
    raise AssertionError("this provider calls nothing")


def around(home: Path, suite: Suite = Suite.XAES_256_GCM, ask: Callable[[], str] | None = None) -> Around:
    return Around(home, (home / "var",), suite, _nowhere, ask)


def refused(code: str, act: Callable[[], object]) -> KeyUnusable:
    with pytest.raises(KeyUnusable) as raised:
        act()
    assert (raised.value.code, raised.value.exit_code) == (f"HUB-KEY-{code}", 4)
    assert raised.value.en != raised.value.zh
    return raised.value


def write_secret(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o400)
    return path


# A mounted secret, or a variable.


def _mounted(home: Path, name: str) -> SecretKeyProvider:
    write_secret(home / name, b64encode(new_key()).decode() + "\n")
    provider = open_provider(KeySource(provider="env", secret=f"file:{name}"), around(home))
    assert isinstance(provider, SecretKeyProvider)
    return provider


class TestMountedSecret(ProviderContract):
    @pytest.fixture
    def provider(self, tmp_path: Path) -> SecretKeyProvider:
        self.path = tmp_path / "kek"
        return _mounted(tmp_path, "kek")

    @pytest.fixture
    def other(self, tmp_path: Path) -> SecretKeyProvider:
        return _mounted(tmp_path, "other")

    def take_away(self, provider: KeyProvider) -> None:
        self.path.rename(self.path.with_suffix(".away"))

    def bring_back(self, provider: KeyProvider) -> None:
        self.path.with_suffix(".away").rename(self.path)

    def test_another_secret_in_its_place_is_noticed(self, tmp_path: Path, provider: SecretKeyProvider) -> None:
        self.path.unlink()
        _mounted(tmp_path, "kek")
        assert "keys.also" in provider.health().reason.en


def test_a_variable_is_read_once_and_taken_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = b64encode(new_key()).decode()
    monkeypatch.setenv("CRMHUB_TEST_KEK", text)
    source = KeySource(provider="env", secret="env:CRMHUB_TEST_KEK")
    first = open_provider(source, around(tmp_path))
    assert "CRMHUB_TEST_KEK" not in os.environ
    assert text not in subprocess.run(["env"], capture_output=True, text=True, check=True).stdout
    assert open_provider(source, around(tmp_path)).kek_id() == first.kek_id()
    assert first.health().ok


def test_a_secret_that_is_no_key_is_refused_without_showing_it(tmp_path: Path) -> None:
    write_secret(tmp_path / "kek", "correct horse")
    error = refused("011", lambda: open_provider(KeySource(provider="env", secret="file:kek"), around(tmp_path)))
    assert "horse" not in error.en + error.zh
    (tmp_path / "kek").chmod(0o444)
    refused("011", lambda: open_provider(KeySource(provider="env", secret="file:kek"), around(tmp_path)))
    (tmp_path / "var").mkdir()
    inside = KeySource(provider="env", secret="file:var/kek")
    assert "inside" in refused("011", lambda: open_provider(inside, around(tmp_path))).en


# A passphrase.

PHRASE, OTHER_PHRASE = "five words nobody guesses", "another five words to guess"


class TestPassphrase(ProviderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def provider(cls, tmp_path_factory: pytest.TempPathFactory) -> PassphraseKeyProvider:
        return PassphraseKeyProvider.create(tmp_path_factory.mktemp("pass") / "a.json", PHRASE)

    @pytest.fixture(scope="class")
    @classmethod
    def other(cls, tmp_path_factory: pytest.TempPathFactory) -> PassphraseKeyProvider:
        return PassphraseKeyProvider.create(tmp_path_factory.mktemp("pass") / "b.json", PHRASE)

    def take_away(self, provider: KeyProvider) -> None:
        assert isinstance(provider, PassphraseKeyProvider)
        provider._path.rename(provider._path.with_suffix(".away"))

    def bring_back(self, provider: KeyProvider) -> None:
        assert isinstance(provider, PassphraseKeyProvider)
        provider._path.with_suffix(".away").rename(provider._path)


def test_a_passphrase_is_asked_for_and_its_file_says_how_it_is_used(tmp_path: Path) -> None:
    source, answers = KeySource(provider="passphrase"), iter([PHRASE, PHRASE, PHRASE, OTHER_PHRASE])
    there = around(tmp_path, ask=answers.__next__)
    made = open_provider(source, there, create=True)
    path = tmp_path / "keys" / "passphrase.json"
    body = json.loads(path.read_text())
    assert (body["kdf"], body["memory"], body["passes"], body["lanes"]) == ("argon2id", 65536, 3, 4)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert open_provider(source, there).kek_id() == made.kek_id()
    assert "passphrase" in refused("012", lambda: open_provider(source, there)).en
    refused("010", lambda: open_provider(source, around(tmp_path)))


@pytest.mark.parametrize(
    "change",
    [{"memory": 1024}, {"passes": 99}, {"lanes": "4"}, {"kdf": "md5"}, {"salt": "AAAA"}, {"check": None}],
)
def test_a_weakened_or_damaged_recipe_is_refused_before_the_passphrase_is_used(
    tmp_path: Path, change: dict[str, object]
) -> None:
    octets = b64encode(bytes(16)).decode(), b64encode(bytes(32)).decode()
    body = {"kdf": "argon2id", "memory": 65536, "passes": 3, "lanes": 4, "salt": octets[0], "check": octets[1]}
    (tmp_path / "p.json").write_text(json.dumps(body | change))
    refused("012", lambda: PassphraseKeyProvider(tmp_path / "p.json", PHRASE))


def test_a_short_passphrase_makes_nothing(tmp_path: Path) -> None:
    refused("012", lambda: PassphraseKeyProvider.create(tmp_path / "p.json", "short"))
    answers = iter([PHRASE, OTHER_PHRASE])
    there = around(tmp_path, ask=answers.__next__)
    refused("012", lambda: open_provider(KeySource(provider="passphrase", path="p.json"), there, create=True))
    assert not (tmp_path / "p.json").exists()


# Vault's Transit engine.


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = initialise(tmp_path_factory.mktemp("hub") / "home")
    file = home / FILE
    file.write_text(file.read_text().replace("profile: production", "profile: lab"))
    write_secret(home / "token", "hvs.test\n")
    return load_settings(home)


@pytest.fixture(scope="module")
def vault() -> Iterator[Transit]:
    with serving_transit() as server:
        yield server


def _vault(settings: Settings, server: Transit, key: str = "crmhub", **more: object) -> VaultKeyProvider:
    narrow = Transport(connect_timeout=30, read_timeout=30, deadline=30)
    values = {"provider": "vault", "url": server.url, "key": key, "secret": "file:token", "http": narrow, **more}
    source = KeySource.model_validate(values)
    there = Around(settings.home, (), Suite.XAES_256_GCM, lambda item: key_service(settings, item))
    provider = open_provider(source, there)
    assert isinstance(provider, VaultKeyProvider)
    return provider


class TestVault(ProviderContract):
    every, rounds = 7, 2

    @pytest.fixture(scope="class")
    @classmethod
    def provider(cls, settings: Settings, vault: Transit) -> VaultKeyProvider:
        cls.server = vault
        return _vault(settings, vault)

    @pytest.fixture(scope="class")
    @classmethod
    def other(cls, settings: Settings, vault: Transit) -> VaultKeyProvider:
        return _vault(settings, vault, "other")

    server: Transit

    def take_away(self, provider: KeyProvider) -> None:
        self.server.sealed = True

    def bring_back(self, provider: KeyProvider) -> None:
        self.server.sealed = False

    def rotate(self, provider: KeyProvider, other: KeyProvider) -> KeyProvider:
        before = provider.kek_id()
        self.server.rotate("crmhub")
        assert provider.kek_id() == before
        assert provider.health().ok
        return provider


def test_vault_keeps_its_version_in_the_name_and_old_ones_open_until_vault_ends_them(settings: Settings) -> None:
    with serving_transit() as server:
        provider = _vault(settings, server, namespace="bank")
        assert provider.kek_id() == "vault:transit/crmhub:v1"
        old = provider.wrap(new_key(), b"context")
        assert old.startswith(b"vault:v1:")
        assert server.seen[-1]["X-Vault-Namespace"] == "bank"
        server.rotate("crmhub")
        # Until it has noticed, it wraps under the version that it names.
        assert provider.wrap(new_key(), b"context").startswith(b"vault:v1:")
        assert provider.health().ok
        assert provider.kek_id() == "vault:transit/crmhub:v2"
        assert provider.wrap(new_key(), b"context").startswith(b"vault:v2:")
        assert provider.opens("vault:transit/crmhub:v1")
        server.oldest = 2
        assert provider.health().ok
        assert not provider.opens("vault:transit/crmhub:v1")
        with pytest.raises(KeyUnusable) as raised:
            provider.unwrap(old, b"context")
        assert not isinstance(raised.value, WrongKey)
        assert [provider.opens(f"vault:transit/{name}") for name in ("crmhub:v3", "other:v2", "crmhub:v", "")] == [
            False
        ] * 4


def test_keys_are_given_up_when_vault_ends_the_version_that_wrapped_them(settings: Settings) -> None:
    clock = HandClock(1_790_000_000.0)
    with serving_transit() as server:
        provider = _vault(settings, server)
        ring = Keyring.load(provider, "bank", Keyring.bootstrap(provider, "bank", count(1).__next__, 0.0), clock=clock)
        before = ring.digest(b"x")
        server.rotate("crmhub")
        server.oldest = 2
        assert ring.prove().ok  # it was asked of what it last saw
        assert not ring.prove().ok
        assert ring.digest(b"x") == before
        clock.at += TTL + 1
        with pytest.raises(ProviderAway):
            ring.digest(b"x")
        assert ring.given_up
        server.oldest = 1
        clock.at += 6
        with pytest.raises(ProviderAway):  # notices that the version is back
            ring.digest(b"x")
        clock.at += 6
        assert ring.digest(b"x") == before


def test_what_vault_refuses_names_the_remedy(settings: Settings) -> None:
    with serving_transit() as server:
        assert "vault write -f" in refused("013", lambda: _vault(settings, server, "absent")).en
        server.token = "hvs.renewed"
        error = refused("013", lambda: _vault(settings, server))
        assert "token" in error.en
        assert "hvs." not in error.en + error.zh
        server.token, server.kind = "hvs.test", "rsa-4096"
        assert "aes256-gcm96" in refused("013", lambda: _vault(settings, server)).en


def test_a_vault_that_does_not_answer_is_given_up_within_its_bounds(settings: Settings) -> None:
    with serving_transit() as server:
        provider = _vault(settings, server, http=Transport(read_timeout=0.2))
        wrapped = provider.wrap(new_key(), b"context")
        server.hold.clear()
        refused("013", lambda: provider.unwrap(wrapped, b"context"))
        assert not provider.health().ok
        server.hold.set()
        assert len(provider.unwrap(wrapped, b"context")) == 32


def test_vault_is_reached_by_https_only_outside_the_lab(settings: Settings, vault: Transit) -> None:
    production = settings.model_copy(update={"profile": "production"})
    assert "keys.url" in refused("013", lambda: _vault(production, vault)).en


# A device, by SoftHSM.


@pytest.fixture(scope="module")
def softhsm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    if SOFTHSM is None:
        if os.environ.get("REQUIRE_ALL") == "1":
            pytest.fail("REQUIRE_ALL=1, and SoftHSM is not installed: apt-get install softhsm2")
        pytest.skip("SoftHSM is not installed: apt-get install softhsm2")
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(folder / "softhsm2.conf"))
        for label in ("crmhub", "locked"):
            made = ["softhsm2-util", "--init-token", "--free", "--label", label, "--pin", "4711", "--so-pin", "0815"]
            subprocess.run(made, check=True, capture_output=True)
        write_secret(folder / "pin", "4711\n")
        yield folder


def _device(folder: Path, key: str, *, device: str = "crmhub", create: bool = True) -> DeviceKeyProvider:
    source = KeySource(provider="pkcs11", module=str(SOFTHSM), device=device, key=key, secret="file:pin")
    provider = open_provider(source, around(folder), create)
    assert isinstance(provider, DeviceKeyProvider)
    return provider


class TestDevice(ProviderContract):
    @pytest.fixture(scope="class")
    @classmethod
    def provider(cls, softhsm: Path) -> DeviceKeyProvider:
        cls.tokens = softhsm / "tokens"
        return _device(softhsm, "first")

    @pytest.fixture(scope="class")
    @classmethod
    def other(cls, softhsm: Path) -> DeviceKeyProvider:
        return _device(softhsm, "second")

    tokens: Path

    def take_away(self, provider: KeyProvider) -> None:
        self.tokens.rename(self.tokens.with_suffix(".away"))

    def bring_back(self, provider: KeyProvider) -> None:
        self.tokens.with_suffix(".away").rename(self.tokens)


def test_a_key_in_the_device_never_leaves_it_and_is_made_only_by_init(softhsm: Path) -> None:
    assert "crmhub init" in refused("014", lambda: _device(softhsm, "third", create=False)).en
    made = _device(softhsm, "third")
    assert _device(softhsm, "third").kek_id() == made.kek_id()
    assert made.kek_id().startswith("pkcs11:third:")
    assert made.capabilities().hsm
    assert not made.capabilities().exportable
    assert (made._key[Attribute.SENSITIVE], made._key[Attribute.EXTRACTABLE]) == (True, False)
    with pytest.raises(AttributeSensitive):
        made._key[Attribute.VALUE]


def test_a_refused_pin_is_tried_once(softhsm: Path) -> None:
    provider = _device(softhsm, "fourth", device="locked")
    wrapped = provider.wrap(new_key(), b"context")
    provider._library.drop()
    asked: list[str] = []
    provider._pin = lambda: asked.append("") or "0000"  # type: ignore[func-returns-value]
    for _ in range(3):
        assert "PIN" in refused("014", lambda: provider.unwrap(wrapped, b"context")).en
    assert len(asked) == 1


def test_a_device_that_is_not_there_is_named(softhsm: Path) -> None:
    assert "absent" in refused("014", lambda: _device(softhsm, "first", device="absent")).en
    source = KeySource(provider="pkcs11", module="/absent.so", device="crmhub", key="first", secret="file:pin")
    refused("014", lambda: open_provider(source, around(softhsm)))


# The plug-ins.


def test_the_shipped_providers_are_the_entry_points() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["crmhub.key_providers"] == dict(SHIPPED)
    assert all(callable(find(name)) for name in SHIPPED)


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ({"provider": "nowhere"}, "010"),
        ({"provider": "env"}, "010"),
        ({"provider": "env", "secret": "env:CRMHUB_NOT_SET"}, "011"),
        ({"provider": "vault"}, "010"),
        ({"provider": "pkcs11"}, "010"),
        ({"provider": "pkcs11", "secret": "file:pin"}, "010"),
    ],
)
def test_what_a_provider_lacks_is_named(tmp_path: Path, source: dict[str, str], code: str) -> None:
    refused(code, lambda: open_provider(KeySource.model_validate(source), around(tmp_path)))


def test_a_provider_that_wraps_by_aes_is_refused_under_the_sm4_suite(settings: Settings, vault: Transit) -> None:
    source = KeySource(provider="vault", url=vault.url, key="crmhub", secret="file:token")
    there = Around(settings.home, (), Suite.SM4_GCM, lambda item: key_service(settings, item))
    assert "sm4" in refused("010", lambda: open_provider(source, there)).en
