"""Compares the interface with that of the last release, in the direction that matters to clients.

scripts/interface               exit 1 when a change breaks clients and openapi/accepted-breaks.txt does not say so
scripts/interface --all         name harmless changes too
scripts/interface --changelog   print the changelog's section "Interface"
scripts/interface OLD NEW       name the changes between two other documents
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .acceptance import entries_of, objections, read_acceptances
from .changelog import interface_section
from .document import Document, UnreadableDocument
from .document_diff import compare

ROOT = Path(__file__).resolve().parents[2]
RELEASED = Path("openapi/released.json")
PRESENT = Path("generated/openapi.json")
ACCEPTED = Path("openapi/accepted-breaks.txt")

ACCEPTED_HEADER = """\
# Changes since the last release that break clients and are meant to. A line is the key that scripts/interface prints,
# " => ", and the beginning of the entry in CHANGELOG.md that tells users. A release empties this file.
"""


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/interface", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("documents", nargs="*", type=Path, metavar="DOCUMENT", help="two documents, old and new")
    parser.add_argument("--all", action="store_true", help="name harmless changes too")
    parser.add_argument("--changelog", action="store_true", help='print the section "Interface"')
    options = parser.parse_args(arguments)
    if len(options.documents) not in (0, 2):
        parser.error("give two documents, or none")
    try:
        old, new = (Document.read(path) for path in options.documents or (root / RELEASED, root / PRESENT))
        findings = compare(old, new)
    except UnreadableDocument as error:
        sys.exit(f"scripts/interface: {error}")

    if options.changelog:
        print(interface_section(findings), end="")
        return 0
    if options.all or options.documents:
        for finding in findings:
            print(f"{'breaks  ' if finding.breaks else 'harmless'}  {finding}")
    if options.documents:
        return int(any(finding.breaks for finding in findings))
    acceptances = read_acceptances((root / ACCEPTED).read_text("utf-8"))
    entries = entries_of((root / "CHANGELOG.md").read_text("utf-8"), new.version)
    found = objections(findings, acceptances, entries, old.version, new.version)
    for objection in found:
        print(f"scripts/interface: {objection}", file=sys.stderr)
    return 1 if found else 0


def begin_anew(root: Path = ROOT) -> bool:
    """Makes the present document that of the last release, and accepts nothing any more. False: it was so already."""
    files = {RELEASED: (root / PRESENT).read_text("utf-8"), ACCEPTED: ACCEPTED_HEADER}
    stale = [path for path, text in files.items() if not (root / path).exists() or (root / path).read_text() != text]
    for path in stale:
        (root / path).write_text(files[path], encoding="utf-8")
    return bool(stale)


if __name__ == "__main__":
    sys.exit(main())
