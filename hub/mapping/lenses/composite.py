"""Lenses that join several fields, and constants."""

from __future__ import annotations

import re
from typing import Any

from hub.canonical.refusal import ValueRefused
from hub.canonical.schema import Kind
from hub.canonical.values import Value, compile_canon
from hub.kernel.errors import Text
from hub.mapping.lenses.base import (
    CHOICES,
    NOT_IN_TABLE,
    TEXTS,
    BadLens,
    Constant,
    Fields,
    Joint,
    Lens,
    NoParams,
    Setting,
)

_COMPOUND = (
    "欧阳歐陽司马司馬上官诸葛諸葛东方東方皇甫尉迟尉遲公孙公孫慕容令狐司徒司空长孙長孫宇文夏侯轩辕"
    "端木呼延南宫闻人独孤百里东郭西门澹台公冶宗政濮阳淳于单于太叔申屠钟离鲜于闾丘完颜赫连万俟拓跋"
)
_SURNAMES = frozenset(_COMPOUND[place : place + 2] for place in range(0, len(_COMPOUND), 2))
_CHINESE = re.compile(r"[\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+")


def join_name(family: str | None, given: str | None) -> str | None:
    """Returns 张三 for Chinese parts and `Given Family` otherwise."""
    if not family or not given:
        return family or given
    if _CHINESE.fullmatch(whole := family + given):
        return whole
    return f"{given} {family}"


def split_name(full: str) -> tuple[str, str | None]:
    """Returns (family, given) so that `join_name` gives the same name back."""
    if _CHINESE.fullmatch(full):
        size = 2 if len(full) > 2 and full[:2] in _SURNAMES else 1
        return (full, None) if len(full) == 1 else (full[:size], full[size:])
    given, _, family = full.rpartition(" ")
    return family, given or None


def _person_name(setting: Setting, _: NoParams) -> Joint:
    if [f.name for f in setting.fields] != ["full_name", "family_name", "given_name"]:
        raise BadLens(
            "needs canonical: [full_name, family_name, given_name]",
            "canonical 应为 [full_name, family_name, given_name]",
        )
    canons = tuple(compile_canon(field) for field in setting.fields)
    last, first = setting.natives

    def get(raws: tuple[Any, ...]) -> tuple[Value, ...]:
        family: Any = canons[1](raws[0])
        given: Any = canons[2](raws[1])
        full = join_name(family, given)
        # Two canonical Chinese parts make a canonical whole; anything else is squeezed and measured once more.
        whole = full if full is None or " " not in full else canons[0](full)
        return whole, family, given

    def put(fields: Fields, current: Fields) -> dict[str, Any]:
        family: Any = fields.get("family_name", current.get("family_name"))
        given: Any = fields.get("given_name", current.get("given_name"))
        full: Any = fields.get("full_name")
        if full is not None:
            if family is None or join_name(family, given) != full:
                family, given = split_name(full)
            return {last: family, first: given}
        patch: dict[str, Any] = {}
        if fields.get("family_name") is not None:
            patch[last] = family
        if "given_name" in fields:
            patch[first] = given
        return patch

    return Joint(get, put)


class OptOutParams(NoParams):
    """`values` maps canonical consent to the option of the first native field; the second one is the opt-out flag."""

    values: dict[str, str]


def _consent_opt_out(setting: Setting, params: OptOutParams) -> Joint:
    field, (choice, flag) = setting.field, setting.natives
    if set(params.values) != set(field.values) or "withdrawn" not in field.values:
        raise BadLens("`values` must map every value of the enumeration", "values 须覆盖枚举的每个取值")
    back = {native: value for value, native in params.values.items()}
    values, name = params.values, field.name
    shown: dict[str | None, tuple[Value, ...]] = {native: (value,) for native, value in back.items()} | {None: (None,)}

    def get(raws: tuple[Any, ...]) -> tuple[Value, ...]:
        if raws[1] is True:
            return ("withdrawn",)
        return shown[raws[0]]

    def put(fields: Fields, current: Fields) -> dict[str, Any]:
        value = fields[name]
        if value is not None and value not in values:
            raise ValueRefused(name, NOT_IN_TABLE)
        patch: dict[str, Any] = {choice: None if value is None else values[str(value)]}
        if value == "withdrawn":
            patch[flag] = True
        elif current.get(name) == "withdrawn":
            # Only a decision to lift a withdrawal comes here; left set, the flag would bring the withdrawal back.
            patch[flag] = False
        return patch

    return Joint(get, put)


class ConstantParams(NoParams):
    """`value` is what is read always, or written at creation."""

    value: str


def _constant(setting: Setting, params: ConstantParams) -> Constant:
    value: Any = params.value
    if setting.fields:
        try:
            value = compile_canon(setting.field)(value)
        except ValueRefused as refused:
            raise BadLens(f"the constant {refused.reason.en}", f"常量{refused.reason.zh}") from None
    return Constant(value)


COMPOSITE = (
    Lens(
        "person_name",
        Text("Name in two parts", "姓与名两段"),
        NoParams,
        frozenset({Kind.STRING}),
        _person_name,
        TEXTS,
        parts=(2, 2),
        canonicals=(3, 3),
    ),
    Lens(
        "consent_opt_out",
        Text("Consent with an opt-out flag", "联系授权与退订标志"),
        OptOutParams,
        frozenset({Kind.ENUM}),
        _consent_opt_out,
        CHOICES | TEXTS | {"boolean", "true_or_false"},
        parts=(2, 2),
    ),
    Lens(
        "constant",
        Text("Constant", "常量"),
        ConstantParams,
        frozenset(Kind),
        _constant,
        parts=(0, 1),
        canonicals=(0, 1),
        lossy=True,
    ),
)
