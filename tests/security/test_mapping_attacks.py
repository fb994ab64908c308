"""A mapping is a table of names: nothing in it is run, opened or formatted; settings open no file but their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.canonical.schema import load_schema
from hub.kernel.errors import ConfigInvalid, Problem
from hub.kernel.settings import FILE, load_settings
from hub.mapping.check import check_mapping
from hub.mapping.loader import load_mapping
from hub.mapping.tables import load_tables
from hub.mapping.translate import compile_mapping

ROOT = Path(__file__).parents[2]
SCHEMA, TABLES = load_schema(ROOT / "mappings" / "canonical"), load_tables(ROOT / "mappings" / "tables")
CORE = (ROOT / "mappings" / "zoho_crm" / "customer.core.yaml").read_text(encoding="utf-8")
LINE = "{canonical: remark, native: Description, lens: text, direction: both, clear: true}"
SETTINGS = (ROOT / "config" / "hub.yaml").read_text(encoding="utf-8")


def problems(file: Path, text: str) -> list[Problem]:
    file.write_text(text, encoding="utf-8")
    try:
        return list(check_mapping(load_mapping(file), SCHEMA, TABLES))
    except ConfigInvalid as invalid:
        return list(invalid.problems)


@pytest.mark.parametrize(
    "line",
    [
        "{canonical: remark, native: Description, lens: eval, direction: both}",
        "{canonical: remark, native: Description, lens: __import__, direction: both}",
        "{canonical: remark, native: Description, lens: 'os.system', direction: both}",
        "{canonical: remark, native: Description, lens: text, direction: both, code: 'open(1)'}",
        "{canonical: remark, native: Description, lens: text, direction: both, template: '{0.__class__}'}",
        "{canonical: remark, native: Description, lens: text, direction: both, pattern: '(a+)+$'}",
        "{canonical: __class__, native: Description, lens: text, direction: both}",
        "{canonical: remark, native: \"x' or '1'='1\", lens: text, direction: both}",
        "{canonical: remark, native: 'a from Users where id', lens: text, direction: both}",
        "{canonical: remark, native: '../../etc/passwd', lens: text, direction: both}",
        '{canonical: remark, native: "a\\nb", lens: text, direction: both}',
        "{canonical: remark, native: Description, lens: code_table, direction: both, table: '../../etc/passwd'}",
        "{canonical: remark, native: Description, lens: constant, direction: in, value: !!python/name:os.system }",
    ],
)
def test_no_mapping_reaches_beyond_its_fields(tmp_path: Path, line: str) -> None:
    file = tmp_path / "customer.core.yaml"
    assert LINE in CORE
    number = CORE[: CORE.index(LINE)].count("\n") + 1
    found = [item for item in problems(file, CORE.replace(LINE, line, 1)) if item.severity == "error"]
    assert {item.line for item in found} == {number}
    assert all(item.en and item.zh for item in found)


def test_a_dotted_name_is_a_name_and_no_attribute(tmp_path: Path) -> None:
    file = tmp_path / "customer.core.yaml"
    file.write_text(CORE.replace("native: Description,", "native: Description.__class__,", 1), encoding="utf-8")
    mapping = compile_mapping(load_mapping(file), SCHEMA, TABLES)
    read = mapping.to_canonical("Contacts", {"Last_Name": "王", "Description": "{0.__class__}", "id": "1"})
    assert read.fields.get("remark") is None
    plain = compile_mapping(load_mapping(ROOT / "mappings/zoho_crm/customer.core.yaml"), SCHEMA, TABLES)
    kept = plain.to_canonical("Contacts", {"Last_Name": "王", "Description": "{0.__class__} %s ${HOME}", "id": "1"})
    assert kept.fields["remark"] == "{0.__class__} %s ${HOME}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("mapping_set: core", "mapping_set: ../../../etc/passwd"), ("kind: zoho_crm", "kind: ../zoho_crm"),
        ("kind: zoho_crm", "kind: os.path"), ("provider: file", "provider: ../file"),
        ("  customer:\n", "  ../customer:\n"), ("  zoho:\n", "  zoho/../x:\n"),
        ("mapping_set: core", 'mapping_set: "core\\0"'),
    ],
)  # fmt: skip
def test_no_name_of_the_settings_leaves_its_folder(tmp_path: Path, before: str, after: str) -> None:
    assert before in SETTINGS
    (tmp_path / "config").mkdir()
    (tmp_path / FILE).write_text(SETTINGS.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(ConfigInvalid) as refused:
        load_settings(tmp_path)
    assert all(item.line for item in refused.value.problems)
