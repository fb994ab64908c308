"""The tables of what waits for a person: conflicts, holds, quarantine, questions of identity and tripped guards."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Double, ForeignKey, Index, Integer, LargeBinary, String, Table, Text, text

from hub.store.tables import metadata as metadata


def _question() -> list[Column[Any]]:
    return [
        Column("entity", String(64), nullable=False),
        Column("hub_id", String(64), ForeignKey("golden.hub_id"), nullable=False),
        Column("field", String(64), nullable=False),
        Column("rule", String(64), nullable=False),
        Column("system", String(64), nullable=False),
        Column("subject_id", String(64), nullable=False),
        Column("digest", LargeBinary, nullable=False),
        Column("blob", LargeBinary, nullable=False),
        Column("state", String(16), nullable=False),
        Column("run_id", String(64), nullable=False),
        Column("opened_at", Double, nullable=False),
        Column("closed_at", Double),
        Column("answer", LargeBinary),
        Column("answered_by", String(64)),
    ]


conflict = Table("conflict", metadata, Column("conflict_id", String(64), primary_key=True), *_question())
hold = Table("hold", metadata, Column("hold_id", String(64), primary_key=True), *_question())
for _table in (conflict, hold):
    _open = text("state IN ('open', 'decided')")
    Index(
        f"{_table.name}_open",
        _table.c.hub_id,
        _table.c.field,
        unique=True,
        postgresql_where=_open,
        sqlite_where=_open,
    )

    Index(f"{_table.name}_by_hub", _table.c.hub_id)
    Index(f"{_table.name}_by_state", _table.c.entity, _table.c.state)

quarantine = Table(
    "quarantine",
    metadata,
    Column("quarantine_id", String(64), primary_key=True),
    Column("entity", String(64), nullable=False),
    Column("system", String(64), nullable=False),
    Column("object", String(120), nullable=False),
    Column("native_id", String(160), nullable=False),
    Column("hub_id", String(64)),
    Column("direction", String(8), nullable=False),
    Column("field", String(120), nullable=False),
    Column("code", String(64), nullable=False),
    Column("en", Text, nullable=False),
    Column("zh", Text, nullable=False),
    Column("input_digest", LargeBinary, nullable=False),
    Column("subject_id", String(64)),
    Column("blob", LargeBinary),
    Column("state", String(16), nullable=False),
    Column("run_id", String(64), nullable=False),
    Column("opened_at", Double, nullable=False),
    Column("closed_at", Double),
)
Index(
    "quarantine_open",
    quarantine.c.system,
    quarantine.c.object,
    quarantine.c.native_id,
    quarantine.c.field,
    unique=True,
    postgresql_where=text("state = 'open'"),
    sqlite_where=text("state = 'open'"),
)
Index("quarantine_by_hub", quarantine.c.hub_id)

Index("quarantine_by_state", quarantine.c.entity, quarantine.c.state)

match_question = Table(
    "match_question",
    metadata,
    Column("question_id", String(64), primary_key=True),
    Column("entity", String(64), nullable=False),
    Column("system", String(64), nullable=False),
    Column("object", String(120), nullable=False),
    Column("native_id", String(160), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("answer", String(160)),
    Column("answered_by", String(64)),
    Column("run_id", String(64), nullable=False),
    Column("opened_at", Double, nullable=False),
    Column("closed_at", Double),
)
Index(
    "match_question_open",
    match_question.c.system,
    match_question.c.object,
    match_question.c.native_id,
    unique=True,
    postgresql_where=text("state IN ('open', 'decided')"),
    sqlite_where=text("state IN ('open', 'decided')"),
)
Index("match_question_native", match_question.c.system, match_question.c.object, match_question.c.native_id)
Index("match_question_by_state", match_question.c.entity, match_question.c.state)

match_candidate = Table(
    "match_candidate",
    metadata,
    Column("question_id", String(64), ForeignKey("match_question.question_id"), primary_key=True),
    Column("hub_id", String(64), primary_key=True),
    Column("system", String(64), nullable=False),
    Column("reasons", Text, nullable=False),
)
Index("match_candidate_by_hub", match_candidate.c.hub_id)

match_decision = Table(
    "match_decision",
    metadata,
    Column("decision_id", String(64), primary_key=True),
    Column("entity", String(64), nullable=False),
    Column("system", String(64), nullable=False),
    Column("object", String(120), nullable=False),
    Column("native_id", String(160), nullable=False),
    Column("hub_id", String(64), nullable=False),
    Column("certainty", String(16), nullable=False),
    Column("rule", String(64), nullable=False),
    Column("decided_by", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("run_id", String(64), nullable=False),
    Column("decided_at", Double, nullable=False),
)
Index("match_decision_native", match_decision.c.system, match_decision.c.object, match_decision.c.native_id)

Index("match_decision_tally", match_decision.c.entity, match_decision.c.state, match_decision.c.certainty)

guard_trip = Table(
    "guard_trip",
    metadata,
    Column("entity", String(64), primary_key=True),
    Column("system", String(64), primary_key=True),
    Column("guard", String(32), primary_key=True),
    Column("count", Integer, nullable=False),
    Column("allowed", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("released_by", String(64)),
    Column("reason", Text),
    Column("run_id", String(64), nullable=False),
    Column("tripped_at", Double, nullable=False),
    Column("released_at", Double),
)
