"""Says what a mapping file may hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from ruamel.yaml.comments import CommentedMap

from hub.canonical.schema_file import MatchSpec, Name, Strict
from hub.kernel.yaml_file import line_of
from hub.mapping.cutoff import read_moment

Direction = Literal["both", "in", "out"]
Native = Annotated[str, StringConstraints(pattern=r"^[$A-Za-z][A-Za-z0-9_.$]{0,99}$")]


class PairSpec(BaseModel):
    """Is one pair of canonical and native fields; what is not named here is a parameter of its lens.

    A pair with `once` is read from a record seen for the first time only, and written only when one is created.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    canonical: Name | list[Name] | None = None
    native: Native | list[Native] | None = None
    lens: Name
    direction: Direction
    clear: bool | list[Name] = False
    once: bool = False
    default: str | None = None
    maskable: bool | None = None

    @property
    def canonicals(self) -> tuple[str, ...]:
        return _many(self.canonical)

    @property
    def natives(self) -> tuple[str, ...]:
        return _many(self.native)

    @property
    def params(self) -> dict[str, Any]:
        return dict(self.model_extra or {})

    @property
    def clearable(self) -> tuple[str, ...]:
        if isinstance(self.clear, bool):
            return self.canonicals if self.clear else ()
        return tuple(self.clear)

    @property
    def reads(self) -> bool:
        return self.direction != "out" and bool(self.canonicals)

    @property
    def writes(self) -> bool:
        return self.direction != "in" and bool(self.natives)


def _many(names: str | list[str] | None) -> tuple[str, ...]:
    if names is None:
        return ()
    return (names,) if isinstance(names, str) else tuple(names)


class PartSpec(Strict):
    """Keeps some fields of a route's records in another object; `main` is the lookup there that points at the record.

    The lookup holds the id itself or `{id: …}`, by its `shape`. `only` tells which records of the object are meant:
    native field -> values, the first of which is written to a new one.
    """

    part: Annotated[Name, StringConstraints(max_length=64)]
    object: Native
    main: Native
    shape: Literal["id", "id_object"] = "id"
    hub_id_field: Native | None = None
    only: dict[Native, Annotated[list[str | bool], Field(min_length=1)]] = Field(default_factory=dict)
    fields: Annotated[list[PairSpec], Field(min_length=1)]


class RouteSpec(Strict):
    """Sends the records whose canonical fields hold one of the values in `when` to one object, and its parts.

    Of the object only records whose native fields hold one of the values in `only` take part, where it is given.
    """

    object: Native
    when: dict[Name, list[str]] = Field(default_factory=dict)
    only: dict[Native, Annotated[list[str], Field(min_length=1)]] = Field(default_factory=dict)
    hub_id_field: Native | None = None
    fields: Annotated[list[PairSpec], Field(min_length=1)]
    parts: list[PartSpec] = Field(default_factory=list)


class SinceSpec(Strict):
    """Leaves out the records whose field lies before a day or instant; one whose field is empty takes part."""

    field: Name
    moment: Annotated[str, BeforeValidator(read_moment)] = Field(alias="from")


class MappingSpec(Strict):
    """Is one mapping file. `filter` admits only records whose canonical fields hold one of the listed values.

    `since` admits only those that are not too old.
    """

    system_kind: Name
    entity: Name
    set: Literal["core", "full"] | Name
    version: Annotated[int, Field(ge=1)] = 1
    hub_id_field: Native
    filter: dict[Name, list[str]] = Field(default_factory=dict)
    since: SinceSpec | None = None
    match: list[MatchSpec] = Field(default_factory=list)
    routes: Annotated[list[RouteSpec], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class MappingFile:
    """Is a mapping file that was read: its content, where it stands, and the lines of its keys."""

    spec: MappingSpec
    file: str
    digest: str
    tree: CommentedMap = field(repr=False, compare=False)

    def line(self, *path: str | int) -> int | None:
        return line_of(self.tree, path)
