"""The table and the JSON file."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from scripts.bench_suite.figures import FIGURES, Figure


@dataclass(slots=True)
class Results:
    """What was measured, by figure. `client`: by scenario, the share of one core that the load took."""

    runyard: dict[str, float] = field(default_factory=dict)
    floor: dict[str, float] = field(default_factory=dict)
    official: dict[str, float] = field(default_factory=dict)
    client: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def verdict(self, figure: Figure) -> bool | None:
        """Whether Runyard reaches the target; None if there is none or it cannot be judged."""
        own = self.runyard.get(figure.key)
        if own is None or figure.target is None:
            return None
        official = self.official.get(figure.key, figure.official)
        return figure.target.met(own, self.runyard, self.floor.get(figure.key), official)


def show(results: Results, console: Console) -> None:
    """Print what was measured, with ratios and targets."""
    table = Table(title="Runyard's benchmark", title_justify="left", header_style="bold", pad_edge=False)
    table.add_column("figure", no_wrap=True)
    table.add_column("", no_wrap=True)
    for heading in ("Runyard", "floor", "of floor", "official", "of official"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("target", no_wrap=True)
    table.add_column("", no_wrap=True)
    scenario = ""
    for figure in FIGURES:
        if not any(figure.key in part for part in (results.runyard, results.floor, results.official)):
            continue
        if figure.scenario != scenario and scenario:
            table.add_section()
        scenario = figure.scenario
        table.add_row(*_row(figure, results))
    console.print(table)
    console.print("Official figures in (brackets) are known ones from two quiet cores, not measured in this run.")
    console.print("of floor, of official: Runyard's figure divided by that one; for times and sizes less is better.")
    for note in [*results.notes, *results.failures]:
        console.print(note, style="yellow", markup=False)
    if results.client:
        costs = ", ".join(f"{name} {share:.0%}" for name, share in results.client.items())
        console.print(f"What the load itself took, of one core: {costs}.", markup=False)


def _row(figure: Figure, results: Results) -> tuple[str, ...]:
    own = results.runyard.get(figure.key)
    floor = results.floor.get(figure.key)
    measured = results.official.get(figure.key)
    official = figure.official if measured is None else measured
    verdict = results.verdict(figure)
    return (
        figure.title,
        figure.unit,
        _number(own),
        _number(floor),
        _ratio(own, floor),
        _number(official) if measured is not None or official is None else f"({_number(official)})",
        _ratio(own, official),
        figure.target.text if figure.target else "",
        "" if verdict is None else "[green]yes[/]" if verdict else "[red]NO[/]",
    )


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _ratio(own: float | None, other: float | None) -> str:
    return "" if own is None or not other else f"{own / other:.2g}" if own < 10 * other else f"{own / other:.0f}"


def write(results: Results, file: Path, options: Mapping[str, Any]) -> None:
    """Write everything, with the machine and the versions, as JSON."""
    figures = {
        figure.key: {
            "title": figure.title.strip(),
            "scenario": figure.scenario,
            "unit": figure.unit,
            "higher_is_better": figure.higher,
            "runyard": results.runyard.get(figure.key),
            "floor": results.floor.get(figure.key),
            "official": results.official.get(figure.key),
            "official_known": figure.official,
            "target": figure.target.text if figure.target else None,
            "met": results.verdict(figure),
        }
        for figure in FIGURES
    }
    document = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "system": platform.platform(),
            "python": sys.version.split()[0],
            "cores": os.cpu_count(),
            "memory_mb": round(psutil.virtual_memory().total / 1e6),
        },
        "versions": {
            name: metadata.version(name) for name in ("runyard", "langgraph", "langgraph-checkpoint", "uvicorn")
        },
        "options": dict(options),
        "figures": figures,
        "client_core_share": results.client,
        "notes": results.notes,
        "failures": results.failures,
    }
    file.write_text(json.dumps(document, indent=2) + "\n")
