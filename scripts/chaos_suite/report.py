"""The outcome of a session as a table and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from scripts.chaos_suite.checks import KINDS
from scripts.chaos_suite.session import Options, Outcome

_EXAMPLES = 3


def show(outcome: Outcome, options: Options, console: Console) -> None:
    """How often each kind was found, and the first findings of each with what is needed to find their cause."""
    counts = Counter(found.finding.kind for found in outcome.found)
    for kind in KINDS:
        examples = [found for found in outcome.found if found.finding.kind == kind]
        for found in examples[:_EXAMPLES]:
            finding = found.finding
            console.print(f"\n{kind}, round {found.round}: {finding.text}", markup=False, style="red")
            console.print(f"  run {finding.run_id}, thread {finding.thread_id}", markup=False)
            for line in found.timeline:
                console.print(f"  {line}", markup=False)
        if len(examples) > _EXAMPLES:
            console.print(f"\n{kind}: {len(examples) - _EXAMPLES} more; --json has all", markup=False)
    table = Table(title=f"seed {options.seed}, {outcome.rounds} rounds in {outcome.seconds / 60:.1f} minutes")
    table.add_column("kind")
    table.add_column("found", justify="right")
    table.add_column("what it is")
    for kind, about in KINDS.items():
        table.add_row(kind, str(counts[kind]), about, style="red" if counts[kind] else "")
    console.print(table)
    console.print(
        f"{outcome.runs} runs accepted, {outcome.marks} marks of nodes, {outcome.streams} streams,"
        f" {outcome.webhooks} webhooks."
    )
    if outcome.recoveries:
        count, longest = len(outcome.recoveries), max(outcome.recoveries)
        console.print(f"{count} runs of killed workers were at work again within {longest:.1f} s.")
    faults = ", ".join(f"{name} {count}" for name, count in sorted(outcome.faults.items()))
    console.print(f"faults: {faults or 'none'}", markup=False)
    for note in outcome.notes:
        console.print(note, style="yellow", markup=False)


def write(outcome: Outcome, options: Options, path: Path) -> None:
    """All of it as JSON."""
    content = {
        "options": {"minutes": options.minutes, "seed": options.seed, "faults": options.faults},
        **asdict(outcome),
    }
    path.write_text(json.dumps(content, indent=1, default=str) + "\n")
