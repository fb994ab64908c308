"""Makes golden records of strangers in the commit that read them: no question can be asked about them."""

from __future__ import annotations

from collections.abc import Sequence

from hub.core.adoption import adopt_new
from hub.core.state import Binding, BindingState, Observation
from hub.store import history, records
from hub.store.records import Write, binding_id
from hub.store.unit_of_work import UnitOfWork
from hub.sync.engine import Link, RunContext
from hub.sync.parts import missing_parts
from hub.sync.rollup import note
from hub.sync.trail import created_event


def adopt(run: RunContext, work: UnitOfWork, link: Link, new: Sequence[Observation]) -> None:
    """Writes one golden record and one binding per stranger, and what the other systems are owed by that."""
    if not new:
        return
    version = link.mapping.version
    writes = []
    righted = []
    for seen in new:
        scope = link.scope(seen.object)
        bound = Binding(
            binding_id(seen.obs_id, link.system),
            seen.obs_id,
            run.entity,
            link.system,
            seen.object,
            seen.native_id,
            BindingState.ACTIVE,
            mapping_version=version,
            agreed_revision=1,
        )
        plan = adopt_new(
            seen,
            bound,
            scope.readable | scope.once,
            scope.writable,
            subject_id=seen.obs_id,
            derivations=run.rules.policy.derivations,
            shows_empty=link.shows_empty(seen.object),
        )
        side = plan.sides[0]
        facets = run.rules.facets(plan.golden.fields)
        bases = {bound.binding_id: side.base}
        bindings = (side.binding, *missing_parts(run, plan.golden, (side.binding,)))
        writes.append(Write(None, plan.golden, bindings, bases, facets, run.rules.pointers))
        work.audit(created_event(run, plan.golden))
        if plan.changes:
            righted.append((plan.golden, plan.changes))
    records.write(work, writes)
    history.keep(work, run.run_id, righted)
    records.place_new(work, run.entity, run.systems())
    note(run, work, [item.golden for item in writes])
    run.tally.add("created", len(writes))
