"""Who is who: what was linked and why, what is asked, and a person's answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as attribute
from typing import Any

from hub.access.authorize import Target
from hub.audit.event import Event
from hub.canonical.values import Value
from hub.core.state import GoldenRecord, GoldenState
from hub.kernel.errors import Declined
from hub.operations.choice import no_record, person
from hub.operations.installation import Installation
from hub.operations.permission import codes, permit, require, require_record, seen
from hub.store import inbox, matches, merges, records, row_scope
from hub.store.claims import ONE_OF_SEVERAL
from hub.store.matches import MatchQuestion
from hub.store.merges import Twin

NEW = "new"
REPORTED = ("stamped", "sure", "answered", NEW, "unsure")


@dataclass(frozen=True, slots=True)
class CandidateView:
    """Is a golden record that may be the same, with its reasons; values are masked."""

    hub_id: str
    reasons: tuple[str, ...]
    fields: Mapping[str, str] = attribute(repr=False)


@dataclass(frozen=True, slots=True)
class AskedMatch:
    """Is one question: whose record is this? The evidence of both sides stands side by side, masked."""

    question_id: str
    entity: str
    system: str
    object: str
    native_id: str
    state: str
    answer: str | None
    opened_at: float
    fields: Mapping[str, str] = attribute(repr=False)
    candidates: tuple[CandidateView, ...]


@permit("status.read")
def match_report(hub: Installation, entity: str) -> dict[str, int]:
    """Returns how many records were linked as sure, answered or stamped, how many are asked about, and are new.

    `new` counts golden records: each was made from a record that was nobody known.
    """
    hub.entity_rules(entity)
    with hub.store.read() as conn:
        found = matches.tally(conn, entity)
        totals = records.totals(conn)
    found[NEW] = sum(number for name, number in totals.items() if name.partition(":")[0] == entity)
    return {name: found.get(name, 0) for name in REPORTED}


@dataclass(frozen=True, slots=True)
class TruthScore:
    """Compares the bindings with a table that knows who is who (training and tests only).

    `split` people have more than one golden record; `mixed` golden records hold more than one person.
    """

    people: int
    bound: int
    split: int
    mixed: int
    unbound: int


@permit("status.read")
def compare_with_truth(hub: Installation, entity: str, rows: Sequence[Mapping[str, Any]]) -> TruthScore:
    """Scores the bindings by rows that name a person's native id per system or kind of system."""
    links = hub.links(entity)
    owners: dict[tuple[str, str], str] = {}
    wanted: dict[str, list[str]] = {name: [] for name in links}
    for row in rows:
        for system in links:
            if native_id := _native(hub, row, system):
                wanted[system].append(native_id)
    with hub.store.read() as conn:
        for system, ids in wanted.items():
            for object_ in links[system].objects:
                for start in range(0, len(ids), 500):
                    chunk = ids[start : start + 500]
                    for native_id, found in records.bindings_by_native(conn, system, object_, chunk).items():
                        owners[system, native_id] = found.hub_id
    split = bound = unbound = 0
    people_of: dict[str, set[int]] = {}
    for number, row in enumerate(rows):
        places = [(system, native) for system in links if (native := _native(hub, row, system))]
        hub_ids = {owners[place] for place in places if place in owners}
        bound += bool(hub_ids)
        unbound += sum(place not in owners for place in places)
        split += len(hub_ids) > 1
        for hub_id in hub_ids:
            people_of.setdefault(hub_id, set()).add(number)
    return TruthScore(len(rows), bound, split, sum(len(people) > 1 for people in people_of.values()), unbound)


def _native(hub: Installation, row: Mapping[str, Any], system: str) -> str | None:
    found = row.get(system) or row.get(hub.settings.systems[system].kind)
    return None if found is None else str(found)


@permit("question.read")
def list_matches(hub: Installation, entity: str, question_id: str | None = None) -> list[AskedMatch]:
    """Returns the open match questions with the evidence of both sides, masked. Raises Declined for another id."""
    with hub.store.read() as conn:
        found = matches.questions(conn, entity, question_id=question_id)
        if question_id is not None and not found:
            raise _no_question(question_id)
        hub_ids = sorted({hub_id for item in found for hub_id in item.candidates})
        golden: dict[str, GoldenRecord] = {}
        for start in range(0, len(hub_ids), 500):
            golden |= records.load_golden(conn, hub.store.ring, hub_ids[start : start + 500])
        seen = [_observed(hub, conn, item) for item in found]
    evidence, near = _evidence(hub, entity), codes(hub, "question.read", entity)
    return [
        AskedMatch(
            item.question_id,
            item.entity,
            item.system,
            item.object,
            item.native_id,
            item.state,
            item.answer,
            item.opened_at,
            _masked(hub, entity, evidence, values),
            tuple(
                CandidateView(hub_id, why, _masked(hub, entity, evidence, _near(near, golden[hub_id].fields)))
                for hub_id, why in item.candidates.items()
                if hub_id in golden
            ),
        )
        for item, values in zip(found, seen, strict=True)
        if near is None
        or _near(near, values)
        or any(_near(near, golden[key].fields) for key in item.candidates if key in golden)
    ]


def _near(codes: frozenset[str] | None, fields: Mapping[str, Value]) -> Mapping[str, Value]:
    """Returns the values of a record of these branches, and nothing of any other."""
    return fields if codes is None or fields.get("branch_code") in codes else {}


def _observed(hub: Installation, conn: Any, item: MatchQuestion) -> Mapping[str, Value]:
    row = inbox.by_native(conn, item.system, item.object, [item.native_id]).get(item.native_id)
    if row is None:
        return {}
    if row.hub_id is not None:
        records.load_subjects(conn, hub.store.ring, [row.hub_id])
    return inbox.open_row(hub.store.ring, row).fields


def _evidence(hub: Installation, entity: str) -> tuple[str, ...]:
    rules = hub.entity_rules(entity)
    names = [name for rule in rules.match_rules for name in rule.fields] + list(rules.entity.contradicts)
    return tuple(dict.fromkeys(names))


def _masked(hub: Installation, entity: str, names: Sequence[str], values: Mapping[str, Value]) -> dict[str, str]:
    fields = hub.schema.entity(entity).fields
    return {name: seen(hub, fields[name], values[name]) for name in names if values.get(name) is not None}


@permit("question.read")
def list_merges(hub: Installation, entity: str) -> list[Twin]:
    """Returns the records that people are to merge in their own system, since the golden records are one already."""
    hub.entity_rules(entity)
    near = codes(hub, "question.read", entity)
    with hub.store.read() as conn:
        found = merges.twins(conn, entity)
        known = {} if near is None else row_scope.places(conn, [twin.heir_id for twin in found])
    return [twin for twin in found if near is None or known[twin.heir_id][1] in near]


@permit("match.answer")
def decide_match(hub: Installation, question_id: str, *, link: str | None = None, new: bool = False) -> MatchQuestion:
    """Answers whose record it is: link it with a golden record, or take it as new.

    Raises Declined for a question that is no longer open or a record that has its place there already, and NotFound.
    """
    if (link is not None) == new:
        raise Declined("answer with either --link HUB_ID or --new", "请使用 --link 统一编号 或 --new 之一")
    with hub.store.begin() as work:
        item = _open_question(hub, work.conn, question_id)
        if link is not None:
            record = records.load_golden(work.conn, hub.store.ring, [link]).get(link)
            if record is None or record.entity != item.entity or record.state is not GoldenState.LIVE:
                raise no_record(link)
            require_record(hub, "match.answer", record)
            if not _of_part(item, link) and matches.placed(work.conn, [link], item.system):
                raise Declined(
                    f"golden record {link} has a record in {item.system} already; merge the two there first",
                    f"黄金记录 {link} 在 {item.system} 中已有记录；请先在该系统合并两条记录",
                )
        else:
            _require_seen(hub, work.conn, item)
        if not matches.answer(work, question_id, link or NEW, person(hub)):
            raise _no_question(question_id)
        inbox.wake_native(work, item.system, item.object, item.native_id)
        reason = f"{item.object}:{item.native_id}"
        obj = link or question_id
        work.audit(Event("match.decide", item.entity, obj, connection=item.system, code=_code(new), reason=reason))
    return item


def _require_seen(hub: Installation, conn: Any, item: MatchQuestion) -> None:
    place = hub.branches.path(_observed(hub, conn, item).get("branch_code"))
    require(hub, "match.answer", Target(item.entity, item.question_id, place))


def _of_part(item: MatchQuestion, link: str) -> bool:
    """Tells whether a part of that record is asked about: beside it the record has its place in the system."""
    return ONE_OF_SEVERAL in item.candidates.get(link, ())


def _code(new: bool) -> str:
    return NEW if new else "link"


@permit("match.answer")
def undo_match(hub: Installation, question_id: str) -> str:
    """Takes an answer back that no cycle has applied yet; returns the id of the question that stands in its place."""
    with hub.store.begin() as work:
        item = _open_question(hub, work.conn, question_id)
        _require_seen(hub, work.conn, item)
        if item.state != "decided":
            raise Declined(
                f"match question {question_id} has no answer to take back", f"匹配问题 {question_id} 尚无可撤回的答复"
            )
        place = (item.system, item.object, item.native_id)
        matches.ask(work, item.entity, "undo", {place: item.candidates})
        work.audit(Event("match.undo", item.entity, question_id, connection=item.system))
        found = matches.questions(work.conn, item.entity)
    return next(q.question_id for q in found if (q.system, q.object, q.native_id) == place)


def _open_question(hub: Installation, conn: Any, question_id: str) -> MatchQuestion:
    for entity in hub.rules:
        for item in matches.questions(conn, entity, question_id=question_id):
            return item
    raise _no_question(question_id)


def _no_question(question_id: str) -> Declined:
    return Declined(
        f"no match question {question_id} is open: it was answered, or its candidates have moved; "
        "see `crmhub match list`",
        f"没有待确认的匹配问题 {question_id}：已处理，或候选已变化；请查看 `crmhub match list`",
    )
