"""The screens of the demo: one short table per act, marked as a laboratory, without a personal value."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

from rich import box
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text as Styled

from hub.cli.demo_calls import Account
from hub.cli.demo_children import Equal
from hub.cli.demo_facts import Story
from hub.cli.demo_lab import CHILDREN, ENTITY, OBJECTS, OBJECTS_OF, Lab
from hub.cli.demo_truth import Graded, People
from hub.cli.demo_words import Speech
from hub.cli.desk import Desk
from hub.cli.progress import watching
from hub.kernel.errors import Text

WIDTH = 110
"""Columns where nobody says how wide the screen is."""


class Screen:
    """Draws the acts in one language."""

    def __init__(self, desk: Desk, speech: Speech) -> None:
        self._desk, self._say = desk, speech
        self._console = Console(quiet=desk.json, highlight=False, width=None if sys.stdout.isatty() else WIDTH)

    def opening(self) -> None:
        say = self._say
        line = Styled.assemble((f" {say('lab')} ", "black on yellow"), "  ", (say("lab_note"), "yellow"))
        self._console.print(Panel(line, title=f"[bold]{say('title')}", title_align="left", border_style="yellow"))

    def act(self, key: str) -> None:
        mark = self._say("lab")
        self._console.print()
        self._console.rule(f"[bold]{self._say(key)}[/] [yellow]{mark}", align="left", style="dim")

    def line(self, text: str, command: str = "") -> None:
        self._console.print(Styled.assemble(("✓ ", "green"), text))
        if command:
            self._console.print(f"    {command}", style="cyan", soft_wrap=True)

    def setup(self, lab: Lab, counts: Mapping[tuple[str, str], int]) -> None:
        table = self._table("system", "address", "customers", *CHILDREN, "objects")
        for system, objects in OBJECTS.items():
            total = sum(counts[system, name] for name in objects)
            parts = ", ".join(f"{name} {counts[system, name]:,}" for name in objects)
            numbers = [f"{sum(counts[system, n] for n in OBJECTS_OF[entity][system]):,}" for entity in CHILDREN]
            table.add_row(self._say.system(system), lab.simulators[system].base_url, f"{total:,}", *numbers, parts)
        self._console.print(table)
        self.line(f"{self._say('folder')}: {lab.home}", "crmhub init · crmhub check")

    def matches(self, graded: Mapping[str, Graded]) -> None:
        table = self._table("match", "records", "right", "wrong", "meaning")
        for name, item in graded.items():
            wrong = Styled(f"{item.wrong:,}", style="red bold" if item.wrong else "green")
            row = (self._say(name), f"{item.count:,}", f"{item.right:,}", wrong, self._say(f"{name}_means"))
            table.add_row(*row)
        self._console.print(table)
        self._console.print("  crmhub plan · crmhub match report", style="dim cyan")

    def people(self, found: People) -> None:
        differing = sum(number for _, _, number in found.unequal)
        self._fact(found.duplicates, "persons_line", persons=found.persons, both=found.both)
        self._fact(differing, "compared_line", compared=found.compared)

    def took(self, cycles: int, seconds: float) -> None:
        self._console.print(f"  {self._say('took_line', cycles=cycles, seconds=f'{seconds:.1f}')}", style="dim")

    def children(self, entity: str, found: Equal) -> None:
        name = self._say(entity)
        self._fact(found.alone, "children_line", name=name, both=found.both)
        self._fact(sum(found.differing.values()), "compared_line", compared=found.compared)

    def _fact(self, bad: int, line: str, **values: int | str) -> None:
        mark = ("✗ ", "red bold") if bad else ("✓ ", "green")
        shown = {name: f"{value:,}" if isinstance(value, int) else value for name, value in values.items()}
        text = self._say(line, **shown, bad=f"{bad:,}")
        self._console.print(Styled.assemble(mark, text))

    def stories(self, stories: Sequence[Story]) -> None:
        table = self._table("did", "hub_did", "why")
        for story in stories:
            did = self._say.text(story.change.said)
            for number, item in enumerate(story.findings, 1):
                last = number == len(story.findings)
                table.add_row(did, self._say.text(item.what), self._say.text(item.why), end_section=last)
                did = ""
        self._console.print(table)

    def calls(self, accounts: Mapping[str, Account]) -> None:
        table = self._table("system", "calls", "minimum", "ratio", "made_of", "apart")
        for system, item in accounts.items():
            parts = " + ".join(f"{number:,} {self._say(name)}" for name, number in item.parts.items() if number)
            style = "green" if item.ratio <= 1.05 else "yellow"
            ratio = Styled(f"{item.ratio:.3f}", style=style)
            numbers = f"{item.used:,}", f"{item.minimum:,}", ratio
            table.add_row(self._say.system(system), *numbers, parts, f"{item.apart:,}")
        self._console.print(table)
        self._console.print(f"  {self._say('minimum_means')}", style="dim")

    def ending(self, text: str, failures: Sequence[Text]) -> None:
        self._console.print()
        if not failures:
            self._console.print(Panel(Styled(text, style="bold green"), border_style="green"))
            return
        body = "\n".join(f"✗ {self._say.text(item)}" for item in failures)
        self._console.print(Panel(f"{self._say('failed')}\n{body}", border_style="red"))

    def kept(self, lab: Lab) -> None:
        self._console.print(self._say("kept", home=lab.home))
        for command in ("status", "conflict list", "match report", "audit verify"):
            self._console.print(f"  crmhub {command} --home {lab.home}", style="cyan", soft_wrap=True)
        self._console.print(self._say("kept_note"), style="dim")

    def progress(self, lab: Lab, entity: str = ENTITY) -> AbstractContextManager[None]:
        """Shows how far the running cycles are, with rate and time left."""
        return watching(self._desk, lab.hub, entity)

    def _table(self, *heads: str) -> Table:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for head in heads:
            right = head in ("customers", *CHILDREN, "records", "right", "wrong", "calls", "minimum", "ratio", "apart")
            table.add_column(self._say(head), justify="right" if right else "left", overflow="fold")
        return table
