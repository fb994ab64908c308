"""The laboratory of the demo: two simulators as processes of their own, and a hub folder that points at them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from connectors.simulation.server import RunningSimulator, start_simulator
from hub.app import initialise, open_installation, prepare
from hub.kernel.clock import Clock, SystemClock
from hub.kernel.settings import FILE
from hub.operations.installation import Installation

ZOHO, FXIAOKE = "zoho", "fxiaoke"
ENTITY = "customer"
KINDS = {ZOHO: "zoho_crm", FXIAOKE: "fxiaoke"}
OBJECTS = {ZOHO: ("Contacts", "Accounts"), FXIAOKE: ("AccountObj",)}
CHILDREN = ("complaint", "contact_log")
OBJECTS_OF: dict[str, dict[str, tuple[str, ...]]] = {
    ENTITY: OBJECTS,
    "complaint": {ZOHO: ("Cases",), FXIAOKE: ("complaint__c",)},
    "contact_log": {ZOHO: ("Calls", "Events", "Tasks"), FXIAOKE: ("ActiveRecordObj",)},
}
"""Parents first, as the hub goes through them."""
INDEX_LAG = 0.3
"""Seconds a write may stay invisible to a query; the `fast` simulators need 0.2."""

# The credentials that every simulator accepts; a simulator guards nothing.
CREDENTIALS = {
    ZOHO: {
        "client_id": "1000.SIMULATED",
        "client_secret": "simulated-secret",
        "refresh_token": "1000.simulated.refresh",
    },
    FXIAOKE: {"app_secret": "simulated-secret", "permanent_code": "simulated-permanent"},
}

_SETTINGS = """\
# crmhub demo / 演示环境: a laboratory of invented customers on simulators.
profile: lab
language: {language}
installation: {{id: demo, name: Demo / 演示}}
store: {{url: sqlite:///var/hub.db}}
keys: {{provider: file, path: keys/hub.key}}
systems:
  zoho:
    kind: zoho_crm
    mapping_set: full
    # The simulator shows a change at once and its limits are raised; a real connection keeps the defaults.
    settings: {{accounts_url: "{zoho}", api_url: "{zoho}", visibility_lag: 0, overlap: 2}}
    credentials: {{{zoho_credentials}}}
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
      overlap: 2
    credentials: {{{fxiaoke_credentials}}}
schedule: {{sync: every 10s}}
daemon: {{management: "127.0.0.1:0"}}
entities:
  customer:
    systems: [zoho, fxiaoke]
    prefer: [zoho, fxiaoke]
    on_delete: detach
  complaint: {{systems: [zoho, fxiaoke], prefer: [zoho, fxiaoke]}}
  contact_log: {{systems: [zoho, fxiaoke], prefer: [zoho, fxiaoke]}}
"""


@dataclass(frozen=True, slots=True)
class Lab:
    """Is a running laboratory."""

    home: Path
    simulators: dict[str, RunningSimulator]
    hub: Installation
    clock: Clock

    def records(self, system: str, object: str) -> list[dict[str, object]]:
        """Returns the records of an object that are not deleted, read past the vendor's API."""
        rows = self.simulators[system].admin.records(object)
        return [row for row in rows if row.get("_state", "live") == "live" and not row.get("is_deleted")]

    def settle_index(self) -> None:
        """Waits until a change made a moment ago can be seen by a query."""
        self.clock.sleep(INDEX_LAG)


@contextmanager
def running_lab(keep: Path | None, *, lang: str, options: Mapping[str, Mapping[str, object]]) -> Iterator[Lab]:
    """Starts the simulators and opens a fresh hub in `keep`, or in a temporary folder that goes with the demo.

    `options` are those of each system's simulator. Raises Declined where `keep` holds a hub already.
    """
    with ExitStack() as ends:
        home = keep if keep is not None else Path(ends.enter_context(TemporaryDirectory(prefix="crmhub-demo-"))) / "hub"
        initialise(home)

        def start(system: str) -> RunningSimulator:
            return ends.enter_context(start_simulator(KINDS[system], limits="fast", **options[system]))

        with ThreadPoolExecutor(len(KINDS)) as pool:
            simulators = dict(zip(KINDS, pool.map(start, KINDS), strict=True))
        _configure(home, {name: item.base_url for name, item in simulators.items()}, lang)
        prepare(home)
        hub = open_installation(home, lang=lang)
        ends.callback(hub.close)
        yield Lab(home, simulators, hub, SystemClock())


def _configure(home: Path, addresses: dict[str, str], lang: str) -> None:
    references = {
        system: ", ".join(f"{name}: {_keep_secret(home, system, name, value)}" for name, value in secrets.items())
        for system, secrets in CREDENTIALS.items()
    }
    text = _SETTINGS.format(
        language=lang,
        lag=INDEX_LAG,
        zoho=addresses[ZOHO],
        fxiaoke=addresses[FXIAOKE],
        zoho_credentials=references[ZOHO],
        fxiaoke_credentials=references[FXIAOKE],
    )
    (home / FILE).write_text(text, encoding="utf-8")


def _keep_secret(home: Path, system: str, name: str, value: str) -> str:
    """Writes a credential where a person would put it, a file of mode 0600, and returns the reference to it."""
    folder = home / "secrets"
    folder.mkdir(mode=0o700, exist_ok=True)
    file = folder / f"{system}-{name}"
    file.touch(mode=0o600)
    file.write_text(value, encoding="utf-8")
    return f"file:secrets/{file.name}"


def complaint_twins(lab: Lab) -> dict[tuple[str, str], tuple[str, str]]:
    """Returns which complaints of the two systems are one, by the number on them: (system, native id) -> its twin."""
    here = {row["Case_Number"]: (ZOHO, str(row["id"])) for row in lab.records(ZOHO, "Cases")}
    there = {row["name"]: (FXIAOKE, str(row["_id"])) for row in lab.records(FXIAOKE, "complaint__c")}
    pairs = [(here[number], there[number]) for number in here.keys() & there.keys()]
    return dict(pairs) | {twin: place for place, twin in pairs}
