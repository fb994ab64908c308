"""The canonical schema is data: what ships is complete, an edit of YAML is enough, and every fault names its line."""

import shutil
from pathlib import Path

import pytest

from hub.canonical.schema import Kind, load_schema
from hub.canonical.shipped import shipped_folder
from hub.kernel.errors import ConfigInvalid

SHIPPED = shipped_folder("mappings") / "canonical"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy = tmp_path / "canonical"
    shutil.copytree(SHIPPED, copy)
    return copy


def edit(folder: Path, file: str, old: str, new: str) -> None:
    path = folder / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def problems(folder: Path) -> list[tuple[str, int | None, str]]:
    with pytest.raises(ConfigInvalid) as refused:
        load_schema(folder)
    assert all(p.zh != p.en and p.zh for p in refused.value.problems)
    return [(Path(p.file).name, p.line, p.en) for p in refused.value.problems]


def test_ships_three_entities_with_every_field() -> None:
    schema = load_schema(SHIPPED)
    assert {name: len(entity.fields) for name, entity in schema.entities.items()} == {
        "customer": 37,
        "contact_log": 25,
        "complaint": 47,
    }
    for entity in schema.entities.values():
        assert entity.key == f"{entity.name}_id"
        assert entity.key not in entity.fields
        assert entity.on_delete == "detach"
        for field in entity.fields.values():
            assert field.label.zh
            assert field.label.en


def test_policies_follow_the_class() -> None:
    schema = load_schema(SHIPPED)
    for entity in schema.entities.values():
        for field in entity.fields.values():
            if field.policy in ("min", "lattice", "strictest", "union"):
                continue
            asks = field.klass == "C2" or entity.name == "complaint"
            assert field.policy == ("ask" if asks else "prefer"), (entity.name, field.name)


def test_guards_and_ranks() -> None:
    schema = load_schema(SHIPPED)
    consent = schema.entity("customer").fields["contact_consent"]
    assert consent.guards == ("consent_loosened",)
    assert max(consent.order, key=lambda value: consent.order[value]) == "withdrawn"
    status = schema.entity("complaint").fields["status"]
    assert status.order["investigating"] == status.order["awaiting_customer"] == 3
    assert status.transitions["closed"] == ("investigating",)
    assert schema.entity("complaint").fields["due_at"].guards == ("later_without_extension",)
    assert schema.entity("customer").fields["mobile_phone"].maskable


def test_no_personal_field_stands_in_the_plaintext_index() -> None:
    for entity in load_schema(SHIPPED).entities.values():
        for field in entity.fields.values():
            assert not (field.index and field.klass == "C2")


def test_match_rules_are_ordered_from_strong_to_weak() -> None:
    rules = load_schema(SHIPPED).entity("customer").match
    assert [rule.name for rule in rules][:3] == ["hub_id", "id_number", "credit_code"]
    assert [rule.strong for rule in rules] == sorted((rule.strong for rule in rules), reverse=True)


def test_references_name_entities() -> None:
    schema = load_schema(SHIPPED)
    assert schema.entity("contact_log").references() == {"customer_id": "customer", "complaint_id": "complaint"}
    assert schema.entity("complaint").references() == {"customer_id": "customer", "repeat_of": "complaint"}


def test_a_new_field_is_an_edit_of_yaml(folder: Path) -> None:
    before = load_schema(folder)
    line = "  risk_level: {zh: 风险等级, en: Risk level, type: integer, min: 1, max: 5, class: C1, policy: prefer}\n"
    edit(folder, "customer.yaml", "  remark:", line + "  remark:")
    after = load_schema(folder)
    field = after.entity("customer").fields["risk_level"]
    assert (field.kind, field.minimum, field.maximum) == (Kind.INTEGER, 1, 5)
    assert after.version != before.version


def test_a_fourth_entity_is_a_new_file(folder: Path) -> None:
    (folder / "opportunity.yaml").write_text(
        "entity: opportunity\nversion: 1\nzh: 商机\nen: Opportunity\n"
        "key: {name: opportunity_id, zh: 商机主键, en: Opportunity id}\n"
        "fields:\n"
        "  customer_id: {zh: 客户, en: Customer, type: ref(customer), class: '-', policy: prefer, required: true}\n"
        "  amount: {zh: 金额, en: Amount, type: 'decimal(18,2)', class: C2, policy: ask}\n",
        encoding="utf-8",
    )
    entity = load_schema(folder).entity("opportunity")
    assert entity.fields["amount"].scale == 2
    assert entity.references() == {"customer_id": "customer"}


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("customer.yaml", "type: date,", "type: day,", "unknown type `day`"),
        ("customer.yaml", "type: enum(gender)", "type: enum(sex)", "enumeration `sex`"),
        (
            "customer.yaml",
            "policy: prefer, one_authority",
            "policy: newest, one_authority",
            "fields.customer_no.policy",
        ),
        ("customer.yaml", "remark: {zh: 备注,", "remark: {labels: 备注,", "fields.remark.labels` is not a known key"),
        (
            "customer.yaml",
            "type: text, class: C2, policy: ask}",
            "type: text, class: C2, policy: ask, index: true}",
            "index",
        ),
        (
            "customer.yaml",
            "contradicts: [customer_kind,",
            "contradicts: [customer_sort,",
            "unknown field `customer_sort`",
        ),
        ("customer.yaml", "withdrawn: 4}", "revoked: 4}", "must rank every value"),
        ("customer.yaml", "class: C1, policy: union", "class: C3, policy: union", "fields.behavior_tags.class"),
        ("contact_log.yaml", "ref(complaint)", "ref(claim)", "no entity `claim`"),
        ("enums.yaml", "  male: {zh: 男, en: Male}", "  male: {zh: 男}", "gender.male.en` is missing"),
        ("complaint.yaml", "      closed: [investigating]", "      closed: [open]", "unknown value"),
    ],
)
def test_every_fault_names_its_file_and_line(folder: Path, file: str, old: str, new: str, said: str) -> None:
    text = (folder / file).read_text(encoding="utf-8")
    line = text[: text.index(old)].count("\n") + 1
    edit(folder, file, old, new)
    found = problems(folder)
    places = [place for place, _, en in found if said in en]
    assert places == [file], found
    where = next(at for _, at, en in found if said in en)
    assert where is not None
    # A rank or a transition is reported at its field, which begins a few lines above.
    assert line - 20 <= where <= line, (where, line)


def test_all_faults_come_at_once(folder: Path) -> None:
    edit(folder, "customer.yaml", "type: date,", "type: day,")
    edit(folder, "complaint.yaml", "type: enum(severity)", "type: enum(sever)")
    assert {place for place, _, _ in problems(folder)} == {"customer.yaml", "complaint.yaml"}


def test_broken_yaml_names_the_line(folder: Path) -> None:
    edit(folder, "customer.yaml", "on_delete: detach\n", "on_delete: [detach\n")
    found = problems(folder)
    assert found[0][0] == "customer.yaml"
    assert found[0][1] is not None


def test_a_key_given_twice_is_refused(folder: Path) -> None:
    edit(folder, "customer.yaml", "on_delete: detach\n", "on_delete: detach\non_delete: ask\n")
    assert "customer.yaml" in {place for place, _, _ in problems(folder)}


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    assert "no entity file" in problems(tmp_path)[0][2]
