"""`crmhub demo`: two simulators, a fresh hub, a first sync, edits on both sides, and the proof of it all."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from hub.access.roles import HOST
from hub.cli.commands import Opt, command
from hub.cli.demo_calls import CallBook, Cycle, polls, written
from hub.cli.demo_children import Children, compare
from hub.cli.demo_edits import Editors
from hub.cli.demo_facts import Story, tell
from hub.cli.demo_lab import CHILDREN, ENTITY, OBJECTS, OBJECTS_OF, ZOHO, Lab, running_lab
from hub.cli.demo_screen import Screen
from hub.cli.demo_serve import serve as serve_on
from hub.cli.demo_truth import People, Truth, asked, bound, grade_matches, living, look, right_answer
from hub.cli.demo_words import Speech
from hub.cli.desk import Answer, Desk
from hub.kernel.errors import Declined, HubError, Text
from hub.operations.auditing import verify_log
from hub.operations.cycles import Synced, plan, sync
from hub.operations.guards import release_guard
from hub.operations.holdouts import retry_held
from hub.operations.matching import decide_match
from hub.operations.questions import list_questions, resolve_conflict, resolve_hold
from hub.operations.rounds import sync_all
from hub.sync.cycle import FIRST_SYNC, Outcome, Report

BAR = 1.05
"""Calls may be this many times the minimum."""
ROUNDS = 4
"""How often the first sync may stop to ask before the demo gives up."""


@dataclass(slots=True)
class Demo:
    """Plays the acts in order and keeps what they showed."""

    lab: Lab
    screen: Screen
    say: Speech
    truth: Truth
    book: CallBook
    children: Children
    started_at: float
    failures: list[Text] = field(default_factory=list)
    report: dict[str, Any] = field(default_factory=dict)
    cycles: list[Cycle] = field(default_factory=list)
    runs: set[str] = field(default_factory=set)
    outcome: str = ""

    def play(self) -> None:
        self._match()
        self._first_sync()
        editors, stories = self._edit()
        self._settle(editors, stories)
        self._prove()

    # --- acts -----------------------------------------------------------------------------------------------------

    def _match(self) -> None:
        self.screen.act("act2")
        self._plan(ENTITY)
        graded = grade_matches(self.lab, self.truth)
        self.screen.matches(graded)
        self.report["match"] = {
            name: {"count": item.count, "right": item.right, "wrong": item.wrong} for name, item in graded.items()
        }
        for name, item in graded.items():
            self._expect(not item.wrong, f"{item.wrong} of class {name} are wrong", f"“{name}”类有 {item.wrong} 条错误")

    def _first_sync(self) -> None:
        self.screen.act("act3")
        hub = self.lab.hub
        answered = self._answer_customers()
        # What children say of their parents (when a customer was last contacted) goes out with the first sync.
        for entity in (*CHILDREN, ENTITY, *CHILDREN):
            self._plan(entity)
            answered += self.children.answer()
        self.screen.line(self.say("answered", n=answered), "crmhub match decide")
        for entity in self.book.entities:
            release_guard(hub, entity, FIRST_SYNC, reason=self.say("reason"))
        self.screen.line(self.say("released"), f"crmhub guard release {FIRST_SYNC} --reason …")
        differed = 0
        for _ in range(ROUNDS):
            self._sync_all(until_converged=True)
            conflicts = [item for entity in OBJECTS_OF for item in list_questions(hub, "conflict", entity)]
            if not conflicts and not self.children.answer():
                break
            differed += len(conflicts)
            for question in conflicts:
                resolve_conflict(hub, question.id, take=ZOHO)
        if differed:
            self.screen.line(self.say("asked_first", n=differed), f"crmhub conflict resolve … --take {ZOHO}")
        self.screen.people(self._look("first_sync"))
        for entity in CHILDREN:
            self._compare(entity)
        self.screen.took(len(self.cycles), self._seconds())
        self._expect_converged()

    def _answer_customers(self) -> int:
        questions, owners = asked(self.lab), bound(self.lab, list(living(self.lab)))
        for item in questions:
            answer = right_answer(self.truth, item, owners)
            if answer == "new":
                decide_match(self.lab.hub, item.question_id, new=True)
            else:
                decide_match(self.lab.hub, item.question_id, link=answer)
        return len(questions)

    def _compare(self, entity: str) -> None:
        found = compare(self.lab, entity)
        self.screen.children(entity, found)
        unequal = dict(found.differing)
        counts = {"both": found.both, "alone": found.alone, "compared": found.compared}
        self.report[entity] = counts | {"unequal": unequal}
        self._expect(not found.alone, f"{found.alone} of {entity} stand alone", f"{entity} 仅一侧：{found.alone}")
        self._expect(not unequal, f"{entity}: fields differ: {unequal}", f"{entity} 字段不一致：{unequal}")

    def _edit(self) -> tuple[Editors, list[Story]]:
        self.screen.act("act4")
        editors = Editors(self.lab, self.truth)
        changes = editors.work()
        self.runs.clear()
        self.book.expect_proof(ZOHO)
        self._sync()
        stories = tell(self.lab, changes, frozenset(self.runs))
        self.screen.stories(stories)
        self.report["edits"] = {
            story.change.key: {
                "facts": sorted(" ".join(fact) for fact in story.facts),
                "missing": sorted(" ".join(fact) for fact in story.change.expected - story.facts),
            }
            for story in stories
        }
        for story in stories:
            missing = ", ".join(" ".join(fact) for fact in story.change.expected - story.facts)
            self._expect(
                not missing, f"{story.change.key} led not to: {missing}", f"{story.change.key} 未得到：{missing}"
            )
        return editors, stories

    def _settle(self, editors: Editors, stories: list[Story]) -> None:
        self.screen.act("act5")
        hub, lifted = self.lab.hub, False
        for finding in (item for story in stories for item in story.findings if item.id):
            kind = finding.fact[0]
            if kind == "conflict":
                resolve_conflict(hub, finding.id, take=ZOHO)
                self.screen.line(self.say("takes"), f"crmhub conflict resolve {finding.id} --take {ZOHO}")
            elif kind == "hold":
                resolve_hold(hub, finding.id, accept=False)
                self.screen.line(self.say("rejects"), f"crmhub hold resolve {finding.id} --reject")
            else:
                if not lifted:
                    editors.lift_rule()
                    self.screen.line(self.say("lifted"))
                    lifted = True
                retry_held(hub, finding.id)
                self.screen.line(self.say("retries"), f"crmhub quarantine retry {finding.id}")
        self._sync()
        deleted = next(story.change for story in stories if story.change.key == "delete")
        self._look("settled", frozenset({(ZOHO, editors.person_of(deleted))}))
        if self._expect_converged():
            self.screen.line(self.say("converged"), "crmhub sync · crmhub status")

    def _prove(self) -> None:
        self.screen.act("act6")
        self._sync_all()  # the echoes of the last writes
        first = len(self.cycles)
        self._sync_all()
        idle = self.cycles[first:]
        self.screen.calls(self.book.accounts)
        accounts = self.book.accounts
        used, least = (sum(getattr(a, n) for a in accounts.values()) for n in ("used", "minimum"))
        self.report["calls"] = {
            name: {"used": a.used, "minimum": a.minimum, "ratio": round(a.ratio, 4), "apart": a.apart}
            for name, a in accounts.items()
        } | {"ratio": round(used / least, 4)}
        self._expect(used <= least * BAR, f"{used} calls, {least} were needed", f"调用 {used} 次，最少只需 {least} 次")
        self._show_idle(idle)
        verdict = verify_log(self.lab.hub)
        self.report["audit"] = {"ok": verdict.ok, "rows": verdict.count}
        self.screen.line(self.say("audit", rows=f"{verdict.count:,}"), "crmhub audit verify")

    def _show_idle(self, idle: list[Cycle]) -> None:
        polled = {name: number for cycle in idle for name, number in polls(cycle).items()}
        writes = sum(written(cycle) for cycle in idle)
        each = ", ".join(f"{name} {number}" for name, number in polled.items())
        self.report["idle"] = {"polls": polled, "writes": writes}
        self.screen.line(self.say("idle", polls=sum(polled.values()), each=each, writes=writes))
        self._expect(
            not writes and set(polled.values()) == {1},
            f"an idle cycle polled {each} and wrote {writes}",
            f"空闲批次轮询 {each}，写入 {writes} 次",
        )

    # --- what acts share ------------------------------------------------------------------------------------------

    def _sync(self) -> Synced:
        """Runs cycles until nothing moves by itself any more."""
        self.lab.settle_index()

        def told(number: int, report: Report) -> None:
            self.runs.add(report.run_id)
            self._booked(ENTITY)

        with self.screen.progress(self.lab):
            done = sync(self.lab.hub, ENTITY, until_converged=True, told=told)
        self.outcome = done.outcome
        return done

    def _plan(self, entity: str) -> None:
        with self.screen.progress(self.lab, entity):
            plan(self.lab.hub, entity)
        self._booked(entity)

    def _sync_all(self, *, until_converged: bool = False) -> None:
        """Runs one cycle of every entity, or rounds of them until nothing moves by itself any more."""
        self.lab.settle_index()
        done = sync_all(
            self.lab.hub,
            tuple(OBJECTS_OF),
            until_converged=until_converged,
            watch=lambda entity: self.screen.progress(self.lab, entity),
            told=lambda entity, number, report: self._booked(entity),
        )
        outcomes = [outcome.value for outcome in Outcome]
        self.outcome = max((item.outcome for item in done), key=outcomes.index)

    def _booked(self, entity: str) -> None:
        self.cycles.append(self.book.close_cycle(entity))

    def _look(self, name: str, gone: frozenset[tuple[str, str]] = frozenset()) -> People:
        """Compares both systems with the truth; duplicates, missing people and differing fields break a promise."""
        found = look(self.lab, self.truth, gone)
        unequal = {f"{field_}@{where}": number for field_, where, number in found.unequal}
        self.report[name] = {
            "persons": found.persons,
            "both": found.both,
            "duplicates": found.duplicates,
            "missing": found.missing,
            "unequal": unequal,
            "compared": found.compared,
            "seconds": round(self._seconds(), 2),
        }
        self._expect(not found.duplicates, f"{found.duplicates} duplicates", f"重复 {found.duplicates} 条")
        self._expect(not found.missing, f"{found.missing} persons missing", f"缺失 {found.missing} 人")
        self._expect(not unequal, f"fields differ: {unequal}", f"字段不一致：{unequal}")
        return found

    def _expect_converged(self) -> bool:
        outcome = self.outcome
        return self._expect(
            outcome == Outcome.CONVERGED, f"not converged: {outcome}; see `crmhub status`", f"未达成一致：{outcome}"
        )

    def _expect(self, held: bool, en: str, zh: str) -> bool:
        if not held:
            self.failures.append(Text(en, zh))
        return held

    def _seconds(self) -> float:
        return self.lab.clock.now() - self.started_at


@command(
    "demo",
    "Show the whole path on two simulators with invented customers; says what was promised and what was kept.",
    "在两个模拟器上用虚构客户演示全过程，并逐项核对承诺。",
    action=HOST,
)
def demo(
    desk: Desk,
    keep: Annotated[Path | None, Opt("keep the hub in this folder", "把 hub 保留到此目录", ("--keep",))] = None,
    records: Annotated[int, Opt("how many persons to invent", "虚构客户人数", ("--records",))] = 2000,
    logs: Annotated[
        int | None, Opt("contact logs (default: 3 a customer)", "沟通记录数（默认每客户 3 条）", ("--logs",))
    ] = None,
    complaints: Annotated[
        int | None, Opt("complaints (default: 4 of 10 customers)", "投诉数（默认每 10 客户 4 件）", ("--complaints",))
    ] = None,
    serve: Annotated[
        bool, Opt("then keep the daemon running while people go on working", "之后保持守护进程运行", ("--serve",))
    ] = False,
    seed: Annotated[int, Opt("the same seed invents the same persons", "相同种子生成相同客户", ("--seed",))] = 7,
) -> Answer:
    if not 50 <= records <= 100_000:
        raise Declined("--records takes 50 to 100000", "--records 的取值为 50 至 100000")
    world = {
        "records": records,
        "seed": seed,
        "logs": 3 * records if logs is None else logs,
        "complaints": records * 4 // 10 if complaints is None else complaints,
    }
    report = perform(desk, keep=keep, world=world, serve=serve)
    return Answer(report, lambda: None, 1 if report["failures"] else 0)


def perform(desk: Desk, *, keep: Path | None, world: dict[str, int], serve: bool = False) -> dict[str, Any]:
    """Plays the demo and returns its report; `failures` names every broken promise."""
    speech = Speech(desk.lang)
    screen = Screen(desk, speech)
    screen.opening()
    screen.act("act1")
    with running_lab(keep, lang=desk.lang, options=dict.fromkeys(OBJECTS, world)) as lab:
        started_at = lab.clock.now()
        truth, book = Truth.of(lab), CallBook(lab)
        screen.setup(lab, book.fresh)
        counts = {f"{system}.{object_}": number for (system, object_), number in book.fresh.items()}
        children = Children.of(lab)
        played = Demo(lab, screen, speech, truth, book, children, started_at, report={"records": counts})
        try:
            played.play()
        except HubError as error:
            played.failures.append(Text(f"{error.code} {error.en}", f"{error.code} {error.zh}"))
        report = played.report | {
            "outcome": played.outcome,
            "seconds": round(lab.clock.now() - started_at, 2),
            "failures": [speech.text(item) for item in played.failures],
        }
        settled = report.get("settled", {})
        passed = {name: f"{settled.get(name, 0):,}" for name in ("persons", "duplicates")}
        passed |= {entity: f"{report.get(entity, {}).get('both', 0):,}" for entity in CHILDREN}
        screen.ending(speech("passed", **passed, seconds=report["seconds"]), played.failures)
        if serve and not played.failures:
            screen.act("act7")
            report["daemon_exit"] = serve_on(lab, screen, speech)
        if keep is not None:
            screen.kept(lab)
    return report
