"""Says what a canonical YAML file may hold."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel, StringConstraints

NAME = r"^[a-z][a-z0-9_]{0,63}$"
Name = Annotated[str, StringConstraints(pattern=NAME)]
Label = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Policy = Literal["ask", "prefer", "hub", "union", "append", "lattice", "min", "max", "strictest"]
Guard = Literal["consent_loosened", "status_back", "later_without_extension", "extension_unapproved", "masked"]
Format = Literal["e164", "phone", "email", "name", "id_number", "code"]


class Strict(BaseModel):
    """Refuses keys it does not know and values of another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ItemSpec(Strict):
    """Is one value of an enumeration with its labels."""

    zh: Label
    en: Label


class EnumSpec(RootModel[dict[Name, dict[Name, ItemSpec]]]):
    """Is enums.yaml: enumeration -> value -> labels."""


class KeySpec(Strict):
    """Names the hub id of an entity."""

    name: Name
    zh: Label
    en: Label


class MatchSpec(Strict):
    """Is one match rule."""

    name: Name
    fields: Annotated[list[str], Field(min_length=1)]
    strength: Literal["strong", "weak"]


class FieldSpec(Strict):
    """Is one field as written in an entity file."""

    zh: Label
    en: Label
    type: str
    class_: Annotated[Literal["C1", "C2", "-"], Field(alias="class")]
    policy: Policy
    format: Format | None = None
    required: bool = False
    index: bool = False
    prefer: list[str] = []
    guards: list[Guard] = []
    order: dict[str, int] = {}
    transitions: dict[str, list[str]] = {}
    resolution: Literal["s", "ms"] = "s"
    computed: bool = False
    one_authority: bool = False
    default: str | None = None
    min: int | None = None
    max: int | None = None
    max_items: int | None = None
    deprecated: bool = False


class EntitySpec(Strict):
    """Is one entity file."""

    entity: Name
    version: Annotated[int, Field(ge=1)]
    zh: Label
    en: Label
    key: KeySpec
    on_delete: Literal["detach", "archive", "propagate", "ask"] = "detach"
    match: list[MatchSpec] = []
    contradicts: list[str] = []
    find: dict[Literal["phone", "email", "id_number", "account", "name"], list[str]] = {}
    fields: Annotated[dict[str, FieldSpec], Field(min_length=1)]
