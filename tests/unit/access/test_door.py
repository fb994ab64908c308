"""The door: the first sign-in with a one-time code, the second factor, lock-out, sessions, and what SQL cannot do."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from door_kit import OTHER, PASSWORD, House, dearer, open_house, prepare, sql

from hub.access import door, steps
from hub.access.passwords import POLICIES, PasswordRefused
from hub.access.refusals import SessionEnded, SignInRefused, StepRefused, TooSoon
from hub.access.threshold import Opened
from hub.crypto.passwords import Hasher
from hub.store import credentials, sessions, users
from hub.store.signin_tables import credential, session


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Is a database that every test copies: its migrations take longer than a test."""
    file = tmp_path_factory.mktemp("door") / "hub.db"
    prepare(f"sqlite:///{file}")
    return file


@pytest.fixture
def house(template: Path, tmp_path: Path) -> Iterator[House]:
    made = open_house(f"sqlite:///{shutil.copy(template, tmp_path / 'hub.db')}")
    yield made
    made.store.engine.dispose()


def refused(act: Callable[[], object], times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(SignInRefused):
            act()


def test_a_one_time_code_leads_to_a_password_and_a_second_factor_and_works_once(database_url: str) -> None:
    prepare(database_url)
    house = open_house(database_url)
    user = house.person("wang", "operator", code="first-code")
    at = house.at()
    first = door.sign_in(at, "WANG", "first-code")
    assert first.session.stage == sessions.RENEW
    with pytest.raises(StepRefused):
        door.enter(at, first.token)
    with pytest.raises(StepRefused):
        steps.enrol(at, first.token)
    with pytest.raises(PasswordRefused):
        steps.renew(at, first.token, "wang1234567!A")
    second = steps.renew(at, first.token, PASSWORD)
    assert second.session.stage == sessions.ENROL
    enrolment = steps.enrol(at, second.token)
    assert "wang" in enrolment.uri
    secret = house.pending(second.token)
    refused(lambda: steps.confirm(at, second.token, "000000"))
    third, codes = steps.confirm(at, second.token, house.code(secret))
    assert len(set(codes)) == 10
    entered = door.enter(at, third.token)
    assert (entered.who.id, entered.session.auth) == (user.user_id, "password+totp")
    assert [g.role for g in entered.who.held(house.clock.at)] == ["operator"]
    # Each step had a token of its own, and none of the earlier ones opens anything.
    assert len({first.token, second.token, third.token}) == 3
    for old in (first, second):
        with pytest.raises(SessionEnded):
            door.enter(at, old.token, stage=None)
    refused(lambda: door.sign_in(at, "wang", "first-code"))
    assert [act for act, _ in house.acts()] == [
        "sign_in.code", "password.set", "mfa.failed", "mfa.enrol", "sign_in.ok", "sign_in.failed",
    ]  # fmt: skip
    house.store.engine.dispose()


def test_five_failures_close_an_account_for_a_quarter_of_an_hour_whoever_knocks(house: House) -> None:
    _, secret = house.settled("wang", "operator")
    for place in range(5):
        refused(lambda place=place: door.sign_in(house.at(f"10.2.2.{place}"), "wang", "wrong"))
    refused(lambda: door.sign_in(house.at("10.3.3.3"), "wang", PASSWORD))
    # Knocking on makes it no longer.
    house.clock.at += 890
    refused(lambda: door.sign_in(house.at("10.3.3.4"), "wang", "wrong"))
    house.clock.at += 11
    assert house.enter("wang", secret).session.stage == sessions.FULL
    acts = [act for act, _ in house.acts()]
    assert acts.count("sign_in.locked") == 1
    assert ("sign_in.failed", "locked") in house.acts()


def test_a_right_password_does_not_forget_failures_before_the_second_factor(house: House) -> None:
    house.settled("wang", "operator")
    for _ in range(4):
        opened = door.sign_in(house.at(), "wang", PASSWORD)
        refused(lambda opened=opened: steps.give_code(house.at(), opened.token, "000000"))
    opened = door.sign_in(house.at("10.4.4.4"), "wang", PASSWORD)
    refused(lambda: steps.give_code(house.at("10.4.4.4"), opened.token, "000000"))
    refused(lambda: door.sign_in(house.at("10.4.4.5"), "wang", PASSWORD))


def test_a_session_that_waits_for_a_code_ends_with_the_fifth_wrong_one(house: House) -> None:
    _, secret = house.settled("wang", "operator")
    opened = door.sign_in(house.at(), "wang", PASSWORD)
    refused(lambda: steps.give_code(house.at(), opened.token, "000000"), times=5)
    house.clock.at += 900
    with pytest.raises(SessionEnded):
        steps.give_code(house.at(), opened.token, house.code(secret))


def test_a_code_works_once_even_in_two_sessions(house: House) -> None:
    _, secret = house.settled("wang", "operator")
    one, other = (door.sign_in(house.at(), "wang", PASSWORD) for _ in range(2))
    code = house.code(secret)
    assert steps.give_code(house.at(), one.token, code).session.stage == sessions.FULL
    refused(lambda: steps.give_code(house.at(), other.token, code))
    refused(lambda: steps.give_code(house.at(), other.token, house.code(secret, -1)))
    assert steps.give_code(house.at(), other.token, house.code(secret, 1)).session.stage == sessions.FULL


def test_a_recovery_code_works_once(house: House) -> None:
    house.person("wang", "operator", code="first-code")
    at = house.at()
    opened = steps.renew(at, door.sign_in(at, "wang", "first-code").token, PASSWORD)
    steps.enrol(at, opened.token)
    _, codes = steps.confirm(at, opened.token, house.code(house.pending(opened.token)))
    typed = codes[3].upper().replace("-", " ")
    opened = door.sign_in(at, "wang", PASSWORD)
    assert steps.give_code(at, opened.token, typed).session.auth == "password+recovery"
    opened = door.sign_in(at, "wang", PASSWORD)
    refused(lambda: steps.give_code(at, opened.token, typed))


def test_a_source_waits_longer_after_each_failure_whatever_names_it_tries(house: House) -> None:
    at, waits = house.at("10.6.6.6"), []
    for number in range(12):
        try:
            door.sign_in(at, f"nobody{number}", "wrong")
        except TooSoon as soon:
            waits.append(soon.after)
            house.clock.at += soon.after
            refused(lambda number=number: door.sign_in(at, f"nobody{number}", "wrong"))
        except SignInRefused:
            pass
    assert waits == [1, 2, 4, 8, 16, 32, 64]
    # Others are not held back.
    refused(lambda: door.sign_in(house.at("10.6.6.7"), "nobody", "wrong"))


def test_every_refusal_takes_the_same_way_and_says_the_same(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """One check of a hash each, whoever is named, and one text for all."""
    house.settled("wang", "operator")
    house.person("off", "operator", state=users.DISABLED)
    checked: list[bool] = []
    real = house.hasher.matches

    def counting(password: str, phc: str | None, secret: bytes) -> bool:
        checked.append(phc is not None)
        return real(password, phc, secret)

    monkeypatch.setattr(house.hasher, "matches", counting)
    texts = set()
    for place, (login, password) in enumerate(
        [("wang", "wrong"), ("nobody", "wrong"), ("off", PASSWORD), ("x" * 300, "y" * 300), ("wang\x00", PASSWORD)]
    ):
        with pytest.raises(SignInRefused) as caught:
            door.sign_in(house.at(f"10.7.7.{place}"), login, password)
        texts.add((caught.value.en, caught.value.zh, caught.value.code))
    assert len(texts) == 1
    assert checked == [True, False, False, False, False]


@pytest.mark.parametrize(
    ("act", "why"),
    [
        (lambda h, u, o: setattr(h.clock, "at", h.clock.at + 900), "idle"),
        (lambda h, u, o: _walk(h, o), "absolute"),
        (lambda h, u, o: _save(h, u, state=users.DISABLED), "changed"),
        (lambda h, u, o: _save(h, u, grants=()), "changed"),
        (lambda h, u, o: sql(h, users.users.update().values(state="active", branch_path="/9/")), "changed"),
    ],
    ids=["idle", "absolute", "disabled", "roles", "forged"],
)
def test_a_session_ends(house: House, act: Callable[[House, users.User, Opened], None], why: str) -> None:
    user, secret = house.settled("wang", "operator")
    opened = house.enter("wang", secret)
    door.enter(house.at(), opened.token)
    act(house, user, opened)
    with pytest.raises(SessionEnded):
        door.enter(house.at(), opened.token)
    assert house.acts()[-1] == ("session.end", why)
    with pytest.raises(SessionEnded):
        door.enter(house.at(), opened.token)


def _save(house: House, user: users.User, **changes: object) -> None:
    with house.store.begin() as work:
        found = users.load(work.conn, work.ring, [user.user_id])[user.user_id]
        users.save(work, replace(found, **changes))  # type: ignore[arg-type]


def _walk(house: House, opened: Opened) -> None:
    """Lets eight hours pass in which the session is used all the time."""
    until = opened.session.begun_at + 28_800
    while house.clock.at + 600 < until:
        house.clock.at += 600
        door.enter(house.at(), opened.token)
    house.clock.at = until


def test_the_third_session_ends_the_first(house: House) -> None:
    _, secret = house.settled("wang", "operator")
    opened = [house.enter("wang", secret) for _ in range(3)]
    with pytest.raises(SessionEnded):
        door.enter(house.at(), opened[0].token)
    for each in opened[1:]:
        door.enter(house.at(), each.token)
    assert ("session.end", "too_many") in house.acts()


def test_another_password_ends_the_other_sessions_and_none_of_the_last_five_is_taken(house: House) -> None:
    _, secret = house.settled("wang", "operator")
    here, there = house.enter("wang", secret), house.enter("wang", secret)
    for used in (PASSWORD, *(f"{OTHER}{n}" for n in range(5))):
        if used != PASSWORD:
            steps.change_password(house.at(), here.token, used)
    with pytest.raises(SessionEnded):
        door.enter(house.at(), there.token)
    for used in (f"{OTHER}4", f"{OTHER}0"):
        with pytest.raises(PasswordRefused):
            steps.change_password(house.at(), here.token, used)
    steps.change_password(house.at(), here.token, f"{OTHER}9")
    steps.change_password(house.at(), here.token, PASSWORD)


def test_what_is_counted_while_a_password_is_hashed_stays_counted(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, secret = house.settled("wang")
    opened = house.enter("wang", secret)
    hash_ = Hasher.hash

    def hash_slowly(hasher: Hasher, password: str, bound: bytes) -> str:
        # Meanwhile somebody guesses from elsewhere until the account is closed.
        monkeypatch.setattr(Hasher, "hash", hash_)
        refused(lambda: door.sign_in(house.at("10.2.2.2"), "wang", "guessed"), times=5)
        return hash_(hasher, password, bound)

    monkeypatch.setattr(Hasher, "hash", hash_slowly)
    steps.change_password(house.at(), opened.token, OTHER)
    with house.store.read() as conn:
        made = credentials.load(conn, house.store.ring, user.user_id)
    assert made is not None
    assert made.locked_until == house.clock.at + 900
    refused(lambda: door.sign_in(house.at(), "wang", OTHER))


def test_a_password_is_old_after_ninety_days_in_one_profile_and_never_in_the_other(house: House) -> None:
    _, secret = house.settled("wang", "operator")
    house.clock.at += 91 * 86_400
    assert house.enter("wang", secret).session.stage == sessions.RENEW
    house.rules = replace(house.rules, policy=POLICIES["asvs"])
    assert house.enter("wang", secret).session.stage == sessions.FULL


def test_a_hash_of_another_cost_is_made_anew(house: House) -> None:
    user, secret = house.settled("wang", "operator")
    house = dearer(house)
    house.enter("wang", secret)
    with house.store.read() as conn:
        made = credentials.load(conn, house.store.ring, user.user_id)
    assert made is not None
    assert (made.phc or "").startswith("$argon2id$v=19$m=128,")
    house.enter("wang", secret)


def test_proving_again_takes_a_new_token_and_a_fresh_code(house: House) -> None:
    _, secret = house.settled("wang", "operator")
    opened = house.enter("wang", secret)
    house.clock.at += 301
    assert not door.fresh(house.at(), door.enter(house.at(), opened.token).session)
    refused(lambda: steps.prove(house.at(), opened.token, "wrong", house.code(secret)))
    refused(lambda: steps.prove(house.at(), opened.token, PASSWORD, "000000"))
    again = steps.prove(house.at(), opened.token, PASSWORD, house.code(secret))
    assert door.fresh(house.at(), again.session)
    with pytest.raises(SessionEnded):
        door.enter(house.at(), opened.token)


@pytest.mark.parametrize(
    "forge",
    [
        lambda mine, theirs: session.update().where(session.c.user_id == mine).values(user_id=theirs),
        lambda mine, theirs: session.update().values(begun_at=session.c.begun_at + 86_400),
        lambda mine, theirs: session.update().values(digest=b"x" * 32),
    ],
    ids=["owner", "begin", "token"],
)
def test_a_session_that_sql_changed_opens_nothing(house: House, forge: Callable[[str, str], object]) -> None:
    user, secret = house.settled("wang", "operator")
    other = house.person("li", "security_admin")
    opened = house.enter("wang", secret)
    sql(house, forge(user.user_id, other.user_id))  # type: ignore[arg-type]
    with pytest.raises(SessionEnded):
        door.enter(house.at(), opened.token)


def test_a_hash_that_sql_copied_from_another_account_fits_nothing(house: House) -> None:
    mine, _ = house.settled("wang", "operator")
    house.settled("li", "security_admin")
    with house.store.read() as conn:
        row = conn.execute(credential.select().where(credential.c.user_id == mine.user_id)).one()
    sql(house, credential.update().values(blob=row.blob, revision=row.revision))
    with pytest.raises(Exception, match="HUB-SEAL-001"):
        door.sign_in(house.at(), "li", PASSWORD)


def test_many_at_once_count_every_failure_and_use_a_code_once(database_url: str) -> None:
    """Two processes may look at one account at the same time: its row decides, not what each of them saw before."""
    prepare(database_url)
    house = open_house(database_url)
    _, secret = house.settled("wang", "operator")

    def at_once(acts: list[Callable[[], object]]) -> int:
        with ThreadPoolExecutor(len(acts)) as pool:
            ended = [pool.submit(act) for act in acts]
        failed = [each.exception() for each in ended]
        assert all(error is None or isinstance(error, SignInRefused) for error in failed), failed
        return sum(error is None for error in failed)

    opened = [door.sign_in(house.at(), "wang", PASSWORD) for _ in range(4)]
    code = house.code(secret)
    assert at_once([lambda o=o: steps.give_code(house.at(), o.token, code) for o in opened]) == 1  # type: ignore[misc]
    house.clock.at += 901
    places = [house.at(f"10.8.8.{n}") for n in range(12)]
    assert at_once([lambda at=at: door.sign_in(at, "wang", "wrong") for at in places]) == 0  # type: ignore[misc]
    assert at_once([lambda: door.sign_in(house.at("10.8.9.9"), "wang", PASSWORD)]) == 0
    for place, odd in enumerate(("wang\x00", "\ud800", "%", "' OR 1=1 --", "w" * 5000)):
        assert at_once([lambda odd=odd, n=place: door.sign_in(house.at(f"10.8.7.{n}"), odd, odd)]) == 0  # type: ignore[misc]
    acts = house.acts()
    assert [act for act, _ in acts].count("sign_in.locked") == 1
    assert acts.count(("sign_in.failed", "password")) == 5
    assert acts.count(("sign_in.failed", "locked")) == 8
    house.store.engine.dispose()
