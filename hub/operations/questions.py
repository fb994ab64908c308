"""Conflicts and holds: shown masked, and answered by a person; the next cycle applies the answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field as attribute
from typing import Any

from hub.access.changes import how_changed
from hub.access.masking import show
from hub.audit.event import Event, FieldNote
from hub.canonical.schema import Field
from hub.canonical.values import Value
from hub.core.fates import APART, JOIN, MERGE
from hub.core.state import HUB
from hub.kernel.errors import Declined, NotFound, Text
from hub.operations.choice import entities_of, person
from hub.operations.installation import Installation
from hub.operations.permission import permit, reach, require_record, seen
from hub.operations.revealing import spend
from hub.operations.values import parse
from hub.store import inbox, questions, records
from hub.store.history import value_digest
from hub.store.questions import Question
from hub.store.unit_of_work import UnitOfWork

WORDS = {"conflict": Text("conflict", "冲突"), "hold": Text("hold", "暂缓变更")}
Choose = Callable[[Question, Value], Value]
"""Returns the answer to a question, given the golden value now."""
RECORD = "*"
"""Stands for the field of a question about the whole record: was it deleted on purpose, is it another one?"""


@dataclass(frozen=True, slots=True)
class Asked:
    """Is one question as a person may see it: the candidates and the golden value are masked."""

    kind: str
    id: str
    entity: str
    hub_id: str
    field: str
    label: Text
    rule: str
    system: str
    state: str
    opened_at: float
    golden: str = attribute(repr=False)
    candidates: tuple[tuple[str, str], ...] = attribute(repr=False)
    how: tuple[tuple[str, Text], ...] = ()
    """What each candidate does to the golden value, without showing either."""


@permit("question.read")
def list_questions(hub: Installation, kind: str, entity: str | None = None, limit: int = 1000) -> list[Asked]:
    """Returns the open and decided questions of one kind, oldest first."""
    within = reach(hub, "question.read", entities_of(hub, entity))
    with hub.store.read() as conn:
        owners = questions.subjects(conn, kind, limit=limit, reach=within)
        golden = records.load_golden(conn, hub.store.ring, owners)
        found = questions.load(conn, hub.store.ring, kind, hub_ids=owners, limit=limit)
    return [_asked(hub, item, golden[item.hub_id].fields.get(item.field)) for item in found]


@permit("question.read")
def show_question(hub: Installation, kind: str, question_id: str, reason: str | None = None) -> Asked:
    """Returns one question; with `reason` its values stand whole, and that is audited first."""
    with hub.store.read() as conn:
        item = _find(hub, conn, kind, question_id)
        record = records.load_golden(conn, hub.store.ring, [item.hub_id])[item.hub_id]
    require_record(hub, "question.read", record)
    now = record.fields.get(item.field)
    if reason is not None:
        if item.field == RECORD:
            raise Declined("a question about a whole record hides no value", "针对整条记录的问题没有隐藏值")
        require_record(hub, "record.reveal", record, [_field(hub, item)])
        with hub.store.begin() as work:
            spend(hub, work, record, _field(hub, item), "record.reveal", reason=reason, ticket=f"{kind}:{question_id}")
    return _asked(hub, item, now, whole=reason is not None)


@permit("question.answer")
def resolve_conflict(
    hub: Installation,
    question_id: str,
    *,
    take: str | None = None,
    value: str | None = None,
    keep: bool = False,
) -> Asked:
    """Answers a conflict by the value of a candidate, by another value, or by the golden one as it stands.

    Raises NotFound, and Declined for a question that is no longer open or an answer that is no value of the field.
    """
    if [take is not None, value is not None, keep].count(True) != 1:
        raise Declined(
            "answer with exactly one of --take SYSTEM, --value VALUE and --keep",
            "请且仅请使用 --take 系统、--value 值、--keep 之一",
        )

    def choose(item: Question, now: Value) -> Value:
        if keep:
            return now
        if take is not None:
            return _candidate(item, take)
        return parse(_field(hub, item), str(value))

    return _resolve(hub, "conflict", question_id, _word(take, value), choose)


def _word(take: str | None, value: str | None) -> str:
    return f"take:{take}" if take is not None else "value" if value is not None else "keep"


@permit("question.answer")
def resolve_hold(hub: Installation, question_id: str, *, accept: bool, reason: str | None = None) -> Asked:
    """Lets a held change through, or sends the golden value back to the system that made it. Raises as above.

    A proposed merge joins two golden records for good when it is accepted, so it takes a reason either way.
    """
    said = (reason or "").strip()

    def choose(item: Question, now: Value) -> Value:
        if item.rule == MERGE:
            if not said:
                raise Declined(
                    "say why the two records are one, or are not: --reason TEXT; it is audited",
                    "请说明两条记录为何应（或不应）合并：--reason 文本，将留痕",
                )
            return JOIN if accept else APART
        if item.field == RECORD:
            return "detach" if accept else "restore"
        return _candidate(item, item.system) if accept else now

    return _resolve(hub, "hold", question_id, "accept" if accept else "reject", choose, said)


def _resolve(hub: Installation, kind: str, question_id: str, word: str, choose: Choose, said: str = "") -> Asked:
    with hub.store.begin() as work:
        item = _find(hub, work.conn, kind, question_id)
        if item.state not in questions.LIVE:
            raise _moved(hub, work, item)
        record = records.load_golden(work.conn, hub.store.ring, [item.hub_id])[item.hub_id]
        require_record(hub, "question.answer", record, [] if item.field == RECORD else [_field(hub, item)])
        now = record.fields.get(item.field)
        answer = choose(item, now)
        if not questions.answer(work, item, answer, person(hub)):
            raise _moved(hub, work, _find(hub, work.conn, kind, question_id))
        inbox.wake(work, [item.hub_id])
        work.audit(
            Event(
                f"{kind}.resolve",
                item.entity,
                item.hub_id,
                code=word,
                reason=f"{question_id}: {said}" if said else question_id,
                connection=item.system or None,
                fields=_notes(hub, item, now, answer),
            )
        )
        return _asked(hub, item, now)


def _notes(hub: Installation, item: Question, before: Value, after: Value) -> tuple[FieldNote, ...]:
    if item.field == RECORD:
        return ()
    ring = hub.store.ring
    shown = [None if v is None else value_digest(ring, item.field, v).hex() for v in (before, after)]
    return (FieldNote(item.field, _field(hub, item).klass, shown[0], shown[1]),)


def _find(hub: Installation, conn: Any, kind: str, question_id: str) -> Question:
    hub_id = questions.record_of(conn, kind, question_id)
    if hub_id is not None:
        records.load_subjects(conn, hub.store.ring, [hub_id])
        return questions.load(conn, hub.store.ring, kind, question_id=question_id, states=())[0]
    word = WORDS[kind]
    raise NotFound(
        f"there is no {word.en} {question_id}; see `crmhub {kind} list`",
        f"没有{word.zh} {question_id}；请查看 `crmhub {kind} list`",
    )


def _moved(hub: Installation, work: UnitOfWork, item: Question) -> Declined:
    live = questions.load(work.conn, hub.store.ring, item.kind, hub_ids=[item.hub_id])
    fresh = next((other.id for other in live if other.field == item.field), None)
    word = WORDS[item.kind]
    if fresh is not None:
        return Declined(
            f"the candidates of {word.en} {item.id} have moved since; look at {fresh} and answer that one",
            f"{word.zh} {item.id} 的候选值已变化；请查看 {fresh} 并重新处理",
        )
    return Declined(
        f"{word.en} {item.id} is no longer open ({item.state}): its candidates have moved; nothing was changed",
        f"{word.zh} {item.id} 已不再待处理（{item.state}），候选值已变化；未做任何改动",
    )


def _candidate(item: Question, origin: str) -> Value:
    for name, value in item.candidates:
        if name == origin:
            return value
    known = ", ".join(name for name, _ in item.candidates)
    raise Declined(
        f"{origin} is not a candidate of {item.field}; the candidates are: {known}",
        f"{origin} 不是字段 {item.field} 的候选；候选为：{known}",
    )


def _field(hub: Installation, item: Question) -> Field:
    return hub.schema.entity(item.entity).fields[item.field]


def _asked(hub: Installation, item: Question, now: Value, *, whole: bool = False) -> Asked:
    if item.field == RECORD:
        label = Text("the whole record", "整条记录")
        golden, candidates = "", tuple((origin, _fate(value)) for origin, value in item.candidates)
    else:
        field = _field(hub, item)
        label, golden = field.label, show(now) if whole else seen(hub, field, now)
        candidates = tuple((origin, show(v) if whole else seen(hub, field, v)) for origin, v in item.candidates)
    place = item.system or HUB
    return Asked(
        item.kind,
        item.id,
        item.entity,
        item.hub_id,
        item.field,
        label,
        item.rule,
        place if item.kind == "hold" else "",
        item.state,
        item.opened_at,
        golden,
        candidates,
        () if item.field == RECORD else tuple((origin, how_changed(now, v)) for origin, v in item.candidates),
    )


def _fate(value: Value) -> str:
    """Says what a system did to the whole record: the golden record it was merged into, or its delete."""
    return "deleted" if value is None else f"-> {value}"
