"""Turns the results of the batch into something worth reading."""

from collections import Counter
from typing import Any

from packaging.utils import canonicalize_name
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

BAR = 24
"""Width of the longest bar, in characters."""
NOTES = 12
"""Notes that are shown."""
_KIND_COLOURS = {
    "permissive": "green",
    "weak copyleft": "yellow",
    "strong copyleft": "red",
    "proprietary": "red",
    "unclear": "magenta",
}


class Report:
    """What a batch of `dists` runs found; `values` are the final values of the runs that succeeded."""

    def __init__(self, values: list[dict[str, Any]]) -> None:
        self.by_name: dict[str, dict[str, Any]] = {canonicalize_name(value["name"]): value for value in values}
        self.wanted = Counter(name for value in values for name in value["direct"])

    def show(self, console: Console) -> None:
        """Prints it all."""
        found = self.by_name.values()
        _say(
            console,
            f"{len(found)} distributions, {_megabytes(sum(value['bytes'] for value in found))} "
            f"in {sum(value['files'] for value in found):,} files; "
            f"{sum(value['compiled'] > 0 for value in found)} have compiled parts.",
        )
        self._licences(console)
        self._biggest(console)
        self._chains(console)
        self._wanted(console)
        self._notes(console)

    def _licences(self, console: Console) -> None:
        counts = Counter((value["licence"], value["licence_kind"]) for value in self.by_name.values())
        _heading(console, "Licences")
        table = _table(left=("licence", "kind"), right=("",))
        table.add_column("")
        most = max(counts.values(), default=1)
        for (licence, kind), count in counts.most_common(8):
            bar = "█" * max(1, round(BAR * count / most))
            table.add_row(escape(licence), kind, str(count), f"[{_KIND_COLOURS.get(kind, 'default')}]{bar}[/]")
        console.print(table)
        kinds = Counter(value["licence_kind"] for value in self.by_name.values())
        _say(console, "In all: " + ", ".join(f"{count} {kind}" for kind, count in kinds.most_common()) + ".")
        binding = [
            f"{name} ({value['licence']})"
            for name, value in sorted(self.by_name.items())
            if value["licence_kind"] not in ("permissive", "unclear")
        ]
        if binding:
            _say(console, f"Read before you ship: {escape(', '.join(binding))}.")

    def _biggest(self, console: Console) -> None:
        _heading(console, "Biggest, by what they bring along and by themselves")
        table = _table(left=("distribution",), right=("size", "files", "compiled", "brings", "in all"))
        biggest = sorted(self.by_name.items(), key=lambda item: -self._in_all(item[0]))[:4]
        biggest += sorted(self.by_name.items(), key=lambda item: -item[1]["bytes"])[:6]
        for name, value in dict(biggest).items():
            table.add_row(
                f"{escape(value['name'])} [dim]{escape(value['version'])}[/]",
                _megabytes(value["bytes"]),
                f"{value['files']:,}",
                str(value["compiled"] or ""),
                str(len(value["below"]) or ""),
                _megabytes(self._in_all(name)),
            )
        console.print(table)

    def _in_all(self, name: str) -> int:
        """Bytes of a distribution and of everything below it."""
        return sum(self.by_name[each]["bytes"] for each in (name, *self.by_name[name]["below"]) if each in self.by_name)

    def _chains(self, console: Console) -> None:
        _heading(console, "Longest ways down")
        shown: list[list[str]] = []
        for value in sorted(self.by_name.values(), key=lambda value: -len(value["chain"])):
            chain = value["chain"]
            if len(shown) < 4 and not any(set(chain) & set(other[:-2]) for other in shown):
                shown.append(chain)
                _say(console, f"{len(chain) - 1} steps: {escape(' > '.join(chain))}")

    def _wanted(self, console: Console) -> None:
        _heading(console, "Most wanted")
        most = (f"{escape(name)} (by {count})" for name, count in self.wanted.most_common(8))
        _say(console, ", ".join(most))
        needed = {name for value in self.by_name.values() for name in value["below"]}
        alone = sorted(self.by_name.keys() - needed)
        more = f" and {len(alone) - 12} more" if len(alone) > 12 else ""
        _say(console, f"Asked for by nothing here: {escape(', '.join(alone[:12]))}{more}")

    def _notes(self, console: Console) -> None:
        notes: dict[str, list[str]] = {}
        for name, value in sorted(self.by_name.items()):
            for note in value["notes"]:
                notes.setdefault(note, []).append(name)
        _heading(console, "Worth a look")
        if not any(_weight(note) == 0 for note in notes):
            _say(console, "Everything that is required is here, in a version that fits.")
        ordered = sorted(notes.items(), key=lambda item: (_weight(item[0]), -len(item[1]), item[0]))
        for note, names in ordered[:NOTES]:
            # An unmet requirement names its owner, and is found from everything above it.
            who = "" if _weight(note) == 0 else f"{', '.join(names)}: "
            _say(console, f"[bold]{escape(who)}[/]{escape(note)}")
        if len(ordered) > NOTES:
            _say(console, f"[dim]and {len(ordered) - NOTES} more[/]")


def _weight(note: str) -> int:
    """0 for what may break, 1 for what a lawyer asks about, 2 for the rest."""
    if " wants " in note:
        return 0
    return 1 if "licence" in note else 2


def _say(console: Console, text: str) -> None:
    """A paragraph, indented."""
    console.print(Padding.indent(text, 2))


def _table(*, left: tuple[str, ...], right: tuple[str, ...] = ()) -> Table:
    table = Table(box=None, header_style="dim", padding=(0, 1, 0, 2), pad_edge=True)
    for column in left:
        table.add_column(column)
    for column in right:
        table.add_column(column, justify="right")
    return table


def _heading(console: Console, text: str) -> None:
    console.print(f"\n[bold]{text}[/]")


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
