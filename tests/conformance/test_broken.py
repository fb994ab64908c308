"""The kit itself: connectors broken on purpose are rejected by the clauses they break and by no other."""

from __future__ import annotations

from dataclasses import replace

import broken
import pytest
from memory_world import LAGGING, MemoryWorld

from connectors.base import Capabilities
from connectors.conformance import CLAUSES, NotOffered, broken_clauses, run_clause
from connectors.conformance.registration import checks
from connectors.memory import MemoryConnector

NOT_UNIQUE = replace(LAGGING, external_key_unique=False)
UNCLEAR = {"FAIL-03", "FAIL-04", "FAIL-05", "FAIL-08"}
CASES: list[tuple[type[MemoryConnector], set[str], Capabilities]] = [
    (broken.SkipsTies, {"READ-03"}, LAGGING),
    (broken.PassesServerTime, {"READ-04"}, LAGGING),
    (broken.TakesAnyCursor, {"READ-06"}, LAGGING),
    (broken.DropsFields, {"READ-07"}, LAGGING),
    (broken.NullsAsAbsent, {"READ-08"}, LAGGING),
    (broken.HiddenFieldsAsEmpty, {"READ-09"}, LAGGING),
    (broken.ForgetsIds, {"READ-11"}, LAGGING),
    (broken.WritesWide, {"WRITE-02"}, LAGGING),
    (broken.ReversesResults, {"WRITE-03"}, LAGGING),
    (broken.SwallowsRefusals, {"WRITE-04"}, LAGGING),
    (broken.FailsWholeBatches, {"WRITE-04"}, LAGGING),
    (broken.IgnoresVersions, {"WRITE-05"}, LAGGING),
    (broken.CutsTexts, {"WRITE-09"}, LAGGING),
    (broken.CutsBatches, {"WRITE-10"}, LAGGING),
    (broken.FindsTheFirst, {"ID-02"}, NOT_UNIQUE),
    (broken.ClaimsStrongFind, {"ID-03"}, LAGGING),
    (broken.ClaimsUpsert, {"ID-06"}, NOT_UNIQUE),
    (broken.HiddenAsGone, {"DEL-04"}, LAGGING),
    (broken.LosesTheUndated, {"READ-18"}, LAGGING),
    (broken.CountsTheHidden, {"READ-19"}, LAGGING),
    (broken.SelectsForAll, {"READ-20"}, LAGGING),
    (broken.LeaksSecrets, {"HYG-01"}, LAGGING),
    (broken.LeaksValues, {"HYG-02"}, LAGGING),
    # One fault, the same mistake under several circumstances: each circumstance has its clause.
    (broken.EmptyPageForRubbish, {"FAIL-06", "FAIL-07"}, LAGGING),
    (broken.ResendsUnclear, UNCLEAR, LAGGING),
    (broken.ForgetsToEnd, {"READ-01", "READ-16"}, LAGGING),
]


@pytest.mark.parametrize(("kind", "clauses", "capabilities"), CASES, ids=lambda each: getattr(each, "__name__", ""))
def test_a_broken_connector_breaks_its_clauses(
    kind: type[MemoryConnector], clauses: set[str], capabilities: Capabilities
) -> None:
    found = broken_clauses(lambda: MemoryWorld(capabilities), lambda world: kind(world.settings, world.context))
    assert set(found) == clauses, found


@pytest.mark.parametrize("capabilities", [LAGGING, NOT_UNIQUE])
def test_the_connector_they_are_made_from_breaks_none(capabilities: Capabilities) -> None:
    found = broken_clauses(
        lambda: MemoryWorld(capabilities), lambda world: MemoryConnector(world.settings, world.context)
    )
    assert found == {}


def test_what_a_world_cannot_do_is_not_passed() -> None:
    class Plain(MemoryWorld):
        def merge(self, loser: str, survivor: str) -> None:
            raise NotOffered("no merges here")

    world = Plain()
    with pytest.raises(NotOffered, match="no merges here"):
        run_clause("DEL-05", world, lambda: MemoryConnector(world.settings, world.context))


def test_every_clause_is_stated_and_tested() -> None:
    assert set(checks) == set(CLAUSES)
    assert len(set(CLAUSES.values())) == len(CLAUSES)
