"""Compares the interface with that of the official server, which stock clients are written for.

scripts/reference                 with the structure that is kept, openapi/reference.json; exit 1 when something differs
                                  that openapi/deliberate.toml gives no reason for
scripts/reference UPSTREAM        with another version's OpenAPI document; says first what changed upstream
scripts/reference UPSTREAM --keep the same, and keeps that document's structure from then on

What differs is what clients notice: operations, parameters, fields, required, types, enumerations, statuses and media
types that break them here, and what is here beyond the reference.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from .changes import Finding, Subject
from .document import Document, UnreadableDocument
from .document_diff import compare
from .structure import structure_of, write

ROOT = Path(__file__).resolve().parents[2]
KEPT = Path("openapi/reference.json")
PRESENT = Path("generated/openapi.json")
DELIBERATE = Path("openapi/deliberate.toml")

_NOTICED = {
    *(Subject.OPERATION, Subject.PARAMETER, Subject.FIELD, Subject.REQUIRED, Subject.TYPE, Subject.ENUM),
    *(Subject.STATUS, Subject.MEDIA_TYPE),
}
_NOTICED_BEYOND = {Subject.OPERATION, Subject.PARAMETER, Subject.FIELD, Subject.ENUM}


@dataclass
class Deliberate:
    """Differences that are meant: patterns of their keys (`*` and `?`), and why."""

    reason: str
    patterns: list[str]
    used: set[str] = field(default_factory=set)

    def covers(self, key: str) -> bool:
        """Whether one of the patterns fits; it counts as used then."""
        fitting = {pattern for pattern in self.patterns if fnmatchcase(key, pattern.replace("[", "[[]"))}
        self.used |= fitting
        return bool(fitting)


def read_deliberate(text: str) -> list[Deliberate]:
    """The list, in TOML: `[[deliberate]]` with `reason` and `differences`. Raises ValueError."""
    found = []
    for entry in tomllib.loads(text).get("deliberate", ()):
        if not entry.get("reason") or not entry.get("differences"):
            raise ValueError(f"each [[deliberate]] needs a reason and differences: {entry}")
        found.append(Deliberate(entry["reason"], entry["differences"]))
    return found


def differences(reference: Document, present: Document) -> list[Finding]:
    """How the present document differs from the reference, as far as clients notice."""
    found = compare(Document(structure_of(reference)), Document(structure_of(present)))
    # What is removed and breaks nothing is missing from one alternative of a request, and still there in another.
    return [
        each
        for each in found
        if each.subject in (_NOTICED if each.breaks else _NOTICED_BEYOND) and (each.breaks or not each.removes)
    ]


def objections(found: Sequence[Finding], deliberate: Sequence[Deliberate]) -> list[str]:
    """The differences without a reason, and the reasons without a difference."""
    unexplained = [each for each in found if not [one for one in deliberate if one.covers(each.key)]]
    stale = [pattern for one in deliberate for pattern in one.patterns if pattern not in one.used]
    return [
        *map(str, unexplained),
        *(f"{DELIBERATE}: stale, nothing differs like this: {pattern}" for pattern in stale),
    ]


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/reference", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("upstream", nargs="?", type=Path, metavar="UPSTREAM", help="an OpenAPI document, as JSON")
    parser.add_argument("--keep", action="store_true", help="keep the structure of UPSTREAM")
    options = parser.parse_args(arguments)
    if options.keep and options.upstream is None:
        parser.error("--keep needs the document whose structure is kept")
    try:
        present = Document.read(root / PRESENT)
        reference = Document.read(options.upstream or root / KEPT)
        if options.upstream is not None and (root / KEPT).exists():
            kept = Document.read(root / KEPT)
            changes = compare(kept, Document(structure_of(reference)))
            print(f"Upstream, from {kept.version} to {reference.version}: {len(changes)} changes")
            for each in changes:
                print(f"  {'breaks  ' if each.breaks else 'harmless'}  {each}")
        found = objections(differences(reference, present), read_deliberate((root / DELIBERATE).read_text("utf-8")))
    except (UnreadableDocument, ValueError) as error:
        sys.exit(f"scripts/reference: {error}")
    if options.keep:
        (root / KEPT).write_text(write(structure_of(reference)), "utf-8")
        print(f"wrote {KEPT}")
    print(f"Here, compared with {reference.version}: {len(found)} without a reason in {DELIBERATE}")
    for objection in found:
        print(f"  {objection}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
