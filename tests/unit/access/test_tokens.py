"""API tokens: how far they reach, when they end, what they may never do, and what is kept of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa
from door_kit import House, open_house, prepare, sql

from hub.access import actor as actors
from hub.access import tokens
from hub.access.authorize import Denied, authorize
from hub.access.tokens import Wanted, checked
from hub.crypto.bearer import ApiToken, new_api_token, read_api_token
from hub.kernel.errors import Declined
from hub.store import api_tokens, credentials, users
from hub.store.signin_tables import api_token


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    url = f"sqlite:///{tmp_path_factory.mktemp('tokens') / 'hub.db'}"
    prepare(url)
    made = open_house(url)
    yield made
    made.store.engine.dispose()


def make(house: House, user: users.User, **wanted: object) -> str:
    asked = checked(Wanted(**{"name": "nightly", "days": 30, **wanted}))  # type: ignore[arg-type]
    pepper = credentials.pepper(house.store)
    with house.store.begin() as work:
        return tokens.make(work, pepper, actors.person(user, auth="password+totp"), asked)[1].text


def present(house: House, text: str, ip: str = "10.1.1.1") -> tokens.Presented:
    with house.store.read() as conn:
        found = tokens.present(conn, house.store.ring, text, house.clock.now(), ip)
    tokens.note(house.store, found)
    return found


def why(house: House, text: str, ip: str = "10.1.1.1") -> str | None:
    return present(house, text, ip).why


def test_a_token_acts_for_its_person_within_its_bounds(house: House) -> None:
    user = house.person("ops1", "operator")
    text = make(house, user, only=("status.read", "sync.run"), branch="/010/")
    who = present(house, text).who
    assert who is not None
    assert (who.id, who.auth, who.branch) == (user.user_id, "token", "/010/")
    assert authorize(who, "sync.run", now=house.clock.at)
    with pytest.raises(Denied, match="does not cover"):
        authorize(who, "sync.pause", now=house.clock.at)


def test_no_token_does_what_asks_for_its_person(house: House) -> None:
    text = make(house, house.person("sec1", "security_admin"))
    who = present(house, text).who
    assert who is not None
    for action in tokens.BY_PERSON_ONLY:
        with pytest.raises(Denied, match="does not cover"):
            authorize(who, action, now=house.clock.at)
        with pytest.raises(Declined, match="no token may have"):
            checked(Wanted("x", 1, (action,)))
    assert authorize(who, "key.read", now=house.clock.at)


def test_a_token_ends_and_says_so_once(house: House) -> None:
    text = make(house, house.person("ops2", "operator"), days=2)
    house.clock.at += 2 * 86_400 - 1
    assert why(house, text) is None
    house.clock.at += 1
    before = len(house.acts())
    assert why(house, text) == why(house, text) == "expired"
    assert [act for act, _ in house.acts()[before:]] == ["token.expired", "token.refused"]


def test_a_revoked_token_and_one_from_elsewhere_open_nothing(house: House) -> None:
    user = house.person("ops3", "operator")
    text = make(house, user, networks=("10.1.0.0/16", "2001:db8::/32"))
    assert why(house, text, "10.1.200.3") is None
    for elsewhere in ("10.2.0.1", "127.0.0.1", "", "::ffff:10.1.0.1"):
        assert why(house, text, elsewhere) == "network"
    with house.store.begin() as work:
        assert api_tokens.revoke(work, text[4:12], "sec")
        assert not api_tokens.revoke(work, text[4:12], "sec")
    assert why(house, text, "10.1.200.3") == "revoked"


def test_a_disabled_person_acts_by_no_token(house: House) -> None:
    user = house.person("ops4", "operator")
    text = make(house, user)
    with house.store.begin() as work:
        users.set_state(work, users.load(work.conn, work.ring, [user.user_id])[user.user_id], users.DISABLED)
    who = present(house, text).who
    assert who is not None
    with pytest.raises(Denied):
        authorize(who, "status.read", now=house.clock.at)


def test_the_first_use_is_audited_and_the_last_one_kept(house: House) -> None:
    text = make(house, house.person("ops5", "operator"))
    for _ in range(3):
        assert why(house, text) is None
        house.clock.at += 61
    assert [act for act, _ in house.acts()].count("token.first_use") >= 1
    with house.store.read() as conn:
        row = api_tokens.get(conn, text[4:12])
    assert row is not None
    assert row.used_at == house.clock.at - 61


@pytest.mark.parametrize(
    "change",
    [
        {"expires_at": 1e12},
        {"only": None},
        {"branch": "/"},
        {"networks": "[]"},
        {"user_id": "other"},
        {"made_at": 0.0},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_token_whose_bounds_sql_changed_opens_nothing(house: House, change: dict[str, object]) -> None:
    name = f"f{next(iter(change))}"
    text = make(house, house.person(name, "operator"), only=("status.read",), branch="/010/", networks=("10.0.0.0/8",))
    if "user_id" in change:
        change = {"user_id": house.person("admin9", "security_admin").user_id}
    sql(house, api_token.update().where(api_token.c.token_id == text[4:12]).values(**change))
    assert why(house, text) == "unknown"


def test_the_secret_of_a_token_is_nowhere_in_the_store(house: House) -> None:
    text = make(house, house.person("ops6", "operator"))
    secret = text[13:56]
    with house.store.engine.connect() as conn:
        for table in sa.inspect(house.store.engine).get_table_names():
            for row in conn.execute(sa.text(f'SELECT * FROM "{table}"')):
                assert not any(secret.encode() in (v if isinstance(v, bytes) else str(v).encode()) for v in row)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"days": 91}, "1 to 90 days"),
        ({"days": 0}, "1 to 90 days"),
        ({"name": " "}, "name the token"),
        ({"only": ("everything",)}, "no token may have"),
        ({"networks": ("10.1.1.1/8",)}, "network"),
        ({"branch": "010"}, "branch"),
    ],
)
def test_what_cannot_be_had_is_declined(changes: dict[str, object], said: str) -> None:
    with pytest.raises(Declined, match=said):
        checked(replace(Wanted("x", 1), **changes))  # type: ignore[arg-type]


def test_an_unknown_token_is_compared_as_a_known_one_is(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    text, compared = make(house, house.person("ops7", "operator")), []
    real = api_tokens.compare

    def counting(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return real(one, other)

    monkeypatch.setattr(api_tokens, "compare", counting)
    unknown = new_api_token()
    for brought in (text, unknown.text, f"csh_{text[4:12]}_{unknown.secret}"):
        with house.store.read() as conn:
            token = read_api_token(brought) or ApiToken(text[4:12], unknown.secret, brought)
            api_tokens.find(conn, credentials.pepper(house.store), token.public, token.secret)
    assert compared == [(32, 32)] * 3
