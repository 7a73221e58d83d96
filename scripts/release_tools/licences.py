"""Holds the licence of every runtime dependency of Runyard, direct or not, to licences.toml.

The licences are those that the installed distributions state: License-Expression (PEP 639), or else an entry of
the list, or else what the field License and the classifiers say together. What only tools for development
need is not looked at. Exits with 1 and names distribution, licence and remedy when something is not allowed.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from .expressions import canonical, permits

LIST = Path(__file__).with_name("licences.toml")
LIST_NAME = "scripts/release_tools/licences.toml"
FIELD_SHOWN = 60
"""Characters of a License field that a message shows: some hold a whole licence."""


@dataclass(frozen=True)
class Statement:
    """What the metadata of one distribution say about its licence."""

    name: str
    version: str
    required_by: str
    expression: str = ""
    field: str = ""
    classifiers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rules:
    """The content of licences.toml, where it is explained."""

    allowed: frozenset[str]
    spellings: Mapping[str, str]
    classifiers: Mapping[str, str]
    named: Mapping[str, str]

    @classmethod
    def read(cls, text: str) -> Rules:
        """Raises ValueError when an entry does not say a licence and where it was read."""
        content: dict[str, Any] = tomllib.loads(text)
        named = {}
        for name, entry in content["named"].items():
            licence = canonical(entry.get("licence", ""))
            if licence is None or not entry.get("read_in"):
                raise ValueError(f"{LIST_NAME}: [named.{name}] needs an SPDX `licence` and `read_in`")
            named[str(canonicalize_name(name))] = licence
        spellings = {spelling.casefold(): licence for spelling, licence in content["spellings"].items()}
        return cls(frozenset(content["allowed"]), spellings, content["classifiers"], named)

    def licence(self, stated: Statement) -> str | None:
        """The SPDX expression that holds for a distribution; None when it is unclear."""
        if stated.expression:
            return canonical(stated.expression)
        if stated.name in self.named:
            return self.named[stated.name]
        return self._of_older_metadata(stated)

    def _of_older_metadata(self, stated: Statement) -> str | None:
        parts = [self.classifiers.get(classifier) for classifier in stated.classifiers]
        if stated.field:
            parts.append(self.spellings.get(stated.field.casefold()) or canonical(stated.field))
        if None in parts:
            return None
        # Whether several are a choice, older metadata cannot say: all have to be allowed.
        clear = list(dict.fromkeys(part for part in parts if part))
        if len(clear) > 1:
            clear = [f"({part})" if " OR " in part else part for part in clear]
        return " AND ".join(clear) or None

    def complaint(self, stated: Statement) -> str | None:
        """What is wrong with the licence of a distribution, and what to do about it."""
        who = f"{stated.name} {stated.version} (required by {stated.required_by})"
        licence = self.licence(stated)
        if licence is None:
            said = [f"License-Expression {stated.expression!r}"] if stated.expression else []
            said += [f"License {stated.field[:FIELD_SHOWN]!r}"] if stated.field else []
            said += [repr(classifier) for classifier in stated.classifiers]
            return (
                f"{who}: unclear licence; its metadata say {', '.join(said) or 'nothing'}. "
                f"Read its licence file, then add [named.{stated.name}] with `licence` and `read_in` to {LIST_NAME}"
            )
        if not permits(licence, self.allowed):
            return (
                f"{who}: {licence} is not allowed. Do without the distribution, or, if the licence suits a server "
                f"under Apache-2.0, add it with the reason to [allowed] in {LIST_NAME}"
            )
        return None


def runtime_statements(
    root: str, find: Callable[[str], metadata.Distribution] = metadata.distribution
) -> Iterator[Statement]:
    """One statement for each distribution that `root` needs here, with the extras that are asked for.

    Raises PackageNotFoundError when one is not installed.
    """
    queue = [(root, frozenset[str](), "")]
    seen: set[tuple[str, frozenset[str]]] = set()
    told = {root}
    while queue:
        name, extras, required_by = queue.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        distribution = find(name)
        if name not in told:
            told.add(name)
            yield _statement(name, distribution, required_by)
        for line in distribution.requires or ():
            requirement = Requirement(line)
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras or {""}):
                queue.append((canonicalize_name(requirement.name), frozenset(requirement.extras), name))


def _statement(name: str, distribution: metadata.Distribution, required_by: str) -> Statement:
    found = distribution.metadata
    classifiers = [line for line in found.get_all("Classifier") or () if line.startswith("License ::")]
    fields = {key: (found.get_all(key) or [""])[0].strip() for key in ("License-Expression", "License")}
    return Statement(
        name,
        distribution.version,
        required_by,
        fields["License-Expression"],
        "" if fields["License"] == "UNKNOWN" else fields["License"],
        tuple(classifiers),
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/licences", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--list", action="store_true", help="also print every distribution with its licence")
    arguments = parser.parse_args()
    rules = Rules.read(LIST.read_text("utf-8"))
    try:
        statements = sorted(runtime_statements("runyard"), key=lambda stated: stated.name)
    except metadata.PackageNotFoundError as missing:
        sys.exit(f"scripts/licences: {missing.name} is not installed; run scripts/install")
    if arguments.list:
        for stated in statements:
            print(f"{stated.name} {stated.version}: {rules.licence(stated) or 'unclear'}")
    needed = {stated.name for stated in statements if not stated.expression}
    for name in sorted(rules.named.keys() - needed):
        print(f"scripts/licences: [named.{name}] in {LIST_NAME} is not needed any more; remove it")
    complaints = [complaint for stated in statements if (complaint := rules.complaint(stated))]
    for complaint in complaints:
        print(f"scripts/licences: {complaint}", file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
