"""The documents say what the product does: nothing it has is left out, and nothing they name is missing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
from command_reference import notes, reference, table
from pydantic import BaseModel
from ruamel.yaml import YAML

from connectors.fxiaoke.settings import FxiaokeSettings
from connectors.zoho_crm.settings import ZohoSettings
from hub.app import initialise
from hub.canonical.schema import load_schema
from hub.canonical.shipped import shipped_folder
from hub.cli import failures
from hub.cli.commands import Opt
from hub.core.guards import FIELD_GUARDS
from hub.kernel.settings import FILE, HubFile
from hub.mapping.lenses import LENSES
from hub.operations.configuration import check_configuration
from hub.sync.cycle import INTAKE_GUARDS, WRITE_GUARDS

ROOT = Path(__file__).resolve().parents[1]
GUIDES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
EVERY = [path for path in ROOT.rglob("*.md") if not any(p.startswith(".") for p in path.relative_to(ROOT).parts)]
SOURCE = "\n".join(p.read_text(encoding="utf-8") for room in ("hub", "connectors") for p in (ROOT / room).rglob("*.py"))
TEXT = "\n".join(path.read_text(encoding="utf-8") for path in GUIDES)
SETTINGS = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")

_CODES = re.compile(r"HUB-([A-Z]+)-(\d{3})((?:`?\s*(?:,|…|–|-|to|至|、)\s*`?\d{3})*)")
_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.M | re.S)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_SHELL = re.compile(r"^ *(?:[\w./-]*/)?crmhub ([a-z].*)$|`crmhub ([a-z][^`]*)`", re.M)


def ids(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


# --- what the product has is documented --------------------------------------------------------------------------


@cache
def options() -> dict[str, set[str]]:
    """Returns every command with its options, the common ones included."""
    found = {path: {"--home", "--json", "--lang", "--help"} for path in table()}
    for path, command in table().items():
        found[path].update(name for _, _, note in notes(command) if isinstance(note, Opt) for name in note.names)
    return found


def test_the_command_reference_is_current() -> None:
    written = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert written == reference(), "run: python -m tests.command_reference > docs/commands.md"


def test_every_option_of_the_simulators_and_of_the_verifier_is_documented() -> None:
    used = re.findall(r"add_argument\(\s*\"(--[a-z-]+)\"", SOURCE)
    written = "".join((ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("commands.md", "audit-guide.md"))
    assert used
    assert sorted(name for name in used if f"`{name}`" not in written) == []


def leaves(model: type[BaseModel], place: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        inner = [kind for kind in (field.annotation, *get_args(field.annotation)) if _is_section(kind)]
        if inner:
            yield from leaves(inner[0], name)
        else:
            yield f"{place}.{name}" if place in PREFIXED else name


PREFIXED = {"installation", "store", "keys", "http", "oscillation"}


def _is_section(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel) and "Threshold" not in kind.__name__


@pytest.mark.parametrize("name", [*leaves(HubFile), *ZohoSettings.model_fields, *FxiaokeSettings.model_fields])
def test_every_setting_is_documented(name: str) -> None:
    assert f"`{name}`" in SETTINGS or f".{name}`" in SETTINGS, f"docs/settings.md lacks `{name}`"


def test_every_environment_variable_is_documented() -> None:
    used = set(re.findall(r"[\"'](CRMHUB_[A-Z_]+)[\"']", SOURCE))
    assert used
    assert sorted(name for name in used if f"`{name}`" not in SETTINGS) == []


def test_every_failpoint_is_documented_and_no_other() -> None:
    used = set(re.findall(r"\bhit\(\"(\w+)\"\)", SOURCE))
    section = SETTINGS.partition("### Failpoints")[2]
    assert set(re.findall(r"`(\w+)`", section.partition("\n#")[0])) == used


def codes(text: str) -> set[str]:
    """Returns the codes in a text; `HUB-MAP-012, 013` and `HUB-YAML-001…003` name several."""
    found = set()
    for group, first, more in _CODES.findall(text):
        number = int(first)
        found.add(f"HUB-{group}-{first}")
        for mark, next_ in re.findall(r"(,|…|–|-|to|至|、)\s*`?(\d{3})", more):
            numbers = [int(next_)] if mark in (",", "、") else range(number, int(next_) + 1)
            found |= {f"HUB-{group}-{each:03}" for each in numbers}
            number = int(next_)
    return found


def raised_codes() -> set[str]:
    keys = re.findall(r"_unusable\(\s*\"(\d{3})\"", SOURCE)
    return set(re.findall(r"\"(HUB-[A-Z]+-\d{3})\"", SOURCE)) | {f"HUB-KEY-{number}" for number in keys} | {"HUB-000"}


def test_every_error_code_is_documented() -> None:
    known = codes(TEXT) | ({"HUB-000"} if "HUB-000" in TEXT else set())
    assert sorted(raised_codes() - known - {"HUB-CONN-000"}) == []


def test_no_document_names_a_code_that_is_never_raised() -> None:
    assert sorted(codes(TEXT) - raised_codes()) == []


def test_every_exit_code_is_documented() -> None:
    used = {int(number) for number in re.findall(r"exit_code = (\d+)", SOURCE)} | {
        value for name, value in vars(failures).items() if name.isupper() and isinstance(value, int)
    }
    table = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert sorted(code for code in used if not re.search(rf"^\| *`?{code}`? *\|", table, re.M)) == []


def policies_and_guards() -> set[str]:
    schema = load_schema(shipped_folder("mappings") / "canonical")
    fields = [field for entity in schema.entities.values() for field in entity.fields.values()]
    return {field.policy for field in fields} | {name for field in fields for name in field.guards}


@pytest.mark.parametrize(
    "name", sorted({*INTAKE_GUARDS, *WRITE_GUARDS, *FIELD_GUARDS, "oscillation", "deleted", *policies_and_guards()})
)
def test_every_guard_and_policy_is_documented(name: str) -> None:
    assert f"`{name}`" in SETTINGS, f"docs/settings.md lacks `{name}`"


@pytest.mark.parametrize("name", sorted(LENSES))
def test_every_lens_is_documented(name: str) -> None:
    assert f"`{name}`" in (ROOT / "docs" / "mapping-guide.md").read_text(encoding="utf-8")


def test_every_audited_act_is_documented() -> None:
    acts = set(re.findall(r"\b(?:Event\(\s*f?|CLOCK_JUMP = )\"([a-z._{}]+)\"", SOURCE))
    forms = [
        ("{kind}", "conflict"),
        ("{kind}", "hold"),
        *(("{op}", op) for op in ("create", "update", "delete", "restore")),
    ]
    spelled = {act for act in acts if "{" not in act} | {
        act.replace(gap, word) for act in acts for gap, word in forms if gap in act
    }
    guide = (ROOT / "docs" / "audit-guide.md").read_text(encoding="utf-8")
    assert len(spelled) > 15
    assert sorted(act for act in spelled if f"`{act}`" not in guide) == []


# --- what the documents say exists ------------------------------------------------------------------------------


@pytest.mark.parametrize("path", GUIDES, ids=ids(GUIDES))
def test_every_command_that_is_shown_exists(path: Path) -> None:
    known = options()
    for line in ("".join(pair) for pair in _SHELL.findall(path.read_text(encoding="utf-8"))):
        words = re.split(r"\s+#|[;&|>]", line)[0].split()
        name = next((" ".join(words[:n]) for n in (2, 1) if " ".join(words[:n]) in known), None)
        assert name is not None, f"{path.name} shows `crmhub {line}`, which is no command"
        if name != "simulate":
            shown = {word.partition("=")[0] for word in words if word.startswith("--")}
            assert shown <= known[name], f"{path.name} shows `crmhub {line}`; {name} has no {shown - known[name]}"


def slug(heading: str) -> str:
    """Returns the anchor that a heading gets on the usual viewers of Markdown."""
    plain = re.sub(r"[`*]|\[|\]\([^)]*\)", "", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


@pytest.mark.parametrize("path", EVERY, ids=ids(EVERY))
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    broken = []
    for target in _LINK.findall(_FENCE.sub("", path.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        place = (path.parent / name).resolve() if name else path
        if not place.exists():
            broken.append(target)
        elif anchor and place.suffix == ".md":
            headings = re.findall(r"^#+ (.+)$", place.read_text(encoding="utf-8"), re.M)
            broken += [] if anchor in map(slug, headings) else [target]
    assert broken == []


@pytest.mark.parametrize("path", EVERY, ids=ids(EVERY))
def test_every_file_that_is_named_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:hub|connectors|tests|docs|config|mappings)/[\w./*-]*)[^`]*`", text))
    # NAME, KIND, SET and the like stand for something.
    real = {name.rstrip("/.") for name in named if not re.search(r"[A-Z]{3,}(?!ING)", name)}
    assert sorted(name for name in real if not any(ROOT.glob(name))) == []


def test_the_readmes_show_the_same_commands() -> None:
    blocks = [_FENCE.findall((ROOT / name).read_text(encoding="utf-8")) for name in ("README.md", "README.zh-CN.md")]
    assert blocks[0] == blocks[1]
    assert [kind for kind, _ in blocks[0]].count("sh") >= 3


def test_the_readmes_name_the_same_code() -> None:
    def spans(name: str) -> set[str]:
        text = _FENCE.sub("", (ROOT / name).read_text(encoding="utf-8"))
        return {span for span in re.findall(r"`([^`\n]+)`", text) if span.isascii()}

    one, other = spans("README.md"), spans("README.zh-CN.md")
    assert sorted(one ^ other) == []


def test_the_readme_connection_is_accepted(tmp_path: Path) -> None:
    shown: Mapping[str, str] = dict(_FENCE.findall((ROOT / "README.md").read_text(encoding="utf-8")))
    home = initialise(tmp_path / "hub")
    yaml = YAML(typ="safe", pure=True)
    settings = yaml.load((home / FILE).read_text(encoding="utf-8"))
    settings |= yaml.load(shown["yaml"])
    with (home / FILE).open("w", encoding="utf-8") as file:
        yaml.dump(settings, file)
    problems = check_configuration(home)
    assert [found for found in problems if found.severity == "error"] == []
    # The credentials are not set here, and `config check` says so.
    assert {found.code for found in problems} == {"HUB-CONF-003"}
