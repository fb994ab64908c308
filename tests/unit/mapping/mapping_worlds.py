"""What the mapping tests share: the shipped files, and generators of canonical values in the domain of a mapping."""

from __future__ import annotations

from functools import cache
from typing import Any

from hypothesis import strategies as st

from hub.canonical.schema import Field, Kind, load_schema
from hub.canonical.shipped import shipped_folder
from hub.canonical.values import Value, ValueRefused, canonicalise
from hub.mapping.loader import load_mapping, mapping_path
from hub.mapping.model import MappingFile
from hub.mapping.tables import load_tables
from hub.mapping.translate import CompiledMapping, compile_mapping

ROOT = shipped_folder("mappings")
SCHEMA = load_schema(ROOT / "canonical")
TABLES = load_tables(ROOT / "tables")
CUSTOMER = SCHEMA.entity("customer").fields
SHIPPED = [(kind, chosen) for kind in ("zoho_crm", "fxiaoke") for chosen in ("core", "full")]


@cache
def mapping_of(kind: str, chosen: str) -> MappingFile:
    return load_mapping(mapping_path(ROOT, kind, "customer", chosen))


@cache
def compiled(kind: str, chosen: str) -> CompiledMapping:
    return compile_mapping(mapping_of(kind, chosen), SCHEMA, TABLES)


PLACES = [(kind, chosen, name) for kind, chosen in SHIPPED for name in compiled(kind, chosen).objects]

_NAMES = st.one_of(
    st.text(alphabet="张王李欧阳司马诸葛三四丰·", min_size=1, max_size=6),
    st.from_regex(r"[A-Z][a-z]{1,8}( [A-Z][a-z]{1,8}){0,3}", fullmatch=True),
    st.text(alphabet="张三AbÉ '-", min_size=1, max_size=12),
)
_MOBILES = st.one_of(
    st.from_regex(r"\+861[3-9][0-9]{9}", fullmatch=True), st.sampled_from(["+351912345678", "+85291234567"])
)
_TAGS = ["高净值", "活跃", "理财偏好", "房贷", "代发工资", "手机银行", "信用卡", "小微企业"]


@cache
def _values_of(name: str) -> st.SearchStrategy[Value]:
    return generate(CUSTOMER[name])


def canonical(field: Field) -> st.SearchStrategy[Value]:
    """Generates canonical values of a field that every shipped mapping can carry."""
    return _values_of(field.name)


def generate(field: Field) -> st.SearchStrategy[Value]:
    """Generates canonical values of a field of any entity."""
    special: dict[str, st.SearchStrategy[Any]] = {
        "address_region": st.sampled_from(sorted(TABLES["regions"].rows)),
        "industry": st.sampled_from(sorted(TABLES["industries"].rows)),
        "branch_code": st.sampled_from(sorted(TABLES["branches"].rows)),
        "staff_no": st.sampled_from([k for k, row in TABLES["staff"].rows.items() if row["active"] == "yes"]),
        "behavior_tags": st.lists(st.sampled_from(_TAGS), max_size=8),
    }
    by_format = {
        "name": _NAMES,
        "e164": _MOBILES,
        "phone": st.one_of(_MOBILES, st.from_regex(r"0[1-9][0-9]{1,2}-[0-9]{8}", fullmatch=True)),
        "email": st.emails(),
    }
    by_kind: dict[Kind, st.SearchStrategy[Any]] = {
        Kind.STRING: st.text(max_size=min(field.length or 0, 40)),
        Kind.TEXT: st.text(max_size=60),
        Kind.INTEGER: st.integers(field.minimum or 0, field.maximum or 999_999_999),
        Kind.DATE: st.dates(),
        Kind.DATETIME: st.datetimes().map(lambda moment: moment.isoformat() + "+00:00"),
        Kind.ENUM: st.sampled_from(field.values or ("",)),
    }
    raw = special[field.name] if field.name in special else by_format.get(field.format or "", by_kind.get(field.kind))
    assert raw is not None
    return raw.map(lambda value: _accept(field, value)).filter(lambda value: value is not _REFUSED)  # type: ignore[arg-type, return-value]


_REFUSED: Any = object()


def _accept(field: Field, raw: object) -> Any:
    try:
        value = canonicalise(field, raw)
    except ValueRefused:
        return _REFUSED
    # A masked value, or a text with authentication data in it, is outside the domain of a lens on purpose.
    marks = "*" if field.maskable else "码令PpCc;%" if field.free_text else ""
    return _REFUSED if isinstance(value, str) and any(mark in value for mark in marks) else value
