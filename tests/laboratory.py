"""A laboratory for tests: both simulators over real HTTP, a hub folder that points at them, and what must hold."""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from connectors.simulation.server import RunningSimulator, start_simulator
from hub.app import initialise, open_installation, prepare
from hub.core.state import BindingState
from hub.kernel.errors import Busy
from hub.keys.keyring import SealMode
from hub.operations.auditing import verify_log
from hub.operations.installation import Installation
from hub.operations.matching import compare_with_truth, decide_match, list_matches
from hub.operations.questions import list_questions, resolve_conflict, resolve_hold
from hub.store import history, questions, records, vault
from hub.sync.cycle import Outcome, Report, run_cycle

ENTITY = "customer"
KINDS = {"zoho": "zoho_crm", "fxiaoke": "fxiaoke"}
OBJECTS = {"zoho": ("Contacts", "Accounts"), "fxiaoke": ("AccountObj",)}
IDS = {"zoho": "id", "fxiaoke": "_id"}
INDEX_LAG = 0.1
"""Seconds that a write stays invisible to a Fxiaoke query, in the simulator and in the hub's settings."""
CYCLES = 8
WRITES = ("insert", "create", "update", "upsert")
RESETTABLE = ("zoho", "fxiaoke")
"""Simulators that can start over; of the others a new process takes the place."""

SECRETS = {
    "LAB_ZOHO_ID": "1000.SIMULATED",
    "LAB_ZOHO_SECRET": "simulated-secret",
    "LAB_ZOHO_REFRESH": "1000.simulated.refresh",
    "LAB_FXIAOKE_SECRET": "simulated-secret",
    "LAB_FXIAOKE_CODE": "simulated-permanent",
}
_SETTINGS = """\
profile: lab
language: en
installation: {{id: lab, name: Lab}}
store: {{url: "{store}"}}
keys: {{provider: file, path: keys/hub.key}}
systems:
  zoho:
    kind: zoho_crm
    mapping_set: full
    settings: {{accounts_url: "{zoho}", api_url: "{zoho}", visibility_lag: 0, overlap: 2}}
    credentials: {{client_id: env:LAB_ZOHO_ID, client_secret: env:LAB_ZOHO_SECRET, refresh_token: env:LAB_ZOHO_REFRESH}}
    deletions_every_seconds: 0
  fxiaoke:
    kind: fxiaoke
    mapping_set: full
    settings:
      base_url: "{fxiaoke}"
      app_id: FSAID_simulated
      operator_id: "1000"
      rate_per_second: 5000
      rate_burst: 5000
      index_lag: {lag}
      external_key_unique: {unique}
      overlap: 2
    credentials: {{app_secret: env:LAB_FXIAOKE_SECRET, permanent_code: env:LAB_FXIAOKE_CODE}}
entities:
  customer:
    systems: [zoho, fxiaoke]
    prefer: [zoho, fxiaoke]
    guards:
      first_sync_needs_release: false
      max_creates: {{count: 100000, percent: 100.0}}
      max_changes: {{count: 100000, percent: 100.0}}
"""


@dataclass(slots=True)
class Simulators:
    """Are both vendors, started once and reset between cases; `owner` is the bank that lives in them now."""

    running: dict[str, RunningSimulator]
    options: dict[str, object] = field(default_factory=dict)
    owner: object = None

    @classmethod
    def start(cls, **options: object) -> Simulators:
        os.environ.update(SECRETS)
        running: dict[str, RunningSimulator] = {}
        try:
            for system, kind in KINDS.items():
                running[system] = start_simulator(kind, limits="fast", **options)
        except BaseException:
            cls(running).stop()
            raise
        return cls(running, options)

    def reset(self, owner: object) -> None:
        """Starts both over, as they were when started."""
        for system, simulator in self.running.items():
            if system in RESETTABLE:
                simulator.admin.reset()
            else:
                simulator.stop()
                self.running[system] = start_simulator(simulator.kind, limits="fast", **self.options)
        self.running["fxiaoke"].admin.post("lag", {"seconds": INDEX_LAG})
        self.owner = owner

    def rows(self, system: str, object_: str) -> list[dict[str, Any]]:
        """Returns the live records of an object, read past the vendor's API."""
        every = self.running[system].admin.records(object_)
        return [row for row in every if row.get("_state", "live") == "live" and not row.get("is_deleted")]

    def truth(self) -> list[dict[str, Any]]:
        return self.running["zoho"].admin.truth()

    def writes(self) -> Counter[str]:
        """Returns per system how many writes of records took effect through the vendor's API since the last reset."""
        written: Counter[str] = Counter()
        for system, simulator in self.running.items():
            for operation, rows in simulator.admin.calls()["rows"].items():
                written[system] += rows if operation.split()[0] in WRITES else 0
        return written

    def stop(self) -> None:
        for simulator in self.running.values():
            simulator.stop()


def make_home(home: Path, store: str, simulators: Simulators) -> Path:
    """Makes a hub folder with keys and an empty store that points at the simulators."""
    initialise(home)
    write_settings(home, store, simulators)
    prepare(home)
    return home


def write_settings(home: Path, store: str, simulators: Simulators, *, unique: str = "true") -> None:
    urls = {name: item.base_url for name, item in simulators.running.items()}
    text = _SETTINGS.format(store=store, lag=INDEX_LAG + 0.05, unique=unique, **urls)
    (home / "config" / "hub.yaml").write_text(text, encoding="utf-8")


def copy_home(template: Path, home: Path, store: str, simulators: Simulators) -> Path:
    """Copies a hub folder, with its SQLite store where it has one."""
    shutil.copytree(template, home)
    write_settings(home, store, simulators)
    return home


@dataclass(frozen=True, slots=True)
class Living:
    """Is one live record of a system, as the vendor stores it."""

    system: str
    object: str
    native_id: str
    row: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Edit:
    """Is what a person did in a system; `wins` is False where the rules keep the value only as a loser."""

    system: str
    hub_id: str
    field: str
    value: Any
    wins: bool = True


class Bank:
    """Is one hub folder with its two systems, and the people who edit and answer."""

    def __init__(self, home: Path, simulators: Simulators) -> None:
        self.home, self.simulators = home, simulators
        self.created: list[str] = []
        self.audited = 0

    @contextmanager
    def hub(self, seal: SealMode = SealMode.ON) -> Iterator[Installation]:
        hub = open_installation(self.home, seal=seal)
        try:
            yield hub
        finally:
            hub.close()

    # What people do.

    def edit(self, hub: Installation, system: str, hub_id: str, **fields: Any) -> list[Edit]:
        """Edits a record in a system as a person does there, in canonical terms."""
        object_, native_id = self.place(hub, hub_id, system)
        patch = hub.links(ENTITY)[system].mapping.to_native(object_, fields)
        assert not patch.refusals, patch.refusals
        body = {"object": object_, "id": native_id, "fields": dict(patch.fields)}
        self.simulators.running[system].admin.post("edit", body)
        return [Edit(system, hub_id, name, value) for name, value in fields.items()]

    def create(self, hub: Installation, system: str, **fields: Any) -> str:
        """Makes a new customer in a system and returns the native id."""
        mapping = hub.links(ENTITY)[system].mapping
        object_ = str(mapping.route(fields))
        patch = mapping.to_native(object_, fields, create=True)
        assert not patch.refusals, patch.refusals
        body = {"object": object_, "fields": dict(patch.fields)}
        native_id = str(self.simulators.running[system].admin.post("create", body)["id"])
        self.created.append(native_id)
        return native_id

    def place(self, hub: Installation, hub_id: str, system: str) -> tuple[str, str]:
        with hub.store.read() as conn:
            stored = records.load(conn, hub.store.ring, [hub_id])[hub_id]
        found = next(item for item in stored.bindings if item.system == system)
        assert found.state is BindingState.ACTIVE, (hub_id, system, found.state)
        return str(found.object), str(found.native_id)

    # What the hub does.

    def cycle(self, hub: Installation) -> Report:
        """Runs one cycle. A PostgreSQL backend may need a moment to notice that its client was killed."""
        patience = 0 if hub.store.engine.dialect.name == "sqlite" else 2400
        while True:
            try:
                with hub.run(ENTITY) as run:
                    return run_cycle(run)
            except Busy:
                if not patience:
                    raise
                patience -= 1
                time.sleep(0.05)

    def settle(self, hub: Installation) -> list[Report]:
        """Runs cycles and answers what is asked until nothing is owed; fails after a few."""
        reports: list[Report] = []
        for _ in range(CYCLES):
            time.sleep(INDEX_LAG + 0.05)
            reports.append(self.cycle(hub))
            answered = self.answer(hub)
            if reports[-1].outcome is Outcome.CONVERGED and not answered:
                return reports
        told = [(report.outcome, report.reasons, report.counts, report.standing.owed) for report in reports]
        raise AssertionError(f"not converged after {CYCLES} cycles: {told}")

    def answer(self, hub: Installation) -> int:
        """Answers every open question: who is who from the truth, conflicts for Zoho, held changes accepted."""
        asked = [item for item in list_matches(hub, ENTITY) if item.state == "open"]
        owners = self.owners(hub) if asked else {}
        for match in asked:
            reply = self._right_answer(match.system, match.native_id, owners)
            decide_match(hub, match.question_id, link=reply, new=reply is None)
        conflicts = [item for item in list_questions(hub, "conflict", ENTITY) if item.state == "open"]
        for item in conflicts:
            resolve_conflict(hub, item.id, take="zoho")
        holds = [item for item in list_questions(hub, "hold", ENTITY) if item.state == "open"]
        for item in holds:
            resolve_hold(hub, item.id, accept=True)
        return len(asked) + len(conflicts) + len(holds)

    def _right_answer(self, system: str, native_id: str, owners: Mapping[tuple[str, str], str]) -> str | None:
        for row in self.simulators.truth():
            if str(row[KINDS[system]]) == native_id:
                others = ((name, str(row[kind])) for name, kind in KINDS.items() if name != system and row[kind])
                return next((owners[place] for place in others if place in owners), None)
        return None

    # What must hold.

    def living(self) -> list[Living]:
        return [
            Living(system, object_, str(row[IDS[system]]), row)
            for system, objects in OBJECTS.items()
            for object_ in objects
            for row in self.simulators.rows(system, object_)
        ]

    def owners(self, hub: Installation) -> dict[tuple[str, str], str]:
        """Returns which golden record each live record belongs to: (system, native id) -> hub id."""
        found: dict[tuple[str, str], str] = {}
        living = self.living()
        with hub.store.read() as conn:
            for system, objects in OBJECTS.items():
                for object_ in objects:
                    ids = [item.native_id for item in living if (item.system, item.object) == (system, object_)]
                    bound = records.bindings_by_native(conn, system, object_, ids)
                    found |= {(system, native_id): item.hub_id for native_id, item in bound.items()}
        return found

    def check_no_twin(self, hub: Installation) -> None:
        """Fails unless every person stands exactly once in each system, under one hub id."""
        owners, truth = self.owners(hub), self.simulators.truth()
        living = self.living()
        per_system = Counter(item.system for item in living)
        assert per_system == dict.fromkeys(OBJECTS, len(truth) + len(self.created))
        unbound = [(item.system, item.native_id) for item in living if (item.system, item.native_id) not in owners]
        assert not unbound
        per_place = Counter((system, hub_id) for (system, _), hub_id in owners.items())
        assert max(per_place.values()) == 1
        score = compare_with_truth(hub, ENTITY, truth)
        assert (score.split, score.mixed, score.unbound) == (0, 0, 0), score

    def check_equal(self, hub: Installation) -> None:
        """Fails unless both systems and the golden record show the same in every field they map."""
        owners, links = self.owners(hub), hub.links(ENTITY)
        shown: dict[str, dict[str, Living]] = {}
        for item in self.living():
            shown.setdefault(owners[item.system, item.native_id], {})[item.system] = item
        with hub.store.read() as conn:
            golden = records.load_golden(conn, hub.store.ring, list(shown))
        wrong: Counter[tuple[str, str]] = Counter()
        for hub_id, sides in shown.items():
            assert sides.keys() == OBJECTS.keys(), (hub_id, list(sides))
            for system, item in sides.items():
                truth, mapping = golden[hub_id].fields, links[system].mapping
                seen = mapping.to_canonical(item.object, dict(item.row)).fields
                ours = {name: truth.get(name) for name in mapping.out_fields(item.object)}
                expected = ours | dict(mapping.round_trip(item.object, ours))
                for name in seen.keys() & expected.keys():
                    wrong[system, name] += seen[name] != expected[name]
                told = {n: truth.get(n) for n in mapping.out_fields(item.object) if n not in seen and truth.get(n)}
                for name, value in mapping.to_native(item.object, told).fields.items():
                    wrong[system, name] += item.row.get(name) != value
        assert not +wrong, dict(+wrong)

    def check_kept(self, hub: Installation, edits: Sequence[Edit]) -> None:
        """Fails unless each edit stands in the golden record, or is kept as the value that lost."""
        with hub.store.read() as conn:
            golden = records.load_golden(conn, hub.store.ring, sorted({item.hub_id for item in edits}))
            for item in edits:
                if item.wins:
                    assert golden[item.hub_id].fields.get(item.field) == item.value, (item.system, item.field)
                    continue
                past = history.timeline(conn, hub.store.ring, item.hub_id)
                lost = [value for change in past if change.field == item.field for _, value in change.losers]
                for kind in ("conflict", "hold"):
                    asked = questions.load(conn, hub.store.ring, kind, hub_ids=[item.hub_id], states=())
                    lost += [v for question in asked if question.field == item.field for _, v in question.candidates]
                assert item.value in lost, (item.system, item.field)

    def check_audit(self, hub: Installation, written: Mapping[str, int]) -> None:
        """Fails unless the log verifies and each remote write given has exactly one event.

        Recovery cannot see a field that a system only takes and never shows: its event says so, and the field is sent
        once more, which changes nothing there. Only such a repetition may have an event beside that of the recovered
        write, or a write beside its event.
        """
        verify_log(hub)
        with hub.store.read() as conn:
            bodies = [orjson.loads(row[2]) for row in vault.audit_rows(conn)]
        fresh, self.audited = bodies[self.audited :], len(bodies)
        remote = [item for item in fresh if item["act"].startswith("remote.")]
        unproven = Counter(item["obj"]["connection"] for item in remote if item.get("code") == "unproven")
        # Recovery also tells which writes never happened: those are no remote writes.
        events = [item for item in remote if item["outcome"] == "success" or item.get("reason") != "recovered"]
        recovered: dict[tuple[str, str], set[tuple[str, str]]] = {}
        told, refused, repeated = Counter[str](), Counter[str](), Counter[str]()
        for item in events:
            system, place = item["obj"]["connection"], (item["obj"]["connection"], item["obj"]["id"])
            sent = {(note["name"], note["after"]) for note in item.get("fields", ())}
            told[system] += 1
            refused[system] += item["outcome"] != "success"
            if item.get("reason") == "recovered":
                recovered[place] = sent
            elif place in recovered and sent <= recovered[place]:
                repeated[system] += 1
        for system in OBJECTS:
            least, most = told[system] - refused[system] - repeated[system], told[system] + unproven[system]
            assert least <= written[system] <= most, (system, told, refused, repeated, unproven, written)
        made = [i["obj"] for i in events if (i["act"], i["outcome"]) == ("remote.create", "success")]
        creates = Counter((item["connection"], item["id"]) for item in made)
        assert not creates or max(creates.values()) == 1

    def check(self, hub: Installation, edits: Sequence[Edit] = ()) -> None:
        """Fails unless both sides are equal, with no twin, no lost edit, and a log that verifies and tells all."""
        written = self.simulators.writes()
        for simulator in self.simulators.running.values():
            simulator.admin.reset_calls()
        self.check_no_twin(hub)
        self.check_equal(hub)
        self.check_kept(hub, edits)
        self.check_audit(hub, written)
